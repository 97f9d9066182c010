"""How far each two people agree on what both judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hitl.metrics.agreement.coefficients import cohen, observed
from hitl.metrics.agreement.ratings import Answers, Ratings
from hitl.metrics.agreement.resampled import REPLICATES, estimates
from hitl.types import Estimate, Floats, Ints


@dataclass(frozen=True)
class PairAgreement:
    """Two people by their names, in alphabetical order: the tasks that both judged, and how far they agree on them."""

    first: str
    second: str
    shared: int
    kappa: Estimate
    observed: Estimate


def by_pair(
    answers: Answers,
    rng: np.random.Generator,
    *,
    least: int = 20,
    most: int = 100,
    replicates: int = REPLICATES,
) -> tuple[tuple[PairAgreement, ...], int, int]:
    """Cohen's kappa and observed agreement of pairs, how many pairs there are, and how many share too few tasks.

    Pairs with fewer than `least` tasks in common are only counted: at twenty the interval of kappa is still about half
    a point wide. Of the others the `most` with the most in common are told, in the order of their names: this is no
    ranking. O(m p + pairs told × replicates × tasks of theirs) for m answers and p people a task.

    >>> from hitl.labels import AnswerTable
    >>> said = [(f"t{at}", who, "ok" if at % 2 else "spam") for at in range(30) for who in ("ana", "bo")]
    >>> told, pairs, few = by_pair(AnswerTable.of([*said, ("t1", "cem", "ok")]), np.random.default_rng(0))
    >>> [(one.first, one.second, one.shared, one.kappa.value) for one in told], pairs, few
    ([('ana', 'bo', 30, 1.0)], 3, 2)
    """
    last = answers.latest()
    left, right = _rows_of_pairs(last.task)
    lower, upper = (pick(last.worker[left], last.worker[right]) for pick in (np.minimum, np.maximum))
    codes, shared = np.unique(lower * len(last.workers) + upper, return_counts=True)
    wanted = np.flatnonzero(shared >= least)
    wanted = np.sort(wanted[np.argsort(-shared[wanted], kind="stable")][:most])
    told = []
    for at in wanted.tolist():
        first, second = divmod(int(codes[at]), len(last.workers))
        here = np.flatnonzero((lower == first) & (upper == second))
        swap = last.worker[left[here]] != first
        rows = np.where(swap, right[here], left[here]), np.where(swap, left[here], right[here])
        a, b = (_one_each(last.label[side], len(last.labels)) for side in rows)
        both = Ratings(a.counts + b.counts, a.weights)
        kappa, alike = estimates([cohen(a, b), observed(both)], both.weights, rng, replicates)
        names = sorted((last.workers[first], last.workers[second]))
        told.append(PairAgreement(names[0], names[1], len(here), kappa, alike))
    return tuple(sorted(told, key=lambda one: (one.first, one.second))), len(codes), int((shared < least).sum())


def _rows_of_pairs(task: Ints) -> tuple[Ints, Ints]:
    """Every two rows of one task, as two columns of row numbers."""
    order = np.argsort(task, kind="stable")
    found: list[tuple[Ints, Ints]] = []
    for step in range(1, int(np.bincount(task).max(initial=0))):
        alike = task[order[:-step]] == task[order[step:]]
        found.append((order[:-step][alike], order[step:][alike]))
    nothing = np.zeros(0, dtype=np.int64)
    return (
        np.concatenate([nothing, *(one for one, _ in found)]),
        np.concatenate([nothing, *(two for _, two in found)]),
    )


def _one_each(label: Ints, k: int) -> Ratings:
    counts: Floats = np.eye(k)[label]
    return Ratings(counts, np.ones(len(label)))
