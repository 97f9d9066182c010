"""Committee: how far models that learned from resampled answers disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hitl.errors import DataError
from hitl.sampling.scorers._view import blocks, checked, needed, surprise, total
from hitl.types import Floats, PoolView, Proba, Scores


def committee(view: PoolView) -> Scores:
    """Disagreement of h heads, H(mean p) - mean H(p), divided by its greatest value; (n,) in [0, 1].

    This is the Jensen-Shannon divergence of the heads, and the information that the answer carries about which head
    is right: unlike entropy it is 0 where all agree that an item is a toss-up. Single-label: over the k labels,
    divided by log min(h, k). Multi-label: each label is a question of its own, and the most disputed one counts:
    max over labels of the binary divergence, divided by log 2. O(h n k) time, O(n) memory. Raises `ConfigError`
    without a committee, `DataError` where it does not fit the items or holds NaN.

    Seung, Opper & Sompolinsky (COLT 1992); McCallum & Nigam (ICML 1998); Houlsby et al. (arXiv 1112.5745, "BALD").

    >>> from hitl.sampling.view import example_view
    >>> heads = np.array([[[0.5, 0.5], [1, 0]], [[0.5, 0.5], [0, 1]]], dtype=np.float32)
    >>> committee(replace(example_view([[0.5, 0.5], [0.5, 0.5]]), committee=heads)).values
    array([0., 1.])
    """
    checked(view)
    heads = needed(view.committee, "committee", "committee", "set `heads` in the model's options")
    if heads.ndim != 3 or not len(heads):
        raise DataError(f"committee: its probabilities have the shape {heads.shape}, not (heads, items, labels)")
    greatest = np.log(min(len(heads), 2 if view.multi_label else len(view.labels)))
    values = np.zeros(len(view))
    for votes in zip(*(blocks(replace(view, proba=head)) for head in heads), strict=True):
        if greatest:
            values[votes[0][0]] = _dissent([p for _, p in votes], view.multi_label) / greatest
    return Scores("committee", np.clip(values, 0.0, 1.0, out=values))


def _dissent(votes: Sequence[Proba], multi_label: bool) -> Floats:
    mean, within = np.zeros(votes[0].shape), np.zeros(votes[0].shape)
    for vote in votes:
        p = vote.astype(np.float64)
        mean += p
        within += _entropy(p, multi_label)
    gain = _entropy(mean / len(votes), multi_label) - within / len(votes)
    return np.asarray(gain.max(axis=0)) if multi_label else total(gain)


def _entropy(p: Floats, multi_label: bool) -> Floats:
    return surprise(p) + surprise(1 - p) if multi_label else surprise(p)
