"""Uncertain and unlike items at once: far apart in the gradients that their likeliest labels would send."""

from __future__ import annotations

import numpy as np

from hitl.sampling.diversity.crowd import Crowd, singles, squares
from hitl.sampling.diversity.kmeans_plus_plus import Distances, draw_apart
from hitl.types import Floats, Ints

_STEPS = 1 << 20


def badge(crowd: Crowd, count: int, rng: np.random.Generator) -> Ints:
    """D² sampling among gradient embeddings, weighted by priority; with equal weights, BADGE as published.

    The gradient of the loss with respect to the last layer, if the model's own answer were right, is (p - y) ⊗ h with
    y the onehot of the likeliest label, or, with several labels an item, y_j = 1 where p_j >= 0.5. Its k d numbers an
    item are never built. The first is drawn with probability ∝ weight × squared length, for one without a gradient
    teaches nothing. Rows of the crowd in the order drawn, at most `count`; when no gradient is left that differs, the
    heaviest of the rest follow. O(n count (d + k)) time, O(n (d + k)) memory. Ash et al. (ICLR 2020).

    >>> proba = np.array([[0.5, 0.5], [1, 0], [1, 0]], dtype=np.float32)
    >>> embeddings = np.full((3, 1), 2048, dtype=np.int16)
    >>> crowd = Crowd(embeddings, proba, np.array([1, 3, 2.0]), np.zeros(3), multi_label=False)
    >>> badge(crowd, 2, np.random.default_rng(0)).tolist()[0]  # the only one with a gradient
    0
    """
    wanted, rows = crowd.wanted()
    distances, lengths = gradients(wanted)
    chosen = draw_apart(distances, wanted.weights, count, rng, first=wanted.weights * lengths)
    return crowd.filled(rows[chosen], count)


def gradients(crowd: Crowd) -> tuple[Distances, Floats]:
    """Squared distances among the gradients of a crowd, and their squared lengths (n,); 1 is 2⁶² of either.

    From ⟨a ⊗ h, b ⊗ g⟩ = ⟨a, b⟩ ⟨h, g⟩, a and h being whole numbers: the same in any block and on any machine.
    """
    h, a = singles(crowd.embeddings), _residuals(crowd)
    lengths = squares(a) * squares(h)

    def distances(rows: Ints | slice, centres: Ints) -> Floats:
        found = a[rows] @ a[centres].T
        found *= h[rows] @ h[centres].T
        found *= -2
        found += lengths[rows, None]
        found += lengths[centres]
        return np.maximum(found, 0.0)

    return distances, lengths


def _residuals(crowd: Crowd) -> Floats:
    """p - y for each item, (n, k), in whole steps of 2⁻²⁰."""
    p = crowd.proba
    answers = p >= 0.5 if crowd.multi_label else np.eye(p.shape[1])[p.argmax(axis=1)] if p.size else p
    return np.asarray(np.rint((p - answers) * _STEPS), dtype=np.float64)
