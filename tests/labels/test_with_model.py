from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from crowds import planted

from hitl.errors import AnswerError
from hitl.labels import AnswerTable, DawidSkene, Machine, WithModel
from hitl.labels.table import UNRESOLVED
from hitl.types import Floats, Ints

PEOPLE = [0.9, 0.85, 0.8, 0.75, 0.7]


def believing(truth: Ints, seed: int, weight: float = 1.0, k: int = 3) -> Floats:
    """A model whose log-odds would be calibrated if they were multiplied by `weight`; 0: it knows nothing."""
    rng = np.random.default_rng(seed)
    calibrated = rng.dirichlet(np.ones(k), size=8 * len(truth))
    # Of each class as many of the opinions under which it was drawn as there are tasks of it.
    drawn = (calibrated.cumsum(axis=1) < rng.random((len(calibrated), 1))).sum(axis=1).clip(max=k - 1)
    opinion = np.empty((len(truth), k))
    for label in range(k):
        rows = np.flatnonzero(truth == label)
        opinion[rows] = calibrated[np.flatnonzero(drawn == label)[: len(rows)]]
    if weight == 0:
        return calibrated[: len(truth)]
    sharp = np.maximum(opinion, 1e-12) ** (1.0 / weight)
    return np.asarray(sharp / sharp.sum(axis=1, keepdims=True))


def crowd(seed: int, weight: float, tasks: int = 1200, per_task: int = 2) -> tuple[AnswerTable, Ints]:
    table, truth = planted(seed, PEOPLE, per_task=per_task, prior=[1 / 3] * 3, tasks=tasks)
    return replace(table, opinion=believing(truth, seed + 100, weight)), truth


def machine(table: AnswerTable) -> Machine:
    found = WithModel()(table).machine
    assert found is not None
    return found


@pytest.mark.parametrize(("weight", "within"), [(1.0, 0.15), (0.5, 0.12), (0.0, 0.12)])
def test_a_model_weighs_as_much_as_it_proved_right(weight: float, within: float) -> None:
    """Calibrated, twice as sure as it should be, and clueless: found from the answers of people who err themselves."""
    table, _ = crowd(0, weight)
    assert machine(table).weight == pytest.approx(weight, abs=within)


@pytest.mark.parametrize("weight", [1.0, 0.5, 0.0])
def test_its_voice_helps_where_it_knows_and_does_no_harm_where_it_does_not(weight: float) -> None:
    table, truth = crowd(1, weight)
    together, alone = ((by(table).posterior.argmax(axis=1) == truth).mean() for by in (WithModel(), DawidSkene()))
    assert together > alone + 0.02 if weight else together > alone - 0.01


def test_confidence_with_it_means_what_it_says() -> None:
    table, truth = crowd(2, 0.5, tasks=4000)
    settled = WithModel()(table)
    for low, high in ((0.5, 0.8), (0.8, 0.95), (0.95, 1.01)):
        among = (settled.confidence >= low) & (settled.confidence < high)
        assert (settled.labels == truth)[among].mean() == pytest.approx(settled.confidence[among].mean(), abs=0.05)


def test_people_are_not_judged_by_the_model() -> None:
    table, _ = crowd(3, 1.0)
    together, alone = WithModel()(table), DawidSkene()(table)
    for part in ("correct", "judged", "doubt", "confusion", "support"):
        np.testing.assert_array_equal(getattr(together, part), getattr(alone, part))


def test_where_it_is_silent_people_decide() -> None:
    """What a model is judged by must owe it nothing: rows of NaN."""
    table, _ = crowd(4, 1.0)
    assert table.opinion is not None
    apart = np.arange(len(table.tasks)) % 3 == 0
    opinion = np.where(apart[:, None], np.nan, table.opinion)
    settled, alone = WithModel()(replace(table, opinion=opinion)), DawidSkene()(table)
    np.testing.assert_array_equal(settled.posterior[apart], alone.posterior[apart])
    assert (settled.posterior[~apart] != alone.posterior[~apart]).any()


def test_it_labels_nothing_by_itself() -> None:
    table = AnswerTable.of([("a", "ana", "x"), ("a", "bo", "x")], tasks=["a", "b"], labels=["x", "y"])
    settled = WithModel()(replace(table, opinion=np.array([[0.5, 0.5], [0.01, 0.99]])))
    assert settled.labels.tolist() == [0, UNRESOLVED]


def test_a_known_label_goes_before_it_and_measures_it() -> None:
    table, truth = crowd(5, 1.0, tasks=300)
    assert table.opinion is not None
    lying = np.roll(np.eye(3)[truth], 1, axis=1) * 0.97 + 0.01
    settled = WithModel()(replace(table, truth=truth, opinion=lying))
    np.testing.assert_array_equal(settled.labels, truth)
    assert settled.machine is not None
    assert settled.machine.weight == pytest.approx(0.0, abs=0.02)
    assert (settled.machine.correct, settled.machine.judged, settled.machine.doubt) == (0.0, 300, 0.0)
    np.testing.assert_allclose(settled.machine.confusion.argmax(axis=1), [1, 2, 0])


def test_an_opinion_that_is_no_distribution_is_refused() -> None:
    table = AnswerTable.of([("a", "ana", "x"), ("b", "ana", "y")])
    with pytest.raises(AnswerError, match="row 1 of opinion is no distribution"):
        replace(table, opinion=np.array([[np.nan, np.nan], [0.9, 0.9]]))
    with pytest.raises(AnswerError, match=r"shape \(2, 3\)"):
        replace(table, opinion=np.ones((2, 3)) / 3)
