"""Crowds whose errors are known, and what their answers are measured by."""

from __future__ import annotations

import numpy as np

from hitl.labels import AnswerTable
from hitl.types import Floats, Ints


def planted(
    seed: int, accuracy: list[float], per_task: int, prior: list[float], tasks: int
) -> tuple[AnswerTable, Ints]:
    """Answers of workers with known accuracy on planted truth; who errs, errs evenly."""
    k = len(prior)
    right = np.array(accuracy)[:, None, None]
    return confused(seed, np.where(np.eye(k, dtype=bool), right, (1 - right) / (k - 1)), per_task, prior, tasks)


def confused(seed: int, confusion: Floats, per_task: int, prior: list[float], tasks: int) -> tuple[AnswerTable, Ints]:
    """Answers of workers with known P(answer | truth) (w, k, k) on planted truth."""
    rng = np.random.default_rng(seed)
    w, k = len(confusion), len(prior)
    truth = rng.choice(k, size=tasks, p=prior)
    worker = np.argsort(rng.random((tasks, w)), axis=1)[:, :per_task].ravel()
    task = np.repeat(np.arange(tasks), per_task)
    upto = confusion.cumsum(axis=2)[worker, truth[task]]
    label = np.minimum((upto < rng.random(len(task))[:, None]).sum(axis=1), k - 1)
    names = tuple(map(str, range(tasks))), tuple(f"w{i}" for i in range(w)), tuple(f"l{i}" for i in range(k))
    return AnswerTable(task, worker, label, *names), truth


def expected_accuracy(posterior: Floats, truth: Ints, rows: Ints) -> float:
    """Share right with ties broken at random, in expectation."""
    top = posterior >= posterior.max(axis=1, keepdims=True) - 1e-9
    return float((top[rows, truth] / top[rows].sum(axis=1)).mean())
