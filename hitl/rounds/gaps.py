"""What the policy and the labels do not cover: thin cells of the pool, and answers that no label fitted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hitl.history import estimate_row
from hitl.history.gaps import CellRow, GapsRow, ThemeRow
from hitl.labels.voices import latest
from hitl.metrics.gaps import BAR, ENOUGH, CellRecall, recall_by_cell, worth
from hitl.policy import as_read
from hitl.rounds.judged import Judged, Measured
from hitl.rounds.themes import Words, clusters, examples, most_typical, places
from hitl.rounds.walk import Walk
from hitl.sampling.view import join_strata
from hitl.types import Floats, Ints, Resolution

COLUMNS = ("language", "modality", "synthetic")
"""Columns that the pool is cut by, where it has them and they differ."""

MOST_CELLS = 200
"""Parts of the pool that are looked at: those with the most views."""

TOLD = 40
MOST_THEMES = 8
_A_THEME = 6  # items, about
_BACKGROUND = 1_000
_OUTS = ("no_policy", "escalate")
_EDGE = "edge_case"


def gaps(at: Measured) -> GapsRow:
    """The cells of policy label × language × modality × synthetic that lack labels or recall, and what fits no label.

    O(pool) time for the cells, one read of the texts of what people gave no label and of 1,000 others.
    """
    parts = _Parts.of(at.walk, at.number)
    settled = at.walk.ledger.resolutions(at.number)
    found = _cells(at, parts, settled)
    uncovered, themes = _themes(at, settled)
    judged, told = _judged(at)
    return GapsRow(
        columns=list(parts.columns),
        cells=found[:TOLD],
        thin=len(found),
        of=len(parts.views) * int(at.walk.policy.violating.sum()),
        enough=ENOUGH,
        bar=BAR,
        measured=told if judged else "no probability sample was judged",
        uncovered=uncovered,
        themes=themes,
    )


@dataclass(frozen=True, eq=False)
class _Parts:
    """The pool cut by columns: each item's part (n,), -1 for none, and of each part what it is, its items and views."""

    columns: tuple[str, ...]
    code: Ints
    values: tuple[dict[str, str], ...]
    items: Ints
    views: Floats

    @classmethod
    def of(cls, walk: Walk, number: int) -> _Parts:
        pool = walk.pool
        named = [column for column in COLUMNS if column not in COLUMNS[2:] or column in pool.columns.facets]
        coded = {column: pool.codes(column) for column in named}
        columns = tuple(column for column in named if len(coded[column][1]) > 1)
        code, names = join_strata([coded[column] for column in columns], len(pool))
        here = walk.in_play(number)
        items = np.bincount(code[here], minlength=len(names))
        views = np.bincount(code[here], pool.reach[here], minlength=len(names))
        kept = np.argsort(-views, kind="stable")[:MOST_CELLS]
        kept = kept[items[kept] > 0]
        rank = np.full(len(names), -1, dtype=np.int64)
        rank[kept] = np.arange(len(kept))
        first = np.full(len(names), -1, dtype=np.int64)
        first[code[::-1]] = np.arange(len(pool))[::-1]
        values = [{name: coded[name][1][coded[name][0][first[part]]] for name in columns} for part in kept.tolist()]
        return cls(columns, rank[code], tuple(values), items[kept], views[kept] / max(views.sum(), 1e-300))


def _judged(at: Measured) -> tuple[list[Judged], str]:
    """The probability samples that judge one model, and which: the model before has a second sample in the audit."""
    if at.old is None:
        return [one for one in (at.benchmark,) if one], "the model of this round on the benchmark"
    found = [one for one in (at.before, at.audit) if one]
    return found, "the model that picked this round, on the benchmark and on the round’s audit"


def _cells(at: Measured, parts: _Parts, settled: Sequence[Resolution]) -> list[CellRow]:
    """Every cell with a gap, the weightiest first."""
    walk = at.walk
    judged, _ = _judged(at)
    count, names = len(parts.views), walk.policy.names
    if judged:
        recall = recall_by_cell([one.sample for one in judged], [parts.code[one.positions] for one in judged], count)
    else:
        nothing = np.zeros((count, len(names)))
        recall = CellRecall(nothing * np.nan, nothing, nothing + 1, nothing.astype(np.int64))
    labels = np.zeros((count, len(names)), dtype=np.int64)
    known = [r for r in settled if r.labels is not None]
    if known:
        code = parts.code[walk.positions(r.item_id for r in known)]
        np.add.at(labels, code[code >= 0], walk.one_hot(known)[code >= 0].astype(np.int64))
    severity = np.array([label.severity if label.violating else 0.0 for label in walk.policy.labels])
    weight = worth(parts.views, severity, labels, recall.low)
    thin = ((labels < ENOUGH) | (recall.low < BAR)) & walk.policy.violating
    cells, columns = np.nonzero(thin)
    order = np.lexsort((labels[cells, columns], -weight[cells, columns]))
    return [
        CellRow(
            label=names[column],
            where=parts.values[cell],
            items=int(parts.items[cell]),
            views=float(parts.views[cell]),
            severity=float(severity[column]),
            labels=int(labels[cell, column]),
            recall=estimate_row(recall.estimate(cell, column, names[column])),
            missing=_missing(int(labels[cell, column]), recall, cell, column),
            worth=float(weight[cell, column]),
        )
        for cell, column in zip(cells[order].tolist(), columns[order].tolist(), strict=True)
    ]


def _missing(labels: int, recall: CellRecall, cell: int, column: int) -> list[str]:
    told = ["labels"] if labels < ENOUGH else []
    if not recall.n[cell, column]:
        return [*told, "recall not known"]
    return [*told, "low recall"] if recall.low[cell, column] < BAR else told


def _uncovered(walk: Walk, settled: Sequence[Resolution]) -> dict[str, set[str]]:
    """Item id → which answers say that no label fits it: outs, and a label of the policy that is called edge case."""
    edges = {name for name in walk.policy.names if as_read(name).replace(" ", "_").replace("-", "_") == _EDGE}
    found: dict[str, set[str]] = {}
    for one in settled:
        said = {out for out in _OUTS if one.outs.get(out)}
        said |= {_EDGE} if edges.intersection(one.labels or ()) else set()
        if said:
            found[one.item_id] = said
    return found


def _themes(at: Measured, settled: Sequence[Resolution]) -> tuple[int, list[ThemeRow]]:
    """How many items no label fitted, and what they are about: clusters, the largest first."""
    walk, rng = at.walk, at.rng("gaps")
    uncovered = _uncovered(walk, settled)
    if not uncovered:
        return 0, []
    ids = sorted(uncovered)
    mine = walk.positions(ids)
    others = np.setdiff1d(walk.sample(at.number, _BACKGROUND), mine)
    positions = np.concatenate([mine, others])
    words = Words.of(walk.pool.texts(positions)) if walk.has_text else None
    lies = places(walk, positions, words, rng)
    if lies is None:
        code: Ints = np.zeros(len(ids), dtype=np.int64)
    else:
        code = clusters(lies[: len(ids)], min(max(len(ids) // _A_THEME, 1), MOST_THEMES), rng)[0]
    notes = _notes(walk, uncovered)
    rows = []
    for group in np.unique(code).tolist():
        members = np.flatnonzero(code == group)
        said = Counter(out for row in members.tolist() for out in uncovered[ids[row]])
        shown = most_typical(lies, members)
        rows.append(
            ThemeRow(
                terms=words.telling(members) if words is not None else [],
                items=len(members),
                outs=dict(said.most_common()),
                examples=examples(walk, mine[shown], notes),
            )
        )
    return len(ids), sorted(rows, key=lambda row: -row["items"])


def _notes(walk: Walk, uncovered: Mapping[str, object]) -> dict[str, list[str]]:
    """Item id → what people wrote about it, without what says nothing."""
    tasks = {task.key: task.item_id for task in walk.ledger.tasks(items=uncovered)}
    said: dict[str, list[str]] = defaultdict(list)
    for one in latest(walk.ledger.annotations()):
        if one.task_key in tasks and one.answer is not None and one.answer.note.strip():
            said[tasks[one.task_key]].append(one.answer.note.strip())
    return said
