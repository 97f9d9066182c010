"""When to stop: what the rounds so far say of the next ones. It is told and never acted upon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hitl.deciding import decide
from hitl.history import (
    CurvePoint,
    EstimateRow,
    LeftRow,
    NeededRow,
    NextRound,
    RoundRow,
    StabilityRow,
    Stopping,
    estimate_row,
    read_estimate,
)
from hitl.metrics.intervals import Z
from hitl.metrics.learning_curve import LearningCurve, fit_curve
from hitl.metrics.remaining import cost_left
from hitl.metrics.stability import stability, steady
from hitl.models import Fitted
from hitl.rounds.judged import Judged
from hitl.rounds.walk import Walk
from hitl.types import Estimate

SAMPLE = 2_000
"""Items of the pool on which consecutive models are compared."""

SHARES = (0.9, 0.95, 0.99)
"""Shares of the fitted plateau for which the labels needed are told."""

CORRELATION = 0.5
"""Of the errors of two rounds' figures on the same benchmark, where no paired comparison tells it."""

_POINTS = 48
_AHEAD = 2.0  # how far the curve is drawn, in labels bought so far


def steadiness(walk: Walk, number: int, new: Fitted, old: Fitted | None) -> StabilityRow | None:
    """How far a round's model decides like the one before, on a random sample of the pool; None without one before.

    The sample is the same in every round, apart from items that come into play later. O(n) to draw it.
    """
    if old is None:
        return None
    x = walk.features.take(walk.sample(number, SAMPLE))
    told_by = [fitted.predict(x) for fitted in (old, new)]
    before, after = (decide(one.proba, one.thresholds, walk.policy.multi_label) for one in told_by)
    told = stability(before, after, walk.policy.names, multi_label=walk.policy.multi_label)
    by_label = [estimate_row(estimate) for estimate in told.by_label]
    return StabilityRow(kappa=estimate_row(told.kappa), changed=estimate_row(told.changed), by_label=by_label)


def audited_cost(walk: Walk, audit: Judged | None) -> EstimateRow | None:
    """What wrong decisions cost in the pool by the round's audit."""
    if audit is None:
        return None
    codes, regions = walk.regions
    costs, rows = walk.policy.costs(regions), codes[audit.positions]
    return estimate_row(cost_left(audit.sample, costs.severity[rows], costs.benign_cost[rows]))


def left_over(pool_stats: Mapping[str, Any], measured: Mapping[str, Any]) -> LeftRow | None:
    """What the steps `select` and `measure` of a round say of the cost left in the pool; None without a scan."""
    if pool_stats.get("expected_cost") is None:
        return None
    return LeftRow(
        eligible=int(pool_stats.get("eligible", 0)),
        expected=float(pool_stats["expected_cost"]),
        audited=measured.get("cost_left"),
    )


def stopping(rounds: Sequence[RoundRow], headline: str, target: float | None, rng: np.random.Generator) -> Stopping:
    """The learning curve of the rounds under the last one's policy, extrapolated.

    Rounds under an earlier policy version are left out: they were measured on another question. O(rounds³) time.
    """
    done = [row for row in rounds if row["state"] == "done"]
    current = [row for row in done if row["policy_version"] == done[-1]["policy_version"]]
    curve = _fit(current, headline, rng)
    kappas = [row["stability"]["kappa"]["value"] for row in current if row["stability"]]
    known = not curve.why
    plateau, following = curve.plateau(), _next_round(curve, current) if known else None
    return Stopping(
        target=target,
        why=curve.why,
        method=curve.method,
        plateau=estimate_row(plateau) if known else None,
        curve=_points(curve, current) if known else [],
        needed=_needed(curve, current, target, plateau) if known else [],
        next_round=following,
        worth=_worth(following, headline) if following else "",
        steady=steady([kappa for kappa in kappas if kappa is not None]),
    )


def _fit(rounds: Sequence[RoundRow], headline: str, rng: np.random.Generator) -> LearningCurve:
    """The curve over the items that each model learned from: the benchmark's labels teach nothing."""
    found = {
        row["round"]: one for row in rounds for one in row["benchmark"] if (one["name"], one["label"]) == (headline, "")
    }
    rows = [(row["training_items"], read_estimate(found[row["round"]])) for row in rounds if row["round"] in found]
    return fit_curve(
        np.array([items for items, _ in rows], dtype=np.float64),
        np.array([figure.value for _, figure in rows]),
        np.array([_error(figure) for _, figure in rows]),
        rng,
        correlation=_correlation(rounds, headline),
        name=headline,
    )


def _error(estimate: Estimate) -> float:
    return (estimate.high - estimate.low) / (2 * Z)


def _correlation(rounds: Sequence[RoundRow], headline: str) -> float:
    """Of two rounds' errors on the same benchmark, from the variances of their paired differences."""
    found = []
    for row in rounds:
        for compared in (row["comparison"], row["since_seed"]):
            if compared is None or compared["difference"]["name"] != headline:
                continue
            sides = (compared["difference"], compared["old"], compared["new"])
            apart, old, new = (_error(read_estimate(side)) for side in sides)
            if old * new > 0:
                found.append((old**2 + new**2 - apart**2) / (2 * old * new))
    known = [value for value in found if value == value]
    return float(np.clip(np.mean(known), 0.0, 0.95)) if known else CORRELATION


def _besides(rounds: Sequence[RoundRow]) -> float:
    """Labels that were bought and not learned from: the benchmark's."""
    return float(rounds[-1]["labels_so_far"] - rounds[-1]["training_items"])


def _points(curve: LearningCurve, rounds: Sequence[RoundRow]) -> list[CurvePoint]:
    besides = _besides(rounds)
    first = min(row["training_items"] for row in rounds if row["training_items"])
    places = np.linspace(first, _AHEAD * (curve.labels + besides) - besides, _POINTS)
    told = [(place, curve.at(place)) for place in places.tolist()]
    return [CurvePoint(labels=at + besides, value=one.value, low=one.low, high=one.high) for at, one in told]


def _needed(
    curve: LearningCurve, rounds: Sequence[RoundRow], target: float | None, plateau: Estimate
) -> list[NeededRow]:
    besides = _besides(rounds)

    def row(share: float | None, figure: float, labels: Estimate) -> NeededRow:
        ends = [end + besides if np.isfinite(end) else None for end in (labels.value, labels.low, labels.high)]
        return NeededRow(share=share, figure=figure, labels=ends[0], low=ends[1], high=ends[2])

    told = [] if target is None else [row(None, target, curve.needed(target))]
    return told + [row(share, share * plateau.value, curve.needed(share, of_plateau=True)) for share in SHARES]


def _next_round(curve: LearningCurve, rounds: Sequence[RoundRow]) -> NextRound | None:
    """Another round like the last; None where that one bought nothing."""
    before, last = rounds[-2:]
    more = last["training_items"] - before["training_items"]
    if more <= 0:
        return None
    return NextRound(
        labels=more,
        figure=estimate_row(curve.at(curve.labels + more)),
        gain=estimate_row(curve.gain(more)),
        seconds=last["seconds_total"],
        cost=last["cost"],
    )


def _worth(following: NextRound, headline: str) -> str:
    gain, seconds = read_estimate(following["gain"]), following["seconds"]
    time = f"{seconds / 60:,.0f} minutes" if seconds >= 120 else f"{seconds:,.0f} seconds"
    labels, cost = following["labels"], following["cost"]
    paid = "" if cost is None else f" and a cost of {cost:,.2f} ({cost / labels:,.3f} a label)"
    return (
        f"By extrapolation, {labels:,} more labels would add {gain.value:.3f} [{gain.low:.3f}, "
        f"{gain.high:.3f}] to `{headline}`; the last round took about {time} of people's time "
        f"({seconds / labels:,.1f} seconds a label){paid} for as many."
    )
