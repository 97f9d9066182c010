"""A planted pool with a realistic model of it, and audits of it by the library's own draw; for `coverage.py`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hitl.deciding import violation
from hitl.metrics.assisted import Believed
from hitl.metrics.sample import LabelledSample
from hitl.policy import Policy
from hitl.sampling.audit import audit_weights
from hitl.sampling.candidates import Candidates
from hitl.sampling.plan import Plan
from hitl.sampling.sketch import FlooredDraw
from hitl.sampling.uniforms import draws
from hitl.sampling.view import Viewer
from hitl.types import Bools, Floats, Ints

ITEMS = 100_000
STRATA = 4
POLICY = Policy.parse(
    """
name: planted
version: 1
labels:
  - {name: ok, violating: false}
  - {name: abuse, severity: 2, actions: {review: 0.3, remove: 0.6}}
  - {name: spam, severity: 1, actions: {review: 0.3, remove: 0.6}}
"""
)


@dataclass(frozen=True, eq=False)
class Planted:
    """A pool of `ITEMS` whose truth is known: labels, two models' beliefs, reach, strata and the audit's weights."""

    truth: Ints
    proba: Floats
    other: Floats  # of the model that it is compared with
    reach: Floats
    strata: Ints
    weights: Floats

    @classmethod
    def make(cls, prevalence: float, seed: int = 1) -> Planted:
        """Two violating labels, 7 to 3, told apart by Gaussian evidence (AP about .6 at 1 %), believed too firmly."""
        rng = np.random.default_rng(seed)
        strata = rng.integers(0, STRATA, ITEMS)
        share = prevalence * np.array([0.4, 0.8, 1.2, 1.6])[strata]
        which = np.where(rng.random(ITEMS) < 0.7, 1, 2)
        truth = np.where(rng.random(ITEMS) < share, which, 0)
        evidence = rng.normal(size=(ITEMS, 3))
        evidence[np.arange(ITEMS), truth] += 2.2
        prior = np.log([1 - prevalence, 0.7 * prevalence, 0.3 * prevalence])
        worse = evidence + rng.normal(size=evidence.shape) * 0.5
        first, second = (_softmax(prior + 2.2 * scale * told) for scale, told in ((1.1, evidence), (0.9, worse)))
        reach = np.exp(rng.normal(size=ITEMS) * 1.3)
        reach /= reach.mean()
        keys = np.arange(ITEMS, dtype=np.uint64)
        view = Viewer(POLICY, ("",), seed).view(keys, first.astype(np.float32), reach, np.zeros(ITEMS, dtype=np.int64))
        return cls(truth, first, second, reach, strata, audit_weights(view, 1.0, Plan().audit_views))

    @cached_property
    def risk(self) -> Floats:
        """(n,) the first model's belief that an item violates."""
        return violation(self.proba, POLICY.violating)

    @cached_property
    def believed(self) -> Believed:
        """What the first model believes of the pool."""
        labels = dict(zip(POLICY.names, self.proba.mean(axis=0).tolist(), strict=True))
        by_views = float(self.risk @ self.reach / self.reach.sum())
        return Believed(float(self.risk.mean()), by_views, labels)

    @cached_property
    def by_risk(self) -> Ints:
        """All rows, the riskiest first."""
        return np.argsort(-self.risk)

    @cached_property
    def by_doubt(self) -> Ints:
        """All rows, those first of which the model is least certain: what active learning picks."""
        return np.argsort(np.abs(self.risk - 0.5))

    def audit(self, size: int, seed: int, among: Bools | None = None) -> tuple[Ints, Floats]:
        """Rows and inclusion probabilities of an audit as `scan` draws it, of the whole pool or `among` some of it."""
        rows = np.arange(ITEMS) if among is None else np.flatnonzero(among)
        keys = rows.astype(np.uint64)
        draw = FlooredDraw(size, Plan().audit_floor)
        none = np.zeros(len(rows))
        draw.feed(Candidates(rows, keys, none, none.astype(np.int64), none), self.weights[rows], draws(keys, seed))
        found = draw.result()
        return found.items.positions, found.inclusion

    def sample(self, rows: Ints, inclusion: Floats, proba: Floats | None = None) -> LabelledSample:
        """What people who are always right say of some rows, with a model's beliefs of them."""
        costs = POLICY.costs([""])
        n = len(rows)
        review, limit, remove = (np.repeat(at, n, axis=0) for at in (costs.review_at, costs.limit_at, costs.remove_at))
        return LabelledSample(
            y=np.eye(3)[self.truth[rows]],
            proba=(self.proba if proba is None else proba)[rows],
            labels=POLICY.names,
            multi_label=False,
            violating=POLICY.violating,
            weights=1 / inclusion,
            reach=self.reach[rows],
            review_at=review,
            limit_at=limit,
            remove_at=remove,
        )

    def everything(self, proba: Floats | None = None) -> LabelledSample:
        """All of the pool, judged: what is true."""
        return self.sample(np.arange(ITEMS), np.ones(ITEMS), proba)

    def answers(self, rng: np.random.Generator, rows: Ints) -> Bools:
        """Which of some rows people settle: less often in some strata, and the less often the riskier an item is."""
        chance = np.array([0.95, 0.85, 0.75, 0.9])[self.strata[rows]] - 0.35 * self.risk[rows]
        return np.asarray(rng.random(len(rows)) < chance)


def _softmax(logits: Floats) -> Floats:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
