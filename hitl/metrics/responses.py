"""Who answered: a probability sample of which a part was settled, weighted for what was not."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hitl.errors import DataError
from hitl.types import Bools, Floats, Ints

LEAST = 10
"""Settled items that a cell must have to be weighted on its own."""

GROUPS = 5
"""Groups of predicted risk, at most: five take away some nine tenths of a bias (Cochran 1968, Biometrics 24:295)."""


@dataclass(frozen=True, eq=False)
class Responses:
    """m drawn items: inclusion probability, whether the item was settled, and its cell, (m,) each.

    Within a cell an item is taken to be settled by chance, whatever it is. The settled ones then are a two-phase
    sample, whose second phase has the cell's `rate`.
    """

    inclusion: Floats
    settled: Bools
    cells: Ints

    def __post_init__(self) -> None:
        m = len(self.inclusion)
        if not self.settled.shape == self.cells.shape == self.inclusion.shape == (m,):
            raise DataError(f"{m} drawn items need as many marks and cells; they have {self.settled.shape}")

    def __len__(self) -> int:
        return len(self.inclusion)

    @property
    def rate(self) -> Floats:
        """(m,) the share of its cell that was settled, Σ w over the settled / Σ w with w = 1 / inclusion.

        The weighting-class estimator (Oh and Scheuren 1983; Särndal, Swensson and Wretman 1992, ch. 15.6): the settled
        items of a cell stand for all that was drawn in it.
        """
        weights = 1.0 / self.inclusion
        size = int(self.cells.max()) + 1 if len(self) else 0
        drawn = np.bincount(self.cells, weights, size)
        settled = np.bincount(self.cells, weights * self.settled, size)
        found: Floats = (settled / np.where(drawn > 0, drawn, 1.0))[self.cells]
        return found

    @property
    def adjusted(self) -> Floats:
        """(m,) the chance that an item was drawn and settled, inclusion × rate.

        With it for inclusion, the variance of the settled items as a Poisson sample has both phases in it, and is
        somewhat too large: that the rates are estimated makes estimates better, not worse (Beaumont 2005, Survey
        Methodology 31:227; Kim and Kim 2007, Canadian Journal of Statistics 35:501).
        """
        return np.asarray(self.inclusion * self.rate)


def responses(inclusion: Floats, settled: Bools, strata: Ints, risk: Floats) -> Responses:
    """Cells for m drawn items: groups of predicted risk by stratum, each with `LEAST` settled items.

    `strata` (m,) are codes, `risk` (m,) is what a model believed before the answers; neither may depend on them. Risk
    comes first, as it tells more of what an item is. Strata with fewer than `LEAST` in a group of risk go together
    there, and join the smallest other one where they have too few even so (Kalton and Flores-Cervantes 2003, Journal of
    Official Statistics 19:81). O(m log m).

    >>> answered = np.tile([True, True, False], 20)
    >>> found = responses(np.full(60, 0.1), answered, np.repeat([0, 1], [57, 3]), np.zeros(60))
    >>> found.rate[:3].round(3), len(found)
    (array([0.667, 0.667, 0.667]), 60)
    """
    groups = _groups(risk, settled)
    cells = np.zeros(len(strata), dtype=np.int64)
    used = 0
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        codes = collapsed(strata[rows], settled[rows])
        cells[rows] = used + codes
        used += int(codes.max()) + 1
    return Responses(inclusion, settled, cells)


def collapsed(strata: Ints, counted: Bools, least: int = LEAST) -> Ints:
    """Codes (m,) of strata with those joined that have fewer than `least` counted items.

    >>> collapsed(np.repeat([0, 1, 2], [6, 1, 1]), np.ones(8, dtype=bool), 2)
    array([0, 0, 0, 0, 0, 0, 1, 1])
    """
    if not len(strata):
        return strata
    codes = np.unique(strata, return_inverse=True)[1]
    held = np.bincount(codes, counted)
    small = held < least
    if not small.any():
        return np.asarray(codes)
    rest = len(held)
    joined = np.where(small, rest, np.arange(rest))
    if held[small].sum() < least and not small.all():
        joined[small] = int(np.argmin(np.where(small, np.inf, held)))
    return np.asarray(np.unique(joined[codes], return_inverse=True)[1])


def _groups(risk: Floats, settled: Bools) -> Ints:
    """Up to `GROUPS` groups of like risk, each with `LEAST` settled items: the best cut in two, again and again.

    The best is that which leaves least variance of risk within, as in a regression tree (Breiman et al. 1984).
    """
    order = np.argsort(risk, kind="stable")
    ranked, held = risk[order], np.append(0, np.cumsum(settled[order]))
    bounds = [0, len(risk)]
    while len(bounds) <= GROUPS:
        gain, at = max(_cut(ranked, held, start, stop) for start, stop in pairwise(bounds))
        if gain <= 0:
            break
        bounds = sorted([*bounds, at])
    groups = np.empty(len(risk), dtype=np.int64)
    groups[order] = np.searchsorted(np.array(bounds[1:]), np.arange(len(risk)), side="right")
    return groups


def _cut(ranked: Floats, held: Ints, start: int, stop: int) -> tuple[float, int]:
    """Where ranked risks are best cut between two bounds, and by how much that lessens their sum of squares."""
    at = np.arange(start + 1, stop)
    left, right = at - start, stop - at
    sums = np.cumsum(ranked[start:stop])
    apart = sums[:-1] / left - (sums[-1] - sums[:-1]) / right if len(at) else np.zeros(0)
    enough = (held[at] - held[start] >= LEAST) & (held[stop] - held[at] >= LEAST) & (ranked[at] > ranked[at - 1])
    gains = np.where(enough, left * right / (stop - start) * apart**2, 0.0)
    best = int(gains.argmax()) if len(at) else 0
    return (float(gains[best]), int(at[best])) if len(at) else (0.0, start)
