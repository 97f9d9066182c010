"""How far people agree beyond chance."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hitl.types import Estimate, Floats, Ints


class Answers(Protocol):
    """What agreement reads of an answer table: (m,) codes of task and label. `labels.AnswerTable` is one."""

    @property
    def task(self) -> Ints: ...
    @property
    def label(self) -> Ints: ...


def krippendorff_alpha(answers: Answers, rng: np.random.Generator, *, replicates: int = 1000) -> Estimate:
    """Krippendorff's alpha for nominal answers, any number of them missing, with a bootstrap interval over tasks.

    Alpha = 1 - observed / expected disagreement of pairs (Krippendorff 2018, Content Analysis, ch. 12): 1 is full
    agreement, 0 what chance gives. Tasks with one answer do not count; a person's repeats count as another's
    (`AnswerTable.latest` drops them). `n` is the number of tasks that count. Where nobody disagrees the
    interval is the rule of three for the share of tasks with a disagreement. O(m + replicates t) time.

    >>> from types import SimpleNamespace
    >>> pairs = SimpleNamespace(task=np.repeat(np.arange(40), 2), label=np.repeat([0, 1, 1, 0] * 10, 2))
    >>> pairs.label[::10] = 1 - pairs.label[::10]
    >>> print(krippendorff_alpha(pairs, np.random.default_rng(0)))
    krippendorff_alpha 0.605 [0.348, 0.844] (n=40)
    """
    counts = _counts(answers)
    if not len(counts):
        return _unknown(0, "no task was judged by two people")
    alpha = float(_alpha(np.ones((1, len(counts))), counts)[0])
    if np.isnan(alpha):
        return _unknown(len(counts), "all answers are the same, so that chance would agree, too")
    if alpha == 1.0:
        share = counts.sum(axis=0) / counts.sum()
        low = 1 - (1 - 0.05 ** (1 / len(counts))) / float(1 - (share**2).sum())
        method = "nobody disagrees; rule of three"
        return Estimate("krippendorff_alpha", 1.0, max(low, -1.0), 1.0, len(counts), method=method)
    drawn = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=replicates)
    shaken = _alpha(drawn.astype(float), counts)
    shaken = shaken[~np.isnan(shaken)]
    low, high = np.quantile(shaken, [0.025, 0.975]) if len(shaken) else (-1.0, 1.0)
    method = f"nominal, bootstrap over tasks, {replicates} replicates"
    # A few tasks may be drawn so alike that percentiles leave the value out.
    bounds = min(float(low), alpha), max(float(high), alpha)
    return Estimate("krippendorff_alpha", alpha, *bounds, len(counts), method=method)


def _counts(answers: Answers) -> Floats:
    """(t, k) answers of each label on the tasks that have two or more."""
    if not len(answers.task):
        return np.zeros((0, 0))
    tasks, labels = int(answers.task.max()) + 1, int(answers.label.max()) + 1
    cells = np.bincount(answers.task * labels + answers.label, minlength=tasks * labels)
    counts = cells.reshape(tasks, labels).astype(np.float64)
    return np.asarray(counts[counts.sum(axis=1) > 1])


def _alpha(times: Floats, counts: Floats) -> Floats:
    """Alpha with each task (t,) taken `times` (b, t) times: (b,); NaN where only one label occurs."""
    size = counts.sum(axis=1)
    disagreement = (size**2 - (counts**2).sum(axis=1)) / (size - 1)
    n, by_label = times @ size, times @ counts
    expected = (n**2 - (by_label**2).sum(axis=1)) / (n - 1)
    alpha = np.full(len(times), np.nan)
    np.divide(times @ disagreement, expected, out=alpha, where=expected > 0)
    np.subtract(1.0, alpha, out=alpha)
    return alpha


def _unknown(n: int, why: str) -> Estimate:
    return Estimate("krippendorff_alpha", float("nan"), -1.0, 1.0, n, method=why)
