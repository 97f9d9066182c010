"""Which action thresholds held-out items speak for: those that keep a promise, or those that cost least."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hitl.errors import CampaignError
from hitl.history import CutRow, EstimateRow, ThresholdsRow, WorkPoint, estimate_row
from hitl.metrics.borrowing import borrowing
from hitl.metrics.cheapest import Bill, cheapest
from hitl.metrics.cuts import Cuts, curve, proposed, working
from hitl.metrics.intervals import FEWEST
from hitl.metrics.operating import GRID, Judgements, Promise, Tried, complete, precise
from hitl.metrics.sample import LabelledSample
from hitl.policy import Label, Policy
from hitl.rounds.cut_rows import Sides, Slice, cut_rows
from hitl.rounds.judged import Judged, Measured
from hitl.rounds.proposal import Placed, revised
from hitl.rounds.walk import Walk
from hitl.types import Bools, Estimate, Floats

LEAST = 20
"""Judged items of a region or language, `FEWEST` of them at stake, below which it is not looked at by itself."""

_WORK = ("acted", "acted_by_views", "precision", "kept", "kept_by_views", "missed")


@dataclass(frozen=True)
class Wanted:
    """What thresholds are chosen for: a promise, or least cost (`review_cost` in the policy's units an item, or None).

    `by` is "", "region" or "language".
    """

    promise: Promise = field(default_factory=Promise)
    by: str = ""
    cost: bool = False
    review_cost: float | None = None


def thresholds(at: Measured) -> ThresholdsRow | None:
    """The thresholds that keep the usual promise; None without judged items that the model has not learned from."""
    found = choose(at, Wanted())
    return found[0] if found else None


def choose(at: Measured, wanted: Wanted) -> tuple[ThresholdsRow, Policy] | None:
    """The thresholds that are wanted, and the policy with them, under its present version.

    They are for the newest model, on the benchmark, which it has never learned from; without a benchmark for the model
    before, on the audit draw of the round. Never on both: a threshold belongs to the model whose probabilities it cuts.
    Raises `CampaignError` where the policy has other labels than the models.
    """
    walk, fitted = at.walk, at.new if at.benchmark else at.old
    judged = at.benchmark or at.audit
    if judged is None or fitted is None:
        return None
    if judged.sample.labels != tuple(at.new.labels):
        raise CampaignError(
            f"policy v{walk.policy.version} has other labels than the model of round {at.number}; run a round under it"
        )
    rng = at.rng("thresholds")
    cuts, rows, savings = _by_cost(walk, judged, wanted, rng) if wanted.cost else _by_promise(walk, judged, wanted)
    after = revised(walk.policy, cuts)
    audit = at.audit if at.benchmark else None
    row = ThresholdsRow(
        chosen_by="cost" if wanted.cost else "promise",
        judged_on="benchmark" if at.benchmark else "audit",
        model_id=fitted.model_id,
        policy_version=walk.policy.version,
        precision=wanted.promise.precision,
        missed=wanted.promise.missed,
        confidence=wanted.promise.confidence,
        by=wanted.by,
        items=len(judged.sample),
        cuts=rows,
        present=_told(working(judged.sample)),
        proposed=_told(working(_under(walk, judged, after))),
        checked=_told(working(_under(walk, audit, after))) if audit else [],
        savings=_told(savings),
        curve=_curve(judged.sample),
    )
    return row, after


def _by_promise(walk: Walk, judged: Judged, wanted: Wanted) -> tuple[Placed, list[CutRow], list[Estimate]]:
    cuts: dict[tuple[str, str], Cuts] = {}
    rows: list[CutRow] = []
    for column, label in enumerate(walk.policy.labels):
        found = _slices(walk, judged, label, wanted.by)
        if not any(math.isfinite(min(one.present.review, one.present.act)) for one in found):
            continue
        told = _of_label(judged.sample, column, found, wanted.promise)
        for one, after, tried, pooled in told:
            if one.where == "" or (wanted.by != "language" and not all(pooled)):
                cuts[one.where, label.name] = after
            rows += cut_rows(judged.sample, column, one, after, tried, pooled)
    return cuts, rows, []


def _of_label(
    sample: LabelledSample, column: int, found: Sequence[Slice], promise: Promise
) -> list[tuple[Slice, Cuts, Sides[Tried], Sides[bool]]]:
    """Each slice with its new thresholds, what was tried to act and to let through, and where it had too few items."""
    whole, *parts = found
    known = sample.known[:, column]
    at = _tried_at(found)
    tried = [
        (precise(judgements, promise, at), complete(judgements, promise, at))
        for judgements in (_judgements(sample, column, one.rows & known) for one in found)
    ]
    # Where regions have thresholds of their own, the rest is one more slice to learn from.
    peers = tried if all(one.own for one in parts) else tried[1:]
    skip = len(tried) - len(peers)
    lent = [borrowing([one[side] for one in peers], tried[0][side])[1 - skip :] for side in (0, 1)]
    first = proposed(whole.present, *tried[0])
    told = [(whole, first, tried[0], (False, False))]
    for one, *sides in zip(parts, *lent, strict=True):
        acting, letting = (side if _enough(side) else replace(side, first=-1) for side in sides)
        base = one.present if one.own else first
        few = (not _enough(acting), not _enough(letting))
        told.append((one, proposed(base, acting, letting), (acting, letting), few))
    return told


def _enough(tried: Tried) -> bool:
    return tried.judged >= LEAST and int(tried.evidence.n.max(initial=0)) >= FEWEST


def _slices(walk: Walk, judged: Judged, label: Label, by: str) -> list[Slice]:
    """The items of the common threshold, then each region (or language) that is looked at by itself.

    Without `by` these are the regions whose policy has thresholds of its own.
    """
    codes, names = walk.regions
    regions = np.array(names, dtype=object)[codes[judged.positions]]
    own = {name for name, changed in walk.policy.regions.items() if _acts(changed.labels.get(label.name))}
    common = ~np.isin(regions, list(own))
    found = [Slice("", common, _cuts(label), False)]
    if by == "language":
        codes, names = walk.pool.codes("language")
        where = np.array(names, dtype=object)[codes[judged.positions]]
        return found + [Slice(name, common & (where == name), _cuts(label), False) for name in sorted(set(where))]
    for name in sorted(set(regions)):
        if name in own or (by == "region" and name):
            present = _cuts(walk.policy.resolve(name).label(label.name))
            found.append(Slice(name, regions == name, present, name in own))
    return found


def _by_cost(
    walk: Walk, judged: Judged, wanted: Wanted, rng: np.random.Generator
) -> tuple[Placed, list[CutRow], list[Estimate]]:
    """By cost, on items of regions without rules of their own, whose thresholds and costs are the common ones."""
    codes, names = walk.regions
    regions = codes[judged.positions]
    common = ~np.isin(regions, [code for code, name in enumerate(names) if name in walk.policy.regions])
    sample, costs = judged.sample.take(common), walk.policy.costs([""])
    every = np.zeros(len(sample), dtype=np.int64)
    bill = Bill(costs.severity[every], costs.benign_cost[every], wanted.review_cost)
    found = cheapest(sample, bill, rng)
    cuts: dict[tuple[str, str], Cuts] = {}
    rows: list[CutRow] = []
    for column, label in enumerate(walk.policy.labels):
        present = _cuts(label)
        if not math.isfinite(min(present.review, present.act)):
            continue
        after, act, review = present, float(found.act_from[column]), float(found.review_from[column])
        if not math.isnan(act):
            after = present.acting_from(act if act <= 1 else math.inf)
            after = replace(after, review=min(present.review if math.isnan(review) else review, after.act))
            cuts["", label.name] = after
        one = Slice("", common, present, False)
        at = _tried_at([one, replace(one, present=after)])
        seen = _judgements(judged.sample, column, common & judged.sample.known[:, column])
        tried = precise(seen, wanted.promise, at), complete(seen, wanted.promise, at)
        saved = "" if math.isfinite(act) else "no other threshold is shown to cost less"
        rows += [{**row, "why": saved} for row in cut_rows(judged.sample, column, one, after, tried, (False, False))]
    return cuts, rows, [*(one for one in found.by_label if one.n), found.saving]


def _under(walk: Walk, judged: Judged, policy: Policy) -> LabelledSample:
    """The sample at the thresholds of another version of the policy."""
    codes, names = walk.regions
    costs, rows = policy.costs(names), codes[judged.positions]
    at = {"review_at": costs.review_at[rows], "limit_at": costs.limit_at[rows], "remove_at": costs.remove_at[rows]}
    return replace(judged.sample, **at)  # type: ignore[arg-type]


def _curve(sample: LabelledSample) -> list[WorkPoint]:
    points = []
    for at, told in curve(sample):
        found: Mapping[str, EstimateRow] = {one.name: estimate_row(one) for one in told}
        points.append(WorkPoint(at=at, **{name: found[name] for name in _WORK}))  # type: ignore[typeddict-item]
    return points


def _tried_at(found: Sequence[Slice]) -> Floats:
    present = [[one.present.review, one.present.limit, one.present.remove] for one in found]
    at = np.union1d(GRID, np.ravel(present))
    return np.asarray(at[np.isfinite(at)], dtype=np.float64)


def _judgements(sample: LabelledSample, column: int, rows: Bools) -> Judgements:
    return Judgements(sample.truth[rows, column], sample.proba[rows, column], sample.weights[rows])


def _cuts(label: Label) -> Cuts:
    at = label.actions
    return Cuts(*(math.inf if one is None else one for one in (at.review, at.limit, at.remove)))


def _acts(override: object) -> bool:
    return getattr(override, "actions", None) is not None


def _told(estimates: Sequence[Estimate]) -> list[EstimateRow]:
    return [estimate_row(one) for one in estimates]
