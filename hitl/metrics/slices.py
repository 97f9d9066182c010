"""A model's mistakes by slice: rates with their intervals, and gaps to the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from hitl.errors import DataError
from hitl.metrics.facets import Facets, Slices, conjunctions
from hitl.metrics.figures import Ratio
from hitl.metrics.intervals import Shares, Z, shares, unless_few
from hitl.metrics.multiplicity import benjamini_hochberg
from hitl.metrics.permuting import permutation_test
from hitl.metrics.quality import RATIO
from hitl.metrics.sample import LabelledSample
from hitl.types import Bools, Estimate, Floats, Ints

LEAST = 10
"""Items that a slice must have to be told, and that a rate must rest on, there and outside, for a gap to be."""

COMPARED = ("false_positive_rate", "false_negative_rate", "precision")
"""The rates whose gaps are tested; prevalence and what is acted on may differ rightly."""

_BLOCK = 2_000_000
_ENDS = ("value", "low", "high")

FAR = 12.0
"""Standard errors, beyond which an interval says nothing."""


@dataclass(frozen=True)
class Gap:
    """A rate of a slice minus that of what it is compared with.

    `difference` has a 95 % interval of its own, `together` one that holds for all gaps of the rate at once; `p` is by
    permutation, two-sided, and `adjusted` allows for all gaps told (Benjamini and Hochberg).
    """

    difference: Estimate
    together: Estimate
    p: float
    adjusted: float

    @property
    def stands(self) -> bool:
        """Whether the gap is there, with one in twenty of such findings false."""
        return self.adjusted <= 0.05


@dataclass(frozen=True)
class SliceRates:
    """One slice: facet → value, its items, its rates, and its gaps by the rate's name; those too few are left out."""

    where: dict[str, str]
    items: int
    rates: tuple[Estimate, ...]
    gaps: dict[str, Gap]

    def __repr__(self) -> str:
        return f"SliceRates({told(self.where)}: {self.items:,} items; {'; '.join(map(repr, self.rates))})"


def told(where: Mapping[str, str]) -> str:
    """A slice in words."""
    return " & ".join(f"{name}={value or '(none)'}" for name, value in where.items()) or "all"


def rates(sample: LabelledSample) -> list[Ratio]:
    """What is told of each slice, of whether *any* violating label is given and is right.

    `false_positive_rate`: share of harmless items that the model gives a violating label. `false_negative_rate`: share
    of violating items that it gives none. `precision`: share of violating items among those it gives one.
    `prevalence`; and `acted_on`: share that the policy limits or removes at its own thresholds.
    """
    settled = ~np.isnan(sample.violates)
    bad = np.nan_to_num(sample.violates) > 0
    flagged = (sample.predicted & sample.violating).any(axis=1) & settled
    fine = settled & ~bad
    acted = sample.reaches(sample.act_at).any(axis=1)
    return [
        Ratio(
            "false_positive_rate", "", (flagged & fine).astype(float), fine.astype(float), "no harmless item was judged"
        ),
        Ratio(
            "false_negative_rate", "", (bad & ~flagged).astype(float), bad.astype(float), "no violating item was judged"
        ),
        Ratio("precision", "", (flagged & bad).astype(float), flagged.astype(float), "the model flags no judged item"),
        Ratio("prevalence", "", bad.astype(float), settled.astype(float), "no item is settled"),
        Ratio("acted_on", "", acted.astype(float), np.ones(len(sample)), "no item was judged"),
    ]


def wrong(sample: LabelledSample) -> Ratio:
    """Share of items that the model does not give exactly the labels that people gave."""
    whole = sample.whole
    missed = (sample.predicted != sample.truth).any(axis=1) & whole
    return Ratio("wrong", "", missed.astype(float), whole.astype(float), "no item is settled")


def by_slice(
    sample: LabelledSample,
    facets: Facets,
    rng: np.random.Generator,
    *,
    depth: int = 2,
    least: int = LEAST,
    reference: Mapping[str, str] | None = None,
    permutations: int = 1999,
) -> tuple[SliceRates, ...]:
    """Rates of every slice of up to `depth` facet values with `least` items, largest first, and gaps to the rest.

    Rates are Hájek ratios with Wilson intervals (see `shares`); gaps combine the intervals of both sides (MOVER, Zou
    and Donner 2008, Statistics in Medicine 27:1693) and are tested by `permutation_test`. With `reference`, facet →
    value, slices of that facet alone are compared with that value's items instead of all others. A rate that too few
    items bear on is NaN, and `method` says so; its gap is left out. Raises `DataError` when sample and facets differ
    in length, or the reference is no slice. O(slices × items + permutations × (items + slices × cells)).

    >>> from hitl.policy import Policy
    >>> from hitl.types import Resolution
    >>> policy = Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: spam}]}")
    >>> judged = [Resolution(f"item {i}", i, ("spam" if i % 3 == 0 else "ok",), 1.0, "m", "1") for i in range(90)]
    >>> spam = np.where(np.arange(90) % 3 == 0, 0.7, 0.2)
    >>> spam[:30] = 0.9
    >>> sample = LabelledSample.of(policy, judged, np.stack([1 - spam, spam], axis=1))
    >>> facets = Facets.of({"language": ["id"] * 30 + ["en"] * 60})
    >>> english, indonesian = by_slice(sample, facets, np.random.default_rng(0))
    >>> print(indonesian.rates[0])
    false_positive_rate 1.000 [0.843, 1.000] (n=20)
    >>> indonesian.gaps["false_positive_rate"].stands
    True
    """
    same_length(sample, facets)
    cut = conjunctions(facets, depth, least)
    told = _Told(sample, facets, cut, _against(cut, facets, reference or {}), least)
    found = rates(sample)
    figures = [told.figures(ratio) for ratio in found]
    gaps = {ratio.name: told.gaps(ratio, rng, permutations) for ratio in found if ratio.name in COMPARED}
    gaps = _adjusted(gaps)
    return tuple(
        SliceRates(
            cut.where[at],
            int(cut.items[at]),
            tuple(estimates[at] for estimates in figures),
            {name: found[at] for name, found in gaps.items() if at in found},
        )
        for at in range(len(cut))
    )


def same_length(sample: LabelledSample, facets: Facets) -> None:
    """Raise `DataError` when sample and facets are not of the same items."""
    if len(sample) != len(facets):
        raise DataError(
            f"{len(sample):,} judged items and facets of {len(facets):,}; take the facets of the same items"
        )


def _against(cut: Slices, facets: Facets, reference: Mapping[str, str]) -> Bools:
    """(s, c) the cells that each slice is compared with."""
    against = ~cut.members
    for name, value in reference.items():
        known = dict(zip(facets.names, facets.values, strict=True))
        if value not in known.get(name, ()):
            raise DataError(f"reference {name}={value!r} is no slice; facets are {', '.join(facets.names)}")
        at = facets.names.index(name)
        base = facets.cells[:, at] == known[name].index(value)
        for one, where in enumerate(cut.where):
            if set(where) == {name} and where[name] != value:
                against[one] = base
    return against


Side = tuple[Floats, Floats, Floats, Ints]
"""Value, low, high and items of a rate in slices, (s,) each."""


def _shares(ratio: Ratio, members: Bools, cell: Ints, sample: LabelledSample, scale: float) -> Shares:
    inside = members[:, cell].T
    top, bottom = ratio.top[:, None] * inside, ratio.bottom[:, None] * inside
    # Wilson's interval hangs on z² × variance alone: a larger variance at 1.96 is the same variance at a larger z
    return shares(top, bottom, sample.weights, sample.uncertain * scale)


def intervals(ratio: Ratio, members: Bools, cell: Ints, sample: LabelledSample, z: float = Z) -> Side:
    """A rate in slices, `members` (s, c) of the cells `cell` (n,), with intervals at `z` instead of 1.96. O(s n)."""
    block = max(1, _BLOCK // max(len(sample), 1))
    found = [
        _shares(ratio, members[start : start + block], cell, sample, (z / Z) ** 2)
        for start in range(0, len(members), block)
    ]
    none = np.zeros(0)
    value, low, high = (np.concatenate([none, *(getattr(one, end) for one in found)]) for end in _ENDS)
    return value, low, high, np.concatenate([none.astype(np.int64), *(one.n for one in found)])


@dataclass(frozen=True, eq=False)
class _Told:
    """The slices of a sample, and the cells (s, c) that each is compared with."""

    sample: LabelledSample
    facets: Facets
    cut: Slices
    against: Bools
    least: int

    def figures(self, ratio: Ratio) -> list[Estimate]:
        """One rate in every slice."""
        found = estimates(ratio, intervals(ratio, self.cut.members, self.facets.cell, self.sample), RATIO)
        return [unless_few(one, one.n) if one.n else replace(one, method=ratio.empty) for one in found]

    def gaps(self, ratio: Ratio, rng: np.random.Generator, permutations: int) -> dict[int, Gap]:
        """The gaps of one rate by the slice's number, not yet adjusted; only where neither side has too few."""
        rows, cell = ratio.bottom > 0, self.facets.cell
        counts = np.bincount(cell[rows], minlength=len(self.facets.cells))
        enough = np.minimum(self.cut.members @ counts, self.against @ counts) >= self.least
        some = np.flatnonzero(enough)
        if not len(some):
            return {}
        sides = self.cut.members[some], self.against[some]
        weights = self.sample.weights[rows]
        tested = permutation_test(ratio.top[rows] > 0, weights, cell[rows], *sides, rng, permutations)

        def apart(z: float) -> Side:
            return mover(*(intervals(ratio, side, cell, self.sample, z) for side in sides))

        critical = min(max(tested.critical(two_sided=True), Z), FAR)
        alone = estimates(ratio, apart(Z), f"MOVER; {permutations} permutations")
        together = estimates(ratio, apart(critical), f"MOVER, for {len(some)} slices at once (max-T)")
        told = zip(some, alone, together, tested.p, strict=True)
        return {int(at): Gap(one, at_once, float(p), float(p)) for at, one, at_once, p in told}


def _adjusted(gaps: dict[str, dict[int, Gap]]) -> dict[str, dict[int, Gap]]:
    """The gaps with p-values adjusted for all of them, of every rate."""
    p = np.array([gap.p for found in gaps.values() for gap in found.values()])
    adjusted = iter(benjamini_hochberg(p).tolist())
    return {
        name: {at: replace(gap, adjusted=next(adjusted)) for at, gap in found.items()} for name, found in gaps.items()
    }


def estimates(ratio: Ratio, side: Side, method: str) -> list[Estimate]:
    """The estimates of a rate in slices."""
    told = zip(*side, strict=True)
    return [Estimate(ratio.name, float(v), float(lo), float(hi), int(n), method=method) for v, lo, hi, n in told]


def mover(inside: Side, outside: Side) -> Side:
    """Differences of independent rates, from their own intervals; the items are those inside."""
    (p1, l1, u1, n1), (p0, l0, u0, _) = inside, outside
    value = p1 - p0
    low, high = value - np.hypot(p1 - l1, u0 - p0), value + np.hypot(u1 - p1, p0 - l0)
    return value, np.maximum(low, -1.0), np.minimum(high, 1.0), n1
