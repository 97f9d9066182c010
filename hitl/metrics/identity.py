"""Whether a model treats groups alike that a suite's cases are about: error rates and ranking by group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitl.metrics.intervals import share_interval
from hitl.types import Bools, Estimate, Floats, Ints


@dataclass(frozen=True)
class Equality:
    """How far a rate of groups lies from that of all cases, summed over the groups, and how far it would by chance.

    Dixon et al. (2018, AIES) call it the false positive (negative) equality difference. A sum of distances is above 0
    wherever groups are small: `by_chance` is its mean where the groups do not differ, `p` how often it is as large.
    """

    name: str
    value: float
    by_chance: float
    p: float
    groups: int


def equality(
    name: str, failed: Bools, group: Ints, within: Ints, rng: np.random.Generator, permutations: int = 999
) -> Equality:
    """Σ |rate of a group - rate of all| over the groups `group` (n,) names, codes below 0 being of no group.

    The chance is that of dealing the groups anew among cases of the same part `within` (n,), such as a template or a
    functionality: suites write the same cases for every group. O(permutations × n).

    >>> failed = np.repeat([True, False], 20)
    >>> found = equality("fpr", failed, np.repeat([0, 1], 20), np.zeros(40, dtype=int), np.random.default_rng(0))
    >>> found.value, found.p
    (1.0, 0.001)
    """
    of = np.flatnonzero(group >= 0)
    groups = int(group.max(initial=-1)) + 1
    if not len(of) or groups < 2:
        return Equality(name, float("nan"), float("nan"), float("nan"), groups)
    order = of[np.argsort(within[of], kind="stable")]
    failed_, group_, part = failed[order].astype(float), group[order], within[order]
    size, overall = np.bincount(group_, minlength=groups), float(failed.mean())

    def apart(dealt: Ints) -> float:
        rate = np.bincount(dealt, failed_, groups) / np.maximum(size, 1)
        return float(np.abs(rate - overall)[size > 0].sum())

    seen = apart(group_)
    # cases sorted by part and then by chance are dealt within their parts
    drawn = np.array([apart(group_[np.lexsort((rng.random(len(part)), part))]) for _ in range(permutations)])
    p = (1 + int((drawn >= seen - 1e-9).sum())) / (permutations + 1)
    return Equality(name, seen, float(drawn.mean()), p, int((size > 0).sum()))


def bias_aucs(score: Floats, positive: Bools, member: Bools) -> tuple[Estimate, Estimate, Estimate]:
    """`subgroup_auc`, `bpsn_auc` and `bnsp_auc` of a group among all cases (Borkan et al. 2019, WWW Companion).

    Within the group; of background positives against the group's negatives, low where the group is flagged for what it
    is; and of background negatives against the group's positives, low where harm against the group is overlooked.

    >>> score, positive = np.array([0.9, 0.1] * 20), np.array([True, False] * 20)
    >>> bias_aucs(score, positive, np.arange(40) < 20)[1]
    bpsn_auc 1.000 [0.671, 1.000] (n=20)
    """
    parts = {
        "subgroup_auc": (positive & member, ~positive & member),
        "bpsn_auc": (positive & ~member, ~positive & member),
        "bnsp_auc": (positive & member, ~positive & ~member),
    }
    subgroup, bpsn, bnsp = (auc(score[one], score[other], name) for name, (one, other) in parts.items())
    return subgroup, bpsn, bnsp


def auc(positive: Floats, negative: Floats, name: str = "auc") -> Estimate:
    """The chance that a positive (m,) scores above a negative (n,), a tie counting one half, with its interval.

    Variance by DeLong, DeLong and Clarke-Pearson (1988, Biometrics 44:837) from midranks (Sun and Xu 2014, IEEE SPL
    21:1389); Wilson's interval at the effective size that it implies (`share_interval`). O((m + n) log(m + n)).
    """
    m, n = len(positive), len(negative)
    if min(m, n) < 2:
        why = f"too few: {m} positive and {n} negative cases"
        return Estimate(name, float("nan"), 0.0, 1.0, m + n, method=why)
    ranks = _midranks(np.concatenate([positive, negative]))
    above, below = (ranks[:m] - _midranks(positive)) / n, 1 - (ranks[m:] - _midranks(negative)) / m
    value = float(above.mean())
    variance = float(above.var(ddof=1) / m + below.var(ddof=1) / n)
    rarer = np.array([float(min(m, n))])
    (low,), (high,) = share_interval(np.array([value]), np.array([variance]), 1 / rarer, rarer, rarer.astype(np.int64))
    return Estimate(name, value, float(low), float(high), m + n, method="DeLong's variance, Wilson interval")


def _midranks(values: Floats) -> Floats:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[place])
