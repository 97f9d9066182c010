"""The QA programme as figures: scorecards, causes, control charts, and what was done about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from hitl.errors import ConfigError
from hitl.history import estimate_row
from hitl.history.figures import finite
from hitl.history.qa import BarRow, CardRow, ChartPoint, ChartRow, QaRow, QaSampleRow, RootRow, StratumRow
from hitl.metrics.intervals import shares
from hitl.metrics.qa.causes import Root, pareto, roots
from hitl.metrics.qa.charts import Method, p_chart
from hitl.metrics.qa.errors import CAUSES
from hitl.metrics.qa.scorecards import RATES, Card, rate, scorecards
from hitl.metrics.qa.shrinking import effective
from hitl.rounds.qa_actions import action_rows
from hitl.rounds.qa_record import KINDS, Looked, Programme, Sample, checked, codes, inclusion, programme
from hitl.rounds.qa_sessions import session_rows
from hitl.rounds.qa_slices import DIMENSIONS, OF, within
from hitl.rounds.walk import Walk
from hitl.types.times import datetime64
from hitl.workforce.qa import actions, sessions

Period = Literal["day", "week", "month"]
_UNITS: Mapping[str, str] = {"day": "D", "week": "W", "month": "M"}
_MOST_ROOTS = 20


def qa(walk: Walk, now: str) -> QaRow | None:
    """All that the programme comes to, `now` being ISO 8601; None where nothing was drawn or opened.

    O(drawn × groups), and what shrinking takes.
    """
    if not walk.ledger.events(*KINDS, actions.KIND, *sessions.KINDS):
        return None
    held = programme(walk)
    looked = held.looked
    wrong = [one for one in looked if one.error != "right"]
    return QaRow(
        samples=[sample_row(held, sample) for sample in held.samples.values()],
        rates=[estimate_row(rate(checked(looked), name)) for name in RATES] if looked else [],
        cards={by: [card_row(card) for card in cards(looked, by)] for by in DIMENSIONS},
        errors=len(wrong),
        without_cause=sum(not one.cause for one in wrong),
        causes=causes(wrong),
        roots=root_causes(wrong)[:_MOST_ROOTS],
        charts=[chart(looked, period=_period(looked))] if looked else [],
        actions=action_rows(walk, looked, now),
        sessions=session_rows(walk),
    )


def cards(looked: Sequence[Looked], by: str) -> list[Card]:
    """Scorecards by one of `DIMENSIONS`, in the order of the groups' names; groups without a name have none.

    Deciders are drawn towards those of their kind, or of their vendor; other groups towards all of their dimension. Of
    a clause the decisions count that gave it or should have, and the errors that are about it.
    """
    if by not in DIMENSIONS:
        raise ConfigError(f"{by!r} is nothing that scorecards are by; choose one of {', '.join(DIMENSIONS)}")
    if by == "clause":
        return _clause_cards(looked)
    mine = [one for one in looked if OF[by](one)]
    if not mine:
        return []
    at, names = codes([OF[by](one) for one in mine])
    kinds = [by] * len(names)
    if by == "decider":
        of = {one.drawn.by: one.drawn.vendor or one.drawn.kind for one in mine}
        kinds = [of[name] for name in names]
    return scorecards(checked(mine), at, names, kinds)


def _clause_cards(looked: Sequence[Looked]) -> list[Card]:
    pairs = [(one, clause) for one in looked for clause in one.concerned]
    if not pairs:
        return []
    at, names = codes([clause for _, clause in pairs])
    about = [
        one.error != "right"
        and ((clause in one.drawn.clause) != (clause in (one.verdict.labels or ())) or not one.drawn.clause)
        for one, clause in pairs
    ]
    rows = checked([one for one, _ in pairs])
    return scorecards(rows, at, names, ["clause"] * len(names), np.array(about, dtype=np.bool_))


def causes(wrong: Sequence[Looked]) -> list[BarRow]:
    """The causes of errors, the weightiest first."""
    if not wrong:
        return []
    code = np.array([CAUSES.index(one.cause) if one.cause in CAUSES else -1 for one in wrong])
    return [
        BarRow(cause=bar.cause, n=bar.n, share=estimate_row(bar.share), cumulative=bar.cumulative)
        for bar in pareto(inclusion(wrong), code, CAUSES)
    ]


def root_causes(wrong: Sequence[Looked]) -> list[RootRow]:
    """Where causes have another share of the errors than elsewhere, the surest first."""
    known = [one for one in wrong if one.cause in CAUSES]
    if not known:
        return []
    slices = {name: codes([of(one) for one in known]) for name, of in OF.items()}
    slices["clause"] = codes([(one.verdict.labels or one.drawn.clause or ("",))[0] for one in known])
    slices["error"] = codes([one.error for one in known])
    named = {name: told for name, told in slices.items() if len(told[1]) > 1}
    code = np.array([CAUSES.index(one.cause) for one in known])
    return [_root_row(one) for one in roots(inclusion(known), code, CAUSES, named)]


def chart(
    looked: Sequence[Looked],
    *,
    name: str = RATES[0],
    where: Mapping[str, str] | None = None,
    period: Period = "month",
    target: float | None = None,
    method: Method = "exact",
) -> ChartRow:
    """A control chart of one rate, of all decisions or a part, by when they were taken; see `p_chart`."""
    mine = [one for one, inside in zip(looked, within(looked, where or {}), strict=True) if inside]
    times = np.array([datetime64(one.drawn.at) for one in mine], dtype="datetime64[us]")
    whole = times.astype(f"datetime64[{_UNITS[period]}]")
    found = checked(mine) if mine else None
    titles = sorted({str(one) for one in whole})
    at = np.searchsorted(np.array(titles, dtype=str), whole.astype(str)) if mine else np.zeros(0, dtype=np.int64)
    points: list[ChartPoint] = []
    told, dispersion = "no decision was looked at again", None
    if found is not None:
        inside = (at[:, None] == np.arange(len(titles))).astype(np.float64)
        wrong = found.errors(name)[:, None] * inside
        share = shares(wrong, inside, 1 / found.inclusion, np.ones(len(found)))
        events, sizes = effective(share)
        drawn = p_chart(events, sizes, target=target, method=method)
        told, dispersion = drawn.method, finite(drawn.dispersion)
        points = [
            ChartPoint(
                period=title,
                n=int(share.n[row]),
                value=finite(float(drawn.value[row])),
                low=float(drawn.low[row]),
                high=float(drawn.high[row]),
                centre=finite(float(drawn.centre[row])),
                signal=drawn.signals[row],
            )
            for row, title in enumerate(titles)
        ]
    return ChartRow(
        rate=name, where=dict(where or {}), target=target, method=told, dispersion=dispersion, points=points
    )


def _period(looked: Sequence[Looked]) -> Period:
    """The longest period of which the decisions fill six or more, or else a day."""
    times = np.array([datetime64(one.drawn.at) for one in looked], dtype="datetime64[us]")
    filled = {unit: len(np.unique(times.astype(f"datetime64[{code}]"))) for unit, code in _UNITS.items()}
    for unit in ("month", "week"):
        if filled[unit] >= 6:
            return unit
    return "day"


def card_row(card: Card) -> CardRow:
    """A scorecard as JSON."""
    raw, shrunk = ([estimate_row(one) for one in side] for side in (card.raw, card.shrunk))
    return CardRow(group=card.group, kind=card.kind, n=card.n, decisions=card.decisions, raw=raw, shrunk=shrunk)


def _root_row(one: Root) -> RootRow:
    return RootRow(
        dimension=one.dimension,
        group=one.group,
        cause=one.cause,
        here=estimate_row(one.here),
        elsewhere=estimate_row(one.elsewhere),
        difference=estimate_row(one.difference),
        adjusted=finite(one.adjusted),
        stands=one.stands,
    )


def sample_row(held: Programme, sample: Sample) -> QaSampleRow:
    """A draw as JSON, with how far it was looked at."""
    seen = Counter(one.stratum for one in sample.drawn if held.counted(one) is not None)
    said = [(one, held.verdicts[one.review]) for one in sample.drawn if one.review in held.verdicts]
    strata: Mapping[str, Any] = sample.detail["strata"]
    return QaSampleRow(
        sample=sample.name,
        at=sample.at,
        actor=sample.detail["actor"],
        reason=sample.detail["reason"],
        decisions=sum(told["decisions"] for told in strata.values()),
        drawn=len(sample.drawn),
        checked=seen.total(),
        unsure=sum(verdict.labels is None for _, verdict in said),
        own=sum(verdict.labels is not None and verdict.reviewer == one.by for one, verdict in said),
        sources={name: told["decisions"] for name, told in sample.detail["sources"].items()},
        strata=[
            StratumRow(name=name, decisions=told["decisions"], drawn=told["drawn"], checked=seen[name])
            for name, told in strata.items()
        ],
    )
