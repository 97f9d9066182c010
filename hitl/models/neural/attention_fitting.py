"""Learning attention over frames from clips' labels and timelines: convex but for the attention, full-batch L-BFGS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hitl.models.neural.attention import BLOCK, Attention, Clips, pooled, unit
from hitl.models.neural.timelines import Timelines, timelines
from hitl.sampling.diversity.crowd import GRID
from hitl.types import Bools, Floats, Ints, Targets

RIDGE, SPREAD, SHARP = 0.05, 10.0, 0.5
"""Of the mean variance, added before whitening; the mean squared length of a whitened frame; the sharpness a priori."""


@dataclass(frozen=True)
class AttentionFitting:
    """How attention learns: `C` as in logistic regression on whitened frames, and how much a timeline counts."""

    C: float = 1.0
    balanced: bool = True
    heads: int = 0
    timelines: float = 3.0
    max_iter: int = 300


def fit_attention(
    clips: Clips,
    targets: Targets,
    fitting: AttentionFitting,
    rng: np.random.Generator,
    *,
    multi_label: bool,
) -> tuple[Attention, dict[str, Any]]:
    """Learn from m clips; the attention, and what is to be told of the fitting.

    A label of a clip is a cross-entropy of its logits; NaN is masked, and labels never or always seen are constants, as
    in `fit_linear`. The spans of `targets` say of a clip's frames, label by label, that those within a span show it and
    the others do not; a clip whose spans fall between its frames teaches by its label alone. Only the resamples of the
    committee draw from `rng`. O((1 + heads) × iterations × m F d k) time, memory for `BLOCK` clips beside the clips.

    >>> frames = np.zeros((4, 2, 8), dtype=np.int16)
    >>> frames[:, 0, 0], frames[:2, 1, 1], frames[2:, 1, 2] = 2048, 2048, 2048
    >>> targets = Targets(np.arange(4), np.array([[1.0], [1], [0], [0]]), ("bad",), np.ones(4))
    >>> clips, rng = Clips(frames, np.zeros((4, 2), np.float32), np.full(4, 2)), np.random.default_rng(0)
    >>> found, _ = fit_attention(clips, targets, AttentionFitting(), rng, multi_label=True)
    >>> int(found.attention(clips)[0, 0].argmax())
    1
    """
    learner = _Learner(clips, targets, fitting, multi_label, whitening(clips.take(targets.weights > 0)))
    first = learner.learn(targets.weights, None)
    several = [first]
    m = len(targets)
    for _ in range(fitting.heads):
        weights = targets.weights * rng.multinomial(m, np.full(m, 1 / m))
        several.append(learner.learn(weights, first) if learner.teaches(weights) else first)
    stacked = [np.stack([getattr(one, name) for one in several]) for name in ("coef", "intercept", "sharpness")]
    constants = np.stack([one.constant for one in several]).astype(np.float32)
    return Attention(stacked[0], stacked[1], stacked[2], constants, softmax=not multi_label), first.told


@dataclass(frozen=True, eq=False)
class Whitening:
    """Frames less their mean `centre` (d,), times a symmetric `matrix` (d, d): about the same variance every way."""

    centre: Floats
    matrix: Floats


def whitening(clips: Clips) -> Whitening:
    """The whitening of the frames that are there, with a ridge; exact sums, so no order matters. O(n F d² + d³)."""
    d = clips.shape[2]
    count = 0
    total: Floats = np.zeros(d)
    gram: Floats = np.zeros((d, d))
    for start in range(0, len(clips), BLOCK):
        block = clips.take(slice(start, start + BLOCK))
        rows = block.frames[block.there].astype(np.float64)
        total, gram, count = total + rows.sum(axis=0), gram + rows.T @ rows, count + len(rows)
    centre = total / (GRID * max(count, 1))
    variances, axes = np.linalg.eigh(gram / (GRID**2 * max(count, 1)) - np.outer(centre, centre))
    variances = np.maximum(variances, 0)
    if not variances.sum() > 1e-12:
        return Whitening(centre, np.eye(d) * np.sqrt(SPREAD))
    ridged = variances + RIDGE * variances.mean()
    spread = SPREAD / (variances / ridged).sum()
    return Whitening(centre, (axes * np.sqrt(spread / ridged)) @ axes.T)


@dataclass(frozen=True, eq=False)
class _Weights:
    """What was learned for k labels."""

    coef: Floats  # (k, d), of frames on the grid
    intercept: Floats  # (k,)
    sharpness: Floats  # (k,)
    constant: Floats  # (k,)
    flat: dict[int, Floats]  # where each label's search ended: weights of whitened frames, intercept, sharpness
    told: dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Learner:
    clips: Clips
    targets: Targets
    fitting: AttentionFitting
    multi_label: bool
    whitening: Whitening

    def teaches(self, weights: Floats) -> bool:
        known = ~np.isnan(self.targets.y).all(axis=1) if self.multi_label else (self.targets.y == 1).any(axis=1)
        return bool(weights[known].sum() > 0)

    def learn(self, weights: Floats, start: _Weights | None) -> _Weights:
        """The labels that can be learned, together; the others as constants."""
        y, k = self.targets.y, len(self.targets.labels)
        known = ~np.isnan(y) if self.multi_label else np.broadcast_to((y == 1).any(axis=1)[:, None], y.shape)
        known = known & (weights > 0)[:, None]
        constant = _constants(y == 1, known, multi_label=self.multi_label)
        learned, at = np.flatnonzero(np.isnan(constant)), np.flatnonzero(known.any(axis=1))
        coef, intercept, sharpness = np.zeros((k, self.clips.shape[2])), np.zeros(k), np.zeros(k)
        told: dict[str, Any] = {"items": len(at), "iterations": 0, "converged": True, "timelines": 0}
        flat: dict[int, Floats] = {}
        if len(learned):
            loss = self._loss(at, learned, weights[at, None] * known[np.ix_(at, learned)])
            found = _minimised(loss, {} if start is None else start.flat, learned, self.fitting.max_iter)
            told |= {"iterations": int(found.nit), "converged": bool(found.success), "timelines": len(loss.lines)}
            coef[learned], intercept[learned], sharpness[learned] = loss.unfolded(found.x)
            flat = dict(zip(learned.tolist(), found.x.reshape(len(learned), -1), strict=True))
        return _Weights(coef, intercept, sharpness, constant, flat, told)

    def _loss(self, at: Ints, learned: Ints, factors: Floats) -> _Loss:
        y = np.nan_to_num(self.targets.y[np.ix_(at, learned)])
        clips = self.clips.take(at)
        lines = timelines(self.targets.take(at).spans, clips.times, clips.there, y, learned)
        lines = replace(
            lines, weights=lines.weights * (factors[lines.rows, lines.labels] * self.fitting.timelines)[:, None]
        )
        if self.fitting.balanced:
            factors = factors * _balance(y == 1, factors, multi_label=self.multi_label)
        return _Loss(clips, y, factors, lines, self.whitening, self.fitting.C, not self.multi_label)


def _constants(positive: Bools, known: Bools, *, multi_label: bool) -> Floats:
    """The probability (k,) of labels that there is nothing to learn from, NaN for the others."""
    seen, items, k = (positive & known).sum(axis=0), known.sum(axis=0), positive.shape[1]
    if multi_label:
        return np.where((seen > 0) & (seen < items), np.nan, (seen + 1) / (items + 2))
    if (seen > 0).sum() == 1:
        return np.asarray((seen + 1) / (items + k))
    return np.where(seen > 0, np.nan, 1 / (items + k))


def _balance(positive: Bools, factors: Floats, *, multi_label: bool) -> Floats:
    """By what to multiply weights (m, c), so that the classes of each label weigh the same, and all as before."""
    inside, total = (factors * positive).sum(axis=0), factors.sum(axis=0)
    if multi_label:
        return np.where(positive, total / (2 * inside), total / (2 * (total - inside)))
    return np.asarray((positive * (total / (len(inside) * inside))).sum(axis=1, keepdims=True))


def _minimised(loss: _Loss, flat: dict[int, Floats], learned: Ints, most: int) -> Any:
    from scipy.optimize import Bounds, minimize

    none = np.zeros(loss.clips.shape[2] + 2)
    start = np.concatenate([flat.get(int(label), none) for label in learned])
    least = np.full((len(learned), len(none)), -np.inf)
    least[:, -1] = -1.0  # a negative sharpness would attend to what speaks against a label
    options: Any = {"maxiter": most, "ftol": 1e-9, "gtol": 1e-5}
    return minimize(loss, start, jac=True, method="L-BFGS-B", bounds=Bounds(least.ravel()), options=options)


@dataclass(frozen=True, eq=False)
class _Loss:
    """|w|² / 2 + t² / 2 + C × the weighted cross-entropy of clips, and of frames on timelines, with its gradient.

    Of each of c labels, w (d,) weighs whitened frames, and the sharpness is `SHARP` × (1 + t).
    """

    clips: Clips
    y: Floats  # (m, c) of 0 and 1
    factors: Floats  # (m, c), 0 where unknown
    lines: Timelines
    whitening: Whitening
    C: float
    softmax: bool

    def _parts(self, flat: Floats) -> tuple[Floats, Floats, Floats]:
        rows = flat.reshape(self.y.shape[1], -1)
        return rows[:, :-2], rows[:, -2], rows[:, -1]

    def unfolded(self, flat: Floats) -> tuple[Floats, Floats, Floats]:
        """Weights (c, d) and intercept (c,) of frames as they are on the grid, and the sharpness (c,)."""
        w, b, t = self._parts(flat)
        coef = w @ self.whitening.matrix
        return coef / GRID, b - coef @ self.whitening.centre, SHARP * (1 + t)

    def __call__(self, flat: Floats) -> tuple[float, Floats]:
        w, b, t = self._parts(flat)
        coef, sharpness = w @ self.whitening.matrix, SHARP * (1 + t)
        value, slope, sums = 0.0, np.zeros_like(coef), np.zeros((2, len(b)))
        for start in range(0, len(self.clips), BLOCK):
            rows = slice(start, start + BLOCK)
            block = self.clips.take(rows)
            x = unit(block.frames) - self.whitening.centre
            scores = np.ascontiguousarray(np.moveaxis(x @ coef.T, 2, 1)) + b[:, None]
            loss, by_scores, by_sharpness = self._of_scores(scores, block.there, sharpness, rows)
            value += loss
            slope += np.moveaxis(by_scores, 1, 0).reshape(len(b), -1) @ x.reshape(-1, x.shape[2])
            sums += by_scores.sum(axis=(0, 2)), by_sharpness
        gradient = np.c_[w + self.C * slope @ self.whitening.matrix, self.C * sums[0], t + self.C * SHARP * sums[1]]
        return float(0.5 * (w * w).sum() + 0.5 * (t * t).sum() + self.C * value), gradient.ravel()

    def _of_scores(self, scores: Floats, there: Bools, sharpness: Floats, rows: slice) -> tuple[float, Floats, Floats]:
        """The loss of a block by its frames' scores (b, c, F), with its gradients (b, c, F) and by sharpness (c,)."""
        logits, attention = pooled(scores, there, sharpness)
        y, factors = self.y[rows], self.factors[rows]
        if self.softmax:
            top = logits.max(axis=1, keepdims=True)
            normal = top + np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
            each, off = y * (normal - logits), np.exp(logits - normal) - y
        else:
            each, off = np.logaddexp(0, logits) - y * logits, 0.5 * (1 + np.tanh(0.5 * logits)) - y
        off = off * factors
        apart = scores - logits[..., None]
        by_scores = off[..., None] * attention * (1 + sharpness[:, None] * apart)
        by_sharpness = (off * (attention * apart * scores).sum(axis=2)).sum(axis=0)
        told, by_frames = self.lines.loss(scores, rows, softmax=self.softmax)
        return float((factors * each).sum()) + told, by_scores + by_frames, by_sharpness
