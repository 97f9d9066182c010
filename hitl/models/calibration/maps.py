"""The maps from logits to calibrated logits, and from those to probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.types import Floats, Proba

TILT = 1e-3
"""How far isotonic steps rise with a logit beyond their ends, so that items keep their order."""


@dataclass(frozen=True)
class Beta:
    """The logit a ln p - b ln(1 - p) + c of a probability p; with a = b it is Platt's line.

    Source: Kull, Silva Filho & Flach (AISTATS 2017), "Beta calibration".
    """

    a: float
    b: float
    c: float

    def __call__(self, odds: Floats) -> Floats:
        """The calibrated logits of log odds (n,)."""
        moved: Floats = self.b * np.logaddexp(0, odds) - self.a * np.logaddexp(0, -odds) + self.c
        return moved


@dataclass(frozen=True, eq=False)
class Steps:
    """Straight lines from knot to knot, `at` (s,) → `to` (s,), both rising; nearly level beyond the outermost."""

    at: Floats
    to: Floats

    def __call__(self, odds: Floats) -> Floats:
        """The calibrated logits of log odds (n,)."""
        moved: Floats = np.interp(odds, self.at, self.to) + TILT * (odds - np.clip(odds, self.at[0], self.at[-1]))
        return moved


@dataclass(frozen=True, eq=False)
class Curves:
    """Maps of single labels that are no straight lines, by the label's column.

    With `softmax` they take each label against the rest, and what they give is shared out to sum to 1 (Zadrozny &
    Elkan, KDD 2002): then every label that was learned has one.
    """

    of: Mapping[int, Beta | Steps]
    softmax: bool

    def __call__(self, logits: Floats) -> Floats:
        """The calibrated logits (n, k); labels without a curve stay as they are. O(n k)."""
        columns = sorted(self.of)
        odds = log_odds(logits[:, columns]) if self.softmax else logits[:, columns]
        moved = logits.copy()
        for place, column in enumerate(columns):
            found = self.of[column](odds[:, place])
            moved[:, column] = -np.logaddexp(0, -found) if self.softmax else found
        return moved

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The curves by name, as they are saved: rows (label, a, b, c), and (label, at, to)."""
        beta = [(column, one.a, one.b, one.c) for column, one in sorted(self.of.items()) if isinstance(one, Beta)]
        steps = [
            np.stack([np.full(len(one.at), float(column)), one.at, one.to], axis=1)
            for column, one in sorted(self.of.items())
            if isinstance(one, Steps)
        ]
        told: dict[str, NDArray[Any]] = {_BETA: np.array(beta)} if beta else {}
        return {**told, _STEPS: np.concatenate(steps)} if steps else told

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]], *, softmax: bool) -> Curves | None:
        """The curves that were saved; None where there were none."""
        of: dict[int, Beta | Steps] = {int(row[0]): Beta(*map(float, row[1:])) for row in arrays.get(_BETA, ())}
        rows = arrays.get(_STEPS, np.zeros((0, 3)))
        for column in np.unique(rows[:, 0]):
            _, at, to = rows[rows[:, 0] == column].T
            of[int(column)] = Steps(at, to)
        return cls(of, softmax) if of else None


_LINES, _BETA, _STEPS = "calibration", "calibration_beta", "calibration_steps"


@dataclass(frozen=True, eq=False)
class Calibration:
    """Logits times `scale` (k,) plus `shift` (k,), then the `curves` of labels that have one.

    `told` says in plain values how it was found. Single-label: the scale is one temperature for all labels. Sources:
    Platt (1999); temperature and vector scaling, Guo et al. (ICML 2017).
    """

    scale: Floats
    shift: Floats
    told: dict[str, Any]
    curves: Curves | None = None

    @classmethod
    def none(cls, labels: int, why: str) -> Calibration:
        """The map that changes nothing."""
        return cls(np.ones(labels), np.zeros(labels), {"method": "none", "why": why})

    def __call__(self, logits: Floats) -> Floats:
        """The calibrated logits (n, k)."""
        moved: Floats = logits * self.scale + self.shift
        return moved if self.curves is None else self.curves(moved)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The map by name, as it is saved."""
        curves = {} if self.curves is None else self.curves.arrays()
        return {_LINES: np.stack([self.scale, self.shift]), **curves}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], told: dict[str, Any], *, softmax: bool) -> Calibration:
        """The map that was saved; raises `KeyError` or `ValueError` where it was not."""
        scale, shift = arrays[_LINES]
        return cls(scale, shift, told, Curves.of_arrays(arrays, softmax=softmax))


def log_odds(logits: Floats) -> Floats:
    """The log odds (n, k) of each probability of one softmax of logits (n, k), k >= 2, exact near 0 and 1. O(n k)."""
    rows, top = np.arange(len(logits)), logits.argmax(axis=1)
    rest = logits.copy()
    rest[rows, top] = -np.inf
    second = rest.max(axis=1)
    others = second + np.log(np.exp(rest - second[:, None]).sum(axis=1))
    share = rest - np.logaddexp(logits[rows, top], others)[:, None]
    odds: Floats = share - np.log1p(-np.exp(share))
    odds[rows, top] = logits[rows, top] - others  # near 1 it is the others that tell how near
    return odds


def probable(logits: Floats, constant: NDArray[np.float32], *, softmax: bool) -> Proba:
    """Probabilities (n, k) of logits (n, k): one softmax, or one sigmoid a label.

    A label whose `constant` (k,) is not NaN has that probability for every item: there was nothing to learn it from.
    With `softmax` the learned labels share what the constants leave.
    """
    fixed = ~np.isnan(constant)
    proba = np.empty(logits.shape, dtype=np.float64)
    if softmax and not fixed.all():
        learned = logits[:, ~fixed]
        raised = np.exp(learned - learned.max(axis=1, keepdims=True))
        left = 1.0 - constant[fixed].sum(dtype=np.float64)
        proba[:, ~fixed] = left * raised / raised.sum(axis=1, keepdims=True)
    elif not softmax:
        proba = 0.5 * (1.0 + np.tanh(0.5 * logits))
    proba[:, fixed] = constant[fixed]
    return proba.astype(np.float32)
