"""Several priorities made one, with each kept so that a pick can say why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hitl.errors import ConfigError, DataError
from hitl.types import Floats, Scores


def combine(scores: Sequence[Scores], weights: Mapping[str, float], scales: Mapping[str, float]) -> Scores:
    """The weighted mean of scores of the same n items; values (n,) in [0, 1], raw scores in `parts`. O(n) a score.

    A score without an upper bound, such as `impact`, passes through s / (s + scale), which is one half at its
    scale. Scores of weight 0 are kept as parts and do not count. Raises `ConfigError` for a missing weight or for an
    unbounded score without a scale, `DataError` for NaN and for scores below 0.

    >>> both = [Scores("margin", np.array([0.5, 1.0])), Scores("impact", np.array([3.0, 1.0]))]
    >>> combine(both, {"margin": 1, "impact": 1}, {"impact": 1.0}).values
    array([0.625, 0.75 ])
    """
    missing = [score.name for score in scores if score.name not in weights]
    if missing or sum(weights.get(score.name, 0.0) for score in scores) <= 0:
        what = f"no weight for {', '.join(missing)}" if missing else "no score has a weight above 0"
        raise ConfigError(f"combine: {what}; set it under `scores` in the plan")
    total = sum(weights[score.name] for score in scores)
    values = np.zeros(len(scores[0]))
    for score in scores:
        if len(score) != len(values):
            raise DataError(f"combine: {score.name} scores {len(score)} items, {scores[0].name} {len(values)}")
        values += weights[score.name] / total * bounded(score, scales.get(score.name))
    np.clip(values, 0.0, 1.0, out=values)
    return Scores("combined", values, {score.name: score.values for score in scores})


def bounded(score: Scores, scale: float | None) -> Floats:
    """A score in [0, 1]: as it is without a scale, s / (s + scale) with one. Raises as `combine` does."""
    values = score.values
    if values.size and not values.min() >= 0:
        raise DataError(f"the score {score.name} is NaN or below 0; a scorer gives numbers from 0 up")
    if scale is None:
        if values.size and values.max() > 1:
            raise ConfigError(
                f"the score {score.name} goes beyond 1 ({values.max():g}) and has no scale to bring it back"
            )
        return values
    if not 0 < scale < np.inf:
        raise ConfigError(f"the scale of {score.name} is {scale:g}; it must be above 0 and finite")
    return np.asarray(values / (values + scale))
