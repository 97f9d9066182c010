"""The slices where a model is worst, and of which it can be said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hitl.metrics.facets import Facets, Slices, conjunctions
from hitl.metrics.figures import Ratio
from hitl.metrics.intervals import Z
from hitl.metrics.permuting import contrasts, permutation_test
from hitl.metrics.quality import RATIO
from hitl.metrics.sample import LabelledSample
from hitl.metrics.slices import FAR, LEAST, estimates, intervals, mover, rates, same_length, told, wrong
from hitl.types import Bools, Estimate, Floats


@dataclass(frozen=True)
class WorstSlice:
    """A slice where a rate is worse than in the rest, and no accident of having looked at many slices.

    `p` allows for every slice and rate that was looked at. The interval of `difference` holds for all of them at once,
    so that choosing the worst does not flatter it.
    """

    where: dict[str, str]
    inside: Estimate
    outside: Estimate
    difference: Estimate
    p: float

    def __repr__(self) -> str:
        gap = f"{self.difference.value:+.3f} [{self.difference.low:+.3f}, {self.difference.high:+.3f}]"
        return f"WorstSlice({told(self.where)}: {self.inside.name} {self.inside.figures}; {gap}, p {self.p:.3f})"


@dataclass(frozen=True)
class Search:
    """The worst slices, the gravest first, and how many slices were looked at by each rate; 0 where all are small."""

    found: tuple[WorstSlice, ...]
    searched: dict[str, int]


def worst_slices(
    sample: LabelledSample,
    facets: Facets,
    rng: np.random.Generator,
    *,
    depth: int = 3,
    least: int = 2 * LEAST,
    level: float = 0.05,
    permutations: int = 999,
) -> Search:
    """Slices of up to `depth` facet values where the model is worse than in the rest, the gravest first.

    Worse in `false_positive_rate`, `false_negative_rate` or `wrong`. Every slice with `least` items in a rate's
    denominator is looked at (Chung et al. 2019, ICDE, and Sagadeeva and Boehm 2021, SIGMOD, find the same greedily or
    by bounds). The greatest statistic of all is laid beside what it comes to when items are dealt to the facets by
    chance, so that noise brings forth any slice with a chance of `level` at most, over all slices and rates (max-T,
    Bonferroni over the three rates). A value that adds nothing is dropped from a slice, and what one slice explains is
    not told again. Raises `DataError` when sample and facets differ in length. O(permutations × (items + slices ×
    cells)).

    >>> from hitl.policy import Policy
    >>> from hitl.types import Resolution
    >>> policy = Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: spam}]}")
    >>> judged = [Resolution(f"item {i}", i, ("spam" if i % 3 == 0 else "ok",), 1.0, "m", "1") for i in range(180)]
    >>> spam = np.where(np.arange(180) % 3 == 0, 0.7, 0.2)
    >>> spam[:60] = 0.9
    >>> sample = LabelledSample.of(policy, judged, np.stack([1 - spam, spam], axis=1))
    >>> facets = Facets.of({"language": ["id"] * 60 + ["en"] * 120, "vendor": ["a", "b"] * 90})
    >>> [one.where for one in worst_slices(sample, facets, np.random.default_rng(0)).found]
    [{'language': 'id'}, {'language': 'id'}]
    """
    same_length(sample, facets)
    found: list[WorstSlice] = []
    searched: dict[str, int] = {}
    wanted = [*rates(sample)[:2], wrong(sample)]
    for ratio in wanted:
        rows = ratio.bottom > 0
        some = facets.take(rows)
        cut = conjunctions(some, depth, least)
        searched[ratio.name] = len(cut)
        if not len(cut):
            continue
        judged = _Judged(ratio.top[rows] > 0, sample.weights[rows], some, cut)
        tested = permutation_test(judged.hit, judged.weights, some.cell, cut.members, ~cut.members, rng, permutations)
        critical = tested.critical(level / len(wanted))
        adjusted = np.minimum(tested.adjusted() * len(wanted), 1.0)
        z = min(max(critical, Z), FAR)
        standing = judged.standing(tested.z, critical, least)
        found += [_worst(ratio, cut.where[at], facets, sample, z, float(adjusted[at])) for at in standing]
    return Search(tuple(sorted(found, key=lambda one: (one.p, -one.difference.value))), searched)


@dataclass(frozen=True, eq=False)
class _Judged:
    """What counts for one rate, item by item, and the slices that were looked at."""

    hit: Bools
    weights: Floats
    facets: Facets
    cut: Slices

    def z(self, inside: Bools, outside: Bools) -> float:
        """One set of cells (c,) against another."""
        return float(contrasts(self.hit, self.weights, self.facets.cell, inside[None], outside[None])[0])

    def standing(self, z: Floats, critical: float, least: int) -> Iterator[int]:
        """The slices above the critical value, the highest first, each on items outside those already told."""
        counts = np.bincount(self.facets.cell, minlength=len(self.facets.cells))
        left = np.ones(len(self.facets.cells), dtype=np.bool_)
        for at in np.argsort(-z, kind="stable"):
            if z[at] <= critical:
                return
            inside, outside = self.cut.members[at] & left, ~self.cut.members[at] & left
            if counts[inside].sum() >= least <= counts[outside].sum() and self.z(inside, outside) > critical:
                shortest = self._shortened(int(at), z, critical)
                left &= ~self.cut.members[shortest]
                yield shortest

    def _shortened(self, at: int, z: Floats, critical: float) -> int:
        """The slice without the values that make it no worse: it is like what they leave out."""
        place = {frozenset(where.items()): number for number, where in enumerate(self.cut.where)}
        own = self.cut.where[at]
        wider = [place.get(frozenset(own.items()) - {value}) for value in own.items()]
        for parent in sorted((one for one in wider if one is not None and z[one] > critical), key=lambda one: -z[one]):
            besides = self.cut.members[parent] & ~self.cut.members[at]
            if self.z(self.cut.members[at], besides) < Z:
                return self._shortened(parent, z, critical)
        return at


def _worst(
    ratio: Ratio, where: dict[str, str], facets: Facets, sample: LabelledSample, critical: float, p: float
) -> WorstSlice:
    inside = np.ones((1, len(facets.cells)), dtype=np.bool_)
    for name, value in where.items():
        at = facets.names.index(name)
        inside &= facets.cells[:, at] == facets.values[at].index(value)
    sides = [intervals(ratio, members, facets.cell, sample) for members in (inside, ~inside)]
    wide = [intervals(ratio, members, facets.cell, sample, critical) for members in (inside, ~inside)]
    (own,), (rest,) = (estimates(ratio, side, RATIO) for side in sides)
    (difference,) = estimates(ratio, mover(wide[0], wide[1]), "MOVER, for all slices looked at (max-T)")
    return WorstSlice(where, own, rest, difference, p)
