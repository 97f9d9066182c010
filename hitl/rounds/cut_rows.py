"""The thresholds of one label as a table: what they were and would be, at what risk, and why not promised."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from hitl.history import CutRow, estimate_row
from hitl.history.figures import finite
from hitl.metrics.cuts import Cuts, part_of
from hitl.metrics.operating import Tried
from hitl.metrics.sample import LabelledSample
from hitl.types import Bools, Estimate

Side = TypeVar("Side")
Sides = tuple[Side, Side]
"""One of acting, and one of letting through."""

_ACTIONS: tuple[tuple[str, bool], ...] = (("review", False), ("limit", True), ("remove", True))


@dataclass(frozen=True, eq=False)
class Slice:
    """Items to which one threshold of a label applies, with its thresholds now; `own` where no other has the same."""

    where: str
    rows: Bools
    present: Cuts
    own: bool


def cut_rows(
    sample: LabelledSample, column: int, one: Slice, after: Cuts, tried: Sides[Tried], few: Sides[bool]
) -> list[CutRow]:
    """A row for each action that the label of a column takes in a slice, or would take after.

    `few` says on which side the slice has too few items, so that the threshold is not of its own.
    """
    rows = []
    for action, acts in _ACTIONS:
        present, then = getattr(one.present, action), getattr(after, action)
        if math.isinf(present) and math.isinf(then):
            continue
        of, pooled = tried[not acts], few[not acts]
        reached = sample.proba[:, column] >= then
        share = part_of(sample, (reached if acts else ~reached) & one.rows, one.rows, sample.labels[column])
        promised = bool(math.isfinite(then) and of.kept[of.place(then)]) and not pooled
        rows.append(
            CutRow(
                label=sample.labels[column],
                action=action,  # type: ignore[typeddict-item]
                where=one.where,
                present=finite(present),
                proposed=finite(then),
                risk=estimate_row(_risk(of, then, acts, sample.labels[column])),
                share=estimate_row(share),
                promised=promised,
                pooled=pooled,
                needed=None if promised or math.isinf(of.needed) else _rounded(of.needed),
                why="" if promised else _why(of, acts, pooled, after, then),
            )
        )
    return rows


def _risk(tried: Tried, at: float, acts: bool, label: str) -> Estimate:
    """What was seen at a threshold, with the one-sided bound there."""
    name, level = ("precision" if acts else "missed"), tried.confidence
    if math.isinf(at):
        return Estimate(name, math.nan, 0.0, 1.0, 0, label, level=level, method="never taken")
    place = tried.place(at)
    share, bound, n = float(tried.evidence.share[place]), float(tried.bound[place]), int(tried.evidence.n[place])
    value, low, high = (1 - share, max(1 - bound, 0.0), 1.0) if acts else (share, 0.0, bound)
    method = "one-sided, Clopper-Pearson at the weight of an item" if n else "no judged item bears on it"
    return Estimate(name, value, low, high, n, label, level=level, method=method)


def _why(tried: Tried, acts: bool, pooled: bool, after: Cuts, then: float) -> str:
    n, seen = tried.judged, tried.evidence
    if pooled:
        return f"too few of {n:,} judged items bear on it here; the threshold of elsewhere, or of before, stands"
    if acts and tried.kept.any() and then > after.act:
        return f"stands; all that is acted on from {after.act:g} up keeps the promise as a whole"
    if tried.kept.any():
        return "stands: the other promise leaves no room"
    if not seen.n.any():
        return f"none of {n:,} judged items {'reaches a threshold' if acts else 'has the label'}"
    if math.isinf(tried.needed):
        best = float(np.nanmin(seen.share))
        told = f"at best {1 - best:.3f} are right" if acts else f"at best {best:.3f} are missed"
        return f"no number of judged items would do: {told} at any threshold, on {n:,} of them"
    return f"cannot be promised with {n:,} judged items; about {_rounded(tried.needed):,} would do"


def _rounded(needed: float) -> int:
    """To two digits, upwards: an extrapolation knows no more."""
    step: int = 10 ** max(len(str(math.ceil(needed))) - 2, 0)
    return math.ceil(needed / step) * step
