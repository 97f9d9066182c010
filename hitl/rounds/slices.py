"""Where a round's model errs more than elsewhere: its mistakes by facet, pair of facets, and the worst slices."""

from __future__ import annotations

from typing import Any

import numpy as np

from hitl.history import GapRow, SliceRow, SlicesRow, WorstRow, estimate_row
from hitl.metrics.facets import Facets
from hitl.metrics.quality import ratio_estimates
from hitl.metrics.slices import LEAST, Gap, SliceRates, by_slice, rates
from hitl.metrics.worst_slices import WorstSlice, worst_slices
from hitl.rounds.judged import Judged, Measured
from hitl.rounds.walk import Walk

MOST_PAIRS = 30
"""Pairs of facet values that are told: those whose gaps stand first, then the largest."""

MOST_VALUES = 40
"""Values of a facet that are told apart; the rarer ones are one, `OTHERS`."""

OTHERS = "(others)"


def slices(at: Measured) -> SlicesRow | None:
    """The new model's mistakes on the benchmark by slice; without a benchmark the old one's on the audit draw.

    None without a sample, or without a facet that tells items apart.
    """
    name, judged, fitted = ("benchmark", at.benchmark, at.new) if at.benchmark else ("audit", at.audit, at.old)
    if judged is None or fitted is None:
        return None
    facets = facets_of(at.walk, judged)
    if not facets.names:
        return None
    rng = at.rng("slices")
    told = by_slice(judged.sample, facets, rng)
    singles = [row for row in told if len(row.where) == 1]
    pairs = sorted((row for row in told if len(row.where) > 1), key=lambda row: (not _stands(row), -row.items))
    search = worst_slices(judged.sample, facets, rng)
    sizes = {facet: len(values) for facet, values in zip(facets.names, facets.values, strict=True)}
    return SlicesRow(
        sample=name,
        model_id=fitted.model_id,
        items=len(judged.sample),
        facets=sizes,
        least=LEAST,
        small={facet: sizes[facet] - sum(facet in row.where for row in singles) for facet in facets.names},
        overall=[estimate_row(one) for one in ratio_estimates(rates(judged.sample), judged.sample)],
        slices=[_slice(row) for row in [*singles, *pairs[:MOST_PAIRS]]],
        left_out=max(len(pairs) - MOST_PAIRS, 0),
        worst=[_worst(one) for one in search.found],
        searched=search.searched,
    )


def facets_of(walk: Walk, judged: Judged) -> Facets:
    """The facets that tell the judged items apart: language, region, modality, and the pool's own.

    Columns that hold labels are no facets, nor the round in which an item comes into play.
    """
    names, values, codes = [], [], []
    for name in ("language", "region", "modality", *walk.pool.columns.facets):
        if name in (walk.plan.gold_column, walk.plan.replay) or _holds_labels(walk, name):
            continue
        own, of = _told_apart(*walk.pool.codes(name), judged)
        if len(of) > 1:
            names.append(name)
            values.append(of)
            codes.append(own)
    together = np.stack(codes, axis=1) if codes else np.zeros((len(judged.sample), 0), dtype=np.int64)
    return Facets(tuple(names), tuple(values), together)


def _told_apart(codes: Any, values: tuple[str, ...], judged: Judged) -> tuple[Any, tuple[str, ...]]:
    """The values that the judged items have, the rare ones as one."""
    seen, own, counts = np.unique(codes[judged.positions], return_inverse=True, return_counts=True)
    named = [values[at] for at in seen]
    if len(seen) <= MOST_VALUES:
        return own, tuple(named)
    kept = np.sort(np.argsort(-counts, kind="stable")[: MOST_VALUES - 1])
    place = np.full(len(seen), len(kept), dtype=np.int64)
    place[kept] = np.arange(len(kept))
    return place[own], (*(named[at] for at in kept), OTHERS)


def _holds_labels(walk: Walk, name: str) -> bool:
    """Whether all that stands in a column are labels of the policy: it would slice the mistakes by the truth."""
    _, values = walk.pool.codes(name)
    parts = {part for value in values for part in value.split("|") if part}
    return bool(parts) and parts <= set(walk.policy.names)


def _stands(row: SliceRates) -> bool:
    return any(gap.stands for gap in row.gaps.values())


def _slice(row: SliceRates) -> SliceRow:
    return SliceRow(
        where=row.where,
        items=row.items,
        rates=[estimate_row(one) for one in row.rates],
        gaps={name: _gap(gap) for name, gap in row.gaps.items()},
    )


def _gap(gap: Gap) -> GapRow:
    told = estimate_row(gap.difference), estimate_row(gap.together)
    return GapRow(difference=told[0], together=told[1], p=gap.p, adjusted=gap.adjusted)


def _worst(one: WorstSlice) -> WorstRow:
    inside, outside, difference = (estimate_row(each) for each in (one.inside, one.outside, one.difference))
    return WorstRow(where=one.where, inside=inside, outside=outside, difference=difference, p=one.p)
