"""Figures that are ratios of weighted totals: what stands above and below the line for each item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hitl.metrics.sample import LabelledSample
from hitl.types import Bools, Floats


@dataclass(frozen=True, eq=False)
class Ratio:
    """One figure as Σ w top / Σ w bottom, with 0 ≤ top ≤ bottom (n,); `empty` says what a bottom of nothing means.

    `rests` are the items that it rests on, where those of the bottom are not what it takes.
    """

    name: str
    label: str
    top: Floats
    bottom: Floats
    empty: str
    rests: int | None = None


def ratios(sample: LabelledSample) -> list[Ratio]:
    """Every ratio that `measure` tells, in the order in which it tells them."""
    return [*overall(sample), *by_label(sample), *at_actions(sample)]


def overall(sample: LabelledSample) -> Iterator[Ratio]:
    """Accuracy (all labels of the item right), Brier score and prevalence by items and by views."""
    whole = sample.whole.astype(float)
    right = (sample.predicted == sample.truth).all(axis=1)
    yield Ratio("accuracy", "", whole * right, whole, "no item is settled")
    miss = ((sample.proba - np.nan_to_num(sample.y)) ** 2).sum(axis=1)
    # Brier (1950) summed over classes reaches 2 for a single label; halved it is a share like the rest.
    scale = len(sample.labels) if sample.multi_label else 2
    yield Ratio("brier", "", whole * np.minimum(miss / scale, 1.0), whole, "no item is settled")
    yield from prevalences(sample)


def prevalences(sample: LabelledSample) -> Iterator[Ratio]:
    """Share of items, and of views, that violate the policy, and share of items by label."""
    settled = (~np.isnan(sample.violates)).astype(float)
    bad = np.nan_to_num(sample.violates)
    yield Ratio("prevalence", "", bad, settled, "no item is settled")
    yield Ratio("prevalence_by_views", "", bad * sample.reach, settled * sample.reach, "no settled item has views")
    for column, label in enumerate(sample.labels):
        known = sample.known[:, column].astype(float)
        yield Ratio("prevalence", label, sample.truth[:, column].astype(float), known, "no item is settled")


def by_label(sample: LabelledSample) -> Iterator[Ratio]:
    """F1, precision and recall of each label as the model predicts it."""
    for column, label in enumerate(sample.labels):
        known = sample.known[:, column]
        says, is_so = sample.predicted[:, column] & known, sample.truth[:, column]
        hit = (says & is_so).astype(float)
        nothing, rests = "the label was neither predicted nor found", int(min(says.sum(), is_so.sum()))
        yield Ratio("f1", label, 2 * hit, says.astype(float) + is_so, nothing, rests)
        yield from _precision_recall(label, "", says, is_so)


def at_actions(sample: LabelledSample) -> Iterator[Ratio]:
    """Precision and recall where the policy acts: `remove`, `limit`, `review`, and `act` (limit or remove).

    With a label, of the items whose probability of it reaches the threshold; without, of the items that any violating
    label takes there, right when any violating label applies.
    """
    thresholds = {
        "remove": sample.remove_at,
        "limit": sample.limit_at,
        "review": sample.review_at,
        "act": sample.act_at,
    }
    settled = ~np.isnan(sample.violates)
    bad = np.nan_to_num(sample.violates) > 0
    for action, at in thresholds.items():
        used = np.isfinite(at).any(axis=0) & sample.violating
        if not used.any():
            continue
        reached = sample.reaches(at)
        yield from _precision_recall("", f"@{action}", reached.any(axis=1) & settled, bad)
        for column in np.flatnonzero(used) if action != "act" else ():
            says = reached[:, column] & sample.known[:, column]
            yield from _precision_recall(sample.labels[column], f"@{action}", says, sample.truth[:, column])


def _precision_recall(label: str, at: str, says: Bools, is_so: Bools) -> Iterator[Ratio]:
    hit = (says & is_so).astype(float)
    yield Ratio(f"precision{at}", label, hit, says.astype(float), "the model took no judged item there")
    yield Ratio(f"recall{at}", label, hit, is_so.astype(float), "no judged item deserves it")
