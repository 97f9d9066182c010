"""A campaign told as plain values, from the record and the pool."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

import hitl
from hitl.history import Findings, History, LabelRow, PickRow, RoundRow, YieldRow, estimate_row, read_estimate
from hitl.history.workforce import WorkforceRow
from hitl.labels.voices import is_answer, latest
from hitl.metrics.ops import operations
from hitl.metrics.tampering import KINDS, tampering
from hitl.rounds.brief import brief
from hitl.rounds.collect import unanswered
from hitl.rounds.confusions import mixed_up
from hitl.rounds.next_steps import about_people, next_steps, unreadable
from hitl.rounds.ops import ops
from hitl.rounds.people import people
from hitl.rounds.qa import qa
from hitl.rounds.round import Status
from hitl.rounds.routed import routing
from hitl.rounds.rulings import rulings
from hitl.rounds.stopping import left_over, stopping
from hitl.rounds.walk import Walk
from hitl.rounds.workforce import standings, states
from hitl.sampling.why import explain
from hitl.types import Annotation, Pick, Resolution

SHOWN = 24
"""Picks of a round that are told one by one; the record holds all of them."""

HEADLINE = "macro_f1"


def history(walk: Walk, status: Status, now: str, *, whole: bool = True) -> History:
    """The whole campaign; O(picks) values, and one read of the pool's reach and facets.

    Not `whole`, it tells the last round alone of its picks, people and answers, and extrapolates nothing: what it takes
    then does not grow with the rounds before.
    """
    policy, pool = walk.policy, walk.pool
    plan = walk.plan.model_dump(mode="json")
    begun = [row["round"] for row in walk.ledger.rounds()]
    rounds = [] if whole else brief(walk)[:-1]
    rounds += [_round(walk, number) for number in begun[len(rounds) :]]
    said = walk.ledger.annotations() if whole else []
    told = History(
        campaign=walk.campaign,
        hitl_version=hitl.__version__,
        generated=now,
        state=status.state,
        status=status.sentence,
        next_steps=next_steps(walk, status, rounds),
        policy={
            "name": policy.name,
            "version": policy.version,
            "multi_label": policy.multi_label,
            "regions": sorted(policy.regions),
        },
        labels=[_label(label) for label in policy.labels],
        pool={
            "name": pool.name,
            "items": len(pool),
            "views": float(pool.reach.sum()),
            "languages": _counts(pool.codes("language")),
            "regions": _counts(pool.codes("region")),
            "fingerprint": pool.fingerprint,
            "unreadable": unreadable(walk),
        },
        model={"kind": walk.model.kind, **walk.model.options()},
        plan=plan,
        connector={"kind": walk.connector.kind, "url": walk.ledger.project},
        headline=HEADLINE,
        rounds=rounds,
        people=people(walk, said) if whole else [],
        tampering=tampering(walk.ledger.events(*KINDS)) if whole else [],
        ops=ops(walk, said, now) if whole else None,
        qa=qa(walk, now) if whole else None,
        stopping=stopping(rounds if whole else [], HEADLINE, plan.get("target"), walk.rng(len(rounds), "stopping")),
    )
    if whole:
        told["workforce"] = WorkforceRow(people=standings(walk, annotations=said), mixed_up=mixed_up(walk))
        told["rulings"] = rulings(walk, now)
        told["next_steps"] += about_people(told["workforce"], told["rulings"])
        reads = {name: one.languages for name, one in states(walk.ledger).items() if one.languages}
        told["routing"] = routing(walk, now, reads)
    return told


def _label(label: Any) -> LabelRow:
    actions = {action: value for action, value in label.actions if value is not None}
    severity = label.severity if label.violating else 0.0
    return LabelRow(
        name=label.name,
        definition=label.definition,
        violating=label.violating,
        severity=severity,
        actions=actions,
    )


def _counts(coded: tuple[Any, tuple[str, ...]]) -> dict[str, int]:
    codes, names = coded
    return dict(zip(names, np.bincount(codes, minlength=len(names)).tolist(), strict=True)) if names != ("",) else {}


@dataclass(frozen=True)
class _Record:
    """What the ledger holds of one round, read once."""

    picks: list[Pick]
    annotations: list[Annotation]
    resolutions: dict[str, Resolution]
    steps: Mapping[str, Any]

    def output(self, step: str) -> dict[str, Any]:
        return dict(self.steps[step]["output"]) if step in self.steps else {}


def _round(walk: Walk, number: int) -> RoundRow:
    ledger = walk.ledger
    row = next(row for row in ledger.rounds() if row["round"] == number)
    tasks = [task for task in ledger.tasks(number) if task.queue != "exam"]
    stream = {task.key: task.item_id for task in tasks if not task.queue}
    asked = set(stream.values())
    picks = ledger.picks(number)
    settled = {r.item_id: r for r in ledger.resolutions(number, items=asked.union(pick.item_id for pick in picks))}
    record = _Record(picks, ledger.annotations(number), settled, ledger.steps(number))
    mine = [settled[item] for item in asked if item in settled]
    left = len(unanswered(walk, tasks))
    measured, scanned = record.output("measure"), record.output("select").get("pool", {})
    alphas = ledger.metrics(number, "agreement")
    told = record.output("resolve").get("workers", [])
    accuracy = {worker["worker"]: read_estimate(worker["accuracy"]) for worker in told}
    done = latest(record.annotations)
    among = {one.id for one in done if one.task_key in stream and is_answer(one)}
    work = operations(done, _by_peers(mine, among), accuracy=accuracy, cost_per_hour=walk.plan.cost_per_hour)
    model, before = ledger.model(number), ledger.model(number - 1)
    return RoundRow(
        round=number,
        kind="active" if number else "seed",
        state="done" if "measure" in record.steps else "waiting" if tasks and "pull" not in record.steps else "running",
        policy_version=row["policy_version"],
        model_id=model["model_id"] if model else "",
        calibration=dict(model["card"].get("calibration") or {}) if model else {},
        picked_by_model=before["model_id"] if before else "",
        seed=row["seed"],
        started=row["started"],
        completed=record.steps["measure"]["completed"] if "measure" in record.steps else None,
        arms=dict(Counter(pick.arm for pick in record.picks)),
        yields=_yields(walk, record),
        shares={arm: float(share) for arm, share in scanned.get("shares", {}).items()},
        strata=dict(Counter(pick.stratum for pick in record.picks)),
        folded=sum(pick.stands_for - 1 for pick in record.picks),
        tasks=len(tasks),
        tasks_done=len(tasks) - left,
        annotations=work.annotations,
        labels=dict(Counter(label for r in mine for label in (("(none)",) if r.labels == () else r.labels or ()))),
        resolved=sum(r.labels is not None for r in mine),
        unresolved=sum(r.labels is None for r in mine),
        outs=dict(sum((Counter(r.outs) for r in mine), Counter[str]())),
        training_items=record.output("fit").get("training_items", 0),
        labels_so_far=record.output("resolve").get("resolved", 0),
        benchmark=[estimate_row(estimate) for estimate in ledger.metrics(number, "benchmark")],
        audit=[estimate_row(estimate) for estimate in ledger.metrics(number, "audit")],
        comparison=measured.get("comparison"),
        since_seed=measured.get("since_seed"),
        confusion=measured.get("confusion"),
        agreement=estimate_row(alphas[0]) if alphas else None,
        stability=measured.get("stability"),
        left=left_over(scanned, measured),
        findings=cast(Findings, record.output("examine")),
        people=list(work.people),
        seconds_a_task=None if np.isnan(work.seconds.value) else work.seconds.value,
        seconds_total=work.seconds_total,
        cost=work.cost,
        machine_seconds={name: step["seconds"] for name, step in record.steps.items()},
        picks=_picks(walk, number, record),
    )


def _by_peers(resolutions: Sequence[Resolution], among: set[str]) -> list[Resolution]:
    """Resolutions with the answers that people are compared by: gold is no comparison, and a senior no peer."""
    peers = [resolution for resolution in resolutions if resolution.method != "gold"]
    return [replace(one, annotations=tuple(id_ for id_ in one.annotations if id_ in among)) for one in peers]


def _yields(walk: Walk, record: _Record) -> dict[str, YieldRow]:
    """What each arm's picks came to; gold is there to see how people do, and finds nothing."""
    violating = {label.name for label in walk.policy.labels if label.violating}
    yields: dict[str, YieldRow] = {}
    for pick in (pick for pick in record.picks if pick.arm != "gold"):
        brought = yields.setdefault(pick.arm, YieldRow(picks=0, resolved=0, positives=0))
        brought["picks"] += 1
        resolution = record.resolutions.get(pick.item_id)
        if resolution is not None and resolution.labels is not None:
            brought["resolved"] += 1
            brought["positives"] += not violating.isdisjoint(resolution.labels)
    return yields


def _picks(walk: Walk, number: int, record: _Record) -> list[PickRow]:
    """The picks that matter most, benchmark and gold aside: their items are not for reading."""
    told = sorted((p for p in record.picks if p.arm not in ("benchmark", "gold")), key=lambda pick: -pick.score)[:SHOWN]
    if not told:
        return []
    positions = walk.positions(pick.item_id for pick in told)
    rows = walk.pool.rows(positions).to_pylist()
    tasks = {task.item_id: task for task in walk.ledger.tasks(number) if not task.queue}
    seconds: dict[str, float] = defaultdict(float)
    for annotation in record.annotations:
        seconds[annotation.task_key] += 0.0 if annotation.deleted else annotation.seconds
    return [
        _pick(pick, row, tasks.get(pick.item_id), record.resolutions.get(pick.item_id), seconds)
        for pick, row in zip(told, rows, strict=True)
    ]


def _pick(
    pick: Pick, row: Mapping[str, Any], task: Any, resolution: Resolution | None, seconds: Mapping[str, float]
) -> PickRow:
    return PickRow(
        item_id=pick.item_id,
        arm=pick.arm,
        text=str(row.get("text") or row.get("media") or ""),
        language=str(row.get("language") or ""),
        region=str(row.get("region") or ""),
        reach=float(row.get("reach") or 0.0),
        score=pick.score,
        parts=dict(pick.parts),
        why=explain(pick),
        inclusion=pick.inclusion,
        stands_for=pick.stands_for,
        predicted=dict(task.predicted) if task else {},
        resolved=None if resolution is None or resolution.labels is None else list(resolution.labels),
        confidence=resolution.confidence if resolution else 0.0,
        outs=dict(resolution.outs) if resolution else {},
        seconds=seconds.get(task.key) if task else None,
    )
