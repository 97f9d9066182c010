"""How far people agree beyond chance: by a round's answers and all until then, by label, language, vendor and pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from hitl.history import AgreementGroup, AgreementLabel, AgreementPair, AgreementPart, AgreementRow, EstimateRow
from hitl.history import estimate_row as row
from hitl.labels import AnswerTable
from hitl.labels.settle import answer_table
from hitl.metrics.agreement import (
    Coefficient,
    Ratings,
    alpha,
    by_pair,
    cohen,
    estimates,
    fleiss,
    gwet,
    krippendorff_alpha,
    observed,
    specific,
)
from hitl.metrics.intervals import FEWEST, unless_few
from hitl.rounds.first_asked import FirstAsked
from hitl.rounds.judged import Measured
from hitl.rounds.walk import Walk
from hitl.rounds.workforce import Home, homes_of, states
from hitl.types import Bools, Estimate, Floats, Ints

LEAST, LEAST_SHARED = 10, 20
"""Items that two people judged, and items that a pair both judged, below which an agreement is not told."""

ENOUGH = 50
"""Items of probability samples from which on labels and languages are told by these alone."""

MOST_PAIRS = 100

BY_CHANCE = ("benchmark", "audit")
"""Arms that are probability samples, and never show a prediction."""


def agreed(at: Measured) -> AgreementRow | None:
    """How far people agree, with vendors and teams from the roster; None where no item was judged by two people."""
    return agreement(at.walk, at.number, at.rng("agreement"), homes_of(states(at.walk.ledger)))


def agreement(
    walk: Walk, number: int, rng: np.random.Generator, homes: Mapping[Home, Mapping[str, str]]
) -> AgreementRow | None:
    """The same with `homes`: for vendor and team, worker → which; None where no item was judged by two people.

    Only answers as first asked count (`FirstAsked`). Probability samples speak for the pool; what the arms picked is
    harder. O(annotations + figures × replicates × items).
    """
    told = _Told(walk, FirstAsked.of(walk, number), rng)
    if not told.twice.any():
        return None
    chance = told.twice & told.in_arms(BY_CHANCE)
    basis: Literal["chance", "all"] = "chance" if int(chance.sum()) >= ENOUGH else "all"
    rows, weights = (chance, told.stands_for) if basis == "chance" else (told.twice, None)
    pairs, pairs_of, pairs_few = by_pair(told.table, rng, least=LEAST_SHARED, most=MOST_PAIRS)
    return AgreementRow(
        chance=told.part(chance, told.stands_for),
        here=told.part(told.twice & (told.round == number)),
        further=told.asked.further,
        least=LEAST,
        basis=basis,
        basis_items=int(rows.sum()),
        labels=list(told.labels(rows, weights)),
        scales=list(told.scales(rows, weights)),
        languages=list(told.languages(rows, weights)),
        homes=[one for by, home in homes.items() for one in told.homes(by, home)],
        all_items=int(told.twice.sum()),
        pairs=[
            AgreementPair(
                first=one.first, second=one.second, items=one.shared, observed=row(one.observed), kappa=row(one.kappa)
            )
            for one in pairs
        ],
        pairs_of=pairs_of,
        pairs_few=pairs_few,
        pairs_least=LEAST_SHARED,
    )


def round_alpha(walk: Walk, number: int, rng: np.random.Generator) -> Estimate:
    """Krippendorff's alpha of a round's answers, as first asked; unsure and skipped ones are missing data."""
    asked = FirstAsked.of(walk, number, alone=True)
    return krippendorff_alpha(answer_table(asked.said, asked.tasks, walk.policy), rng)


@dataclass(frozen=True, eq=False)
class _Told:
    """The answers as a table, and what its tasks are."""

    walk: Walk
    asked: FirstAsked
    rng: np.random.Generator

    @cached_property
    def table(self) -> AnswerTable:
        return answer_table(self.asked.said, self.asked.tasks, self.walk.policy)

    @cached_property
    def ratings(self) -> Ratings:
        return Ratings.of(self.table)

    @cached_property
    def twice(self) -> Bools:
        return np.asarray(self.ratings.people > 1)

    @cached_property
    def round(self) -> Ints:
        at = {task.key: task.round for task in self.asked.tasks}
        return np.array([at[key] for key in self.table.tasks], dtype=np.int64)

    @cached_property
    def arms(self) -> tuple[str, ...]:
        return tuple(self.asked.arms.get(key, "") for key in self.table.tasks)

    @cached_property
    def stands_for(self) -> Floats:
        """(t,) how many items each task stands for within its draw, one on average: every draw counts by its size."""
        weights = np.array([1 / self.asked.inclusion.get(key, 1.0) for key in self.table.tasks])
        draw = np.unique(np.array(list(zip(self.arms, self.round.tolist(), strict=True))), axis=0, return_inverse=True)
        codes = draw[1].ravel()
        means = np.bincount(codes, weights) / np.bincount(codes)
        return np.asarray(weights / means[codes])

    def in_arms(self, names: Sequence[str]) -> Bools:
        return np.array([arm in names for arm in self.arms], dtype=np.bool_)

    def part(self, rows: Bools, weights: Floats | None = None) -> AgreementPart | None:
        if not rows.any():
            return None
        mine = self._some(rows, weights)
        arms = Counter(arm for arm, here in zip(self.arms, rows.tolist(), strict=True) if here)
        return AgreementPart(
            items=int(rows.sum()),
            answers=int(mine.counts.sum()),
            people=len(np.unique(self.table.worker[rows[self.table.task]])),
            arms=dict(sorted(arms.items())),
            rounds=np.unique(self.round[rows]).tolist(),
            figures=self._overall(mine),
        )

    def labels(self, rows: Bools, weights: Floats | None) -> Iterator[AgreementLabel]:
        """Each label of the policy against the others."""
        mine = self._some(rows, weights)
        for name in self.walk.policy.names:
            gives = np.array([name in self._given(word) for word in self.table.labels], dtype=np.int64)
            about = mine.merge(gives, 2)
            given, not_given = (about.counts > 0).sum(axis=0)[::-1].tolist()
            found = estimates([specific(about, 1), alpha(about), gwet(about)], about.weights, self.rng)
            rests = ((given, "items were given it"), (min(given, not_given), "items were given the rarer answer"))
            figures = [
                unless_few(_enough(replace(one, label=name), len(mine.counts)), *rest)
                for one, rest in zip(found, (*rests, (FEWEST, "")), strict=True)  # AC1 holds where all is one label
            ]
            yield AgreementLabel(label=name, items=given, figures=[row(one) for one in figures])

    def scales(self, rows: Bools, weights: Floats | None) -> Iterator[EstimateRow]:
        """Ordinal alpha of the severity that people's labels have, and of each criterion of a rubric."""
        policy = self.walk.policy
        cost = {label.name: label.severity for label in policy.labels}
        worst = [max((cost[name] for name in self._given(word)), default=0.0) for word in self.table.labels]
        levels = sorted({0.0, *cost.values()})
        if len(levels) > 2:
            grades = np.array([levels.index(one) for one in worst], dtype=np.int64)
            yield self._ordinal(self._some(rows, weights).merge(grades, len(levels)), "severity")
        for criterion in policy.rubric:
            stars = [
                (one.task_key, one.worker, str(given).zfill(2))
                for one in self.asked.said
                if one.answer is not None
                for name, given in one.answer.ratings
                if name == criterion.name
            ]
            scale = [str(star).zfill(2) for star in range(1, criterion.scale + 1)]
            rated = Ratings.of(AnswerTable.of(stars, tasks=self.table.tasks, labels=scale))
            yield self._ordinal(_some(rated, rows, weights), criterion.name)

    def languages(self, rows: Bools, weights: Floats | None) -> Iterator[AgreementGroup]:
        """Items by their language, where there are several."""
        of = {task.key: str(task.data.get("language", "")) for task in self.asked.tasks}
        language = np.array([of[key] for key in self.table.tasks])
        names = sorted({*language[rows].tolist()} - {""})
        for name in names if len(names) > 1 else ():
            mine = rows & (language == name)
            figures = self._overall(self._some(mine, weights))
            yield AgreementGroup(by="language", name=name, items=int(mine.sum()), figures=figures, others=None)

    def homes(self, by: Home, home: Mapping[str, str]) -> Iterator[AgreementGroup]:
        """People of one vendor or team among themselves, and against all others on the items that both judged."""
        of = np.array([home.get(worker, "") for worker in self.table.workers])
        for name in sorted({*of.tolist()} - {""}):
            mine, others = (Ratings.of(self.table, among=among) for among in (of == name, of != name))
            both = cohen(mine, others)
            twice = mine.people > 1
            yield AgreementGroup(
                by=by,
                name=name,
                items=int(twice.sum()),
                figures=self._overall(mine.take(twice)),
                others=row(_enough(estimates([both], mine.weights, self.rng)[0], int(both.bottom.sum()))),
            )

    def _overall(self, ratings: Ratings) -> list[EstimateRow]:
        wanted: list[Coefficient] = [observed(ratings), alpha(ratings)]
        if not self.walk.policy.multi_label:
            wanted += [gwet(ratings), fleiss(ratings)]
        return [row(_enough(one, len(ratings.counts))) for one in estimates(wanted, ratings.weights, self.rng)]

    def _ordinal(self, ratings: Ratings, name: str) -> EstimateRow:
        found = estimates([alpha(ratings, "ordinal").about(name)], ratings.weights, self.rng)[0]
        return row(_enough(found, found.n))

    def _some(self, rows: Bools, weights: Floats | None) -> Ratings:
        return _some(self.ratings, rows, weights)

    def _given(self, word: str) -> Iterable[str]:
        """The labels of an answer's word in the table."""
        return [name for name in word.split(", ") if name in self.walk.policy.names]


def _some(ratings: Ratings, rows: Bools, weights: Floats | None) -> Ratings:
    return (ratings if weights is None else replace(ratings, weights=weights)).take(rows)


def _enough(estimate: Estimate, items: int) -> Estimate:
    """The estimate, or its interval without a value where it rests on fewer than `LEAST` items."""
    if items >= LEAST or not items or np.isnan(estimate.value):
        return estimate
    return replace(estimate, value=float("nan"), method=f"too few: {items} items, {LEAST} are needed")
