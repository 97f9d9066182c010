"""Items that are typical of different parts of the pool: k-means on features, the nearest item to each centre."""

from __future__ import annotations

from typing import Any

import numpy as np

from hitl.sampling.candidates import Candidates
from hitl.types import Floats, Ints

DIMENSIONS = 64
_ROUNDS = 25
_NEAREST = 5


def allocate(counts: Ints, total: int) -> Ints:
    """Share `total` places among strata of the given sizes in proportion to their square roots, (S,).

    Each stratum gets at least one place while there are enough, and none more than it has items. Power
    allocation: Bankier (The American Statistician 42, 1988). O(S × total) at worst, for a handful of strata.

    >>> allocate(np.array([10_000, 100, 4]), 12).tolist()
    [10, 1, 1]
    """
    sizes = np.minimum(counts, 1)
    if sizes.sum() > total:
        sizes = np.zeros_like(counts)
        sizes[np.argsort(-counts, kind="stable")[:total]] = 1
    roots = np.sqrt(counts.astype(np.float64))
    for _ in range(total - int(sizes.sum())):
        # the divisor method of Webster (Sainte-Laguë): the next place goes where it is owed most
        owed = np.where(sizes < counts, roots / (2 * sizes + 1), -1.0)
        if owed.max(initial=-1.0) < 0:
            break
        sizes[int(owed.argmax())] += 1
    return sizes


def reduce(features: Any, rng: np.random.Generator, dimensions: int = DIMENSIONS) -> Floats:
    """Features (n, f), a scipy sparse or dense array, as n unit rows of at most `dimensions` numbers.

    Rows are scaled to length 1, wide ones projected on their leading singular vectors (latent semantic analysis) by
    a randomised range finder with two power iterations: Halko, Martinsson & Tropp (SIAM Review 53, 2011), section
    4.5. O(nonzeros × dimensions) time, O((n + f) × dimensions) memory.
    """
    if hasattr(features, "tocsr"):
        x = features.tocsr().astype(np.float64)
        x = x[:, np.flatnonzero(np.bincount(x.indices, minlength=x.shape[1]) > 1)]  # what one item has alone
        lengths = np.sqrt(np.asarray(x.multiply(x).sum(axis=1)).ravel())
        x = x.multiply(1 / np.where(lengths > 0, lengths, 1.0)[:, None]).tocsr()
    else:
        x = _unit(np.asarray(features, dtype=np.float64))
    n, f = x.shape
    if f <= dimensions:
        return _unit(np.asarray(x.toarray() if hasattr(x, "toarray") else x))
    width = min(n, f, dimensions + 10)
    basis = np.linalg.qr(x @ rng.standard_normal((f, width)))[0]
    for _ in range(2):
        basis = np.linalg.qr(x @ (x.T @ basis))[0]
    # the singular values from a small Gram matrix: anything as wide as the features would take seconds to decompose
    within = x.T @ basis
    squares, left = np.linalg.eigh(within.T @ within)
    leading = np.sqrt(np.maximum(squares, 0.0)) * (basis @ left)
    return _unit(np.asarray(leading)[:, ::-1][:, :dimensions])


def _unit(x: Floats) -> Floats:
    lengths = np.sqrt((x * x).sum(axis=1))
    # an empty text comes out of the projection as rounding noise, which must not grow into a direction
    real = lengths > 1e-9 * lengths.max(initial=0.0)
    return np.asarray(np.where(real[:, None], x / np.where(real, lengths, 1.0)[:, None], 0.0))


def kmeans(x: Floats, k: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """The cluster of each of n points (n, d) and its squared distance to the centre, both (n,).

    k-means++ seeding (Arthur & Vassilvitskii, SODA 2007), then at most 25 rounds of Lloyd's algorithm. Fewer than
    k clusters come back when fewer points differ. O(n k d) a round.

    >>> x = np.array([[0.0], [0.1], [9.0]])
    >>> kmeans(x, 2, np.random.default_rng(0))[0].tolist() in ([0, 0, 1], [1, 1, 0])
    True
    """
    squares = (x * x).sum(axis=1)

    def distances(centres: Floats) -> Floats:
        return np.asarray(np.maximum(squares[:, None] - 2 * x @ centres.T + (centres * centres).sum(axis=1), 0.0))

    chosen = [int(rng.integers(len(x)))]
    nearest = distances(x[chosen])[:, 0]
    while len(chosen) < k and nearest.max() > 1e-12:
        chosen.append(int(rng.choice(len(x), p=nearest / nearest.sum())))
        nearest = np.minimum(nearest, distances(x[chosen[-1:]])[:, 0])
    centres, cluster = x[chosen].copy(), np.full(len(x), -1)
    for _ in range(_ROUNDS):
        before, cluster = cluster, distances(centres).argmin(axis=1)
        if (cluster == before).all():
            break
        members = (cluster == np.arange(len(centres))[:, None]).astype(np.float64)
        sizes = members.sum(axis=1)
        centres[sizes > 0] = (members @ x)[sizes > 0] / sizes[sizes > 0, None]
    return cluster, distances(centres)[np.arange(len(x)), cluster]


def typical(sample: Candidates, features: Any, places: Ints, rng: np.random.Generator) -> list[Ints]:
    """For each cluster of a sample, its items nearest to the centre, as rows of the sample, the nearest first.

    `features` (n, f) are aligned with the sample; each stratum is clustered by itself into `places` (S,) clusters.
    Complexity: that of `reduce` and `kmeans`.
    """
    x = reduce(features, rng)
    queues: list[Ints] = []
    for stratum in np.flatnonzero(places):
        rows = np.flatnonzero(sample.strata == stratum)
        if len(rows):
            cluster, distance = kmeans(x[rows], int(places[stratum]), rng)
            order = np.lexsort((sample.draws[rows], distance, cluster))
            queues += [rows[order[cluster[order] == code][:_NEAREST]] for code in np.unique(cluster)]
    return queues
