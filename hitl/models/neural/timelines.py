"""What timelines say of single frames: those within a span show its label, the clip's others do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hitl.types import Bools, Floats, Ints, Spans


@dataclass(frozen=True, eq=False)
class Timelines:
    """One label of one clip each: `rows` (p,) ascending, column `labels` (p,), which frames are `inside` (p, F).

    `weights` (p, F) of the frames: half of a timeline for those inside, half for those outside.
    """

    rows: Ints
    labels: Ints
    inside: Bools
    weights: Floats

    def __len__(self) -> int:
        return len(self.rows)

    def loss(self, scores: Floats, rows: slice, *, softmax: bool) -> tuple[float, Floats]:
        """The weighted cross-entropy of frames by the scores (b, c, F) of clips `rows`, and its gradient (b, c, F).

        With `softmax` a frame shows one label, and outside its spans any other.
        """
        slopes = np.zeros_like(scores)
        here = slice(*np.searchsorted(self.rows, (rows.start, rows.stop)))
        at, label = self.rows[here] - rows.start, self.labels[here]
        if not len(at):
            return 0.0, slopes
        inside, weights = self.inside[here], self.weights[here]
        if not softmax:
            own = scores[at, label]
            np.add.at(slopes, (at, label), weights * (0.5 * (1 + np.tanh(0.5 * own)) - inside))
            return float((weights * (np.logaddexp(0, own) - inside * own)).sum()), slopes
        asked = np.arange(scores.shape[1])[:, None] == label[:, None, None]  # (p, c, 1)
        right = np.where(asked == inside[:, None], scores[at], -np.inf)
        (all_of, all_share), (of_right, right_share) = _normal(scores[at]), _normal(right)
        np.add.at(slopes, at, weights[:, None] * (all_share - right_share))
        return float((weights * (all_of - of_right)).sum()), slopes


def _normal(scores: Floats) -> tuple[Floats, Floats]:
    """log Σ exp over the labels (p, F), and each label's share (p, c, F)."""
    top = scores.max(axis=1, keepdims=True)
    raised = np.exp(scores - top)
    total = raised.sum(axis=1, keepdims=True)
    return (top + np.log(total))[:, 0], raised / total


def timelines(
    spans: Spans | None, times: NDArray[np.float32], there: Bools, positive: Floats, learned: Ints
) -> Timelines:
    """Timelines of m clips from their spans, the times (m, F) of their frames, and where a label holds (m, c).

    `learned` are the columns (c,) that `positive` has of the labels of the spans. Spans of a label that the clip does
    not have, and timelines with no frame inside, say nothing.
    """
    none = np.zeros(0, dtype=np.int64)
    if spans is None or not len(spans) or not len(learned):
        return Timelines(none, none, np.zeros((0, times.shape[1]), dtype=np.bool_), np.zeros((0, times.shape[1])))
    column = np.minimum(np.searchsorted(learned, spans.labels), len(learned) - 1)
    kept = np.flatnonzero((learned[column] == spans.labels) & (positive[spans.rows, column] == 1))
    rows, column = spans.rows[kept], column[kept]
    each = (times[rows] >= spans.start[kept, None]) & (times[rows] <= spans.stop[kept, None]) & there[rows]
    pairs, which = np.unique(rows * len(learned) + column, return_inverse=True)
    inside = np.zeros((len(pairs), times.shape[1]), dtype=np.bool_)
    np.logical_or.at(inside, which, each)
    seen = inside.any(axis=1)
    rows, column, shown = pairs[seen] // len(learned), pairs[seen] % len(learned), inside[seen]
    halves = [part / (2 * np.maximum(part.sum(axis=1, keepdims=True), 1)) for part in (shown, there[rows] & ~shown)]
    return Timelines(rows, column, shown, halves[0] + halves[1])
