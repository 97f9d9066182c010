"""The action thresholds at which wrong decisions cost least, and what they save against the present ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hitl.errors import DataError
from hitl.metrics.operating import GRID
from hitl.metrics.remaining import decision_costs
from hitl.metrics.sample import LabelledSample
from hitl.types import Bools, Estimate, Floats, Ints

FOLDS = 10

SURE = 0.99
"""Level at which a label must be shown to save: several labels have a chance each to be wrong."""

_NEVER = 1.0 + 1e-9


@dataclass(frozen=True, eq=False)
class Bill:
    """What decisions cost: `severity` and `wrong_action` (n, k) a view as `Policy.costs`, `review` an item or None.

    All in the policy's units. Without a cost of review, what is sent to people counts as left up.
    """

    severity: Floats
    wrong_action: Floats
    review: float | None = None


@dataclass(frozen=True, eq=False)
class Cheapest:
    """Each label's cheapest threshold (k,) and the saving an item that was found for it; NaN where the present stands.

    `review_from` (k,) likewise, where review has a cost. `saving` is what all of them save together, an item.
    """

    act_from: Floats
    review_from: Floats
    by_label: tuple[Estimate, ...]
    saving: Estimate


def cheapest(sample: LabelledSample, bill: Bill, rng: np.random.Generator) -> Cheapest:
    """The thresholds of least expected cost, label by label, where they are shown to cost less than the present ones.

    A label's threshold is that of least cost on the sample, all others being as they are. What it saves is measured on
    items that had no part in the choice (`FOLDS`-fold cross-fitting; Chernozhukov et al. 2018, Econometrics Journal
    21:C1), with a t interval of the weighted mean over items; only where that is above 0 (at `SURE`) does it replace
    the present one. Items that people left open are left out. Raises `DataError` for shapes. O(k n G).
    """
    if bill.severity.shape != sample.y.shape or bill.wrong_action.shape != sample.y.shape:
        raise DataError(f"costs have the shape {bill.severity.shape}; the sample needs {sample.y.shape}")
    settled = ~np.isnan(sample.violates)
    fold = rng.permutation(len(sample)) % FOLDS
    acts = np.isfinite(sample.act_at).any(axis=0) & sample.violating
    k = len(sample.labels)
    act_from, review_from, told = np.full(k, np.nan), np.full(k, np.nan), []
    for column in range(k):
        name = sample.labels[column]
        if not acts[column]:
            told.append(Estimate("saving", np.nan, -np.inf, np.inf, 0, name, method="the policy never acts on it"))
            continue
        found = _saving(sample, bill, [column], fold, settled, SURE)
        told.append(found)
        if found.low > 0:
            review_from[column], act_from[column] = _best(sample, bill, column, settled)
    chosen = [int(column) for column in np.flatnonzero(np.isfinite(act_from))]
    return Cheapest(act_from, review_from, tuple(told), replace(_saving(sample, bill, chosen, fold, settled), label=""))


def _saving(
    sample: LabelledSample, bill: Bill, columns: list[int], fold: Ints, settled: Bools, level: float = 0.95
) -> Estimate:
    """What the thresholds of some labels, each chosen without the fold that it is judged on, save an item of it."""
    from scipy.special import stdtrit

    label = sample.labels[columns[0]] if len(columns) == 1 else ""
    n = int(settled.sum())
    method = f"{FOLDS}-fold cross-fitting, t interval"
    if not columns or n < FOLDS:
        why = "no other threshold is shown to cost less" if n >= FOLDS else f"{n} judged items are too few"
        return Estimate("saving", 0.0, 0.0, 0.0, n, label, method=why)
    saved = np.zeros(len(sample))
    for one in range(FOLDS):
        out, rest = fold == one, settled & (fold != one)
        after = sample
        for column in columns:
            after = moved(after, column, *_best(sample, bill, column, rest))
        saved[out] = (_cost(sample, bill) - _cost(after, bill))[out]
    weights = sample.weights[settled] / sample.weights[settled].sum()
    mean = float(weights @ saved[settled])
    parts = weights * (saved[settled] - mean)
    squares = parts**2
    freedom = max(float(squares.sum() ** 2 / max((squares**2).sum(), 1e-300)) - 1, 1.0)
    half = float(stdtrit(freedom, (1 + level) / 2) * np.sqrt(squares.sum() * n / (n - 1)))
    return Estimate("saving", mean, mean - half, mean + half, n, label, level, method)


def moved(sample: LabelledSample, column: int, review: float, act: float) -> LabelledSample:
    """The sample under other thresholds of one label: acting begins at `act`, review at `review` (NaN: as it was)."""
    limit, remove, seen = sample.limit_at.copy(), sample.remove_at.copy(), sample.review_at.copy()
    both = np.isfinite(limit[:, column]) & np.isfinite(remove[:, column])
    remove[:, column] = np.where(
        both, np.maximum(remove[:, column], act), np.where(np.isfinite(remove[:, column]), act, np.inf)
    )
    limit[:, column] = np.where(np.isfinite(limit[:, column]), act, np.inf)
    seen[:, column] = np.minimum(seen[:, column] if np.isnan(review) else review, act)
    return replace(sample, limit_at=limit, remove_at=remove, review_at=seen)


def _best(sample: LabelledSample, bill: Bill, column: int, rows: Bools) -> tuple[float, float]:
    """The review and act thresholds of one label that cost least on some items; review NaN where it has no cost.

    With cumulated costs of the items below and above every threshold, both are found in one walk over the grid.
    """
    kept, seen, acted = _cost_of_zones(sample, bill, column)
    at = np.append(GRID, _NEVER)
    weights = np.where(rows, sample.weights, 0.0)
    above = (sample.proba[:, column][:, None] >= at).astype(np.float64)
    up, reviewed, down = ((weights * part) @ above for part in (kept, seen, acted))
    from_act = down - reviewed
    if bill.review is None:
        return float("nan"), float(at[int((down - up).argmin())])
    # Least of (reviewed - up)[r] + (down - reviewed)[a] over r <= a.
    first = np.minimum.accumulate(reviewed - up)
    act = int((first + from_act).argmin())
    review = int((reviewed - up)[: act + 1].argmin())
    return float(at[review]), float(at[act])


def _cost_of_zones(sample: LabelledSample, bill: Bill, column: int) -> tuple[Floats, Floats, Floats]:
    """What each item costs (n,) if this label lets it through, has it reviewed, or acts; the others do as they do."""
    seen_at, limit_at, remove_at = (
        _with(at, column, np.inf) for at in (sample.review_at, sample.limit_at, sample.remove_at)
    )
    never = replace(sample, review_at=seen_at, limit_at=limit_at, remove_at=remove_at)
    seen = replace(never, review_at=_with(seen_at, column, 0.0))
    acted = replace(never, limit_at=_with(limit_at, column, 0.0))
    kept, reviewed, acting = (_cost(one, bill) for one in (never, seen, acted))
    return kept, reviewed, acting


def _with(at: Floats, column: int, value: float) -> Floats:
    other = at.copy()
    other[:, column] = value
    return other


def _cost(sample: LabelledSample, bill: Bill) -> Floats:
    """What the decisions cost in views × severity, and review where it has a price; 0 where people left it open."""
    wrong, _ = decision_costs(sample, bill.severity, bill.wrong_action)
    if bill.review is not None:
        acts = sample.reaches(sample.act_at).any(axis=1)
        seen = sample.reaches(sample.review_at).any(axis=1) & ~acts
        wrong = np.where(seen, bill.review, wrong)
    return np.nan_to_num(wrong)
