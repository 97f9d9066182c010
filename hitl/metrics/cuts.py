"""The thresholds of one label, and those to propose in their place; what a whole policy's thresholds do on a sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hitl.metrics.figures import Ratio
from hitl.metrics.operating import GRID, LIKELY, Tried
from hitl.metrics.quality import ratio_estimates
from hitl.metrics.sample import LabelledSample
from hitl.types import Bools, Estimate, Floats

POINTS = 24
"""Thresholds of the workload curve at most."""


@dataclass(frozen=True)
class Cuts:
    """The probabilities from which a label's items are reviewed, limited and removed; infinite where they never are."""

    review: float = math.inf
    limit: float = math.inf
    remove: float = math.inf

    @property
    def act(self) -> float:
        """From where on something is done without a person."""
        return min(self.limit, self.remove)

    def acting_from(self, act: float) -> Cuts:
        """The milder action from `act` on, and removal where it was, or there, if that is higher."""
        limit = act if math.isfinite(self.limit) else math.inf
        remove = self.remove if not math.isfinite(self.remove) else max(self.remove, act) if limit == act else act
        return Cuts(self.review, limit, remove)


def proposed(present: Cuts, acting: Tried, letting: Tried) -> Cuts:
    """The thresholds that leave people least to do while both promises hold; those that cannot be promised stand.

    Acting begins at the lowest threshold of `acting`, letting through ends at the highest of `letting`, and people see
    what lies between. Where these meet, nothing is left to see, and both come as near to the present threshold as they
    may. No action is added, but review, where more would be missed without it.

    >>> from hitl.metrics.operating import Judgements, Promise, complete, precise
    >>> sure = Judgements(np.arange(200) >= 99, np.linspace(0.0, 1.0, 200), np.ones(200))
    >>> proposed(Cuts(review=0.2, remove=0.9), precise(sure, Promise()), complete(sure, Promise()))
    Cuts(review=0.5, limit=inf, remove=0.5)
    """
    low, high = acting.lowest, letting.highest
    act, review = present.act, present.review
    if math.isfinite(act) and low <= high:
        act = min(max(act, low), high)
        return Cuts(act if math.isfinite(review) else math.inf, present.limit, present.remove).acting_from(act)
    if math.isfinite(act) and not math.isnan(low):
        act = low if not math.isnan(high) or math.isinf(review) else max(low, review)
    if not math.isnan(high):
        review = min(high, act) if math.isfinite(review) or high < act else review
    return Cuts(review, present.limit, present.remove).acting_from(act)


def working(sample: LabelledSample) -> list[Estimate]:
    """What the sample's thresholds leave to people, and at what risk.

    `automated` and `automated_by_views`: the share of items, and of views, that no person need see. `precision@act`: of
    what is limited or removed, how much violates. `missed`: of what violates, how much is let through.
    """
    acts = sample.reaches(sample.act_at).any(axis=1)
    seen = sample.reaches(sample.review_at).any(axis=1) & ~acts
    automated, settled = (~seen).astype(float), ~np.isnan(sample.violates)
    bad = np.nan_to_num(sample.violates) > 0
    every = np.ones(len(sample))
    wanted = [
        Ratio("automated", "", automated, every, "no item is judged"),
        Ratio("automated_by_views", "", automated * sample.reach, sample.reach, "no judged item has views"),
        _share("precision@act", acts & bad, acts & settled, "no judged item is acted on"),
        _share("missed", bad & ~acts & ~seen, bad, "no judged item violates"),
    ]
    return ratio_estimates(wanted, sample)


def part_of(sample: LabelledSample, chosen: Bools, among: Bools, label: str) -> Estimate:
    """The share of items (n,) that are chosen among some of them, as the figure `share` of a label."""
    return ratio_estimates(
        [Ratio("share", label, chosen.astype(float), among.astype(float), "no item is judged there")], sample
    )[0]


def curve(sample: LabelledSample) -> list[tuple[float, list[Estimate]]]:
    """Work against risk, were one threshold set for all violating labels: (threshold, figures), the strictest last.

    `acted` and `acted_by_views`, the shares of items and of views that reach it, with `precision` there; `kept` and
    `kept_by_views`, the shares that do not, with `missed`. Intervals are of each by itself. O(n `POINTS`).
    """
    if not len(sample) or not sample.violating.any():
        return []
    score = sample.proba[:, sample.violating].max(axis=1)
    settled, bad = ~np.isnan(sample.violates), np.nan_to_num(sample.violates) > 0
    every = np.ones(len(sample))
    chosen, wanted = _spread(score), []
    for at in chosen:
        above = score >= at
        for name, side in (("acted", above), ("kept", ~above)):
            part = side.astype(float)
            wanted.append(Ratio(name, "", part, every, ""))
            wanted.append(Ratio(f"{name}_by_views", "", part * sample.reach, sample.reach, "no judged item has views"))
        wanted.append(_share("precision", above & bad, above & settled, "no judged item reaches it"))
        wanted.append(_share("missed", ~above & bad, bad, "no judged item violates"))
    told = ratio_estimates(wanted, sample)
    each = len(told) // len(chosen)
    return [(float(at), told[each * place : each * (place + 1)]) for place, at in enumerate(chosen)]


def _spread(score: Floats) -> Floats:
    """Thresholds between which some items lie, evenly over those."""
    above = (score[:, None] >= GRID).sum(axis=0)
    # The highest threshold of those with the same items above; all and none of them are no choice.
    differ = np.flatnonzero((np.diff(above, append=0) != 0) & (above < len(score)) & (above > 0))
    places = np.unique(np.linspace(0, len(differ) - 1, min(POINTS, len(differ))).round().astype(int))
    return np.asarray(GRID[differ[places]] if len(differ) else GRID[GRID == LIKELY])


def _share(name: str, top: Bools, bottom: Bools, empty: str) -> Ratio:
    return Ratio(name, "", top.astype(float), bottom.astype(float), empty)
