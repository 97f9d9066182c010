"""What a log of decisions says of each model's time: measures taken, appeals, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hitl.history.transparency import ALL, UNKNOWN
from hitl.metrics.transparency import Appeals, cells
from hitl.policy.parts import ACTIONS
from hitl.pool import Pool
from hitl.pool.keys import as_column, as_mask, hash_text
from hitl.rounds.decisions import DECIDERS, OUTCOMES, DecisionLog, codes_in
from hitl.rounds.in_force import Period
from hitl.types import Estimate, Ints
from hitl.types.times import datetime64

_OPEN = 1  # the state of an appeal that is not decided; 0 of a decision that nobody appealed against
_STATES = 2 + len(OUTCOMES)


@dataclass(frozen=True)
class Cell:
    """Where in the table a value stands; each part may be `ALL`."""

    language: str = ALL
    category: str = ALL
    decider: str = ALL


def placed(log: DecisionLog, periods: Sequence[Period]) -> tuple[DecisionLog, Ints]:
    """The log without what belongs to no period, and the period of each of its decisions (m,), as a row of `periods`.

    A decision belongs to the model that it names, or to the one that was in force when it was taken. O(n).
    """
    begun = np.array([datetime64(period.begin) for period in periods], dtype="datetime64[us]")
    at = np.searchsorted(begun, log.decided_at, side="right").astype(np.int64) - 1
    last = {period.model: place for place, period in enumerate(periods) if period.model}
    named = codes_in(log.words["model"], tuple(last))
    strange = (named < 0) & ~as_mask(pc.equal(log.words["model"], ""))
    at = np.where(named < 0, at, np.array([*last.values(), -1], dtype=np.int64)[named])
    early = ~strange & (at < 0)
    faults = {"model: is none of this campaign's": strange, "decided_at: is before the campaign began": early}
    return log.without(faults), at[~strange & ~early]


@dataclass(frozen=True, eq=False)
class Logged:
    """The decisions of a log as codes (n,) of period, language, category, decider, action and state of the appeal."""

    log: DecisionLog
    period: Ints
    periods: int
    language: Ints
    languages: tuple[str, ...]
    categories: tuple[str, ...]

    @classmethod
    def of(cls, log: DecisionLog, pool: Pool, periods: Sequence[Period], categories: tuple[str, ...]) -> Logged:
        """The log by period; the language is the log's own, or else the pool's. O((n + items) log items)."""
        log, at = placed(log, periods)
        codes, names = _languages(log, pool)
        return cls(log, at, len(periods), codes, names, categories)

    def told(self, period: int) -> Iterator[tuple[Cell, list[Estimate]]]:
        """The figures of one period, a cell after another: what all came to first, then the cells with a decision."""
        taken, states = self._taken[period], self._states[period]
        spread = product((-1, *range(len(self.languages))), (-1, *range(len(self.categories))), (-1, *range(2)))
        for language, category, decider in spread:
            # Category 0 is that of decisions that name none; they count where all are taken together.
            index = tuple(slice(None) if code < 0 else code for code in (language, category + (category >= 0), decider))
            actions, state = (_summed(cube[index]) for cube in (taken, states))
            if actions.sum() or language == category == decider == -1:
                names = ((*self.languages, ALL), (*self.categories, ALL), (*DECIDERS, ALL))
                cell = Cell(names[0][language], names[1][category], names[2][decider])
                yield cell, [*_counts(actions), *self._appeals(state, period, language, category, decider)]

    def _appeals(self, state: Ints, period: int, language: int, category: int, decider: int) -> list[Estimate]:
        if not self.log.appeals_recorded:
            return []
        rows = (self.period == period) & ~np.isnan(self.log.hours)
        for codes, wanted in ((self.language, language), (self._category - 1, category), (self.log.decider, decider)):
            rows = rows & (codes == wanted) if wanted >= 0 else rows
        made, (upheld, partly, turned, omitted) = int(state[_OPEN:].sum()), state[_OPEN + 1 :].tolist()
        return Appeals(made, upheld, partly, turned, omitted, self.log.hours[rows]).figures()

    @cached_property
    def _category(self) -> Ints:
        return codes_in(self.log.words["category"], self.categories) + 1

    @cached_property
    def _taken(self) -> Ints:
        return self._cells(self.log.action, len(ACTIONS))

    @cached_property
    def _states(self) -> Ints:
        log = self.log
        ended = np.where(log.outcome < 0, _OPEN, log.outcome + _OPEN + 1)
        return self._cells(np.where(np.isnat(log.appealed_at), 0, ended), _STATES)

    def _cells(self, codes: Ints, size: int) -> Ints:
        """Decisions (periods, languages, 1 + categories, deciders, size), the last by these codes (n,)."""
        sizes = [self.periods, len(self.languages), len(self.categories) + 1, len(DECIDERS), size]
        return cells([self.period, self.language, self._category, self.log.decider, codes], sizes)


def _summed(cube: Ints) -> Ints:
    """A cube summed over all but its last dimension."""
    return np.asarray(cube.reshape(-1, cube.shape[-1]).sum(axis=0))


def _counts(actions: Ints) -> list[Estimate]:
    names = [f"taken@{action}" for action in ACTIONS]
    told = {name: int(n) for name, n in zip(names, actions.tolist(), strict=True)}
    return [Estimate(name, n, n, n, n, method="count") for name, n in reversed(told.items())]


def _languages(log: DecisionLog, pool: Pool) -> tuple[Ints, tuple[str, ...]]:
    """Codes (n,) into the languages that occur, by name."""
    codes, names = pool.codes("language")
    keys = hash_text(log.words["item"])
    order = np.argsort(pool.keys, kind="stable")
    at = order[np.minimum(np.searchsorted(pool.keys, keys, sorter=order), len(pool) - 1)]
    place = np.where(pool.keys[at] == keys, codes[at], len(names))
    theirs = pa.array([*names, ""], pa.large_string()).take(as_column(place))
    said = log.words["language"]
    told = pc.if_else(pc.equal(said, ""), pa.chunked_array([theirs]), said)
    told = pc.if_else(pc.equal(told, ""), pa.scalar(UNKNOWN, pa.large_string()), told)
    languages = tuple(sorted(pc.unique(told).to_pylist()))
    return codes_in(told, languages), languages
