"""One coin: each person is right with a probability of their own, whatever the truth, and wrong in all ways alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hitl.labels.em import settle_by
from hitl.labels.table import AnswerTable, Settled
from hitl.types import Floats


@dataclass(frozen=True)
class OneCoin:
    """Dawid-Skene with one number a worker (Zhang et al. 2016, JMLR 17:1-44), for many workers with few answers each.

    The prior counts every worker as having been right `right` times and wrong `wrong` times, in any row, and every
    class as `seen` that often. Without one
    the likelihood is highest where a class swallows all tasks and people are adversaries (bluebirds); the prior, which
    takes people for decent, and the start at the vote shares keep it from there. Start, end, gold and cost are those of
    `DawidSkene`.

    >>> table = AnswerTable.of([(f"t{i}", who, label) for i, truth in enumerate("xyxyxyxy")
    ...     for who, label in (("ana", truth), ("bo", truth), ("con", "x"))])
    >>> OneCoin()(table).accuracy.round(2)
    array([0.99, 0.99, 0.5 ])
    """

    right: float = 4.0
    wrong: float = 1.0
    seen: float = 1.0
    tolerance: float = 1e-6
    steps: int = 200
    start: Mapping[str, Floats] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, table: AnswerTable) -> Settled:
        """Settle every task of `table`."""
        return settle_by(self, table, start=self.start, tolerance=self.tolerance, steps=self.steps)

    def confusions(self, counts: Floats) -> Floats:
        """P(answer | truth) (w, k, k): the accuracy on the diagonal, what is left shared out evenly beside it."""
        k = counts.shape[1]
        if k < 2:
            return np.ones(counts.shape)
        right = np.einsum("wkk->w", counts) + self.right
        accuracy = right / (counts.sum(axis=(1, 2)) + self.right + self.wrong)
        slip = ((1.0 - accuracy) / (k - 1))[:, None, None]
        return np.asarray(np.where(np.eye(k, dtype=np.bool_), accuracy[:, None, None], slip))

    def support(self, confusions: Floats, worth: Floats, sure: Floats) -> Floats:
        """Every cell rests on all of a person's answers."""
        return np.broadcast_to((sure + self.right + self.wrong)[:, None, None], confusions.shape)
