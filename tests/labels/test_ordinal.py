from __future__ import annotations

import numpy as np
import pytest
from crowds import confused

from hitl.labels import AnswerTable, DawidSkene, Ordinal, majority, median
from hitl.labels.table import UNRESOLVED
from hitl.types import Floats


def leaning(precision: float, severity: float, k: int = 5) -> Floats:
    """P(answer | truth) of somebody who errs by distance, and leans to one side."""
    step = np.arange(k)[None, :] - np.arange(k)[:, None]
    odds = np.exp(-precision * abs(step) + severity * step)
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


CROWD = np.stack([leaning(*person) for person in [(2.5, 0.0), (2.0, 0.3), (1.5, 1.0), (1.2, -0.9), (0.8, 0.0)]])


def test_precision_and_severity_of_each_are_found() -> None:
    table, truth = confused(0, CROWD, per_task=4, prior=[0.2] * 5, tasks=1500)
    settled = Ordinal()(table)
    assert settled.confusion is not None
    np.testing.assert_allclose(settled.confusion, CROWD, atol=0.06)
    assert (settled.labels == truth).mean() > (majority(table).labels == truth).mean()


def test_few_answers_go_farther_on_a_scale_than_without_one() -> None:
    """Twelve people with some ten answers each: matrices of 25 cells cannot be learned, two numbers can."""
    far, right = [], []
    for seed in range(6):
        table, truth = confused(seed, np.tile(CROWD, (3, 1, 1)), per_task=4, prior=[0.2] * 5, tasks=60)
        plain, scale = (by(table).posterior.argmax(axis=1) for by in (DawidSkene(), Ordinal()))
        far.append(abs(scale - truth).mean() - abs(plain - truth).mean())
        right.append((scale == truth).mean() - (plain == truth).mean())
    assert np.mean(far) < 0
    assert np.mean(right) > 0


def answers(*said: str) -> AnswerTable:
    return AnswerTable.of([("a", f"w{i}", word) for i, word in enumerate(said)], labels="01234")


@pytest.mark.parametrize(
    ("said", "label"),
    [("0", 0), ("014", 1), ("0044", UNRESOLVED), ("00444", 4), ("01234", 2), ("13", UNRESOLVED), ("2224", 2)],
)
def test_the_median_of_an_uneven_number_is_the_middle(said: str, label: int) -> None:
    assert median(answers(*said)).labels.tolist() == [label]


def test_belief_in_the_median_is_that_of_the_bayesian_bootstrap() -> None:
    said = "0112224"
    rng = np.random.default_rng(0)
    codes = np.array(sorted(map(int, said)))
    weights = rng.dirichlet(np.ones(len(said)), size=40_000)
    drawn = codes[(weights.cumsum(axis=1) >= 0.5).argmax(axis=1)]
    np.testing.assert_allclose(median(answers(*said)).posterior[0], np.bincount(drawn, minlength=5) / 40_000, atol=0.01)


def test_two_camps_are_no_middle() -> None:
    """Half say harmless and half severe: what lies between was chosen by nobody, and is not given."""
    settled = median(answers(*"000444"))
    assert settled.labels.tolist() == [UNRESOLVED]
    assert settled.posterior[0, 1:4].sum() == 0
