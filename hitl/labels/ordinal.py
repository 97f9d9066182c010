"""Ordinal Dawid-Skene: labels in an order (severity, age bands), and errors that are the rarer the farther they go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hitl.labels.em import settle_by
from hitl.labels.table import AnswerTable, Settled
from hitl.types import Floats

NEWTON = 30
"""Most steps of Newton's method, and halvings of one."""


@dataclass(frozen=True)
class Ordinal:
    """Truth on an ordered scale, and how precise and how severe every worker is, by expectation-maximisation.

    A worker answers l where j is true with P ∝ exp(-precision |l - j| + severity (l - j)), two numbers a worker: a
    discrete Laplace distribution, askew for those who judge too harshly or too mildly. `AnswerTable.labels` are in the
    order of the scale. The prior counts every worker as having been seen `strength` times in each row with `precision`
    and without severity, and every class as `seen` that often; both numbers are found by Newton's method on a concave
    function, O(w k²) a step of it. Start, end, gold and cost are those of `DawidSkene`.

    >>> said = [(f"t{i}", who, str(min(i % 5 + lean, 4))) for i in range(10)
    ...     for who, lean in (("ana", 0), ("bo", 0), ("harsh", 1))]
    >>> settled = Ordinal()(AnswerTable.of(said))
    >>> settled.labels, bool(settled.confusion[2, 1, 2] > settled.confusion[2, 1, 0])
    (array([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]), True)
    """

    strength: float = 5.0
    precision: float = 1.5
    seen: float = 1.0
    tolerance: float = 1e-6
    steps: int = 200
    start: Mapping[str, Floats] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, table: AnswerTable) -> Settled:
        """Settle every task of `table`, whose labels stand in the order of the scale."""
        return settle_by(self, table, start=self.start, tolerance=self.tolerance, steps=self.steps)

    def confusions(self, counts: Floats) -> Floats:
        """P(answer | truth) (w, k, k) from expected counts (w, truth, answer) and the prior."""
        w, k, _ = counts.shape
        if k < 2:
            return np.ones(counts.shape)
        step = np.arange(k)[None, :] - np.arange(k)[:, None].astype(np.float64)
        scale = np.stack([-np.abs(step), step])
        begin = np.tile([self.precision, 0.0], (w, 1))
        expected = counts + self.strength * _chances(begin, scale)
        return np.maximum(_chances(_fitted(begin, scale, expected), scale), 1e-12)

    def support(self, confusions: Floats, worth: Floats, sure: Floats) -> Floats:
        """Every cell rests on all of a person's answers."""
        k = confusions.shape[1]
        return np.broadcast_to((sure + self.strength * k)[:, None, None], confusions.shape)


def _fitted(at: Floats, scale: Floats, counts: Floats) -> Floats:
    """The parameters (w, 2) under which the counts (w, k, k) are likeliest, from those to begin with."""
    rows, wanted = counts.sum(axis=2), np.einsum("wjl,fjl->wf", counts, scale)
    reached = _likelihood(at, scale, rows, wanted)
    for _ in range(NEWTON):
        chances = _chances(at, scale)
        mean = np.einsum("wjl,fjl->wjf", chances, scale)
        spread = np.einsum("wjl,fjl,gjl->wjfg", chances, scale, scale) - mean[..., None] * mean[..., None, :]
        gradient = wanted - np.einsum("wj,wjf->wf", rows, mean)
        bend = np.einsum("wj,wjfg->wfg", rows, spread) + 1e-9 * np.eye(2)
        step = np.linalg.solve(bend, gradient[..., None])[..., 0]
        # The function is concave: where a whole step leads down, a part of it leads up.
        for _ in range(NEWTON):
            there = _likelihood(at + step, scale, rows, wanted)
            down = there < reached - 1e-9 * (1.0 + np.abs(reached))
            if not down.any():
                break
            step[down] /= 2.0
        at, reached = at + step, there
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    return at


def _logits(at: Floats, scale: Floats) -> Floats:
    return np.asarray(np.tensordot(at, scale, axes=1))


def _chances(at: Floats, scale: Floats) -> Floats:
    """P(answer | truth) (w, k, k) at parameters (w, 2)."""
    logits = _logits(at, scale)
    if not logits.size:
        return logits
    scaled = np.exp(logits - logits.max(axis=2, keepdims=True))
    return np.asarray(scaled / scaled.sum(axis=2, keepdims=True))


def _likelihood(at: Floats, scale: Floats, rows: Floats, wanted: Floats) -> Floats:
    """(w,) log-likelihood of counts with these row sums (w, k) and sums of the scale (w, 2)."""
    logits = _logits(at, scale)
    top = logits.max(axis=2)
    normaliser = top + np.log(np.exp(logits - top[..., None]).sum(axis=2))
    return np.asarray((at * wanted).sum(axis=1) - (rows * normaliser).sum(axis=1))
