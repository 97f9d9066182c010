"""Bias of every estimator and coverage of every interval, by simulation on planted truth with the library's own draw.

    python benchmarks/coverage.py [--quick] [--only PREVALENCE]

Each replication draws audits of 100, 500 and 2,000 items from a pool of 100,000 (prevalence 20 %, 1 %, 0.1 %) and
estimates what the report tells. Bias is of the values that were told, over the truth, with its Monte-Carlo error;
coverage is of all intervals, those without a value ("too few") included.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from common import Goal, finish
from planted_audit import ITEMS, STRATA, Planted

from hitl.metrics.assisted import assisted
from hitl.metrics.audit import audit, poststratified, share
from hitl.metrics.calibration import calibration
from hitl.metrics.combined import Part, combined
from hitl.metrics.compare import compare
from hitl.metrics.counts import proportion
from hitl.metrics.figures import prevalences, ratios
from hitl.metrics.intervals import shares
from hitl.metrics.quality import average_precisions, macro_f1, ratio_estimates
from hitl.metrics.responses import responses
from hitl.metrics.sample import LabelledSample
from hitl.types import Estimate, Floats, Ints

PREVALENCES = (0.2, 0.01, 0.001)
SIZES = (100, 500, 2_000)
REPLICATES = 100
"""Of the bootstrap within each replication."""

NAIVE = "naive: share of active picks"
UNWEIGHTED = "part answered, not weighted for it"
_RATIOS = {
    ("prevalence", ""): "prevalence (items)",
    ("prevalence_by_views", ""): "prevalence (views)",
    ("prevalence", "spam"): "prevalence of one label",
    ("accuracy", ""): "accuracy",
    ("brier", ""): "Brier score",
    ("precision", "abuse"): "precision",
    ("recall", "abuse"): "recall",
    ("f1", "abuse"): "F1",
    ("precision@act", ""): "precision where the policy acts",
    ("recall@act", ""): "recall where the policy acts",
}

Told = tuple[str, Estimate, float]
"""Which figure, its estimate, and the truth."""


class Truth:
    """What the estimates are of."""

    def __init__(self, pool: Planted) -> None:
        everything, other = pool.everything(), pool.everything(pool.other)
        rng = np.random.default_rng(0)
        self.at = {(one.name, one.label): one.value for one in ratio_estimates(list(ratios(everything)), everything)}
        self.at |= {(one.name, one.label): one.value for one in audit(everything)}
        self.at |= {(one.name, one.label): one.value for one in average_precisions(everything, rng, 2)}
        self.at |= {(f"calibration {one.name}", one.label): one.value for one in calibration(everything)}
        accuracy = [one.value for one in ratio_estimates(list(ratios(other)), other) if one.name == "accuracy"]
        self.difference = self.at["accuracy", ""] - accuracy[0]

    def mean(self, name: str, sample: LabelledSample) -> float:
        """A mean over the labels that a sample takes it of."""
        common = [label for label, held in zip(sample.labels, sample.common, strict=True) if held]
        return float(np.mean([self.at[name, label] for label in common])) if common else float("nan")


def estimates(pool: Planted, truth: Truth, size: int, seed: int) -> Iterator[Told]:
    """Everything that one replication tells."""
    rng = np.random.default_rng(seed)
    rows, inclusion = pool.audit(size, seed)
    sample = pool.sample(rows, inclusion)
    yield from _shares(pool, truth, sample)
    yield from _models(pool, truth, sample, rows, inclusion, rng)
    bad = (pool.truth > 0).astype(np.float64)
    prevalence = truth.at["prevalence", ""]
    sizes = np.bincount(pool.strata, minlength=STRATA).astype(np.float64)
    stratified = poststratified(bad[rows], inclusion, pool.strata[rows], sizes)
    yield "prevalence (items), post-stratified", stratified, prevalence
    yield from _answered(pool, rows, inclusion, prevalence, rng)
    yield "prevalence (items), two rounds together", _two_rounds(pool, rows, inclusion, seed), prevalence
    picked = pool.by_doubt[rng.random(ITEMS) < 0.5][:size]  # of half of the pool, so that they differ
    yield NAIVE, proportion(int(bad[picked].sum()), size), prevalence


def _shares(pool: Planted, truth: Truth, sample: LabelledSample) -> Iterator[Told]:
    wanted = [ratio for ratio in ratios(sample) if (ratio.name, ratio.label) in _RATIOS]
    for one in ratio_estimates(wanted, sample):
        yield _RATIOS[one.name, one.label], one, truth.at[one.name, one.label]
    for one in audit(sample)[-2:]:
        yield f"total: {one.name.replace('_', ' ')}", one, truth.at[one.name, ""]
    for one in assisted(sample, pool.believed)[:2]:
        key = one.name, one.label
        yield f"{_RATIOS[key]}, model-assisted", one, truth.at[key]


def _models(
    pool: Planted, truth: Truth, sample: LabelledSample, rows: Ints, inclusion: Floats, rng: np.random.Generator
) -> Iterator[Told]:
    yield "macro-F1", macro_f1(sample), truth.mean("f1", sample)
    for one in average_precisions(sample, rng, REPLICATES):
        if one.label == "abuse":
            yield "average precision", one, truth.at[one.name, one.label]
        elif not one.label:
            yield "average precision, mean over labels", one, truth.mean("average_precision", sample)
    for one in calibration(sample):
        if one.label == "abuse" and one.name in ("calibration_error", "calibration_bias"):
            yield one.name.replace("_", " "), one, truth.at[f"calibration {one.name}", "abuse"]
    found = compare(
        sample, pool.sample(rows, inclusion, pool.other), rng, figure="accuracy", replicates=REPLICATES
    ).difference
    yield "difference of two models' accuracy", found, truth.difference


def _answered(
    pool: Planted, rows: Ints, inclusion: Floats, prevalence: float, rng: np.random.Generator
) -> Iterator[Told]:
    bad = (pool.truth[rows] > 0).astype(np.float64)
    settled = pool.answers(rng, rows)
    weighted = responses(inclusion, settled, pool.strata[rows], pool.risk[rows]).adjusted
    yield "prevalence (items), part answered", share(bad[settled], weighted[settled]), prevalence
    yield UNWEIGHTED, share(bad[settled], inclusion[settled]), prevalence


def _two_rounds(pool: Planted, rows: Ints, inclusion: Floats, seed: int) -> Estimate:
    """An audit of the whole pool, and one as large after it and as many active picks were judged."""
    known = np.zeros(ITEMS, dtype=np.bool_)
    known[rows] = True
    known[pool.by_risk[: len(rows)]] = True
    later, chance = pool.audit(len(rows), seed + 10**6, ~known)
    found = float((pool.truth[known] > 0).sum()) / ITEMS
    parts = []
    for drawn, pi, had, rest in ((rows, inclusion, 0.0, 1.0), (later, chance, found, 1 - known.mean())):
        ratio = next(prevalences(pool.sample(drawn, pi)))
        told = shares(ratio.top[:, None], ratio.bottom[:, None], 1 / pi, 1 - pi)
        parts.append(replace(Part.of(told), known=had, rest=float(rest)))
    return combined(parts, name="prevalence")


@dataclass(frozen=True)
class Cell:
    """How one estimator did with one prevalence and size."""

    runs: int
    told: float  # share of replications in which a value was told
    bias: float  # relative
    error: float  # of the bias, by simulation
    coverage: float

    @classmethod
    def of(cls, rows: list[tuple[float, float, float, float]]) -> Cell:
        """From value, low, high and truth of every replication; those without a truth left out."""
        value, low, high, truth = np.array(rows).T
        known = np.isfinite(truth)
        told = known & np.isfinite(value)
        off = (value[told] - truth[told]) / np.abs(truth[told])
        covered = (low[known] <= truth[known] + 1e-12) & (truth[known] <= high[known] + 1e-12)
        spread = off.std(ddof=1) / len(off) ** 0.5 if len(off) > 1 else float("nan")
        return cls(
            int(known.sum()),
            float(told.sum() / max(known.sum(), 1)),
            float(off.mean()) if len(off) else float("nan"),
            float(spread),
            float(covered.mean()) if known.any() else float("nan"),
        )

    @property
    def mostly_told(self) -> bool:
        """Whether the value is told often enough to speak of its bias."""
        return self.told >= 0.5

    @property
    def biased(self) -> bool:
        """Whether the bias is above 2 % by more than chance (two Monte-Carlo errors)."""
        return self.mostly_told and abs(self.bias) - 2 * self.error > 0.02

    @property
    def chance(self) -> float:
        """Two Monte-Carlo errors of a coverage of 95 %."""
        return 2 * (0.05 * 0.95 / max(self.runs, 1)) ** 0.5

    def __str__(self) -> str:
        covered = f"{self.coverage:.1%}"
        if self.told < 0.01:
            return f"too few; {covered}"
        part = "" if self.told > 0.995 else f" (told {self.told:.0%})"
        return f"{self.bias:+.1%} ± {self.error:.1%}; {covered}{part}"


def simulate(prevalence: float, runs: int) -> dict[tuple[str, int], Cell]:
    """Cells by estimator and size."""
    pool = Planted.make(prevalence)
    truth = Truth(pool)
    found: dict[tuple[str, int], list[tuple[float, float, float, float]]] = defaultdict(list)
    for seed in range(runs):
        for size in SIZES:
            for name, one, is_so in estimates(pool, truth, size, seed):
                found[name, size].append((one.value, one.low, one.high, is_so))
    return {key: Cell.of(rows) for key, rows in found.items()}


def goals(cells: dict[tuple[float, str, int], Cell]) -> list[Goal]:
    """Bias and coverage over all that is not there to warn."""
    ours = {key: cell for key, cell in cells.items() if key[1] not in (NAIVE, UNWEIGHTED)}

    def named(chosen: dict[tuple[float, str, int], Cell]) -> str:
        return "; ".join(f"{name} at {prevalence:g}, n = {size}" for prevalence, name, size in chosen)

    told = {key: cell for key, cell in ours.items() if cell.mostly_told}
    biased = {key: cell for key, cell in told.items() if cell.biased}
    under = {key: cell for key, cell in ours.items() if cell.coverage < 0.93 - cell.chance}
    wide = sum(cell.coverage > 0.97 + 2 * (0.97 * 0.03 / cell.runs) ** 0.5 for cell in ours.values())
    sure = sum(abs(cell.bias) + 2 * cell.error < 0.02 for cell in told.values())
    naive = {key: cell for key, cell in cells.items() if key[1] == NAIVE}
    return [
        Goal(
            "bias of what is told",
            "under 2 % of the value, beyond two Monte-Carlo errors",
            f"{len(told) - len(biased)} of {len(told)} cells ({sure} shown to be under it). {named(biased)}",
            not biased,
        ),
        Goal(
            "coverage of 95 % intervals",
            "at least 93 %, beyond two Monte-Carlo errors",
            f"{len(ours) - len(under)} of {len(ours)} cells. {named(under)}",
            not under,
        ),
        Goal(
            "no interval wider than it need be",
            "coverage at most 97 %",
            f"{len(ours) - wide} of {len(ours)} cells; the others are conservative (few events)",
            not wide,
        ),
        Goal(
            "the naive figure on active picks is wrong",
            "covers nowhere",
            "; ".join(
                f"{key[0]:g}, n = {key[2]}: bias {cell.bias:+,.0%}, {cell.coverage:.0%}" for key, cell in naive.items()
            ),
            all(cell.coverage < 0.5 for cell in naive.values()),
        ),
    ]


def main() -> None:
    """Simulate, print and keep the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", type=float, choices=PREVALENCES)
    parser.add_argument("--runs", type=int)
    options = parser.parse_args()
    runs = options.runs or (200 if options.quick else 1_000)
    begun = time.perf_counter()
    cells = {
        (prevalence, name, size): cell
        for prevalence in PREVALENCES
        if options.only in (None, prevalence)
        for (name, size), cell in simulate(prevalence, runs).items()
    }
    names = list(dict.fromkeys(name for _, name, _ in cells))
    rows = [
        [name, f"{prevalence:g}", *(str(cells[prevalence, name, size]) for size in SIZES)]
        for name in names
        for prevalence in PREVALENCES
        if (prevalence, name, SIZES[0]) in cells
    ]
    print(f"{runs:,} replications in {time.perf_counter() - begun:,.0f} s")
    finish("coverage", goals(cells), rows, ["estimator", "prevalence", *(f"n = {size:,}" for size in SIZES)])


if __name__ == "__main__":
    main()
