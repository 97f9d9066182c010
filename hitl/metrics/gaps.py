"""Where the labels and the model are thin: recall by cell of the pool, and which gap matters most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hitl.errors import DataError
from hitl.metrics.intervals import shares
from hitl.metrics.sample import LabelledSample
from hitl.types import Estimate, Floats, Ints

ENOUGH = 20
"""Labels of one kind in one cell, from which on their number is no gap by itself."""

BAR = 0.5
"""A cell has low recall while the lower end of its interval lies below this."""


@dataclass(frozen=True, eq=False)
class CellRecall:
    """Recall of k labels in c cells: value and 95 % interval (c, k), and the judged positives behind them (c, k)."""

    value: Floats
    low: Floats
    high: Floats
    n: Ints

    def estimate(self, cell: int, label: int, name: str) -> Estimate:
        """The recall of one label in one cell; NaN in [0, 1] where no judged item there deserves the label."""
        known = self.n[cell, label] > 0
        return Estimate(
            "recall",
            float(self.value[cell, label]),
            float(self.low[cell, label]),
            float(self.high[cell, label]),
            int(self.n[cell, label]),
            label=name,
            method="Hájek, Wilson interval at the effective size" if known else "no judged item there deserves it",
        )


def recall_by_cell(samples: Sequence[LabelledSample], cells: Sequence[Ints], count: int) -> CellRecall:
    """How much of each label one model finds in each of `count` cells, by all probability samples that judged it.

    `cells` holds for each sample the cell (n,) of its items, -1 for none. In each cell the samples are put together,
    each counting by its effective size (Kish) as the estimates of two frames are combined (Hartley 1962): a cell is a
    domain, and its recall a ratio of totals in it (Särndal, Swensson and Wretman 1992, ch. 10), with the interval of
    `hitl.metrics.intervals.shares`. Raises `DataError` when samples and cells do not fit. O(items × cells × labels).
    """
    if len(samples) != len(cells) or any(len(s) != len(c) for s, c in zip(samples, cells, strict=False)):
        raise DataError("recall by cell needs the cell of each item of each sample")
    labels = len(samples[0].labels) if samples else 0
    value, low, high = np.full((count, labels), np.nan), np.zeros((count, labels)), np.ones((count, labels))
    n = np.zeros((count, labels), dtype=np.int64)
    if not samples:
        return CellRecall(value, low, high, n)
    code = np.concatenate(list(cells))
    weights = np.concatenate([s.weights * (s.weights.sum() / np.square(s.weights).sum()) for s in samples])
    uncertain = np.concatenate([s.uncertain for s in samples])
    inside = code[:, None] == np.arange(count)
    for label in range(labels):
        truth = np.concatenate([s.truth[:, label] & s.known[:, label] for s in samples])
        found = truth & np.concatenate([s.predicted[:, label] for s in samples])
        told = shares(
            (inside & found[:, None]).astype(np.float64),
            (inside & truth[:, None]).astype(np.float64),
            weights,
            uncertain,
        )
        value[:, label], low[:, label], high[:, label], n[:, label] = told.value, told.low, told.high, told.n
    return CellRecall(value, low, high, n)


def worth(views: Floats, severity: Floats, labels: Ints, low: Floats) -> Floats:
    """How much it matters to fill each gap (c, k): share of views × severity × what is lacking.

    `views` (c,) are shares of all views, `severity` (c, k) or (k,) costs a view, `labels` and `low` (c, k) labels so
    far and the lower bound of recall. Lacking, from 0 to 1, is the mean of the labels missing to `ENOUGH` and of the
    recall that is not certain.

    >>> worth(np.array([0.5]), np.array([2.0]), np.array([[5]]), np.array([[0.25]]))
    array([[0.75]])
    """
    lacking = (1 - np.minimum(labels / ENOUGH, 1.0) + 1 - low) / 2
    return np.asarray(views[:, None] * severity * lacking)
