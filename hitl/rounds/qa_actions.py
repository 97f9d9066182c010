"""Corrective actions on record, and what came of each: the figure before it was opened and since it was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hitl.errors import ConfigError
from hitl.history import estimate_row
from hitl.history.qa import ActionRow, ActionStepRow, EffectRow
from hitl.metrics.qa.change import change
from hitl.metrics.qa.errors import CAUSES
from hitl.metrics.qa.scorecards import RATES, rate
from hitl.rounds.qa_record import Looked, checked, programme
from hitl.rounds.qa_slices import within
from hitl.rounds.walk import Walk
from hitl.types import Estimate
from hitl.types.times import datetime64
from hitl.workforce.qa.actions import KIND, Action, advance, fold


@dataclass(frozen=True, kw_only=True)
class Opening:
    """A corrective action as it is to be opened."""

    title: str
    owner: str
    target: float
    due: str
    actor: str
    reason: str
    metric: str = RATES[0]
    where: Mapping[str, str] = field(default_factory=dict)
    cause: str = ""
    evidence: str = ""


def open_action(walk: Walk, wanted: Opening) -> Action:
    """Put a corrective action on record, with its figure as it stands now for a baseline; the action.

    Raises `ConfigError` for a metric, cause or dimension that is none, `WorkforceError` where something is not said.
    """
    if wanted.metric not in RATES:
        raise ConfigError(f"{wanted.metric!r} is no rate of a scorecard; choose one of {', '.join(RATES)}")
    if wanted.cause and wanted.cause not in CAUSES:
        raise ConfigError(f"{wanted.cause!r} is no cause; choose one of {', '.join(CAUSES)}")
    if "@" in wanted.owner + wanted.actor:
        raise ConfigError("owner and actor are pseudonyms or roles; the record holds no addresses")
    looked = programme(walk).looked
    baseline = _figure(looked, wanted.metric, wanted.where)
    about = {name: getattr(wanted, name) for name in ("title", "owner", "target", "due", "metric", "cause")}
    said = {name: getattr(wanted, name) for name in ("actor", "reason", "evidence")}
    detail = {**about, **said, "where": dict(wanted.where), "baseline": dict(estimate_row(baseline))}
    return _put(walk, detail, "", "open")


def move_action(walk: Walk, number: str, to: str, *, actor: str, reason: str, evidence: str = "") -> Action:
    """Put what happened to an action on record; `verified` keeps the effect as it stood then.

    Raises `WorkforceError` for what is not allowed.
    """
    held = fold(walk.ledger.events(KIND)).get(number)
    effect = effect_of(held, programme(walk).looked) if held is not None and to == "verified" else None
    said: dict[str, Any] = {"actor": actor, "reason": reason, "evidence": evidence}
    return _put(walk, {**said, "effect": effect} if effect else said, number, to)


def _put(walk: Walk, detail: Mapping[str, Any], number: str, to: str) -> Action:
    with walk.ledger.transaction() as writer:
        held = fold(writer.events(KIND))
        number = number or f"a{len(held) + 1}"
        told = {"action": number, "to": to, **detail}
        # What is not allowed is refused before it is on record.
        advance(held, {"number": 0, "at": "", "kind": KIND, "detail": told})
        writer.event(KIND, told)
    return fold(walk.ledger.events(KIND))[number]


def effect_of(action: Action, looked: Sequence[Looked]) -> EffectRow | None:
    """The action's figure of decisions taken before it was opened, and of those since it was done; None before that.

    What was decided in between counts on neither side. The two are independent parts of the draws, compared by MOVER
    (`hitl.metrics.qa.change`). It says how the figure changed, not that the action changed it: other things happen.
    """
    if not action.done:
        return None
    times = np.array([datetime64(one.drawn.at) for one in looked], dtype="datetime64[us]")
    opened, done = datetime64(action.opened), datetime64(action.done)
    earlier = [one for one, at in zip(looked, times, strict=True) if at < opened]
    later = [one for one, at in zip(looked, times, strict=True) if at >= done]
    before, after = (_figure(side, action.metric, action.where) for side in (earlier, later))
    difference = change(before, after)
    if np.isnan(difference.value):
        verdict: Any = "too early"
    else:
        verdict = "better" if difference.high < 0 else "worse" if difference.low > 0 else "no evidence"
    return EffectRow(
        before=estimate_row(before), after=estimate_row(after), difference=estimate_row(difference), verdict=verdict
    )


def action_rows(walk: Walk, looked: Sequence[Looked], now: str) -> list[ActionRow]:
    """Every action with what came of it, in the order in which they were opened."""
    return [action_row(one, looked, now) for one in fold(walk.ledger.events(KIND)).values()]


def action_row(action: Action, looked: Sequence[Looked], now: str) -> ActionRow:
    """One action as JSON."""
    baseline: Any = dict(action.baseline) or None
    return ActionRow(
        action=action.id,
        title=action.title,
        owner=action.owner,
        cause=action.cause,
        metric=action.metric,
        where=dict(action.where),
        target=action.target,
        due=action.due,
        state=action.state,
        overdue=action.overdue(now),
        baseline=baseline,
        effect=effect_of(action, looked),
        steps=[
            ActionStepRow(to=s.to, at=s.at, actor=s.actor, reason=s.reason, evidence=s.evidence) for s in action.steps
        ],
    )


def _figure(looked: Sequence[Looked], metric: str, where: Mapping[str, str]) -> Estimate:
    if not looked:
        return Estimate(metric, float("nan"), 0.0, 1.0, 0, method="no such decision was looked at again")
    return rate(checked(looked), metric, within(looked, where))
