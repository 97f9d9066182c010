"""Rates of slices against the rest, tested by permutation: each slice, and the worst of all at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hitl.metrics.intervals import FEW
from hitl.types import Bools, Floats, Ints

CELLS = 4_000_000
"""Numbers of one block of permutations in memory."""


@dataclass(frozen=True, eq=False)
class Contrasts:
    """s slices against their rests: `z` (s,), `p` (s,) two-sided, and over r permutations the greatest z and |z|."""

    z: Floats
    p: Floats
    worst: Floats
    farthest: Floats

    def adjusted(self) -> Floats:
        """(s,) p-values one-sided (worse than the rest), for all slices at once (Westfall and Young 1993, max-T)."""
        above = (self.worst[None, :] >= self.z[:, None] - 1e-9).sum(axis=1)
        return np.asarray((1 + above) / (len(self.worst) + 1))

    def critical(self, level: float = 0.05, *, two_sided: bool = False) -> float:
        """What the greatest z (or |z|) of all slices stays below with a chance of 1 - `level` where nothing differs."""
        drawn = np.sort(self.farthest if two_sided else self.worst)
        at = int(np.ceil((1 - level) * (len(drawn) + 1))) - 1
        return float(drawn[at]) if at < len(drawn) else np.inf


def permutation_test(
    hit: Bools,
    weights: Floats,
    cell: Ints,
    members: Bools,
    against: Bools,
    rng: np.random.Generator,
    permutations: int = 999,
) -> Contrasts:
    """Weighted rates of `hit` (n,) in slices against the rates outside, items being of cells `cell` (n,).

    `members` and `against` (s, c) say which cells are in a slice and which it is compared with. The statistic is the
    signed root of the binomial likelihood ratio, as in scan statistics for subsets (Kulldorff 1997, Commun. Statist.
    26:1481; Zhang and Neill 2016, arXiv:1611.08292), at effective sizes (Rao and Scott 1984, Ann. Statist. 12:46).
    Items are dealt anew to the cells with their weights and outcomes: exact where those owe nothing to the facets, and
    in large samples wherever only the rates do not (the statistic is studentised: Chung and Romano 2013, Ann. Statist.
    41:484). O(permutations (n + s c)) time.

    >>> rng = np.random.default_rng(0)
    >>> cell = np.repeat([0, 1, 2], 50)
    >>> hit = rng.random(150) < np.where(cell == 1, 0.5, 0.1)
    >>> each = np.eye(3, dtype=bool)
    >>> permutation_test(hit, np.ones(150), cell, each, ~each, rng).adjusted().round(2).tolist()
    [1.0, 0.0, 1.0]
    """
    parts, inside, outside = _parts(hit, weights), members.T.astype(np.float64), against.T.astype(np.float64)
    z = _statistic(parts, cell[None, :], inside, outside)[0]
    beyond = np.zeros(len(z), dtype=np.int64)
    worst, farthest = [], []
    for dealt in _dealt(cell, permutations, max(1, CELLS // (len(parts) * (len(hit) + members.size + 1))), rng):
        drawn = _statistic(parts, dealt, inside, outside)
        beyond += (np.abs(drawn) >= np.abs(z) - 1e-9).sum(axis=0)
        worst.append(drawn.max(axis=1, initial=-np.inf))
        farthest.append(np.abs(drawn).max(axis=1, initial=0.0))
    return Contrasts(z, (1 + beyond) / (permutations + 1), np.concatenate(worst), np.concatenate(farthest))


def contrasts(hit: Bools, weights: Floats, cell: Ints, members: Bools, against: Bools) -> Floats:
    """The statistic (s,) of `permutation_test` alone. O(n + s c)."""
    found = _statistic(_parts(hit, weights), cell[None, :], members.T.astype(np.float64), against.T.astype(np.float64))
    return np.asarray(found[0])


def _parts(hit: Bools, weights: Floats) -> Floats:
    """(6, n) what is summed over a slice; (2, n) where all weights are equal."""
    one, square = np.ones(len(hit)), weights**2
    if not len(hit) or (weights == weights[0]).all():
        return np.stack([one, one * hit])
    return np.stack([one, one * hit, weights, weights * hit, square, square * hit])


def _dealt(cell: Ints, permutations: int, block: int, rng: np.random.Generator) -> Iterator[Ints]:
    for start in range(0, permutations, block):
        yield rng.permuted(np.tile(cell, (min(block, permutations - start), 1)), axis=1)


def _statistic(parts: Floats, cell: Ints, inside: Floats, outside: Floats) -> Floats:
    """z (b, s) of items dealt to cells (b, n) in b ways."""
    cells = len(inside)
    at = (cell + cells * np.arange(len(cell))[:, None]).ravel()
    sums = [
        np.bincount(at, np.tile(part, len(cell)), minlength=len(cell) * cells).reshape(len(cell), cells)
        for part in parts
    ]
    sums *= 6 // len(sums)
    r1, n1 = _rate(*(each @ inside for each in sums))
    r0, n0 = _rate(*(each @ outside for each in sums))
    both = (n1 * r1 + n0 * r0) / np.maximum(n1 + n0, 1e-300)
    ratio = n1 * _divergence(r1, both) + n0 * _divergence(r0, both)
    return np.asarray(np.sign(r1 - r0) * np.sqrt(2 * np.maximum(ratio, 0.0)))


def _rate(n: Floats, k: Floats, w: Floats, wt: Floats, ww: Floats, wwt: Floats) -> tuple[Floats, Floats]:
    """The weighted rate and its effective size; the variance is pulled towards Kish's as in `share_interval`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.clip(wt / w, 0.0, 1.0)
        variance = (wwt * (1 - 2 * rate) + rate**2 * ww) / w**2 * n / np.maximum(n - 1, 1)
        spread = rate * (1 - rate)
        guess = spread * ww / w**2
        events = np.minimum(k, n - k)
        pooled = (events * variance + FEW * np.maximum(variance, guess)) / (events + FEW)
        size = np.where(events > 0, spread / pooled, w**2 / ww)
    empty = n == 0
    return np.where(empty, 0.0, rate), np.where(empty, 0.0, size)


def _divergence(rate: Floats, from_rate: Floats) -> Floats:
    """Kullback and Leibler's divergence of two binary rates."""
    from scipy.special import rel_entr

    told: Floats = rel_entr(rate, from_rate) + rel_entr(1 - rate, 1 - from_rate)
    return told
