from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hitl.labels import AnswerTable, DawidSkene, majority
from hitl.labels.table import UNRESOLVED
from hitl.types import Floats, Ints

CROWD = Path(os.environ.get("HITL_SHARED", "../shared")) / "data" / "crowd"


def planted(
    seed: int, accuracy: list[float], per_task: int, prior: list[float], tasks: int
) -> tuple[AnswerTable, Ints]:
    """Answers of workers with known accuracy on planted truth."""
    rng = np.random.default_rng(seed)
    w, k = len(accuracy), len(prior)
    truth = rng.choice(k, size=tasks, p=prior)
    worker = np.argsort(rng.random((tasks, w)), axis=1)[:, :per_task].ravel()
    task = np.repeat(np.arange(tasks), per_task)
    slip = (truth[task] + rng.integers(1, k, size=len(task))) % k
    label = np.where(rng.random(len(task)) < np.array(accuracy)[worker], truth[task], slip)
    names = tuple(map(str, range(tasks))), tuple(f"w{i}" for i in range(w)), tuple(f"l{i}" for i in range(k))
    return AnswerTable(task, worker, label, *names), truth


def expected_accuracy(posterior: Floats, truth: Ints, rows: Ints) -> float:
    """Share right with ties broken at random, in expectation."""
    top = posterior >= posterior.max(axis=1, keepdims=True) - 1e-9
    return float((top[rows, truth] / top[rows].sum(axis=1)).mean())


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
