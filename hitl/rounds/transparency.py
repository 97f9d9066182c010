"""The table for a regulator: what a model decides by itself, how right it is, what people decided, and appeals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

import hitl
from hitl.errors import CampaignError
from hitl.history import AuditedCell, LogRow, TransparencyFinding, TransparencyRow, TransparencyTable, estimate_row
from hitl.history.transparency import ALL, FORMAT, LAW, MEASURES, OURS, TO_MAP, UNKNOWN, Source
from hitl.metrics.transparency import DecisionCounts, decision_figures
from hitl.policy import Policy
from hitl.rounds.decisions import DecisionLog
from hitl.rounds.human import human_work
from hitl.rounds.in_force import Period, count_decisions, evidence, periods, under, unjudged
from hitl.rounds.judged import Judged, Measured
from hitl.rounds.logged import Cell, Logged
from hitl.rounds.walk import Walk
from hitl.types import Estimate
from hitl.types.times import without_zone

_UNLOGGED = "not recorded here; give a log of decisions"
_SHOWN = ("audited", "accuracy", "precision", "recall", "false_positive_rate")

Told = Iterator[TransparencyRow]


def transparency(walk: Walk, now: str, log: str | Path | None = None, number: int | None = None) -> TransparencyTable:
    """The table of a campaign, of all periods or of one, with what a log of decisions and appeals says.

    One pass over the pool for each model, so that time is O(models × pool); memory is a block of the pool and the log.
    Raises `CampaignError` where there is no such period, `DataError` for a file that is no log.
    """
    found = periods(walk)
    if not found:
        raise CampaignError(f"campaign {walk.campaign}: no round has begun, so no model was in force; call `hitl run`")
    wanted = [period for period in found if number in (None, period.number)]
    if not wanted:
        raise CampaignError(
            f"campaign {walk.campaign}: there is no period {number}; they go from 0 to {found[-1].number}"
        )
    categories = _categories(walk)
    logged = (
        None
        if log is None
        else Logged.of(DecisionLog.load(log, categories, without_zone(now)), walk.pool, found, categories)
    )
    rows = [row for period in wanted for row in _period(walk, period, logged, found.index(period))]
    return TransparencyTable(
        format=FORMAT,
        campaign=walk.campaign,
        generated=now,
        hitl_version=hitl.__version__,
        begin=wanted[0].begin,
        end=wanted[-1].end or now,
        policy=walk.policy.name,
        law=LAW,
        ours=OURS,
        to_map=TO_MAP,
        log=None if logged is None else _read(logged.log),
        measures={name: measure.says for name, measure in MEASURES.items()},
        rows=rows,
    )


def audited(at: Measured) -> TransparencyFinding | None:
    """How right the model that picked the round decides by itself, by its audit; None where nothing of it is settled.

    By language over all categories, and by category over all languages; the whole table is `transparency`'s.
    """
    if at.audit is None or at.old is None:
        return None
    cells: dict[tuple[str, str], list[Estimate]] = {}
    for language, category, figure in _audited(at.walk, at.audit):
        if ALL in (language, category) and figure.name in _SHOWN:
            cells.setdefault((language, category), []).append(figure)
    told = [AuditedCell(language=one, category=two, figures=[*map(estimate_row, f)]) for (one, two), f in cells.items()]
    return TransparencyFinding(model_id=at.old.model_id, cells=told)


def _period(walk: Walk, period: Period, logged: Logged | None, place: int) -> Told:
    yield from _automated(walk, period)
    for cell, figures in human_work(walk, period):
        for figure in figures:
            yield _row(period, cell, figure, basis=f"the answers of round {period.number}")
    told = set()
    for cell, figures in logged.told(place) if logged else ():
        for figure in figures:
            told.add(figure.name)
            yield _row(period, cell, figure, "decisions log", Path(logged.log.file).name if logged else "")
    for name in MEASURES:
        if name.startswith(("taken@", "appeal", "reversal")) and name not in told:
            unknown = Estimate(name, np.nan, np.nan, np.nan, 0, method=_UNLOGGED)
            yield _row(period, Cell(), unknown, "to be mapped")


def _automated(walk: Walk, period: Period) -> Told:
    """What the model would decide about the items that no person had judged, and how right it is."""
    fitted, then = walk.fitted(period.number - 1) if period.model else None, under(walk, period.policy_version)
    if fitted is None:
        return
    if fitted.labels != then.policy.names:
        why = "the policy has other labels than the model learned"
        yield _row(period, Cell(decider="automated"), Estimate("decisions@act", np.nan, np.nan, np.nan, 0, method=why))
        return
    among = unjudged(walk, period.number)
    counts = count_decisions(then, fitted, among, f"round {period.number}: counting what the model would decide")
    for language, category, figure in _decided(then, counts):
        yield _row(
            period, Cell(language, category, "automated"), figure, basis="the pool in play, not judged by people"
        )
    judged, basis = evidence(then, period, fitted)
    if judged is None:
        why = "no item of the audit or the benchmark is settled"
        for name in ("audited", "accuracy", "precision", "recall"):
            figure = Estimate(name, 0.0 if name == "audited" else np.nan, np.nan, np.nan, 0, method=why)
            yield _row(period, Cell(decider="automated"), figure)
        return
    for language, category, figure in _audited(then, judged):
        yield _row(period, Cell(language, category, "automated"), figure, basis=basis)


def _decided(walk: Walk, counts: DecisionCounts) -> Iterator[tuple[str, str, Estimate]]:
    """Counts by language and category from those of a pass."""
    names = ((-1, ALL), *enumerate(map(_language, walk.pool.codes("language")[1])))
    columns = [(0, ALL), *((1 + at, walk.policy.names[at]) for at in np.flatnonzero(walk.policy.violating).tolist())]
    for place, language in names:
        items, views = ((part.sum(axis=0) if place < 0 else part[place]) for part in (counts.items, counts.views))
        if not items[0].sum() and place >= 0:
            continue
        for column, category in columns:
            if category == ALL:
                for name, table in (("items", items), ("views", views)):
                    yield language, category, _counted(name, table[column].sum())
            for name, table in (("decisions", items), ("views", views)):
                _, review, limit, remove = table[column].tolist()
                for action, n in (("remove", remove), ("limit", limit), ("act", limit + remove), ("review", review)):
                    yield language, category, _counted(f"{name}@{action}", n)


def _audited(walk: Walk, judged: Judged) -> Iterator[tuple[str, str, Estimate]]:
    """Figures by language and category from what people judged."""
    codes, names = walk.pool.codes("language")
    mine = codes[judged.positions]
    for place, language in ((-1, ALL), *enumerate(map(_language, names))):
        inside = None if place < 0 else mine == place
        if inside is None or inside.any():
            for label, figure in decision_figures(judged.sample, inside):
                yield language, label or ALL, figure


def _row(period: Period, cell: Cell, figure: Estimate, source: Source = "hitl", basis: str = "") -> TransparencyRow:
    measure, told, counted = MEASURES[figure.name], estimate_row(figure), figure.method == "count"
    bounded = not counted and figure.n > 0
    return TransparencyRow(
        period=period.number,
        begin=period.begin,
        end=period.end,
        model=period.model,
        policy_version=period.policy_version,
        language=cell.language,
        category=cell.category,
        decider=cell.decider,
        measure=figure.name,
        value=told["value"],
        low=told["low"] if bounded else None,
        high=told["high"] if bounded else None,
        level=told["level"] if bounded else None,
        n=None if counted or source == "to be mapped" else figure.n,
        unit=measure.unit,
        method=figure.method,
        source=source,
        basis=basis,
        article=measure.article,
        template=measure.template,
    )


def _counted(name: str, n: float) -> Estimate:
    return Estimate(name, n, n, n, int(n), method="count")


def _language(name: str) -> str:
    return name or UNKNOWN


def _categories(walk: Walk) -> tuple[str, ...]:
    """The violating labels of all versions of the policy, those of today first."""
    versions: Mapping[str, str] = walk.ledger.policies()
    policies = [walk.policy, *(Policy.parse(text, f"policy v{name}") for name, text in versions.items())]
    return tuple(dict.fromkeys(one.name for policy in policies for one in policy.labels if one.violating))


def _read(log: DecisionLog) -> LogRow:
    aside = list(log.set_aside)
    return LogRow(
        file=Path(log.file).name, rows=log.rows, used=len(log), appeals_recorded=log.appeals_recorded, set_aside=aside
    )
