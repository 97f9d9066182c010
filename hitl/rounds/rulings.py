"""What was contested, ruled and set aside in a campaign, told; rates of overturning with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hitl.history import EstimateRow, estimate_row
from hitl.history.rulings import DisputeRow, OverturnRow, QuarantineRow, RulingRow, RulingsRow
from hitl.labels.voices import is_answer
from hitl.metrics.people import share
from hitl.policy import NONE
from hitl.rounds.counted import covered, quarantines
from hitl.rounds.disputes import disputes
from hitl.rounds.people import seconds_between
from hitl.rounds.quarantine import set_aside_now
from hitl.rounds.walk import Walk
from hitl.workforce.disputes import Dispute
from hitl.workforce.quarantine import Quarantine


def rulings(walk: Walk, now: str) -> RulingsRow:
    """Everything that was contested or set aside; what is set aside now is settled with it, and without."""
    return RulingsRow(
        disputes=told_disputes(walk, now),
        overturned=overturn_rates(disputes(walk)),
        quarantines=told_quarantines(walk),
        set_aside=set_aside_now(walk),
    )


def told_disputes(walk: Walk, now: str) -> list[DisputeRow]:
    """A row a dispute, in the order in which they were opened; ages are in days by `now`."""
    return [_dispute(one, now) for one in disputes(walk)]


def told_quarantines(walk: Walk) -> list[QuarantineRow]:
    """A row a quarantine, lifted ones included, with the answers that it covers."""
    found = quarantines(walk)
    if not found:
        return []
    asked = {task.key: task.item_id for task in walk.ledger.tasks() if task.queue != "exam"}
    said = [one for one in walk.ledger.annotations(workers={one.worker for one in found}) if one.task_key in asked]
    said = [one for one in said if not one.deleted and is_answer(one)]
    rows = []
    for one in found:
        ids = covered(walk, said, [one])
        items = {asked[annotation.task_key] for annotation in said if annotation.id in ids}
        rows.append(_quarantine(one, len(ids), len(items)))
    return rows


def overturn_rates(found: Sequence[Dispute]) -> OverturnRow:
    """How often rulings overturned what was contested: Wilson's intervals, for all, by kind, label and language.

    >>> overturn_rates([])["all"]["n"]
    0
    """
    ruled = [one for one in found if one.ruling is not None]
    return OverturnRow(
        all=_rate(ruled),
        kinds=_by((one.kind, one) for one in ruled),
        labels=_by((label, one) for one in ruled for label in one.decided or (NONE,)),
        languages=_by((one.language, one) for one in ruled if one.language),
    )


def _by(pairs: Iterable[tuple[str, Dispute]]) -> list[EstimateRow]:
    grouped: dict[str, list[Dispute]] = {}
    for name, one in pairs:
        grouped.setdefault(name, []).append(one)
    return [_rate(grouped[name], name) for name in sorted(grouped)]


def _rate(ruled: Sequence[Dispute], label: str = "") -> EstimateRow:
    flags = [one.ruling is not None and one.ruling.outcome == "overturned" for one in ruled]
    return estimate_row(replace(share(flags, "overturned"), label=label))


def _dispute(one: Dispute, now: str) -> DisputeRow:
    ruling = one.ruling
    seconds = seconds_between(one.at, ruling.at if ruling else now)
    return DisputeRow(
        number=one.number,
        kind=one.kind,
        item=one.item,
        language=one.language,
        claimant="" if one.kind == "decision" else one.claimant,
        claim=one.claim,
        claimed=None if one.claimed is None else list(one.claimed),
        decided=list(one.decided),
        evidence=one.evidence,
        at=one.at,
        age=None if seconds is None else seconds / 86_400,
        ruling=None
        if ruling is None
        else RulingRow(
            outcome=ruling.outcome,
            labels=None if ruling.labels is None else list(ruling.labels),
            actor=ruling.actor,
            reason=ruling.reason,
            evidence=ruling.evidence,
            at=ruling.at,
        ),
    )


def _quarantine(one: Quarantine, answers: int, items: int) -> QuarantineRow:
    lifted = one.lifted
    return QuarantineRow(
        number=one.number,
        worker=one.worker,
        since=one.since,
        until=one.until,
        actor=one.actor,
        reason=one.reason,
        evidence=one.evidence,
        at=one.at,
        answers=answers,
        items=items,
        lifted=None
        if lifted is None
        else RulingRow(
            outcome="lifted",
            labels=None,
            actor=lifted.actor,
            reason=lifted.reason,
            evidence=lifted.evidence,
            at=lifted.at,
        ),
    )
