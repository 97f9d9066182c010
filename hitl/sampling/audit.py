"""The audit's weights, and what the model that made them believes of the pool they are drawn from."""

from __future__ import annotations

import numpy as np

from hitl.deciding import violation
from hitl.errors import ConfigError
from hitl.history import BelievedRow
from hitl.sampling.scorers._view import blocks
from hitl.sampling.sketch import from_units, in_units
from hitl.types import Bools, Floats, PoolView, Proba


def audit_weights(view: PoolView, mean_reach: float, views_share: float) -> Floats:
    """How much the audit wants each item (n,): doubt × √((1 - s)² + (s × reach / mean reach)²); O(n k).

    Doubt is the standard deviation √(p (1 - p)) of what a person will say, by the view's calibrated probabilities: of
    whether the item violates anything, or of whether a violating label applies, whichever is larger. In proportion to
    it the model-assisted estimate of a share has the least variance that any design of this size can have (Godambe
    & Joshi 1965; Särndal, Swensson & Wretman 1992, sec. 12.2). The root serves shares of items and of views at once,
    s being `views_share`: whatever the distribution of reach, their variances are at most 1 + s ρ / (1 - s) and
    1 + (1 - s) / (s ρ) times the least, where ρ is the mean reach of what is in doubt over that of all.

    >>> from hitl.sampling.view import example_view
    >>> view = example_view([[1, 0], [0.5, 0.5], [0.5, 0.5]], reach=[1, 1, 7])
    >>> audit_weights(view, mean_reach=3.0, views_share=0.0)
    array([0. , 0.5, 0.5])
    """
    wanted = np.hypot(1 - views_share, views_share * (view.reach / mean_reach))
    for rows, proba in blocks(view):
        wanted[rows] *= np.sqrt(_variance(view, violation(proba.T, view.violating, view.multi_label), proba))
    return wanted


def _variance(view: PoolView, any_: Floats, proba: Proba) -> Floats:
    largest: Floats = any_ * (1 - any_)
    for column in np.flatnonzero(view.violating):
        p = proba[column].astype(np.float64)
        np.maximum(largest, p * (1 - p), out=largest)
    return largest


class Beliefs:
    """Sums over items of what a model believes, which merge and do not depend on the order of the items.

    >>> from hitl.sampling.view import example_view
    >>> beliefs = Beliefs(mean_reach=2.0)
    >>> beliefs.feed(example_view([[1, 0], [0.5, 0.5]], reach=[3, 1]), np.array([True, True]))
    >>> beliefs.result()
    {'prevalence': 0.25, 'prevalence_by_views': 0.125, 'labels': {'l0': 0.75, 'l1': 0.25}}
    """

    def __init__(self, mean_reach: float) -> None:
        self.mean_reach = mean_reach
        self._items = self._views = self._violating = self._seen = 0
        self._labels: tuple[str, ...] = ()
        self._by_label: list[int] = []

    def feed(self, view: PoolView, chosen: Bools) -> None:
        """Add the chosen (n,) items of a view of calibrated probabilities; O(n k)."""
        self._know(view.labels)
        for rows, proba in blocks(view):
            mine = chosen[rows]
            reach = view.reach[rows][mine] / self.mean_reach
            any_ = violation(proba.T, view.violating, view.multi_label)[mine]
            self._items += len(any_)
            self._views += in_units(reach)
            self._violating += in_units(any_)
            self._seen += in_units(any_ * reach)
            for column, p in enumerate(proba):
                self._by_label[column] += in_units(p[mine].astype(np.float64))

    def merge(self, other: Beliefs) -> None:
        """Take over the sums of other items; raises `ConfigError` when they are of other labels."""
        if not other._labels:
            return
        self._know(other._labels)
        self._items += other._items
        self._views += other._views
        self._violating += other._violating
        self._seen += other._seen
        self._by_label = [mine + theirs for mine, theirs in zip(self._by_label, other._by_label, strict=True)]

    def result(self) -> BelievedRow:
        """The shares of items, of views and by label that the model believes in; NaN where there is nothing."""
        items = self._items or float("nan")
        return BelievedRow(
            prevalence=from_units(self._violating) / items,
            prevalence_by_views=self._seen / (self._views or float("nan")),
            labels={name: from_units(units) / items for name, units in zip(self._labels, self._by_label, strict=True)},
        )

    def _know(self, labels: tuple[str, ...]) -> None:
        if not self._labels:
            self._labels, self._by_label = labels, [0] * len(labels)
        elif labels != self._labels:
            raise ConfigError("scans of models with other labels do not merge; scan all of a pool with one model")
