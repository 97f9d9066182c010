"""A log of decisions that other systems took and of appeals against them, read strictly and by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hitl.errors import DataError, PoolError
from hitl.history.transparency import Aside
from hitl.policy.parts import ACTIONS
from hitl.pool.columns import MOST_NAME, Columns, times, unreadable
from hitl.pool.keys import as_array, as_mask
from hitl.pool.opening import open_source
from hitl.types import Bools, Floats, Ints

DECIDERS = ("automated", "human")
OUTCOMES = ("upheld", "partially_reversed", "reversed", "omitted")
"""What became of an appeal; `omitted` is one that was dropped without a decision."""

MUST = ("item", "decided_at", "action", "decider")
MAY = ("category", "language", "model", "appealed_at", "appeal_decided_at", "outcome")
_APPEAL = MAY[3:]
WHO = ("by", "kind", "vendor", "team")
"""Who or what decided (a pseudonym), of which kind, and for whom they work: for quality, not for the regulator."""

_KNOWN = (*MUST, *MAY, *WHO)
_KINDS = (".csv", ".tsv", ".jsonl", ".ndjson")
_COLUMNS = ("row", "action", "decider", "outcome", "decided_at", "appealed_at", "appeal_decided_at")
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class DecisionLog:
    """n decisions by column, those that can be used: one row is one decision, with the appeal against it if any.

    Words are "" where the log says nothing, times NaT. `rows` counts all rows of the file.
    """

    file: str
    rows: int
    set_aside: tuple[Aside, ...]
    appeals_recorded: bool
    row: Ints  # in the file, from 0
    words: Mapping[str, pa.ChunkedArray]  # item, category, language, model and those of `WHO`
    action: Ints  # codes of `ACTIONS`
    decider: Ints  # codes of `DECIDERS`
    outcome: Ints  # codes of `OUTCOMES`, -1 while there is none
    decided_at: Any  # (n,) datetime64[us], as are the appeals'
    appealed_at: Any
    appeal_decided_at: Any

    def __len__(self) -> int:
        return len(self.action)

    @cached_property
    def hours(self) -> Floats:
        """From appeal to decision, NaN where either is missing."""
        return np.asarray((self.appeal_decided_at - self.appealed_at) / np.timedelta64(1, "h"), dtype=np.float64)

    @classmethod
    def load(cls, path: str | Path, categories: Sequence[str], now: Any) -> DecisionLog:
        """Read a log, CSV or JSONL, with the columns of `MUST`, some of `MAY` and of `WHO`; O(n) time and memory.

        Times are ISO 8601, UTC where they have no zone. A row is set aside, and counted by its first fault, that names
        no item, a time that is none or lies after `now`, an action, decider, outcome or category that is not known
        (`categories` are the violating labels), or an appeal that contradicts itself. Raises `DataError` naming file
        and column where the file is not such a log.
        """
        table = _read(Path(path))
        words = {name: _words(table, name) for name in (*MUST, *MAY, *WHO)}
        when = {name: _times(words[name]) for name in ("decided_at", "appealed_at", "appeal_decided_at")}
        codes = {
            "action": codes_in(words["action"], ACTIONS),
            "decider": codes_in(words["decider"], DECIDERS),
            "outcome": codes_in(words["outcome"], OUTCOMES),
        }
        good, aside = _sound(_faults(words, when, codes, categories, np.datetime64(now, "us")), np.arange(len(table)))
        kept = pa.array(np.flatnonzero(good))
        return cls(
            file=str(path),
            rows=len(table),
            set_aside=tuple(aside),
            appeals_recorded="appealed_at" in table.column_names,
            row=np.flatnonzero(good),
            words={name: words[name].take(kept) for name in ("item", "category", "language", "model", *WHO)},
            **{name: values[good] for name, values in {**codes, **when}.items()},
        )

    def without(self, faults: Mapping[str, Bools]) -> DecisionLog:
        """The log without the rows (n,) that have one of these faults, which are set aside by their first."""
        good, aside = _sound(faults.items(), self.row)
        return replace(self.take(good), set_aside=(*self.set_aside, *aside))

    def take(self, rows: Bools) -> DecisionLog:
        """Some of the decisions (n,), with what was set aside before."""
        kept = pa.array(np.flatnonzero(rows))
        columns = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return replace(self, words={name: column.take(kept) for name, column in self.words.items()}, **columns)

    def __repr__(self) -> str:
        aside = sum(one["rows"] for one in self.set_aside)
        return f"DecisionLog({self.file!r}: {len(self):,} of {self.rows:,} rows, {aside:,} set aside)"


def _read(path: Path) -> pa.Table:
    if path.suffix.lower() not in _KINDS:
        raise DataError(f"{path}: a log of decisions is a {', '.join(_KINDS[:-1])} or {_KINDS[-1]} file; convert it")
    try:
        source = open_source(path, Columns(facets=_KNOWN))
    except PoolError as error:
        raise DataError(str(error)) from None
    names = source.schema.names
    doubled = [name for name in names if names.count(name) > 1]
    unknown = [name for name in names if name not in _KNOWN]
    missing = [name for name in MUST if name not in names]
    if doubled:
        raise DataError(f"{path}: the column {doubled[0][:60]!r} stands there twice; keep one of them")
    if unknown:
        near = get_close_matches(unknown[0], [name for name in _KNOWN if name not in names], n=1)
        told = f"did you mean {near[0]!r}?" if near else f"leave it out; a log has {', '.join(_KNOWN)}"
        raise DataError(f"{path}: the column {unknown[0][:60]!r} is not known; {told}")
    if missing:
        raise DataError(f"{path}: the column {missing[0]!r} is missing; a log has {', '.join(MUST)} at least")
    if set(names) & set(_APPEAL) and not set(_APPEAL) <= set(names):
        lacking = next(name for name in _APPEAL if name not in names)
        raise DataError(f"{path}: the column {lacking!r} is missing; appeals are told by {', '.join(_APPEAL)}")
    table: pa.Table = source.take(np.arange(int(source.bounds[-1]), dtype=np.int64), list(names))
    for name in names:
        kind = table.schema.field(name).type
        if pa.types.is_nested(kind) or pa.types.is_boolean(kind) or pa.types.is_floating(kind):
            raise DataError(f"{path}: the column {name!r} holds values of type {kind}; write words in quotes")
    return table


def _words(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A column as words, "" where the log says nothing or what cannot be read; ids stay as they are written."""
    if name not in table.column_names:
        return pa.chunked_array([pa.repeat(pa.scalar("", pa.large_string()), len(table))])
    read = pc.fill_null(table[name].cast(pa.large_string()), "")
    spoilt = [rows for rows in unreadable(read, MOST_NAME).values() if rows.any()]
    if spoilt:
        read = pc.if_else(pa.array(~np.logical_or.reduce(spoilt)), read, pa.scalar("", pa.large_string()))
    trimmed = pc.utf8_trim_whitespace(read)
    return pc.if_else(pc.equal(trimmed, ""), trimmed, read) if name == "item" else trimmed


def _times(words: pa.ChunkedArray) -> Any:
    """(n,) datetime64[us] in UTC, NaT where it is no time."""
    read = times(words).cast(pa.timestamp("us"))
    whole = as_array(pc.fill_null(read.cast(pa.int64()), np.iinfo(np.int64).min), np.int64)
    return whole.view("datetime64[us]")


def codes_in(words: pa.ChunkedArray, known: Sequence[str]) -> Ints:
    """(n,) places in `known`, -1 for another word."""
    found = pc.index_in(words, value_set=pa.array(known, pa.large_string()))
    codes: Ints = as_array(pc.fill_null(found, -1), np.int64)
    return codes


def _faults(
    words: Mapping[str, pa.ChunkedArray],
    when: Mapping[str, Any],
    codes: Mapping[str, Ints],
    categories: Sequence[str],
    now: Any,
) -> Iterator[tuple[str, Bools]]:
    """What may be wrong with a row, and with which (n,)."""
    blank = {name: as_mask(pc.equal(column, "")) for name, column in words.items()}
    nat = {name: np.isnat(values) for name, values in when.items()}
    decided, appealed, answered = when["decided_at"], when["appealed_at"], when["appeal_decided_at"]
    omitted = codes["outcome"] == OUTCOMES.index("omitted")
    yield "item: names none", blank["item"]
    for name in when:
        needed = name == "decided_at"
        yield f"{name}: is no ISO 8601 time", nat[name] & (needed | ~blank[name])
    yield f"action: is none of {', '.join(ACTIONS)}", codes["action"] < 0
    yield f"decider: is none of {', '.join(DECIDERS)}", codes["decider"] < 0
    yield f"outcome: is none of {', '.join(OUTCOMES)}", (codes["outcome"] < 0) & ~blank["outcome"]
    yield (
        "category: is no violating label of the policy",
        (codes_in(words["category"], categories) < 0) & ~blank["category"],
    )
    for name, values in when.items():
        yield f"{name}: lies in the future", ~nat[name] & (values > now)
    yield "appealed_at: is before decided_at", ~nat["appealed_at"] & (appealed < decided)
    yield "appeal_decided_at: is before appealed_at", ~nat["appeal_decided_at"] & (answered < appealed)
    yield (
        "appealed_at: is missing where the appeal has an end",
        nat["appealed_at"] & (~nat["appeal_decided_at"] | ~blank["outcome"]),
    )
    yield "outcome: is missing where the appeal was decided", ~nat["appeal_decided_at"] & blank["outcome"]
    yield (
        "appeal_decided_at: is missing where there is an outcome",
        (nat["appeal_decided_at"] & ~blank["outcome"] & ~omitted),
    )


def _sound(faults: Iterable[tuple[str, Bools]], rows: Ints) -> tuple[Bools, list[Aside]]:
    """Which rows, numbered as in the file, have no fault, and the others by their first."""
    good, aside = np.ones(len(rows), dtype=np.bool_), []
    for reason, wrong in faults:
        fresh = np.flatnonzero(wrong & good)
        if len(fresh):
            aside.append(Aside(reason=reason, rows=len(fresh), first=(rows[fresh[:_SHOWN]] + 1).tolist()))
            good[fresh] = False
    return good, aside
