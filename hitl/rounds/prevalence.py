"""How much of the pool violates the policy: by a round's draw, by all draws together, and as active picks have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from hitl.history import EstimateRow, PrevalenceRow, ResponseRow, estimate_row
from hitl.metrics.assisted import Believed, assisted_ratios
from hitl.metrics.audit import violative_view_rate
from hitl.metrics.combined import Part, combined
from hitl.metrics.counts import proportion
from hitl.metrics.figures import prevalences
from hitl.metrics.intervals import FEW, shares
from hitl.rounds.judged import Judged, Measured, judged
from hitl.types import Estimate, Floats, Ints, Resolution

Key = tuple[str, str]
"""A figure's name and label."""

BY_CHANCE = ("audit", "random", "benchmark", "gold", "relabel", "escalation")
"""Arms that no score fills with what is not judged yet."""


@dataclass(frozen=True, eq=False)
class _Known:
    """What is judged of the pool by now: since which round an item is asked about (-1 for gold), and labels."""

    since: Ints  # (n,)
    y: Floats  # (n, k)
    violates: Floats  # (n,)
    reach: Floats  # (n,)

    def before(self, number: int, key: Key, labels: tuple[str, ...]) -> tuple[float, float]:
        """What was judged before a round's draw, and what of it counts: in views or items."""
        name, label = key
        rows = self.since < number
        size = self.reach[rows] if name == "prevalence_by_views" else np.ones(int(rows.sum()))
        counts = self.y[rows, labels.index(label)] if label else self.violates[rows]
        return float(size.sum()), float(size @ counts)


def prevalence(at: Measured) -> PrevalenceRow | None:
    """Shares and totals of the pool; None where neither a draw nor an active pick of the round is settled.

    A draw speaks of what was not judged when it was made. Together with what was judged before, each draw tells of the
    whole pool, as long as the pool is the same: draws from before items came into play are left out.
    """
    walk, number = at.walk, at.number
    resolved = {r.item_id: r for r in walk.ledger.resolutions(number) if r.labels is not None}
    known, draws = _known(at, resolved), dict(_draws(at))
    naive = _naive(at, resolved)
    if not draws and naive is None:
        return None
    free = walk.in_play(number)
    whole = {"prevalence": float(free.sum()), "prevalence_by_views": float(walk.pool.reach[free].sum())}
    parts = {round_: _parts(at, round_, draw) for round_, draw in draws.items()}
    here = parts.get(number, {})
    keys = list(dict.fromkeys(key for found in parts.values() for key in found))
    together = []
    for key in keys:
        placed = [
            _placed(found[key], *known.before(round_, key, walk.policy.names), whole[key[0]])
            for round_, found in parts.items()
            if key in found and whole[key[0]] > 0
        ]
        together.append(combined(placed, name=key[0], label=key[1]))
    return PrevalenceRow(
        items=int(whole["prevalence"]),
        views=whole["prevalence_by_views"],
        judged=int((known.since >= 0).sum()),
        draw="audit" if number else "benchmark",
        here=[estimate_row(combined([part], name=name, label=label)) for (name, label), part in here.items()],
        combined=[estimate_row(one) for one in (*together, *_scaled(together, whole))],
        rounds=sorted(draws),
        naive=naive,
        responses=_responses(at, draws[number]) if number in draws else [],
    )


def _draws(at: Measured) -> Iterator[tuple[int, Judged]]:
    """Each draw from the pool as it is now, with the model that made it; round 0 is the benchmark, made without one."""
    walk, number = at.walk, at.number
    items = int(walk.in_play(number).sum())
    for round_ in range(number + 1):
        if int(walk.in_play(round_).sum()) != items:
            continue
        if round_ == 0:
            found = at.benchmark
        elif round_ == number:
            found = at.audit
        else:
            fitted = walk.fitted(round_ - 1)
            found = judged(walk, number, walk.audit_items(round_), fitted, fitted) if fitted else None
        if found is not None:
            yield round_, found


def _parts(at: Measured, round_: int, draw: Judged) -> dict[Key, Part]:
    """What a draw says of each share; with the model's help where it is known what that believes of the pool."""
    sample = draw.sample
    wanted = list(prevalences(sample))
    top, bottom = (np.stack([getattr(one, side) for one in wanted], axis=1) for side in ("top", "bottom"))
    plain = shares(top, bottom, sample.weights, sample.uncertain)
    believed = at.walk.believed(round_)
    helped = assisted_ratios(wanted, sample, Believed.of(believed)) if believed else None
    parts = {}
    for column, one in enumerate(wanted):
        if not plain.n[column]:
            continue
        part = Part.of(plain, column)
        if helped is not None and np.isfinite(helped.value[column]):
            part = _helped(part, Part.of(helped, column, size=part.size))
        parts[one.name, one.label] = part
    return parts


def _helped(plain: Part, assisted: Part) -> Part:
    """The assisted part; with the plain one's variance where too few events were seen to believe in a smaller one."""
    if assisted.value == plain.value:  # what the model believed would have led outside 0 … 1
        return plain
    return assisted if assisted.events >= FEW else replace(plain, value=assisted.value)


def _placed(part: Part, judged_before: float, counts: float, whole: float) -> Part:
    """A draw's part of the whole pool: what was judged before it is known, and the draw speaks of the rest."""
    return replace(part, known=counts / whole, rest=max(1.0 - judged_before / whole, 0.0))


def _scaled(told: list[Estimate], whole: Mapping[str, float]) -> Iterator[Estimate]:
    """The shares of items and of views as totals of the pool, and the violative view rate."""
    names = {"prevalence": "violating_items", "prevalence_by_views": "violating_views"}
    for one in told:
        if not one.label:
            size = whole[one.name]
            ends = (one.value * size, one.low * size, one.high * size)
            yield Estimate(names[one.name], *ends, one.n, method=one.method)
            if one.name == "prevalence_by_views":
                yield violative_view_rate(one)


def _known(at: Measured, resolved: Mapping[str, Resolution]) -> _Known:
    """All settled items in play, and gold, with the round in which they were asked about first."""
    walk, names = at.walk, np.array(at.walk.policy.names)
    since: dict[str, int] = {}
    for round_ in range(at.number + 1):
        for pick in walk.ledger.picks(round_):
            since.setdefault(pick.item_id, round_)
    gold = walk.gold.known
    told = {item: r.labels or () for item, r in resolved.items() if item in since and item not in gold} | dict(gold)
    positions = walk.positions(told)
    rounds = np.array([-1 if item in gold else since[item] for item in told], dtype=np.int64)
    y = np.array([np.isin(names, labels) for labels in told.values()], dtype=np.float64).reshape(-1, len(names))
    violates = y[:, walk.policy.violating].max(axis=1, initial=0.0)
    free = walk.in_play(at.number)[positions]
    return _Known(rounds[free], y[free], violates[free], walk.pool.reach[positions[free]])


def _naive(at: Measured, resolved: Mapping[str, Resolution]) -> EstimateRow | None:
    """The share of the round's actively picked items that violate, as if they were a sample."""
    picked = [p.item_id for p in at.walk.ledger.picks(at.number) if p.arm not in BY_CHANCE]
    settled = [resolved[item] for item in picked if item in resolved]
    if not settled:
        return None
    bad = at.walk.one_hot(settled)[:, at.walk.policy.violating].max(axis=1, initial=0.0)
    return estimate_row(proportion(int(bad.sum()), len(settled), name="picked_share"))


def _responses(at: Measured, draw: Judged) -> list[ResponseRow]:
    codes, names = at.walk.strata
    mine, settled = codes[draw.drawn], draw.responses.settled
    rows = []
    for code in np.unique(mine).tolist():
        here = mine == code
        drawn, answered = int(here.sum()), int(settled[here].sum())
        rate = estimate_row(proportion(answered, drawn, name="response_rate"))
        rows.append(ResponseRow(stratum=names[code], drawn=drawn, settled=answered, rate=rate))
    return rows
