"""What a round looks for: the plan's arms with their places, each arm for all items or for one starved label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hitl.sampling.plan import Plan, apportion


@dataclass(frozen=True)
class Aim:
    """`count` picks of one arm by these scores and this diversity; with a `label`, about that label alone."""

    arm: str
    count: int
    scores: Mapping[str, float]
    diversity: str = "top"
    among: int = 5
    label: str = ""

    @property
    def name(self) -> str:
        """The arm, and the label that it serves."""
        return f"{self.arm} {self.label}".strip()


@dataclass(frozen=True)
class Standing:
    """Where a campaign stands when it picks: what each violating label holds of `labelled` items, and what it is.

    `views` says whether the pool knows its reach: without, impact is severity alone and would crowd out uncertainty.
    """

    positives: Mapping[str, int] = field(default_factory=dict)
    labelled: int = 0
    views: bool = True

    def starved(self, below: float) -> dict[str, float]:
        """Labels that hold less than a share `below` of the labelled items, with how much of it they lack.

        >>> Standing({"hate": 5, "spam": 40}, labelled=100).starved(0.25)
        {'hate': 0.2}
        """
        held = {label: count / max(self.labelled, 1) for label, count in self.positives.items()}
        lacking = {label: round(below - share, 12) for label, share in held.items()}
        return {label: lack for label, lack in lacking.items() if lack > 0}


def aims(plan: Plan, standing: Standing, shares: Mapping[str, float] | None = None) -> tuple[Aim, ...]:
    """What an active round looks for, `plan.counts` in all but audit, random and relabel; `shares` as adapted.

    The places of an arm with `each_label` are shared out among the starved labels by how much they lack, and fall
    to the other arms when none is starved. Those for single labels come first: they are what the others then avoid.

    >>> plan = Plan(budget=40, audit=0, random=0, starved_below=0.25)
    >>> [(aim.name, aim.count) for aim in aims(plan, Standing({"hate": 5, "spam": 10}, labelled=50))]
    [('contested hate', 15), ('contested spam', 5), ('uncertain', 20)]
    >>> [(aim.name, aim.count) for aim in aims(plan, Standing({"hate": 30}, labelled=50))]
    [('uncertain', 40)]
    """
    starved = standing.starved(plan.starved_below)
    shares = plan.shares() if shares is None else shares
    for_all = {name: share for name, share in shares.items() if share and not plan.arms[name].each_label}
    counts = plan.counts(shares if starved or not for_all else for_all)
    labels = starved or dict.fromkeys(standing.positives, 1.0)
    found: list[Aim] = []
    for name, arm in sorted(plan.arms.items(), key=lambda named: not named[1].each_label):
        scores = _scores(arm.scores, standing)
        places = apportion(labels, counts.get(name, 0)) if arm.each_label else {"": counts.get(name, 0)}
        found += [Aim(name, count, scores, arm.diversity, arm.among, label) for label, count in places.items() if count]
    return tuple(found)


def _scores(scores: Mapping[str, float], standing: Standing) -> dict[str, float]:
    weighted = {name: weight for name, weight in scores.items() if weight}
    kept = {name: weight for name, weight in weighted.items() if name != "impact"}
    return kept if kept and not standing.views else weighted
