"""What wrong decisions still cost in the pool, in the policy's own units (severity × views)."""

from __future__ import annotations

import numpy as np

from hitl.errors import DataError
from hitl.metrics.audit import total
from hitl.metrics.sample import LabelledSample
from hitl.types import Estimate, Floats


def decision_costs(sample: LabelledSample, severity: Floats, benign_cost: Floats) -> tuple[Floats, Floats]:
    """What the model's decision on each judged item costs, and the most that it could have, (n,) each.

    `severity` and `benign_cost` (n, k) are the policy's in each item's region (`Policy.costs`). As in the scan's
    `expected_cost`, with what people said in place of the model's belief: an item is acted on when the probability of
    a violating label comes to where the policy limits or removes. Left up, it costs reach × the severity of its
    labels; acted on though no violating label applies, reach × the largest cost of a wrong action among those labels
    that called for it. NaN where people left that open. Raises `DataError` for shapes. O(n k).
    """
    shape = sample.y.shape
    if severity.shape != shape or benign_cost.shape != shape:
        raise DataError(f"costs have the shapes {severity.shape} and {benign_cost.shape}; the sample needs {shape}")
    calls = sample.reaches(sample.act_at)
    acted = calls.any(axis=1)
    wrong = np.where(calls, benign_cost, 0.0).max(axis=1, initial=0.0)
    harm = severity * sample.violating
    left_up = (harm * sample.truth).sum(axis=1)
    worst = harm.sum(axis=1) if sample.multi_label else harm.max(axis=1, initial=0.0)
    cost = np.where(acted, np.where(sample.violates == 0, wrong, 0.0), left_up)
    cost = np.where(np.isnan(sample.violates), np.nan, cost)
    return sample.reach * cost, sample.reach * np.where(acted, wrong, worst)


def cost_left(sample: LabelledSample, severity: Floats, benign_cost: Floats) -> Estimate:
    """What the model's present decisions cost in the whole pool, from a judged probability sample of it.

    Horvitz and Thompson's total of `decision_costs` (see `hitl.metrics.audit.total`): it holds whatever the model
    believes, and is wide where few mistakes were found. Items that people left open are taken to be like those that
    they settled. A sample that is not of a finite pool, or empty, gives NaN.

    >>> from hitl.policy import Policy
    >>> from hitl.types import Resolution
    >>> policy = Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: spam}]}")
    >>> judged = [Resolution(f"item {i}", i, ("spam" if i < 4 else "ok",), 1.0, "m", "1") for i in range(40)]
    >>> drawn = LabelledSample.of(policy, judged, np.full((40, 2), 0.5), inclusion=np.full(40, 0.1))
    >>> costs = policy.costs([""] * 40)
    >>> print(cost_left(drawn, costs.severity, costs.benign_cost))
    cost_left 40.000 [11.885, 99.976] (n=40)
    """
    cost, most = decision_costs(sample, severity, benign_cost)
    settled = ~np.isnan(cost)
    if not sample.finite or not settled.any():
        why = "the sample is not of a finite pool" if len(sample) and not sample.finite else "no audit item is settled"
        return Estimate("cost_left", float("nan"), 0.0, float("inf"), int(settled.sum()), method=why)
    answered = float(sample.weights @ settled / sample.weights.sum())
    inclusion = np.clip(answered / sample.weights[settled], 1e-12, 1.0)
    return total(cost[settled], inclusion, most=most[settled], name="cost_left")
