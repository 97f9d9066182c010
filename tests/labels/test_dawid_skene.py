from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from crowds import confused, expected_accuracy, planted

from hitl.labels import AnswerTable, DawidSkene, OneCoin, majority
from hitl.labels.table import UNRESOLVED
from hitl.labels.worth import accuracy_estimate, confusion_bounds

CROWD = Path(os.environ.get("HITL_SHARED", "../shared")) / "data" / "crowd"


def test_workers_are_known_by_their_errors() -> None:
    accuracy = [0.95, 0.9, 0.85, 0.7, 0.5]
    table, truth = planted(0, accuracy, per_task=3, prior=[0.5, 0.3, 0.2], tasks=4000)
    settled = DawidSkene()(table)
    np.testing.assert_allclose(settled.accuracy, accuracy, atol=0.03)
    assert settled.confusion is not None
    np.testing.assert_allclose(np.diagonal(settled.confusion, axis1=1, axis2=2).mean(axis=1), accuracy, atol=0.04)
    rows = np.arange(len(truth))
    assert expected_accuracy(settled.posterior, truth, rows) > expected_accuracy(majority(table).posterior, truth, rows)


def test_confidence_means_what_it_says() -> None:
    table, truth = planted(1, [0.9, 0.85, 0.8, 0.75, 0.7], per_task=3, prior=[0.6, 0.4], tasks=6000)
    settled = DawidSkene()(table)
    right = settled.labels == truth
    for low, high in ((0.5, 0.8), (0.8, 0.95), (0.95, 1.01)):
        among = (settled.confidence >= low) & (settled.confidence < high)
        assert right[among].mean() == pytest.approx(settled.confidence[among].mean(), abs=0.05)


def test_an_adversary_is_turned_around() -> None:
    table, truth = planted(2, [0.9, 0.9, 0.9, 0.05], per_task=4, prior=[0.5, 0.5], tasks=400)
    settled = DawidSkene()(table)
    assert (settled.labels == truth).mean() > (majority(table).labels == truth).mean()
    assert settled.accuracy[3] < 0.15


@pytest.mark.parametrize("seed", range(5))
def test_sparse_answers_do_not_collapse(seed: int) -> None:
    """One answer an item and a class at 5 %: what people said stands, but for a few."""
    table, truth = planted(seed, [0.95, 0.93, 0.9, 0.9], per_task=1, prior=[0.95, 0.05], tasks=80)
    settled = DawidSkene()(table)
    assert (settled.labels == table.label).mean() > 0.75
    assert (settled.labels == truth).mean() >= (table.label == truth).mean() - 0.05


def test_no_answers_on_a_task_says_nothing_about_it() -> None:
    table = AnswerTable.of([("a", "ana", "x"), ("a", "bo", "x")], tasks=["a", "b"], labels=["x", "y"])
    settled = DawidSkene()(table)
    assert settled.labels.tolist() == [0, UNRESOLVED]
    assert settled.posterior[1].tolist() == [0.5, 0.5]


def reference(table: AnswerTable, right: float, error: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Dawid and Skene's equations, as they are written, answer by answer."""
    t, w, k = len(table.tasks), len(table.workers), len(table.labels)
    votes = np.zeros((t, k))
    np.add.at(votes, (table.task, table.label), 1.0)
    beliefs = votes / votes.sum(axis=1, keepdims=True)
    for _ in range(steps):
        confusion = np.full((w, k, k), error) + right * np.eye(k)
        for i, j, label in zip(table.task, table.worker, table.label, strict=True):
            confusion[j, :, label] += beliefs[i]
        confusion /= confusion.sum(axis=2, keepdims=True)
        classes = (beliefs.sum(axis=0) + 1) / (t + k)
        joint = np.tile(classes, (t, 1))
        for i, j, label in zip(table.task, table.worker, table.label, strict=True):
            joint[i] *= confusion[j, :, label]
        beliefs = joint / joint.sum(axis=1, keepdims=True)
    return beliefs, confusion


def test_it_is_what_dawid_and_skene_wrote() -> None:
    table, _ = planted(3, [0.9, 0.8, 0.7, 0.6], per_task=3, prior=[0.5, 0.3, 0.2], tasks=60)
    beliefs, _ = reference(table, 2.0, 0.5, steps=12)
    _, confusion = reference(table, 2.0, 0.5, steps=13)
    settled = DawidSkene(right=2.0, error=0.5, tolerance=-1.0, steps=12)(table)
    np.testing.assert_allclose(settled.posterior, beliefs, atol=1e-8)
    np.testing.assert_allclose(settled.confusion, confusion, atol=1e-8)


def test_one_coin_does_not_let_a_class_swallow_the_rest() -> None:
    """Most people overlook the rare class half of the time: without a prior all tasks would be of one class."""
    keen = np.array([[0.97, 0.03], [0.45, 0.55]])
    table, truth = confused(4, np.tile(keen, (12, 1, 1)), per_task=7, prior=[0.6, 0.4], tasks=150)
    settled = OneCoin()(table)
    assert len(np.unique(settled.labels)) == 2
    assert (settled.labels == truth).mean() > 0.75
    assert (settled.accuracy > 0.5).all()


def test_a_start_from_before_ends_in_the_same_place_and_sooner() -> None:
    accuracy = [0.95, 0.9, 0.8, 0.7, 0.6, 0.55]
    first, _ = planted(5, accuracy, per_task=3, prior=[0.6, 0.3, 0.1], tasks=3000)
    second, _ = planted(6, accuracy, per_task=3, prior=[0.6, 0.3, 0.1], tasks=3000)
    known = dict(zip(first.workers, DawidSkene()(first).confusion, strict=True))  # type: ignore[arg-type]
    cold, warm = DawidSkene()(second), DawidSkene(start=known)(second)
    assert (cold.labels == warm.labels).mean() > 0.998
    soon = DawidSkene(steps=4), DawidSkene(steps=4, start=known)
    far, near = (np.abs(by(second).posterior - cold.posterior).mean() for by in soon)
    assert near < far


def test_a_start_knows_workers_by_name_and_bears_with_strangers() -> None:
    table = AnswerTable.of([(f"t{i}", who, "xy"[i % 2]) for i in range(8) for who in ("ana", "new")])
    start = {"ana": np.array([[1.0, 0.0], [0.0, 1.0]]), "gone": np.eye(2), "new": np.eye(3)}
    assert DawidSkene(start=start)(table).labels.tolist() == [0, 1] * 4


def coverage(resolver: DawidSkene | OneCoin, seeds: range) -> tuple[float, float]:
    """How often 95 % intervals hold the planted matrix's cells, and the planted accuracy."""
    cells, whole = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        accuracy = rng.uniform(0.6, 0.95, size=12).tolist()
        table, _ = planted(seed, accuracy, per_task=4, prior=[0.6, 0.4], tasks=400)
        settled = resolver(table)
        assert settled.confusion is not None
        assert settled.support is not None
        low, high = confusion_bounds(settled.confusion, settled.support)
        right = np.array(accuracy)
        truth = np.stack([np.stack([right, 1 - right], 1), np.stack([1 - right, right], 1)], 1)
        cells.append(((low <= truth) & (truth <= high)).mean())
        told = [accuracy_estimate(*row, "") for row in zip(settled.correct, settled.judged, settled.doubt, strict=True)]
        whole.append(np.mean([one.low <= a <= one.high for one, a in zip(told, accuracy, strict=True)]))
    return float(np.mean(cells)), float(np.mean(whole))


@pytest.mark.parametrize("resolver", [DawidSkene(), OneCoin()], ids=["dawid_skene", "one_coin"])
def test_intervals_hold_what_was_planted(resolver: DawidSkene | OneCoin) -> None:
    """The truth is believed and not known: taken for known, the intervals would hold it in far fewer cases."""
    cells, whole = coverage(resolver, range(12))
    assert cells > 0.9
    assert whole > 0.9


@pytest.mark.simulation
@pytest.mark.parametrize("resolver", [DawidSkene(), OneCoin()], ids=["dawid_skene", "one_coin"])
def test_intervals_hold_as_often_as_they_say(resolver: DawidSkene | OneCoin) -> None:
    cells, whole = coverage(resolver, range(1000, 1200))
    assert cells > 0.92  # nominal 95 %; measured: Dawid-Skene 92.8 %, which has few answers a cell
    assert whole > 0.93


@pytest.mark.parametrize(
    ("name", "least", "vote"),
    [
        ("cubam_bluebirds", 0.87, 0.759),
        ("gal_adult2", 0.745, 0.758),
        ("gal_hitspam_cf", 0.655, 0.66),
        ("act_CF_amt", 0.84, 0.853),
        ("act_SP_amt", 0.94, 0.943),
    ],
)
def test_real_crowds(name: str, least: float, vote: float) -> None:
    """Near the published figures of Dawid-Skene, and the majority vote to the third digit."""
    if not CROWD.exists():
        pytest.skip(f"{CROWD} is absent; set HITL_SHARED to the folder of shared data")
    parquet = pytest.importorskip("pyarrow.parquet")
    answers = parquet.read_table(CROWD / f"{name}_answers.parquet")
    gold = parquet.read_table(CROWD / f"{name}_gold.parquet").to_pylist()
    table = AnswerTable.from_columns(*(answers[column].to_numpy() for column in ("task", "worker", "label")))
    tasks, labels = ({word: code for code, word in enumerate(words)} for words in (table.tasks, table.labels))
    known = [
        (tasks[row["task"]], labels[row["gold"]]) for row in gold if row["task"] in tasks and row["gold"] in labels
    ]
    rows, truth = np.array(known).T
    assert expected_accuracy(majority(table).posterior, truth, rows) == pytest.approx(vote, abs=0.006)
    assert expected_accuracy(DawidSkene()(table).posterior, truth, rows) >= least
