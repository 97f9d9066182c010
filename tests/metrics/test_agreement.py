from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from hitl.metrics.agreement import krippendorff_alpha


def table(matrix: list[list[float]]) -> SimpleNamespace:
    """Answers of a reliability matrix (people in rows, NaN where one did not answer)."""
    values = np.array(matrix, dtype=float)
    worker, task = np.nonzero(~np.isnan(values))
    return SimpleNamespace(task=task, label=values[worker, task].astype(np.int64))


def alpha(answers: SimpleNamespace, seed: int = 0):
    return krippendorff_alpha(answers, np.random.default_rng(seed))


def test_the_published_example() -> None:
    """Krippendorff (2011), Computing Krippendorff's alpha-reliability, example C: nominal alpha is 0.743."""
    _ = float("nan")
    four = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ]
    estimate = alpha(table(four))
    assert estimate.value == pytest.approx(0.743, abs=5e-4)
    assert estimate.n == 11


@pytest.mark.parametrize("seed", range(5))
def test_as_the_krippendorff_package(seed: int) -> None:
    krippendorff = pytest.importorskip("krippendorff")
    rng = np.random.default_rng(seed)
    truth = rng.integers(4, size=60)
    said = np.where(rng.random((5, 60)) < 0.7, truth, rng.integers(4, size=(5, 60))).astype(float)
    said[rng.random(said.shape) < 0.5] = np.nan
    expected = krippendorff.alpha(reliability_data=said, level_of_measurement="nominal")
    assert alpha(table(said.tolist())).value == pytest.approx(expected)


def test_the_interval_covers() -> None:
    """Tasks of one population: alpha of a very large draw lies in nine of ten intervals and more."""

    def draw(rng: np.random.Generator, tasks: int) -> SimpleNamespace:
        truth = rng.choice(3, size=tasks, p=[0.6, 0.3, 0.1])
        said = np.where(rng.random((2, tasks)) < 0.85, truth, rng.integers(3, size=(2, tasks)))
        return SimpleNamespace(task=np.tile(np.arange(tasks), 2), label=said.ravel())

    rng = np.random.default_rng(0)
    truth = krippendorff_alpha(draw(rng, 400_000), rng, replicates=1).value
    told = [krippendorff_alpha(draw(rng, 80), rng, replicates=200) for _ in range(300)]
    assert np.mean([e.low <= truth <= e.high for e in told]) >= 0.92
    assert np.mean([e.value for e in told]) == pytest.approx(truth, abs=0.03)


def test_full_agreement_is_not_certainty() -> None:
    estimate = alpha(table([[0, 1] * 10, [0, 1] * 10]))
    assert (estimate.value, estimate.high) == (1, 1)
    assert 0.6 < estimate.low < 0.95


@pytest.mark.parametrize(
    ("matrix", "why"),
    [
        ([[0.0, 1.0]], "no task was judged by two people"),
        ([[1.0, 1.0], [1.0, 1.0]], "all answers are the same"),
    ],
)
def test_what_cannot_be_told_is_said(matrix: list[list[float]], why: str) -> None:
    estimate = alpha(table(matrix))
    assert np.isnan(estimate.value)
    assert (estimate.low, estimate.high) == (-1, 1)
    assert why in estimate.method


def test_no_answers() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert np.isnan(alpha(SimpleNamespace(task=none, label=none)).value)


def test_order_and_names_do_not_matter() -> None:
    rng = np.random.default_rng(3)
    task, label = rng.integers(30, size=120), rng.integers(3, size=120)
    order, names = rng.permutation(120), rng.permutation(30)
    one = alpha(SimpleNamespace(task=task, label=label))
    two = alpha(SimpleNamespace(task=names[task[order]], label=label[order]))
    assert one.value == pytest.approx(two.value)
