"""What a model is to learn from: whether it can, in which folds it is held out, and its hash."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from hitl.errors import ModelError
from hitl.sampling.uniforms import draws
from hitl.types import Ints, Targets

FOLDS, FEW = 5, 5_000
"""Held-out scores come from cross-fitting in `FOLDS` up to `FEW` items, beyond from one fifth held out once."""


def check_targets(targets: Targets, items: int, *, multi_label: bool) -> None:
    """Raise `ModelError` when targets are empty, misshapen, of items that are not there, or contradict the policy."""
    m, k = len(targets.positions), len(targets.labels)
    y, weights = targets.y, targets.weights
    remedy = "resolve some answers first (run the seed round), then fit"
    if not m:
        raise ModelError(f"there is no training item; {remedy}")
    if y.shape != (m, k) or weights.shape != (m,):
        raise ModelError(f"targets of {m} items × {k} labels hold y {y.shape} and weights {weights.shape}; align them")
    if targets.positions.min() < 0 or targets.positions.max() >= items:
        raise ModelError(f"a target is outside the pool's {items:,} items; use the pool that the answers are of")
    if not (np.isnan(y) | (y == 0) | (y == 1)).all():
        raise ModelError("targets hold a label value other than 0, 1 and NaN (unknown); settle them first")
    if not (np.isfinite(weights) & (weights >= 0)).all() or not weights.sum() > 0:
        raise ModelError("weights of training items must be finite, not negative, and not all 0; mend them")
    if not multi_label and ((y == 1).sum(axis=1) > 1).any():
        raise ModelError("a training item has two labels in a single-label policy; fit with multi_label=True")
    if not multi_label and not (y == 1).any(axis=1)[weights > 0].any():
        raise ModelError("no training item has a label; resolve some answers first")


def teaches(targets: Targets, *, multi_label: bool) -> bool:
    """Whether anything can be learned from them."""
    known = ~np.isnan(targets.y).all(axis=1) if multi_label else (targets.y == 1).any(axis=1)
    return bool(targets.weights[known].sum() > 0)


def folds_of(targets: Targets, *, multi_label: bool, folds: int = FOLDS) -> Ints:
    """The fold (m,) of each item, -1 for those of no weight; it depends on the items and not on their order.

    Multi-label: by a hash of the position. Otherwise each label is dealt to all folds in turn.
    """
    drawn = draws(targets.positions.astype(np.uint64), 0)
    if multi_label:
        found = (drawn * folds).astype(np.int64)
    else:
        known = np.nan_to_num(targets.y) == 1
        classes = np.where(known.any(axis=1) & (targets.weights > 0), known.argmax(axis=1), len(targets.labels))
        order = np.lexsort((drawn, classes))
        found = np.empty(len(targets), dtype=np.int64)
        found[order] = np.arange(len(targets)) % folds
        found[classes == len(targets.labels)] = -1
    found[~(targets.weights > 0)] = -1
    return found


def data_hash(fingerprint: str, targets: Targets) -> str:
    """A hash of what was learned from: the features' fingerprint, which items with which labels, weights and spans."""
    digest = blake2b(fingerprint.encode(), digest_size=12)
    order = np.argsort(targets.positions, kind="stable")
    parts = [targets.positions, targets.y, targets.weights]
    parts += [] if targets.stands_for is None else [targets.stands_for]
    for part in parts:
        digest.update(np.ascontiguousarray(part[order]).tobytes())
    if targets.spans is not None:
        spans = targets.spans
        told = np.stack([targets.positions[spans.rows], spans.labels, spans.start, spans.stop])
        digest.update(np.ascontiguousarray(told[:, np.lexsort(told)]).tobytes())
    return digest.hexdigest()
