from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from crowds import expected_accuracy, planted

from hitl.labels import AnswerTable, WeightedMajority, majority
from hitl.labels.table import counted


def test_weights_are_near_the_log_odds_of_the_accuracies() -> None:
    """Most of the others are wrong at times, too, so that the best are taken for a little less than they are."""
    accuracy = [0.95, 0.9, 0.9, 0.85, 0.8, 0.7, 0.6]
    table, truth = planted(0, accuracy, per_task=7, prior=[0.5, 0.5], tasks=3000)
    weights = WeightedMajority().weights(table, counted(table))
    ratio = weights / np.log(np.array(accuracy) / (1 - np.array(accuracy)))
    assert ((ratio > 0.7) & (ratio < 1.1)).all()
    rows = np.arange(len(truth))
    ours, votes = (expected_accuracy(by(table).posterior, truth, rows) for by in (WeightedMajority(), majority))
    assert ours > votes


def test_a_person_is_compared_with_others_and_never_with_themselves() -> None:
    """Alone on every task, or with others who always differ: the record is the prior's, or below it."""
    said = [(f"a{i}", "alone", "x") for i in range(50)]
    said += [(f"b{i}", who, "xy"[who == "odd"]) for i in range(50) for who in ("ana", "bo", "odd")]
    table = AnswerTable.of(said)
    weights = dict(zip(table.workers, WeightedMajority().weights(table, counted(table)), strict=True))
    assert weights["alone"] == pytest.approx(np.log(4.0))
    # Of two others one agrees with ana: a tie, which counts half.
    assert weights["ana"] == pytest.approx(np.log((25 + 4) / (25 + 1)))
    assert weights["odd"] == WeightedMajority().least


def test_repeats_by_one_person_are_no_others() -> None:
    table = AnswerTable.of([("a", "ana", "x")] * 5 + [("a", "bo", "y")])
    weights = WeightedMajority().weights(table, counted(table))
    np.testing.assert_allclose(weights, [WeightedMajority().least, np.log(2.0)])


def test_known_labels_go_before_what_others_say() -> None:
    said = [(f"t{i}", who, word) for i in range(30) for who, word in (("ana", "x"), ("bo", "x"), ("cy", "y"))]
    table = AnswerTable.of([*said, ("u", "bo", "x"), ("u", "cy", "y")])
    truth = np.array([1] * 30 + [-1])
    settled = WeightedMajority()(replace(table, truth=truth))
    assert settled.labels[-1] == 1
