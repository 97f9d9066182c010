"""Far-apart items: the seeding of k-means++, weighted by priority."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hitl.sampling.diversity.crowd import Crowd, singles, squares
from hitl.types import Embeddings, Floats, Ints

Distances = Callable[[Ints | slice, Ints], Floats]
"""Squared distances (r, c) from rows to centres, both given as rows; nobody is at a distance from itself."""

_PENDING = 64
_REFUSED = 64


def kmeans_plus_plus(crowd: Crowd, count: int, rng: np.random.Generator) -> Ints:
    """Items drawn one after another with probability ∝ weight × squared distance to the nearest drawn before.

    Distances are those of the embeddings; the first is drawn ∝ weight. Rows of the crowd in the order drawn, at most
    `count`; when all that have weight repeat one another, the heaviest of the rest follow. O(n count d) time, O(n d)
    memory. Arthur & Vassilvitskii (SODA 2007).

    >>> embeddings = np.array([[2048, 0], [2048, 0], [0, 2048]], dtype=np.int16)
    >>> crowd = Crowd(embeddings, np.ones((3, 1)), np.ones(3), np.array([0.1, 0.2, 0.3]), multi_label=False)
    >>> 2 in kmeans_plus_plus(crowd, 2, np.random.default_rng(0))
    True
    """
    wanted, rows = crowd.wanted()
    chosen = draw_apart(between(wanted.embeddings), wanted.weights, count, rng)
    return crowd.filled(rows[chosen], count)


def between(embeddings: Embeddings) -> Distances:
    """Exact squared Euclidean distances among embeddings (n, d), in steps of the grid."""
    x = singles(embeddings)
    lengths = squares(x)

    def distances(rows: Ints | slice, centres: Ints) -> Floats:
        found = x[rows] @ x[centres].T
        found *= -2
        found += lengths[rows, None]
        found += lengths[centres]
        return np.asarray(found, dtype=np.float64)

    return distances


def draw_apart(
    distances: Distances, weights: Floats, count: int, rng: np.random.Generator, first: Floats | None = None
) -> Ints:
    """Rows drawn by D² sampling from n points known by their distances and weights (n,); at most `count`, distinct.

    The first is drawn ∝ `first` (n,), or else the weights. Fewer come back when nobody with weight is at a distance
    from all of those drawn. Exact, yet in blocks: a row is proposed by the distances as they were and accepted with
    probability now / then, which is to draw by the distances as they are; all of them are brought up to date once in
    64 draws, in one product of matrices.
    """
    first = weights if first is None else first
    if count <= 0 or not first.any():
        return np.empty(0, dtype=np.int64)
    chosen = [_propose(np.cumsum(first), rng)]
    pending, refused = chosen[:], 0
    nearest = np.full(len(weights), np.inf)
    sums = np.empty(0)
    while len(chosen) < count:
        # the first refresh turns infinite distances to finite ones, so it cannot wait
        if len(chosen) == 1 or len(pending) == _PENDING or refused == _REFUSED:
            if pending:
                np.minimum(nearest, distances(slice(None), np.array(pending)).min(axis=1), out=nearest)
            sums = np.cumsum(weights * nearest)
            pending, refused = [], 0
            if not sums[-1] > 0:
                break
        row = _propose(sums, rng)
        then = nearest[row]
        now = min(then, distances(np.array([row]), np.array(pending)).min()) if pending else then
        if rng.random() * then < now:
            chosen.append(row)
            pending.append(row)
        else:
            refused += 1
    return np.array(chosen)


def _propose(sums: Floats, rng: np.random.Generator) -> int:
    """A row with probability ∝ its step in the running sums (n,)."""
    # a product that rounds up to the total would point behind the last row that has any weight
    return int(np.searchsorted(sums, min(rng.random() * sums[-1], np.nextafter(sums[-1], 0)), side="right"))
