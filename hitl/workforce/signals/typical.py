"""What people typically do: the middle person's rate, which a few who do it all the time do not move."""

from __future__ import annotations

import numpy as np

from hitl.types import Bools, Floats, Ints
from hitl.workforce.signals.stream import PULL

HALF = 1 / 2
"""Where people differ and may (in skill, in pace, in how they read a label), an alarm wants behaviour that is nearer to
the worst than to the usual: nobody is to answer for being a little off."""

QUARTER = 1 / 4
"""Where they have little reason to: two people beside each other, or a person beside their own beginning."""


def typical(hit: Bools, worker: Ints, cell: Ints, cells: int, workers: int) -> Floats:
    """The rate (c,) of hits that the middle person has in each cell, people weighing by their answers (n,) in it.

    A weighted median: it stays where it is while those who do it too often give less than half of the answers. A cell
    without answers has everybody's rate. O(n + c w log w).

    >>> worker = np.repeat(np.arange(5), 100)
    >>> typical((np.arange(500) % 10 == 0) | (worker == 4), worker, np.zeros(500, dtype=int), 1, 5).round(2)
    array([0.12])
    """
    code = cell * workers + worker
    n = np.bincount(code, minlength=cells * workers).reshape(cells, workers).astype(np.float64)
    hits = np.bincount(code, hit, minlength=cells * workers).reshape(cells, workers)
    overall = (hits.sum() + 0.5) / (n.sum() + 1)
    pooled = (hits.sum(axis=1, keepdims=True) + overall) / (n.sum(axis=1, keepdims=True) + 1)
    rate = (hits + PULL * pooled) / (n + PULL)
    order = np.argsort(rate, axis=1, kind="stable")
    weight = np.take_along_axis(n, order, axis=1).cumsum(axis=1)
    middle = (weight >= weight[:, -1:] / 2).argmax(axis=1)
    found = np.take_along_axis(rate, order, axis=1)[np.arange(cells), middle]
    return np.asarray(np.where(weight[:, -1] > 0, found, pooled[:, 0]))


def limit(rate: Floats, to: float = 1.0, part: float = HALF) -> Floats:
    """The most that an honest person does it: so far of the way from what is typical to what it would be otherwise."""
    return np.asarray(rate + part * (to - rate))
