"""One item for each part of the crowd: weighted k-means, the nearest item to each centre."""

from __future__ import annotations

import numpy as np

from hitl.sampling.diversity.crowd import Crowd, Singles, singles, squares
from hitl.sampling.diversity.kmeans_plus_plus import between, draw_apart
from hitl.types import Embeddings, Floats, Ints

_ROUNDS = 4
_BLOCK = 2048


def weighted_kmeans(crowd: Crowd, count: int, rng: np.random.Generator) -> Ints:
    """The item nearest to the centre of each of `count` clusters, the heaviest of them first.

    Clusters are those of the embeddings, an item counting as much as its weight. Rows of the crowd, at most `count`;
    the heaviest others follow where fewer clusters can be told apart. O(n count d) a round, of which there are four;
    O(n d) memory besides 2,048 rows of distances. Zhdanov (Diverse mini-batch active learning, 2019).

    >>> embeddings = np.array([[2048, 0], [2047, 64], [0, 2048]], dtype=np.int16)
    >>> crowd = Crowd(embeddings, np.ones((3, 1)), np.array([1, 2, 3.0]), np.array([0.1, 0.2, 0.3]), multi_label=False)
    >>> weighted_kmeans(crowd, 2, np.random.default_rng(0)).tolist()
    [2, 1]
    """
    wanted, rows = crowd.wanted()
    cluster, distance = kmeans(wanted.embeddings, wanted.weights, count, rng, rounds=_ROUNDS)
    nearest = np.lexsort((distance, cluster))
    heads = nearest[np.r_[True, np.diff(cluster[nearest]) > 0][: len(nearest)]]
    heads = heads[np.lexsort((wanted.draws[heads], -wanted.weights[heads]))]
    return crowd.filled(rows[heads], count)


def kmeans(
    embeddings: Embeddings, weights: Floats, k: int, rng: np.random.Generator, rounds: int = 25
) -> tuple[Ints, Floats]:
    """The cluster of each of n points (n, d) and its squared distance to the centre in steps of the grid, both (n,).

    k-means++ seeding (Arthur & Vassilvitskii, SODA 2007), then at most `rounds` of Lloyd's algorithm; weights (n,) say
    how much a point counts. Centres lie on the grid, too, so that distances are exact. Fewer than k clusters come back
    when fewer points with weight differ. O(n k d) a round, O(n d) memory besides 2,048 rows of distances.

    >>> x = np.array([[2048, 0], [2047, 64], [0, 2048]], dtype=np.int16)
    >>> kmeans(x, np.ones(3), 2, np.random.default_rng(0))[0].tolist() in ([0, 0, 1], [1, 1, 0])
    True
    """
    chosen = draw_apart(between(embeddings), weights, k, rng)
    if not len(chosen):
        return np.zeros(len(embeddings), dtype=np.int64), np.zeros(len(embeddings))
    x = singles(embeddings)
    centres = x[chosen]
    cluster, distance = _nearest(x, centres)
    for _ in range(rounds):
        centres = _centres(x, weights, cluster, centres)
        before = cluster
        cluster, distance = _nearest(x, centres)
        if (cluster == before).all():
            break
    return cluster, distance


def _nearest(x: Singles, centres: Singles) -> tuple[Ints, Floats]:
    """For each row the nearest centre, the first among equals, and its squared distance."""
    cluster, distance = np.empty(len(x), dtype=np.int64), np.empty(len(x))
    half = squares(centres) / 2
    for start in range(0, len(x), _BLOCK):
        block = slice(start, start + _BLOCK)
        closeness = x[block] @ centres.T
        closeness -= half
        cluster[block] = closeness.argmax(axis=1)
        distance[block] = closeness[np.arange(len(closeness)), cluster[block]]
    return cluster, squares(x) - 2 * distance


def _centres(x: Singles, weights: Floats, cluster: Ints, before: Singles) -> Singles:
    """The weighted mean of each cluster, on the grid; a cluster without weight stays where it was."""
    from scipy.sparse import csr_array

    members = csr_array((weights, (cluster, np.arange(len(x)))), shape=(len(before), len(x)))
    total = np.bincount(cluster, weights, minlength=len(before))
    kept = total > 0
    means = (members @ x.astype(np.float64)) / np.where(kept, total, 1.0)[:, None]
    return np.where(kept[:, None], np.rint(means), before).astype(np.float32)
