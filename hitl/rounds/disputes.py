"""Contesting a verdict, and ruling on it: what may be contested is looked up in the record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from hitl.errors import WorkforceError
from hitl.history import EventRow
from hitl.labels.settle import rulings
from hitl.labels.voices import out_of, voices
from hitl.rounds.counted import answers
from hitl.rounds.walk import Walk
from hitl.types import Annotation, Resolution
from hitl.workforce.disputes import KINDS, OPENED, RULED, Dispute, Kind, Labels, Outcome, advance, fold
from hitl.workforce.grounds import Grounds


@dataclass(frozen=True)
class Claim:
    """Whose claim it is, what it is about, and which labels should hold; None for what the claimant answered."""

    kind: Kind
    item: str
    claimant: str
    labels: Labels | None = None
    decided: Labels | None = None
    """What an appeal is against; what people resolved it to when left out."""


def disputes(walk: Walk) -> tuple[Dispute, ...]:
    """All disputes of the campaign, in the order in which they were opened."""
    return fold(walk.ledger.events(*KINDS))


def open_dispute(walk: Walk, claim: Claim, grounds: Grounds) -> Dispute:
    """Contest a verdict: one event, with what held by then.

    A worker contests a gold label, or a senior's word, that goes against an answer of theirs; an author appeals a
    decision. Raises `PoolError` for an unknown item, `WorkforceError` where there is no such verdict.
    """
    position = int(walk.positions([claim.item])[0])
    if claim.kind not in get_args(Kind):
        raise WorkforceError(f"a dispute is about {', '.join(get_args(Kind))}, and not {claim.kind!r}")
    claimed, decided, seniors = {"gold": _gold, "review": _review, "decision": _decision}[claim.kind](walk, claim)
    rulers = [one.ruling.actor for one in disputes(walk) if one.item == claim.item and one.ruling is not None]
    codes, languages = walk.pool.codes("language")
    detail = {
        "kind": claim.kind,
        "item": claim.item,
        "claimant": claim.claimant,
        "claimed": None if claimed is None else list(_labels(walk, claimed)),
        "decided": list(decided),
        "by": [*seniors, *rulers],
        "language": languages[codes[position]],
        **grounds.told,
    }
    return _decided(walk, OPENED, detail, None)


def rule(walk: Walk, number: int, outcome: Outcome, grounds: Grounds, labels: Iterable[str] | None = None) -> Dispute:
    """Say whether a contested verdict stands: one event.

    `labels` are what is right where it is overturned, the claim's when left out. They are the gold label, or the
    resolution, from then on, and every score that rests on it is another. Raises `WorkforceError` for an unknown
    dispute, one that was ruled, and one of the ruler's own.
    """
    [claimed] = [one.claimed for one in disputes(walk) if one.number == number] or [None]
    right = claimed if labels is None and outcome == "overturned" else labels
    detail = {
        "dispute": number,
        "outcome": outcome,
        "labels": None if right is None else list(_labels(walk, right)),
        "policy_version": walk.policy.version,
        **grounds.told,
    }
    return _decided(walk, RULED, detail, number)


def _decided(walk: Walk, kind: str, detail: Mapping[str, Any], number: int | None) -> Dispute:
    """Write an event that is allowed after all those before it; the dispute that it is about."""
    with walk.ledger.transaction() as writer:
        before = {one.number: one for one in fold(writer.events(*KINDS))}
        advance(before, EventRow(number=0, at="", kind=kind, detail=dict(detail)))
        writer.event(kind, detail)
        found = fold(writer.events(*KINDS))
    return found[-1] if number is None else next(one for one in found if one.number == number)


Verdict = tuple[Labels | None, Labels, list[str]]
"""The claimed labels, those that hold, and the seniors whose word that is."""


def _gold(walk: Walk, claim: Claim) -> Verdict:
    known = walk.gold.known
    if claim.item not in known:
        raise WorkforceError(f"item {claim.item} is no gold item, so there is no gold label to contest")
    return _said(walk, claim, known[claim.item], ("", "exam")), known[claim.item], []


def _review(walk: Walk, claim: Claim) -> Verdict:
    tasks = [task for task in walk.ledger.tasks(items=[claim.item]) if task.policy_version == walk.policy.version]
    word = rulings(voices(answers(walk)), tasks, walk.policy).get(claim.item)
    if word is None or out_of(word) or word.answer is None:
        raise WorkforceError(f"no senior has given item {claim.item} a label, so there is no review to contest")
    decided = walk.ruled.get(claim.item, _ordered(walk, word.answer.labels))
    return _said(walk, claim, decided, ("",)), decided, [word.worker]


def _decision(walk: Walk, claim: Claim) -> Verdict:
    if claim.decided is not None:
        return claim.labels, _labels(walk, claim.decided), []
    resolution = _resolution(walk, claim.item)
    held = walk.ruled.get(claim.item, resolution.labels if resolution else None)
    if held is None:
        raise WorkforceError(f"people have not settled item {claim.item}; say what was decided about it")
    return claim.labels, held, []


def _said(walk: Walk, claim: Claim, against: Labels, queues: Sequence[str]) -> Labels:
    """What the claimant answered, or claims now; raises `WorkforceError` where no answer of theirs went against it."""
    keys = {task.key for task in walk.ledger.tasks(items=[claim.item]) if task.queue in queues}
    heard = voices(one for one in walk.ledger.annotations(workers=[claim.claimant]) if one.task_key in keys)
    mine = [found for said in heard.values() for one in said if (found := _given(walk, one)) is not None]
    if not mine:
        raise WorkforceError(f"{claim.claimant} has given item {claim.item} no label, and so has nothing to contest")
    wrong = [labels for labels in mine if labels != against]
    if not wrong:
        raise WorkforceError(f"{claim.claimant} gave item {claim.item} the label that holds; nothing is to contest")
    return wrong[-1] if claim.labels is None else claim.labels


def _given(walk: Walk, one: Annotation) -> Labels | None:
    return None if out_of(one) or one.answer is None else _ordered(walk, one.answer.labels)


def _resolution(walk: Walk, item: str) -> Resolution | None:
    """The last resolution of an item on record."""
    found = (walk.ledger.resolutions(row["round"], items=[item]) for row in reversed(walk.ledger.rounds()))
    return next((rows[0] for rows in found if rows), None)


def _ordered(walk: Walk, labels: Iterable[str]) -> Labels:
    given = set(labels)
    return tuple(name for name in walk.policy.names if name in given)


def _labels(walk: Walk, labels: Iterable[str]) -> Labels:
    """Labels as the policy orders them; raises `WorkforceError` for others, and for a number that it does not allow."""
    given, policy = tuple(labels), walk.policy
    unknown = sorted(set(given) - set(policy.names))
    if unknown:
        raise WorkforceError(f"{unknown[0]!r} is no label of policy v{policy.version}: {', '.join(policy.names)}")
    if not policy.multi_label and len(set(given)) != 1:
        raise WorkforceError(f"policy v{policy.version} gives every item one label; name one, not {len(set(given))}")
    return _ordered(walk, given)
