"""Priorities for items, one to a file: pure callables `PoolView → Scores`, higher always meaning ask sooner."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Protocol

from hitl.errors import ConfigError
from hitl.sampling.scorers.committee import committee
from hitl.sampling.scorers.density import density
from hitl.sampling.scorers.entropy import entropy
from hitl.sampling.scorers.impact import impact
from hitl.sampling.scorers.least_confidence import least_confidence
from hitl.sampling.scorers.likely_positive import likely_positive
from hitl.sampling.scorers.margin import margin
from hitl.sampling.scorers.neighbours import neighbours
from hitl.sampling.scorers.novelty import novelty
from hitl.sampling.scorers.random import random
from hitl.sampling.scorers.relabel import relabel
from hitl.sampling.scorers.threshold_distance import threshold_distance
from hitl.types import PoolView, Scores


class Scorer(Protocol):
    """A pure function from a view of n items to their n scores; the same row gives the same score in any batch."""

    def __call__(self, view: PoolView, /) -> Scores: ...


SCORERS: dict[str, Scorer] = {
    "least_confidence": least_confidence,
    "margin": margin,
    "entropy": entropy,
    "random": random,
    "likely_positive": likely_positive,
    "impact": impact,
    "threshold_distance": threshold_distance,
    "committee": committee,
    "novelty": novelty,
    "neighbours": neighbours,
    "density": density,
    "relabel": relabel,
}
"""Every scorer that a plan can name. All are in [0, 1] but `impact`, which is in the policy's cost units.

| asks about | scorers | unit |
| --- | --- | --- |
| the label | `least_confidence`, `margin`, `entropy` | share of the greatest doubt there can be |
| the action | `threshold_distance` | 1 on a threshold, 0 farthest from it |
| the cost | `impact` | reach × cost a view, unbounded |
| the model itself | `committee` (needs heads) | share of the greatest disagreement |
| rare harm | `likely_positive`; `neighbours` (needs embeddings) | probability; cosine |
| the space | `novelty`, `density` (need embeddings) | 1 - cosine; cosine |
| answers already given | `relabel` (labelled items only) | probability that one of model and people is wrong |
| nothing | `random` | uniform |
"""


def scorer(name: str) -> Scorer:
    """The scorer called `name`; raises `ConfigError` with the nearest names when there is none.

    >>> scorer("margn")
    Traceback (most recent call last):
        ...
    hitl.errors.ConfigError: no scorer is called 'margn'; did you mean margin? There are least_confidence, ...
    """
    if name in SCORERS:
        return SCORERS[name]
    near = get_close_matches(name, SCORERS)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise ConfigError(f"no scorer is called {name!r}; {hint}There are {', '.join(SCORERS)}")
