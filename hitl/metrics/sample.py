"""What figures are made of: items that people judged, what a model believed of them, and how they were drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hitl.deciding import decide
from hitl.errors import DataError
from hitl.metrics.intervals import FEWEST
from hitl.policy import Policy
from hitl.types import Bools, Floats, Ints, Proba, Resolution


@dataclass(frozen=True, eq=False)
class LabelledSample:
    """n judged items of a probability sample, with a model's probabilities of k labels and the policy's thresholds.

    `y` (n, k) is 0, 1 or NaN where people left it open; open cells are masked. `weights` (n,) are 1 / inclusion
    probability. Where `finite`, figures are about the pool that was drawn from, so that an item drawn for certain
    (weight 1) adds no uncertainty; otherwise about the stream that the items came from. Thresholds (n, k) are
    infinite where the policy never acts. Raises `DataError` when shapes or values do not fit.

    >>> policy = Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: spam}]}")
    >>> said = [("ok",), ("spam",), None]
    >>> judged = [Resolution(f"item {i}", i, labels, 1.0, "majority", "1") for i, labels in enumerate(said)]
    >>> LabelledSample.of(policy, judged, np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]))
    LabelledSample(3 items × 2 labels, 1 open)
    """

    y: Floats
    proba: Floats
    labels: tuple[str, ...]
    multi_label: bool
    violating: Bools
    weights: Floats
    reach: Floats
    review_at: Floats
    limit_at: Floats
    remove_at: Floats
    finite: bool = True
    thresholds: Floats | None = None  # (k,) at which the model decides; see `hitl.deciding.decide`

    def __post_init__(self) -> None:
        n, k = len(self.y), len(self.labels)
        shapes = {
            "y": (n, k),
            "proba": (n, k),
            "violating": (k,),
            "weights": (n,),
            "reach": (n,),
            "review_at": (n, k),
            "limit_at": (n, k),
            "remove_at": (n, k),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise DataError(f"{name} has the shape {getattr(self, name).shape}; {n} items, {k} labels need {shape}")
        for name, bad in (
            ("y", ~(np.isnan(self.y) | (self.y == 0) | (self.y == 1)).all(axis=1)),
            ("proba", ~((self.proba >= 0) & (self.proba <= 1)).all(axis=1)),
            ("weights", ~(np.isfinite(self.weights) & (self.weights > 0))),
            ("reach", ~(np.isfinite(self.reach) & (self.reach >= 0))),
        ):
            if bad.any():
                first = int(np.flatnonzero(bad)[0])
                raise DataError(f"{name} of item {first} cannot be measured ({int(bad.sum())} such); mend or drop them")

    @classmethod
    def of(
        cls,
        policy: Policy,
        resolutions: Sequence[Resolution],
        proba: Floats | Proba,
        *,
        inclusion: Floats | None = None,
        reach: Floats | None = None,
        regions: Sequence[str] = (),
        thresholds: Floats | None = None,
    ) -> LabelledSample:
        """The sample of n resolutions with probabilities (n, k), in the same order.

        `inclusion` (n,) are the probabilities in (0, 1] with which the items were drawn; without them every item weighs
        the same, and figures are about the stream it came from. `regions` (n,) choose each item's thresholds.
        """
        n, k = len(resolutions), len(policy.names)
        place = {name: column for column, name in enumerate(policy.names)}
        y = np.full((n, k), np.nan)
        for row, resolution in enumerate(resolutions):
            if resolution.labels is not None:
                y[row] = 0.0
                y[row, [place[name] for name in resolution.labels if name in place]] = 1.0
        if inclusion is not None and not ((inclusion > 0) & (inclusion <= 1)).all():
            raise DataError(
                "inclusion probabilities must be above 0 and at most 1; only drawn items belong in a sample"
            )
        names, codes = np.unique(np.array(regions or [""] * n, dtype=str), return_inverse=True)
        costs = policy.costs([str(name) for name in names])
        return cls(
            y=y,
            proba=np.asarray(proba, dtype=np.float64),
            labels=policy.names,
            multi_label=policy.multi_label,
            violating=policy.violating,
            weights=np.ones(n) if inclusion is None else 1.0 / inclusion,
            reach=np.ones(n) if reach is None else np.asarray(reach, dtype=np.float64),
            review_at=costs.review_at[codes],
            limit_at=costs.limit_at[codes],
            remove_at=costs.remove_at[codes],
            finite=inclusion is not None,
            thresholds=thresholds,
        )

    def __len__(self) -> int:
        return len(self.y)

    @cached_property
    def known(self) -> Bools:
        """(n, k) whether people settled the cell."""
        return ~np.isnan(self.y)

    @cached_property
    def whole(self) -> Bools:
        """(n,) whether people settled every label of the item."""
        return np.asarray(self.known.all(axis=1))

    @cached_property
    def truth(self) -> Bools:
        """(n, k) whether the label applies; False where open."""
        applies: Bools = np.nan_to_num(self.y) > 0
        return applies

    @cached_property
    def common(self) -> Bools:
        """(k,) which labels at least `FEWEST` items have: those that means over labels are taken of."""
        return np.asarray(self.truth.sum(axis=0) >= FEWEST)

    @cached_property
    def act_at(self) -> Floats:
        """(n, k) from where on the policy acts without a person: it limits or removes."""
        return np.minimum(self.limit_at, self.remove_at)

    def reaches(self, at: Floats) -> Bools:
        """(n, k) which violating labels an item's probabilities reach the thresholds (n, k) of."""
        return np.asarray((self.proba >= at) & self.violating)

    @cached_property
    def predicted(self) -> Bools:
        """(n, k) which labels the model gives, by its thresholds."""
        return decide(self.proba, self.thresholds, self.multi_label)

    @cached_property
    def violates(self) -> Floats:
        """(n,) 1 where some violating label applies, 0 where none does, NaN where that is open."""
        some = (self.truth & self.violating).any(axis=1)
        settled = self.known[:, self.violating].all(axis=1)
        return np.where(some, 1.0, np.where(settled, 0.0, np.nan))

    @cached_property
    def uncertain(self) -> Floats:
        """(n,) share of an item's variance that the drawing leaves: 1 - inclusion, or 1 for an endless stream."""
        return np.maximum(1.0 - 1.0 / self.weights, 0.0) if self.finite else np.ones(len(self))

    def take(self, rows: Bools | Ints) -> LabelledSample:
        """Some of the items, as drawn: a probability sample of that part of the pool."""
        by_item = ("y", "proba", "weights", "reach", "review_at", "limit_at", "remove_at")
        return replace(self, **{name: getattr(self, name)[rows] for name in by_item})

    def __repr__(self) -> str:
        return f"LabelledSample({len(self):,} items × {len(self.labels)} labels, {int((~self.whole).sum())} open)"
