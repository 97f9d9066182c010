"""What the scorers have in common: the check of what they are given, and reading it in blocks.

A score must not depend on where a batch is cut. So every sum runs label by label over contiguous rows: numpy's sums
along an axis round differently with its length, and its logarithm with the stride.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ConfigError, DataError
from hitl.sampling.known import nearest
from hitl.types import Embeddings, Floats, PoolView, Proba

Part = TypeVar("Part")
Real = TypeVar("Real", bound=np.floating)

_SLACK = 1e-5
"""How far float32 rounding may carry a probability beyond [0, 1]."""

_ROWS = 32768
"""Rows read at once: their probabilities stay in the cache between one operation and the next."""


def checked(view: PoolView) -> Proba:
    """The probabilities (n, k) of a view; raises `DataError` where one is NaN or outside [0, 1]. O(n k) time."""
    proba = _aligned(view)
    if proba.size and not _sane(proba):
        _refuse(view)
    return proba


def blocks(view: PoolView) -> Iterator[tuple[slice, Proba]]:
    """The checked probabilities in blocks of rows: which rows, and theirs by label, (k, rows) float32 in [0, 1].

    Each block is contiguous whatever the layout of the view, and the reader's own to overwrite until the next one.
    O(n k) time, O(k) memory for each of some thousand rows.
    """
    proba = _aligned(view)
    n, k = proba.shape
    scratch = np.empty(k * min(n, _ROWS), dtype=np.float32)
    for start in range(0, n, _ROWS):
        rows = slice(start, min(start + _ROWS, n))
        p = scratch[: k * (rows.stop - start)].reshape(k, -1)
        np.copyto(p, proba[rows].T)
        if not _sane(p):
            _refuse(view)
        yield rows, np.clip(p, 0.0, 1.0, out=p)


def surprise(p: NDArray[Real]) -> NDArray[Real]:
    """-p log p elementwise in nats, 0 at p = 0; `p` must be contiguous."""
    nats: NDArray[Real] = np.log(np.clip(p, np.finfo(p.dtype).tiny, 1))
    nats *= -p
    return nats


def total(p: NDArray[Real]) -> NDArray[Real]:
    """The sum (n,) over the first axis of (k, n), in order."""
    added: NDArray[Real] = p[0].copy()
    for row in p[1:]:
        added += row
    return added


def needed(part: Part | None, scorer: str, what: str, remedy: str) -> Part:
    """A part of the view that this scorer cannot do without; raises `ConfigError` with the remedy."""
    if part is None:
        raise ConfigError(f"{scorer}: the view has no {what}; {remedy}, or take {scorer} out of the plan")
    return part


def cosines(view: PoolView, references: Embeddings, scorer: str) -> Floats:
    """The largest cosine (n,) of each item with the references (r, d), -1 without any; see `nearest`.

    Raises `ConfigError` where the view has no embeddings, `DataError` where they do not fit items or references.
    """
    checked(view)
    rows = needed(view.embeddings, scorer, "embeddings", "choose a model that embeds items")
    if rows.ndim != 2 or len(rows) != len(view) or (len(references) and rows.shape[1] != references.shape[1]):
        raise DataError(
            f"{scorer}: embeddings have the shape {rows.shape}, but there are {len(view)} items, and what is known has "
            f"the shape {references.shape}; embed the pool and what is labelled with the same model"
        )
    return nearest(rows, references)


def _aligned(view: PoolView) -> Proba:
    if view.proba.shape != (len(view), len(view.labels)):
        raise DataError(
            f"probabilities have the shape {view.proba.shape}, but there are {len(view)} items and {len(view.labels)} "
            "labels; predict with the labels of the policy"
        )
    return view.proba


def _sane(proba: Proba) -> bool:
    return bool(proba.min() >= -_SLACK and proba.max() <= 1 + _SLACK)  # NaN is neither


def _refuse(view: PoolView) -> NoReturn:
    proba = view.proba
    wrong = ~((proba >= -_SLACK) & (proba <= 1 + _SLACK))
    rows = np.flatnonzero(wrong.any(axis=1))
    column = int(np.flatnonzero(wrong[rows[0]])[0])
    raise DataError(
        f"{len(rows):,} of {len(view):,} items have a probability that is NaN or outside [0, 1], first in row "
        f"{rows[0]} of the batch (key {int(view.keys[rows[0]])}), label {view.labels[column]!r}: "
        f"{float(proba[rows[0], column])}; retrain the model or look at its features"
    )
