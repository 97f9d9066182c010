"""Items that stand for the crowd: greedy facility location on cosine similarity."""

from __future__ import annotations

import numpy as np

from hitl.sampling.diversity.crowd import Crowd, Singles, singles
from hitl.types import Embeddings, Floats, Ints

SERVED = 3072
"""Most items whose demand is counted: all of a smaller crowd, and a draw by weight from a larger one."""

_BLOCK = 16
_NOISE = 1e-5


def max_coverage(crowd: Crowd, count: int, rng: np.random.Generator) -> Ints:
    """Items that cover the crowd best: greedy for the sum over items of weight × cosine to the nearest chosen one.

    Negative cosines count as 0. The greedy choice reaches at least 1 - 1/e of the best coverage by any `count` items
    (Nemhauser, Wolsey & Fisher 1978; for selecting data: Wei, Iyer & Bilmes, ICML 2015). In a crowd of more than 3,072
    it is 3,072 places of demand that are covered, drawn systematically by weight. Rows of the crowd, the greatest gain
    first, at most `count`; once nothing is gained, the heaviest of the rest follow. With m = min(n, 3072): O(n m d)
    time and O(n m) for the changes of coverage, about m log count of them; O(n m) memory.

    >>> embeddings = np.array([[2048, 0], [1930, 685], [0, 2048]], dtype=np.int16)
    >>> crowd = Crowd(embeddings, np.ones((3, 1)), np.ones(3), np.array([0.1, 0.2, 0.3]), multi_label=False)
    >>> max_coverage(crowd, 2, np.random.default_rng(0)).tolist()  # the middle one, then what it covers least
    [1, 2]
    """
    wanted, rows = crowd.wanted()
    chosen = cover(wanted.embeddings, *_served(wanted.weights, rng), count)
    return crowd.filled(rows[chosen], count)


def _served(weights: Floats, rng: np.random.Generator) -> tuple[Ints, Singles]:
    """The rows whose demand counts, (m,), and how much each asks for, (m,)."""
    demand = weights
    if len(weights) > SERVED:
        sums = np.cumsum(weights)
        places = (np.arange(SERVED) + rng.random()) * (sums[-1] / SERVED)
        rows = np.searchsorted(sums[:-1], places, side="right")
        demand = np.bincount(rows, minlength=len(weights)).astype(np.float64)
    served = np.flatnonzero(demand)
    return served, (demand[served] / demand.max(initial=0.0)).astype(np.float32)


def cover(embeddings: Embeddings, served: Ints, demand: Singles, count: int) -> Ints:
    """Rows chosen greedily for Σ demand × the greatest cosine of a served row to any of them; at most `count`.

    The first row goes first among equal gains; fewer come back when no other row gains anything.
    """
    x = singles(embeddings)
    likeness = np.empty((len(served), len(x)), dtype=np.float32)
    covered = np.zeros(len(served), dtype=np.float32)
    gains = np.zeros(len(x))
    for start in range(0, len(served), 8 * _BLOCK):
        block = slice(start, start + 8 * _BLOCK)
        np.matmul(x[served[block]], x.T, out=likeness[block])
        gains += demand[block] @ np.maximum(likeness[block], 0)
    least = _NOISE * gains.max(initial=0.0)
    chosen: list[int] = []
    while len(chosen) < min(count, len(x)):
        best = int(gains.argmax())
        if not gains[best] > least:
            break
        chosen.append(best)
        closer = np.flatnonzero(likeness[:, best] > covered)
        # in small blocks, which stay in the processor's cache
        for start in range(0, len(closer), _BLOCK):
            rows = closer[start : start + _BLOCK]
            low, high = covered[rows], likeness[rows, best]
            lost = np.minimum(likeness[rows], high[:, None])
            gains -= demand[rows] @ np.maximum(lost, low[:, None], out=lost) - demand[rows] @ low
            covered[rows] = high
        gains[best] = -np.inf
    return np.array(chosen, dtype=np.int64)
