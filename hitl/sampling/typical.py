"""Items that are typical of different parts of the pool: k-means, and the items nearest to each centre."""

from __future__ import annotations

from typing import Any

import numpy as np

from hitl.sampling.candidates import Candidates
from hitl.sampling.diversity.crowd import on_grid
from hitl.sampling.diversity.weighted_kmeans import kmeans
from hitl.types import Floats, Ints

DIMENSIONS = 64
_QUEUE = 5


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


def typical(sample: Candidates, features: Any, places: Ints, rng: np.random.Generator) -> list[Ints]:
    """For each cluster of a sample, the five items nearest to its centre as rows of the sample, the nearest first.

    `features` are aligned with the sample: embeddings, int16 (n, d) unit rows on the grid 1/2048, which are taken as
    they are, or any sparse or dense array (n, f), which is reduced first. Each stratum is clustered by itself into
    `places` (S,) clusters. Complexity: that of `reduce` and `kmeans`.

    >>> embeddings = on_grid(np.array([[1, 0], [1, 0.1], [1, 0.3], [0, 1]]))
    >>> rows = np.arange(4)
    >>> sample = Candidates(rows, rows.astype(np.uint64), rows / 4, np.zeros(4, dtype=np.int64), np.zeros(4))
    >>> sorted(queue.tolist() for queue in typical(sample, embeddings, np.array([2]), np.random.default_rng(0)))
    [[1, 0, 2], [3]]
    """
    given = isinstance(features, np.ndarray) and features.dtype == np.int16
    embeddings = features if given else on_grid(reduce(features, rng))
    queues: list[Ints] = []
    for stratum in np.flatnonzero(places):
        rows = np.flatnonzero(sample.strata == stratum)
        if len(rows):
            cluster, distance = kmeans(embeddings[rows], np.ones(len(rows)), int(places[stratum]), rng)
            order = np.lexsort((sample.draws[rows], distance, cluster))
            queues += [rows[order[cluster[order] == code][:_QUEUE]] for code in np.unique(cluster)]
    return queues
