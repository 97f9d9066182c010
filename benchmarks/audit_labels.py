"""What the audit's design saves: labels for the same interval of prevalence by an even draw with Wilson's interval.

Pools of half a million items with planted truth and heavy-tailed reach, scored by binormal models of known average
precision: calibrated, overconfident, claiming too much, and knowing nothing. One more is real: `TextLinear` on
davidson, hate made rare. Each audit is drawn and estimated as a campaign does it. An even draw's width at any size is
that of `hitl.metrics.intervals`, exact for items and simulated for views; the labels that it needs for the mean width
of ours are read off that curve. The bound (Godambe & Joshi 1965) is what the best design for that figure alone saves in
variance with a calibrated model; the audit serves items and views at once, and keeps a part even.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow.parquet as pq
from common import Goal, finish, shared
from scipy.special import expit, logit
from scipy.stats import binom, norm

import hitl
from hitl.metrics.assisted import assisted_shares
from hitl.metrics.intervals import share_interval, shares
from hitl.sampling.audit import audit_weights
from hitl.sampling.view import example_view
from hitl.types import Targets

ITEMS, SIGMA = 500_000, 1.5
SIZES = (100, 500, 2000)
AP_WANTED, SAVED, COVERED, ERRORS = 0.5, 5.0, 0.93, 2.0
PLAN = hitl.Plan()


@dataclass(frozen=True)
class Seen:
    """Of one figure in many audits."""

    bias: float  # relative
    covered: float
    half: float  # mean half width of the interval, relative
    saved: float  # labels of an even draw for each of ours


@dataclass(frozen=True, eq=False)
class World:
    """A pool with its truth (N,), what a model believes of each item, and its reach."""

    prevalence: str
    model: str
    wanted: float  # average precision
    y: np.ndarray
    p: np.ndarray
    reach: np.ndarray

    @cached_property
    def precision(self) -> float:
        """The model's average precision on the pool."""
        hits = self.y[np.argsort(-self.p, kind="stable")] > 0
        return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())

    @cached_property
    def weights(self) -> np.ndarray:
        """The audit's weights, by the library and the default plan."""
        view = example_view(np.stack([1 - self.p, self.p], axis=1), reach=self.reach)
        wanted = audit_weights(view, float(self.reach.mean()), PLAN.audit_views)
        return np.maximum(wanted, PLAN.audit_floor * wanted.mean())

    @cached_property
    def says(self) -> np.ndarray:
        """What the model calls a violation: as many items as there are."""
        return self.p >= np.sort(self.p)[-max(int(self.y.sum()), 1)]

    def bound(self, size: np.ndarray) -> float:
        """How many times fewer labels the best design by this model needs than an even draw, in variance."""
        share = (self.y * size).sum() / size.sum()
        even = np.mean((size * (self.y - share)) ** 2)
        return float(even / np.mean(size * np.sqrt(self.p * (1 - self.p))) ** 2)


@dataclass(frozen=True, eq=False)
class Row:
    """Audits of one size in one world."""

    world: World
    n: int
    events: float
    seen: dict[str, Seen]

    @property
    def told(self) -> list[str]:
        items, views, recall = (self.seen[name] for name in ("items", "views", "recall"))
        world = self.world
        return [
            world.prevalence,
            world.model,
            f"{world.precision:.2f}",
            f"{self.n:,}",
            f"{self.events:.1f}",
            f"{items.bias:+.1%}",
            f"{items.half:.0%}",
            f"{items.covered:.1%}",
            f"{items.saved:.1f}×",
            f"{world.bound(np.ones(len(world.y))):.1f}×",
            f"{views.covered:.1%}",
            f"{views.saved:.1f}×",
            f"{world.bound(world.reach):.1f}×",
            f"{recall.covered:.1%}",
            f"{recall.saved:.1f}×",
        ]


def separation(prevalence: float, precision: float) -> float:
    """The distance d of the two normals whose scores have this average precision, by bisection."""
    at = np.linspace(-8, 14, 40_001)

    def found(d: float) -> float:
        hit, false = prevalence * norm.sf(at - d), (1 - prevalence) * norm.sf(at)
        return float(np.trapezoid(hit / (hit + false) * norm.pdf(at - d), at))

    low, high = 0.0, 8.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if found(middle) < precision else (low, middle)
    return low


def planted(
    prevalence: float, precision: float, rng: np.random.Generator, kind: str = "calibrated", tail: float = 0
) -> World:
    """A pool whose calibrated log odds are normal among what violates and among the rest, d apart.

    The truth is laid along the calibrated probabilities at even steps, so that the pool is as calibrated as can be.
    Reach is lognormal, or Pareto with an exponent `tail`: without a variance, a few items having most views.
    """
    d = separation(prevalence, precision)
    score = rng.normal(size=ITEMS) + d * (rng.random(ITEMS) < prevalence)
    odds = logit(prevalence) + d * score - d * d / 2
    order = np.argsort(odds)
    y = np.zeros(ITEMS)
    y[order] = np.diff(np.floor(np.cumsum(expit(odds[order])) + rng.random()), prepend=0.0)
    told = {
        "calibrated": odds,
        "overconfident": 1.5 * odds,
        "claims too much": odds + 1.5,
        "knows nothing": logit(prevalence) + 1.5 * rng.normal(size=ITEMS),
    }[kind]
    reach = rng.pareto(tail, ITEMS) if tail else np.exp(SIGMA * rng.normal(size=ITEMS))
    name = f"{kind}, Pareto views" if tail else kind
    return World(f"{prevalence:.1%}", name, precision, y, expit(told).astype(np.float32).astype(float), reach)


def real(rng: np.random.Generator) -> World | None:
    """`TextLinear` on davidson with hate at 1 %, trained on picks rich in hate and calibrated on a draw by chance."""
    folder = shared()
    if folder is None:
        return None
    table = pq.read_table(folder / "data/text/davidson/items.parquet")
    hate = np.array(table["label"].to_pylist()) == "hate"
    others, hateful = (rng.permutation(np.flatnonzero(part)) for part in (~hate, hate))
    rare = hateful[: len(others) // 99]
    picked = np.concatenate([hateful[-400:], others[:800]])
    rest = rng.permutation(np.concatenate([rare, others[800:]]))
    drawn, pool = rest[:800], rest[800:]
    model = hitl.TextLinear()
    features = model.features(hitl.Pool.open(table.select(["id", "text"]), id="id", text="text"), None)
    rows = np.concatenate([picked, drawn])
    targets = Targets(
        rows,
        np.stack([~hate[rows], hate[rows]], axis=1).astype(float),
        ("fine", "hate"),
        np.ones(len(rows)),
        np.repeat([0.0, 1.0], [len(picked), len(drawn)]),
    )
    fitted = model.fit(features, targets, rng, multi_label=False)
    p = fitted.predict(features.take(pool)).proba[:, 1].astype(float)
    reach = np.exp(SIGMA * rng.normal(size=len(pool)))
    return World(f"{hate[pool].mean():.1%}", "TextLinear, davidson", float("nan"), hate[pool].astype(float), p, reach)


def drawn(world: World, times: int, rng: np.random.Generator) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Audits of each size: rows (n, times) and inclusion probabilities, by priority sampling."""
    most = max(SIZES)
    rows, ranks = np.empty((most + 1, times), dtype=np.int64), np.empty((most + 1, times))
    for time in range(times):
        rank = rng.random(len(world.y)) / world.weights
        first = np.argpartition(rank, most)[: most + 1]
        rows[:, time] = first[np.argsort(rank[first])]
        ranks[:, time] = rank[rows[:, time]]
    for n in SIZES:
        yield n, rows[:n], np.minimum(1.0, world.weights[rows[:n]] * ranks[n])


def even_width(prevalence: float, n: int, items: int) -> float:
    """The mean width of the interval of an even draw's share, exactly."""
    first, last = binom.ppf([1e-9, 1 - 1e-9], n, prevalence).astype(int)
    counts = np.arange(first, last + 1)
    chance, value, left = binom.pmf(counts, n, prevalence), counts / n, 1 - n / items
    variance, each = left * value * (1 - value) / (n - 1), np.full(len(counts), left / n)
    low, high = share_interval(value, variance, each, np.minimum(counts, n - counts), np.full(len(counts), n))
    return float(chance @ (high - low) / chance.sum())


def even_ratio(world: World, name: str, n: int, rng: np.random.Generator) -> float:
    """The mean width of an even draw's interval of a ratio, by simulation."""
    widths = []
    for _ in range(2 if n > 20_000 else 5):
        rows = rng.integers(len(world.y), size=(n, int(np.clip(1_000_000 // n, 10, 200))))
        top, bottom = figures(world, rows)[name]
        found = shares(top, bottom, np.ones(n), np.full(n, 1 - n / len(world.y)))
        widths.append(np.mean(found.high - found.low))
    return float(np.mean(widths))


def figures(world: World, rows: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What is estimated: above and below the line for each item."""
    y, reach = world.y[rows], world.reach[rows]
    return {"items": (y, np.ones(rows.shape)), "views": (y * reach, reach), "recall": (y * world.says[rows], y)}


def needed(width: float, n: int, at: Callable[[int], float], items: int) -> float:
    """The size at which an even draw's mean interval is as wide, read off the curve in logs."""
    sizes = [size for size in (n // 4, n, 3 * n, 9 * n, 27 * n, 81 * n) if 20 <= size < items / 2]
    widths = [at(size) for size in sizes]
    return float(np.exp(np.interp(-np.log(width), -np.log(widths), np.log(sizes))))


def look(world: World, times: int, rng: np.random.Generator) -> list[Row]:
    """Each size of audit: what was seen, covered and saved."""
    everything = figures(world, np.arange(len(world.y)))
    whole = {name: float(top.sum() / bottom.sum()) for name, (top, bottom) in everything.items()}
    views = world.reach / world.reach.sum()
    believed = {"items": float(world.p.mean()), "views": float(world.p @ views)}
    told = []
    for n, rows, inclusion in drawn(world, times, rng):
        seen = {}
        for name, (top, bottom) in figures(world, rows).items():
            if name == "recall":
                low, high, value = plain(top, bottom, inclusion)
            else:
                share = np.full(times, believed[name])
                one = assisted_shares(top, bottom, world.p[rows], share, 1 / inclusion, 1 - inclusion)
                low, high, value = one.low, one.high, one.value
            width, truth = float(np.mean(high - low)), whole[name]
            seen[name] = Seen(
                bias=float(np.nanmean(value) / truth - 1),
                covered=float(np.mean((low <= truth) & (truth <= high))),
                half=width / 2 / truth,
                saved=saved(world, name, n, width, rng),
            )
        told.append(Row(world, n, float(world.y[rows].sum(axis=0).mean()), seen))
    return told


def plain(top: np.ndarray, bottom: np.ndarray, inclusion: np.ndarray) -> list[np.ndarray]:
    """Low, high and value (times,) of a ratio that nothing assists."""
    columns = [slice(c, c + 1) for c in range(top.shape[1])]
    found = [shares(top[:, c], bottom[:, c], 1 / inclusion[:, c][:, 0], 1 - inclusion[:, c][:, 0]) for c in columns]
    return [np.concatenate([getattr(one, part) for one in found]) for part in ("low", "high", "value")]


def saved(world: World, name: str, n: int, width: float, rng: np.random.Generator) -> float:
    """How many times as many labels an even draw needs for intervals as wide; of recall by the squares of widths."""
    items = len(world.y)
    if name == "recall":
        return (even_ratio(world, name, n, rng) / width) ** 2
    if name == "items":
        share = float(world.y.mean())
        return needed(width, n, lambda size: even_width(share, size, items), items) / n
    return needed(width, n, lambda size: even_ratio(world, name, size, rng), items) / n


def goals(rows: list[Row], times: int) -> list[Goal]:
    """The issue's, from this run's rows of so many audits each."""
    sound = [row for row in rows if row.world.model == "calibrated"]
    asked = [row for row in sound if (row.world.prevalence, row.world.wanted) == ("1.0%", AP_WANTED) and row.n >= 500]
    told = ", ".join(f"{row.seen['items'].saved:.1f}× at {row.n}" for row in asked)
    fewer = min(row.seen["items"].saved for row in asked)
    found = [
        Goal(
            f"labels for the same interval of prevalence, 1 %, AP {asked[0].world.precision:.2f}",
            f"≥ {SAVED:.0f}× fewer than an even draw",
            f"{told} (bound {asked[0].world.bound(np.ones(ITEMS)):.1f}×)",
            fewer >= SAVED,
        )
    ]
    for name, chosen in (("calibrated models", sound), ("all models", rows)):
        for figure in ("items", "views"):
            least = min(chosen, key=lambda row: row.seen[figure].covered)
            where = f"{least.world.prevalence}, {least.world.model}, AP {least.world.precision:.2f}, n {least.n}"
            share = least.seen[figure].covered
            chance = ERRORS * (COVERED * (1 - COVERED) / times) ** 0.5
            goal = f"≥ {COVERED:.0%} in each of {len(chosen)}, less {chance:.1%}: two errors of the simulation"
            found.append(
                Goal(f"coverage by {figure}, {name}", goal, f"{share:.1%} ({where})", share >= COVERED - chance)
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200 audits of each size instead of 1,000")
    times = 200 if parser.parse_args().quick else 1000
    rng = np.random.default_rng(6)
    worlds = [
        *(planted(share, precision, rng) for share in (0.01, 0.2, 0.001) for precision in (0.3, 0.5, 0.7, 0.9)),
        planted(0.01, 0.55, rng),
        *(planted(0.01, 0.5, rng, kind) for kind in ("overconfident", "claims too much", "knows nothing")),
        planted(0.01, 0.5, rng, tail=1.5),
        real(rng),
    ]
    rows = [row for world in worlds if world for row in look(world, times, rng)]
    headers = [
        "prevalence", "model", "AP", "labels", "violations seen", "bias", "± of value", "covers", "labels saved",
        "bound", "views: covers", "saved", "bound", "recall: covers", "saved",
    ]  # fmt: skip
    finish("audit_labels", goals(rows, times), [row.told for row in rows], headers)


if __name__ == "__main__":
    main()
