"""Where a policy may act without a person: thresholds that keep a promise on held-out items, with confidence."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hitl.errors import DataError
from hitl.metrics.intervals import FEW
from hitl.types import Bools, Floats, Ints

GRID: Floats = np.round(
    np.concatenate([[0.001, 0.002, 0.005], np.linspace(0.01, 0.99, 99), [0.995, 0.998, 0.999]]),
    3,
)
"""Thresholds that are tried, set before any item is looked at; those of the policy are tried, too."""

LIKELY = 0.5
"""Where a probability speaks for as much as against."""

_MOST, _STEPS = 10_000.0, 185  # times as many items as were judged, and factors on the way there


@dataclass(frozen=True)
class Promise:
    """Of a label: at least `precision` of what is acted on has it, at most `missed` of what has it is let through.

    Each holds by itself with `confidence`. Raises `DataError` for what is not above 0 and below 1.
    """

    precision: float = 0.95
    missed: float = 0.05
    confidence: float = 0.95

    def __post_init__(self) -> None:
        for name in ("precision", "missed", "confidence"):
            if not 0 < getattr(self, name) < 1:
                raise DataError(f"{name} {getattr(self, name)}: must be above 0 and below 1, for example 0.95")


@dataclass(frozen=True, eq=False)
class Judgements:
    """n held-out items and one label: whether it applies, the model's probability of it, and 1 / inclusion, (n,) each.

    `LabelledSample` holds many labels; here is what one threshold is about.
    """

    truth: Bools
    proba: Floats
    weights: Floats

    def __len__(self) -> int:
        return len(self.truth)

    def __getitem__(self, rows: Bools) -> Judgements:
        return Judgements(self.truth[rows], self.proba[rows], self.weights[rows])


@dataclass(frozen=True, eq=False)
class Evidence:
    """What speaks for and against each of G thresholds: wrong and right weights as counts of items of one weight each.

    `odds` is the weight of one wrong item over that of one right item, `n` the judged items behind both, (G,) each.
    """

    wrong: Floats
    right: Floats
    odds: Floats
    n: Ints

    @property
    def share(self) -> Floats:
        """The estimated share that is wrong; NaN where there is nothing."""
        with np.errstate(invalid="ignore"):
            return self.wrong * self.odds / (self.wrong * self.odds + self.right)

    def bound(self, confidence: float, factor: float = 1.0) -> Floats:
        """Upper confidence bound of the share that is wrong (G,), were there `factor` times as many items like these.

        Clopper and Pearson's (1934) for wrong against right ones as two Poisson counts (Przyborowski and Wilenski
        1940), each in units of its own weight: exact for equal weights. A sum of weights in units that are no less than
        their size-biased mean varies no more than a Poisson count (Fay and Feuer 1997, Statistics in Medicine 16:791).
        """
        from scipy.special import betaincinv

        wrong, right = factor * self.wrong, factor * self.right
        # A positive second argument is needed where nothing is right: the bound is then 1.
        part = np.where(right > 0, betaincinv(wrong + 1, np.maximum(right, 1e-9), confidence), 1.0)
        return self.in_weights(part)

    def keeps(self, limit: float, confidence: float, factor: float = 1.0) -> bool:
        """Whether the bound comes down to `limit` at any threshold that judged items bear on."""
        return bool((self.bound(confidence, factor)[self.n > 0] <= limit).any())

    def in_weights(self, part: Floats) -> Floats:
        """A share of counts (G,) as a share of weights."""
        return np.asarray(part * self.odds / (part * self.odds + 1 - part))


def wrongly_acted(judged: Judgements, at: Floats) -> Evidence:
    """Of the items whose probability comes to each threshold (G,): without the label (wrong), with it. O(n G)."""
    above = judged.proba[:, None] >= at
    believed = judged.proba[:, None]
    return _evidence(
        judged, above & ~judged.truth[:, None], above & judged.truth[:, None], above * (1 - believed), above * believed
    )


def missed(judged: Judgements, at: Floats) -> Evidence:
    """Of the items with the label: those whose probability is below each threshold (wrong), and the rest. O(n G).

    Missed items are mostly those that a draw by risk takes seldom: what one more of them would weigh is read off all
    items that are let through, with the label or without.
    """
    above, has = judged.proba[:, None] >= at, judged.truth[:, None]
    believed = judged.proba[:, None]
    return _evidence(judged, ~above & has, above & has, ~above * believed, above * believed)


def _evidence(judged: Judgements, wrong: Bools, right: Bools, near_wrong: Floats, near_right: Floats) -> Evidence:
    of_wrong, of_right = _unit(judged.weights, wrong, near_wrong), _unit(judged.weights, right, near_right)
    return Evidence(
        wrong=judged.weights @ wrong / of_wrong,
        right=judged.weights @ right / of_right,
        odds=of_wrong / of_right,
        n=np.asarray((wrong | right).sum(axis=0)),
    )


def _unit(weights: Floats, found: Bools, near: Floats) -> Floats:
    """The weight of one more such item, (G,): that of those found, pulled towards that of all around, if larger.

    Both are size-biased means Σ w² / Σ w, which estimate the mean weight of the pool's items; around, each item counts
    by the model's probability (`near`) of being such a one. `FEW` is how strong the pull is.
    """
    count = found.sum(axis=0)
    overall = float((weights**2).sum() / weights.sum()) if len(weights) else 1.0
    around = _biased(weights, near, np.full(near.shape[1], overall))
    own = _biased(weights, found, around)
    return np.asarray((count * own + FEW * np.maximum(own, around)) / (count + FEW))


def _biased(weights: Floats, chosen: Bools | Floats, otherwise: Floats) -> Floats:
    total = weights @ chosen
    return np.where(total > 0, weights**2 @ chosen / np.where(total > 0, total, 1.0), otherwise)


@dataclass(frozen=True, eq=False)
class Tried:
    """Thresholds (G,), ascending, tried one after the other from `first` on by `step` (`first` below 0: none).

    `bound` (G,) is the upper bound at `confidence` of the share that is wrong at each by itself, which the promise
    wants to be at most `limit`; `judged` is how many items were there.
    """

    at: Floats
    bound: Floats
    evidence: Evidence
    limit: float
    confidence: float
    judged: int
    first: int
    step: int

    @cached_property
    def kept(self) -> Bools:
        """(G,) where the promise holds: at all of these at once, with the confidence."""
        held = np.zeros(len(self.bound), dtype=np.bool_)
        place = self.first
        while 0 <= place < len(self.bound) and self.bound[place] <= self.limit:
            held[place] = True
            place += self.step
        return held

    @property
    def lowest(self) -> float:
        """The lowest threshold at which the promise holds; NaN where it holds at none."""
        return float(self.at[self.kept].min()) if self.kept.any() else math.nan

    @property
    def highest(self) -> float:
        """The highest threshold at which the promise holds; NaN where it holds at none."""
        return float(self.at[self.kept].max()) if self.kept.any() else math.nan

    def place(self, at: float) -> int:
        """Where a threshold that was tried stands."""
        return int(np.abs(self.at - at).argmin())

    @cached_property
    def needed(self) -> float:
        """About how many judged items would do at the best threshold, if their shares stay; infinite where none would.

        Half a wrong item is added to what was seen, unless even without it nothing else would do.
        """
        factors: list[float] = np.geomspace(1.0, _MOST, _STEPS).tolist()
        for extra in (0.5, 0.0):
            seen = Evidence(self.evidence.wrong + extra, self.evidence.right, self.evidence.odds, self.evidence.n)
            # More items like these never loosen the bound, so that the first factor that does is found by halving.
            place = bisect_left(factors, True, key=lambda factor: seen.keeps(self.limit, self.confidence, factor))
            if place < len(factors):
                return math.ceil(factors[place] * self.judged)
        return math.inf


def precise(judged: Judgements, promise: Promise, at: Floats = GRID) -> Tried:
    """The thresholds from which acting keeps the promised precision, by fixed-sequence testing from the strictest down.

    Learn then test (Angelopoulos et al. 2021, arXiv:2110.01052, sec. 4.1): thresholds are tried in an order set
    beforehand, each at the full level, until the first that fails; so that the lowest that held holds although it was
    chosen. Where the order begins is read off probabilities alone, never labels: stricter thresholds have too little
    above them to show anything, and are not tried. `at` (G,) ascends. O(n G).

    >>> sure = Judgements(np.arange(200) >= 99, np.linspace(0.0, 1.0, 200), np.ones(200))
    >>> precise(sure, Promise()).lowest, precise(sure, Promise(precision=0.999)).lowest
    (0.49, nan)
    """
    evidence = wrongly_acted(judged, at)
    bound = evidence.bound(promise.confidence)
    first = _first(judged, promise, at)
    return Tried(at, bound, evidence, 1 - promise.precision, promise.confidence, len(judged), first, -1)


def complete(judged: Judgements, promise: Promise, at: Floats = GRID) -> Tried:
    """The thresholds up to which letting items through keeps the promised share of missed ones, as `precise` does.

    Here the sequence goes up from the lowest. More is missed at a higher threshold whatever the model is like, so that
    with equal weights the bound is exact without a condition (Bates et al. 2021, J. ACM 68:43). O(n G).

    >>> sure = Judgements(np.arange(200) >= 99, np.linspace(0.0, 1.0, 200), np.ones(200))
    >>> complete(sure, Promise()).highest, complete(sure, Promise(missed=0.01)).highest
    (0.5, nan)
    """
    evidence = missed(judged, at)
    bound = evidence.bound(promise.confidence)
    return Tried(at, bound, evidence, promise.missed, promise.confidence, len(judged), 0, 1)


def _kish(weights: Floats, chosen: Bools) -> Floats:
    squares = weights**2 @ chosen
    return np.where(squares > 0, (weights @ chosen) ** 2 / np.where(squares > 0, squares, 1.0), 0.0)


def _first(judged: Judgements, promise: Promise, at: Floats) -> int:
    """The threshold that by the model's own word has most to show for its precision; -1 where too few lie above.

    Too few are those that could promise nothing even without a mistake: log(1 - confidence) / log precision.
    """
    above = judged.proba[:, None] >= at
    size = _kish(judged.weights, above)
    enough = size >= math.log(1 - promise.confidence) / math.log(promise.precision)
    weighted = judged.weights[:, None] * above
    believed = judged.proba @ weighted / np.maximum(weighted.sum(axis=0), 1e-300)
    shown = np.where(enough, (believed - promise.precision) * np.sqrt(size), -np.inf)
    return int(shown.argmax()) if enough.any() else -1
