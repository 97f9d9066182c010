"""What scorers look at, made from a model's probabilities and the policy; what is at stake; and strata by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hitl.errors import ConfigError
from hitl.policy import Costs, Policy
from hitl.sampling.plan import Plan
from hitl.sampling.uniforms import draws
from hitl.types import Embeddings, Floats, Ints, Keys, Known, PoolView, Proba


@dataclass(frozen=True, eq=False)
class Viewer:
    """Makes the views of one round: `regions` are the names behind the region codes, `seed` is the round's.

    >>> policy = Policy.parse("name: p\\nversion: 1\\nlabels: [{name: ok, violating: false}, {name: spam}]")
    >>> viewer = Viewer(policy, ("",), seed=1)
    >>> keys, proba = np.array([5], dtype=np.uint64), np.array([[0.9, 0.1]], dtype=np.float32)
    >>> viewer.view(keys, proba, reach=np.ones(1), regions=np.zeros(1, dtype=np.int64)).severity
    array([[0., 1.]])
    """

    policy: Policy
    regions: tuple[str, ...]
    seed: int

    @cached_property
    def _costs(self) -> Costs:
        return self.policy.costs(self.regions)

    def view(
        self,
        keys: Keys,
        proba: Proba,
        reach: Floats,
        regions: Ints,
        *,
        embeddings: Embeddings | None = None,
        committee: Proba | None = None,
        known: Known | None = None,
    ) -> PoolView:
        """A view of n items: keys (n,), proba (n, k), reach (n,), region codes (n,). O(n k) time and memory.

        Embeddings (n, d), the committee's probabilities (h, n, k) and what is known are handed through as they are.
        """
        costs = self._costs
        return PoolView(
            keys=keys,
            proba=proba,
            labels=self.policy.names,
            multi_label=self.policy.multi_label,
            violating=self.policy.violating,
            reach=reach,
            severity=_by_item(costs.severity, regions),
            benign_cost=_by_item(costs.benign_cost, regions),
            act_at=_by_item(costs.act_at, regions),
            draw=draws(keys, self.seed),
            cuts=_by_item(costs.cuts, regions),
            embeddings=embeddings,
            committee=committee,
            known=known,
        )


def _by_item(table: Floats, regions: Ints) -> Floats:
    if len(table) == 1:  # one region: every item reads the same row, none needs a copy
        return np.broadcast_to(table[0], (len(regions), *table.shape[1:]))
    return np.take(table, regions, axis=0)


def one_label(view: PoolView, label: int) -> PoolView:
    """The view of one label as a question of its own, by its column: the same n items. O(n k) time, O(n) memory.

    In a multi-label view k = 1, the question being whether the label applies. In a single-label one k = 2: the label,
    and before it its strongest rival, so that the margin is that between the two, wherever the others stand; the two
    probabilities do not add up to 1. Of what is known it keeps the anchors of that label alone.

    >>> view = one_label(example_view([[0.2, 0.5, 0.3]]), 2)
    >>> view.labels, view.proba
    (('not l2', 'l2'), array([[0.5, 0.3]], dtype=float32))
    """
    only = slice(label, label + 1)

    def columns(table: Any, rival: Any) -> Any:
        """A table (…, k) cut to the label, with what stands for its rival before it."""
        if table is None or view.multi_label:
            return None if table is None else table[..., only]
        return np.concatenate([rival(table), table[..., only]], axis=-1)

    def strongest(proba: Proba) -> Proba:
        others = [proba[..., column] for column in range(proba.shape[-1]) if column != label]
        return np.asarray(np.maximum.reduce(others) if others else np.zeros(proba.shape[:-1], np.float32))[..., None]

    def never(table: Floats) -> Floats:
        return np.full_like(table[..., only], np.inf)

    known, cuts = view.known, view.cuts
    single = () if view.multi_label else (view.embeddings[:0] if view.embeddings is not None else _NOWHERE,)
    return replace(
        view,
        proba=columns(view.proba, strongest),
        labels=view.labels[only] if view.multi_label else (f"not {view.labels[label]}", view.labels[label]),
        violating=columns(view.violating, lambda table: np.zeros(1, dtype=np.bool_)),
        severity=columns(view.severity, lambda table: np.zeros_like(table[..., only])),
        benign_cost=columns(view.benign_cost, lambda table: table[..., only]),
        act_at=columns(view.act_at, never),
        cuts=None if cuts is None else np.moveaxis(columns(np.moveaxis(cuts, 1, 2), never), 2, 1),
        committee=columns(view.committee, strongest),
        known=None if known is None else replace(known, anchors=(*single, *known.anchors[only])),
        settled=columns(view.settled, lambda table: 1 - table[..., only]),
    )


_NOWHERE = np.empty((0, 0), dtype=np.int16)


@dataclass(frozen=True)
class Stakes:
    """What sets the scale of cost in a pool: its mean reach (views an item), and the policy's highest cost a view.

    Both are known before the scan, so that no weight depends on how the pool is cut.
    """

    mean_reach: float
    highest_cost: float

    @classmethod
    def of(cls, policy: Policy, regions: Sequence[str], reach: Floats) -> Stakes:
        """The stakes of a pool under a policy; a pool without reach counts as one view an item. O(N) time.

        The highest cost is that of the worst certain mistake in any region: leaving up the most severe label (all
        labels at once in a multi-label policy), or acting on what deserves none.

        >>> policy = Policy.parse(
        ...     "{name: p, version: 1, labels: [{name: ok, violating: false}, {name: threat, severity: 9}]}")
        >>> Stakes.of(policy, ("",), np.array([10.0, 30.0]))
        Stakes(mean_reach=20.0, highest_cost=9.0)
        """
        costs = policy.costs(regions)
        left_up = costs.severity.sum(axis=1) if policy.multi_label else costs.severity.max(axis=1)
        acted = np.where(np.isfinite(costs.act_at) & policy.violating, costs.benign_cost, 0.0)
        highest = float(max(left_up.max(initial=0.0), acted.max(initial=0.0)))
        mean = float(reach.mean()) if len(reach) else 0.0
        return cls(mean or 1.0, highest or 1.0)

    @property
    def worst(self) -> float:
        """The cost of the worst certain mistake on an item of mean reach."""
        return self.mean_reach * self.highest_cost

    def scales(self, plan: Plan) -> dict[str, float]:
        """Where an unbounded score counts one half: by default an even chance of the worst mistake at mean reach."""
        return {"impact": plan.impact_scale or self.worst / 2}


def join_strata(columns: Sequence[tuple[Ints, tuple[str, ...]]], length: int) -> tuple[Ints, tuple[str, ...]]:
    """Columns of codes made one: codes (n,) and names, the values joined by `|`; only those that occur.

    `columns` are pairs of codes (n,) and the names behind them; without columns all items are one stratum called
    `""`. O(n) time and memory for each column (plus a sort of the combinations that occur).

    >>> language = (np.array([0, 1, 0]), ("en", "id"))
    >>> flag = (np.array([1, 0, 1]), ("", "synthetic"))
    >>> join_strata([language, flag], 3)
    (array([0, 1, 0]), ('en|synthetic', 'id|'))
    """
    if len(columns) == 1:
        return columns[0]
    joint, names = np.zeros(length, dtype=np.int64), [""]
    for position, (codes, values) in enumerate(columns):
        used, joint = np.unique(joint * len(values) + codes, return_inverse=True)
        pairs = [(names[code // len(values)], values[code % len(values)]) for code in used.tolist()]
        names = [f"{left}|{right}" if position else right for left, right in pairs]
    return joint, tuple(names)


def check_quotas(quotas: Mapping[str, float], strata: Sequence[str]) -> None:
    """Raises `ConfigError` with the nearest names when a quota is for a stratum that the pool does not have."""
    for name in quotas:
        if name not in strata:
            near = get_close_matches(name, strata) or list(strata)[:10]
            raise ConfigError(f"quotas: the pool has no stratum {name!r}; did you mean {' or '.join(map(repr, near))}?")


def example_view(
    proba: ArrayLike,
    *,
    multi_label: bool = False,
    reach: ArrayLike = 1.0,
    severity: float = 1.0,
    benign_cost: float = 1.0,
    act_at: float = np.inf,
) -> PoolView:
    """A small view for examples and trials: label `l0` is harmless in a single-label view, all others violate.

    >>> example_view([[0.2, 0.8]]).labels
    ('l0', 'l1')
    """
    p = np.asarray(proba, dtype=np.float32)
    n, k = p.shape
    violating = np.array([multi_label or column > 0 for column in range(k)])
    keys = np.arange(1, n + 1, dtype=np.uint64)
    return PoolView(
        keys=keys,
        proba=p,
        labels=tuple(f"l{column}" for column in range(k)),
        multi_label=multi_label,
        violating=violating,
        reach=np.broadcast_to(np.asarray(reach, dtype=np.float64), n).copy(),
        severity=np.tile(np.where(violating, severity, 0.0), (n, 1)),
        benign_cost=np.full((n, k), benign_cost),
        act_at=np.tile(np.where(violating, act_at, np.inf), (n, 1)),
        draw=draws(keys, 0),
    )
