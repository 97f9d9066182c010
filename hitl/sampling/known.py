"""What is labelled already, as a bounded set of directions, and how near to it an item stands.

Embeddings are unit rows on the grid 1/2048. Whole numbers up to 2²⁴ are exact in float32, and no dot product of two
such rows passes 2²²: no cosine depends on how a batch is cut, nor on the BLAS, its threads or the machine.
"""

from __future__ import annotations

import numpy as np

from hitl.sampling.diversity.crowd import GRID
from hitl.sampling.diversity.kmeans_plus_plus import between, draw_apart
from hitl.types import Bools, Embeddings, Floats, Ints, Known

_BLOCK = 2048
"""Rows compared at once: with 256 references, their dot products are 2 MiB and stay in the cache."""


def know(embeddings: Embeddings, y: Floats, violating: Bools, rng: np.random.Generator, *, limit: int = 256) -> Known:
    """What m labelled items with embeddings (m, d) and answers y (m, k) of 0, 1 or NaN leave behind to compare with.

    The labelled, and the positives of each violating label, are cut down to `limit` representatives each; the
    positives become that label's anchors. Items without an embedding (zero rows) stand for nothing.
    O(m d limit) time and O(m d) memory.

    >>> rows = np.array([[2048, 0], [0, 2048], [0, 0]], dtype=np.int16)
    >>> y = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> known = know(rows, y, np.array([False, True]), np.random.default_rng(0))
    >>> known, [anchors.tolist() for anchors in known.anchors]
    (Known(2 labelled, 1 anchors), [[], [[0, 2048]]])
    """
    some = embeddings.any(axis=1)
    rows, answers = embeddings[some], y[some]
    labelled = rows[spread(rows, limit, rng)]
    anchors = []
    for column in range(y.shape[1]):
        positive = rows[answers[:, column] == 1] if violating[column] else rows[:0]
        anchors.append(positive[spread(positive, limit, rng)])
    return Known(labelled, tuple(anchors))


def spread(embeddings: Embeddings, limit: int, rng: np.random.Generator) -> Ints:
    """At most `limit` rows (positions, ascending) that cover all m: k-means++ seeding, no row twice.

    Each next row is drawn with probability proportional to the squared distance from its nearest chosen one; rows
    that equal a chosen one are never drawn, so that fewer than `limit` come back where there are fewer to tell apart.
    All of them when m <= limit. O(m d limit) time, O(m d) memory. Arthur & Vassilvitskii (SODA 2007).

    >>> rows = np.array([[2048, 0], [2048, 0], [2048, 0], [0, 2048]], dtype=np.int16)
    >>> len(set(map(tuple, rows[spread(rows, 2, np.random.default_rng(0))].tolist())))
    2
    """
    if len(embeddings) <= limit:
        return np.arange(len(embeddings))
    return np.sort(draw_apart(between(embeddings), np.ones(len(embeddings)), limit, rng))


def nearest(embeddings: Embeddings, references: Embeddings) -> Floats:
    """The largest cosine of each row (n, d) with any reference (r, d): (n,), -1 where there are no references.

    Exact up to the grid (a row with itself may give 1 ± 0.003), hence the same bits however the batch is cut; a zero
    row has cosine 0 with everything. O(n r d) time; O(r) memory for each of a few thousand rows, and (n,) for the
    answer.

    >>> rows = np.array([[2048, 0], [1229, 1638], [0, 0]], dtype=np.int16)
    >>> nearest(rows, rows[:1]).round(3)
    array([1. , 0.6, 0. ])
    """
    best = np.full(len(embeddings), -1.0)
    if not len(references):
        return best
    against = references.astype(np.float32)
    for start in range(0, len(embeddings), _BLOCK):
        rows = embeddings[start : start + _BLOCK].astype(np.float32)
        best[start : start + _BLOCK] = (against @ rows.T).max(axis=0)
    best /= GRID * GRID
    return best


def direction(total: Ints) -> Embeddings:
    """The unit vector (d,) along a sum of rows, on the grid; zero when the sum is. O(d).

    The mean direction of a pool is that of the sum of its rows: whole numbers, so that batches may be added in any
    order.

    >>> direction(np.array([300, 400]))
    array([1229, 1638], dtype=int16)
    """
    exact = total.astype(np.float64)
    length = float(np.sqrt(np.square(exact).sum()))
    return np.asarray(np.rint(exact * (GRID / length if length else 0.0)), dtype=np.int16)
