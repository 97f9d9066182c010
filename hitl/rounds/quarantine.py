"""Setting a person's answers aside, giving them back, and what either changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hitl.errors import WorkforceError
from hitl.history import EventRow, comparison_row
from hitl.history.rulings import ChangedItem, QuarantineFinding, SetAsideRow
from hitl.labels.voices import is_answer
from hitl.ledger import Writer
from hitl.metrics.compare import compare
from hitl.rounds.counted import aside, places_held, quarantines
from hitl.rounds.judged import Measured
from hitl.rounds.learn import fit_model_on, settle_now, training_set
from hitl.rounds.walk import Walk
from hitl.types import Annotation, Comparison, Resolution
from hitl.types.times import utc
from hitl.workforce.grounds import Grounds
from hitl.workforce.quarantine import (
    EDITED,
    KINDS,
    LIFTED,
    QUARANTINED,
    Quarantine,
    advance,
    fold,
    in_force,
    last_edits,
    set_aside,
)

MOST_SHOWN = 50
"""Changed items that are told one by one."""


def quarantine(walk: Walk, worker: str, since: str, grounds: Grounds, until: str = "") -> Quarantine:
    """Set aside what somebody answered from a time on, ISO 8601, up to `until`; one event.

    Tasks that want people again by that are open at once, and the next run lets others in on the server. Resolutions
    and models on record stay as they are; whatever is settled from now on rests on the other answers alone. Raises
    `WorkforceError` where nobody of that name has answered, a time cannot be read, or it is set aside already.
    """
    if not walk.ledger.annotations(workers=[worker]):
        some = ", ".join(sorted({one.worker for one in walk.ledger.annotations()})[:5])
        raise WorkforceError(f"nobody called {worker!r} has answered; there are: {some or 'none yet'}")
    detail = {"worker": worker, "since": _utc(since), "until": _utc(until) if until else "", **grounds.told}
    with walk.ledger.transaction() as writer:
        now = _decide(writer, QUARANTINED, detail)
        writer.recount(worker)
        writer.intend("reopen", _places(walk, worker, now))
    return now[-1]


def lift(walk: Walk, worker: str, grounds: Grounds, number: int | None = None) -> tuple[Quarantine, ...]:
    """Give back what was set aside of somebody, all of it or one quarantine; one event each.

    What rests on answers is then what it would be had nothing been set aside; who was let in on the server meanwhile
    may still answer there. Raises `WorkforceError` where there is nothing to lift.
    """
    mine = [one for one in in_force(quarantines(walk)) if one.worker == worker and number in (None, one.number)]
    if not mine:
        raise WorkforceError(f"nothing of {worker!r} is set aside now; `hitl quarantine list` tells what is")
    with walk.ledger.transaction() as writer:
        now: tuple[Quarantine, ...] = ()
        for one in mine:
            now = _decide(writer, LIFTED, {"quarantine": one.number, **grounds.told})
        keys, places = writer.recount(worker), _places(walk, worker, now)
        pending = walk.ledger.intents("reopen").items()
        writer.done("reopen", {key: held for key, held in pending if key in keys and places.get(key) != held})
    lifted = {one.number for one in mine}
    return tuple(one for one in quarantines(walk) if one.number in lifted)


def _decide(writer: Writer, kind: str, detail: Mapping[str, Any]) -> tuple[Quarantine, ...]:
    """Write an event that is allowed after all those before it; the quarantines in force then."""
    before = {one.number: one for one in fold(writer.events(*KINDS))}
    advance(before, EventRow(number=0, at="", kind=kind, detail=dict(detail)))
    writer.event(kind, detail)
    return in_force(fold(writer.events(*KINDS)))


def _places(walk: Walk, worker: str, now: Sequence[Quarantine]) -> dict[str, int]:
    """Task key → people to be asked on the server, where those who are set aside hold places."""
    said = walk.ledger.annotations(workers={one.worker for one in now})
    gone = set_aside(said, now, last_edits(walk.ledger.events(*EDITED)))
    held = places_held(said, gone)
    mine = {one.task_key for one in said if one.worker == worker and one.id in gone}
    lost, version = walk.ledger.lost_tasks(), walk.policy.version
    tasks = [task for task in walk.ledger.tasks() if task.key in mine - lost and task.policy_version == version]
    return {task.key: task.overlap + held[task.key] for task in tasks if held[task.key] and task.queue != "exam"}


def _utc(time: str) -> str:
    try:
        return utc(time).isoformat()
    except ValueError:
        raise WorkforceError(f"{time!r} is no time; write 2026-03-02, or 2026-03-02T09:30:00Z") from None


def set_aside_now(walk: Walk) -> SetAsideRow | None:
    """What all that is set aside now amounts to: everything settled with it, and without; None where nothing is.

    Two settlements of the whole campaign.
    """
    said = walk.ledger.annotations()
    gone = aside(walk, said)
    if not gone:
        return None
    kept = [one for one in said if one.id not in gone]
    return _row(walk, said, gone, settle_now(walk, said), settle_now(walk, kept))


def _row(
    walk: Walk,
    said: Sequence[Annotation],
    gone: Collection[str],
    before: Sequence[Resolution],
    after: Sequence[Resolution],
) -> SetAsideRow:
    asked = {task.key: task.item_id for task in walk.ledger.tasks() if task.queue != "exam"}
    mine = [one for one in said if one.id in gone and not one.deleted and is_answer(one) and one.task_key in asked]
    keys = {one.task_key for one in mine}
    items = {asked[key] for key in keys}
    then, now = ({one.item_id: one.labels for one in found} for found in (before, after))
    changed = sorted(item for item in then.keys() & now.keys() if then[item] != now[item])
    return SetAsideRow(
        workers=sorted({one.worker for one in said if one.id in gone}),
        answers=len(mine),
        items=len(items),
        changed=len(changed),
        elsewhere=sum(item not in items for item in changed),
        unresolved=sum(now[item] is None for item in changed),
        waiting=len(keys & set(walk.ledger.unanswered())),
        shown=[
            ChangedItem(item=item, before=_told(then[item]), after=_told(now[item])) for item in changed[:MOST_SHOWN]
        ],
    )


def _told(labels: Sequence[str] | None) -> list[str] | None:
    return None if labels is None else list(labels)


def learned_without(at: Measured) -> QuarantineFinding | None:
    """The round's model against the same model of all answers, those set aside included; one fit more.

    Both learn with the same chance and are judged by the same labels of the benchmark, which are those of the round:
    what differs is what they learned. None where nothing is set aside.
    """
    walk, number = at.walk, at.number
    said = walk.ledger.annotations()
    gone = aside(walk, said)
    if not gone:
        return None
    with_all = sorted(settle_now(walk, said), key=lambda one: one.item_id)
    without = walk.ledger.resolutions(number)
    learned = len(training_set(walk, number, without))
    comparison, learned_with = None, learned
    if _lessons(with_all) != _lessons(without):
        comparison, learned_with = _compared(at, with_all)
    return QuarantineFinding(
        set_aside=_row(walk, said, gone, with_all, without),
        learned=learned,
        learned_with=learned_with,
        comparison=comparison_row(comparison) if comparison else None,
    )


def _compared(at: Measured, settled: Sequence[Resolution]) -> tuple[Comparison | None, int]:
    fitted, learned = fit_model_on(at.walk, at.number, settled, "fit")
    judged = at.judge(at.walk.benchmark_items(), fitted)
    if at.benchmark is None or judged is None:
        return None, learned
    return compare(at.benchmark.sample, judged.sample, at.rng("quarantine")), learned


def _lessons(settled: Sequence[Resolution]) -> list[tuple[str, tuple[str, ...], float]]:
    return [(one.item_id, one.labels, one.confidence) for one in settled if one.labels is not None]
