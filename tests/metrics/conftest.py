"""Planted pools with a model of known worth, and draws from them whose inclusion probabilities are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from hitl.metrics.sample import LabelledSample
from hitl.types import Floats, Ints


@dataclass(frozen=True, eq=False)
class Planted:
    """A pool whose truth is known: label 0 is fine, the others violate; the policy removes from 0.6 on."""

    truth: Ints
    proba: Floats
    reach: Floats

    @property
    def risk(self) -> Floats:
        """The audit's weights: reach × P(violating), with a floor."""
        return self.reach * (1 - self.proba[:, 0]) + 0.25

    def draw(self, rng: np.random.Generator, n: int, weights: Floats) -> tuple[Ints, Floats]:
        """Priority sampling: the n smallest u / w, with π = min(1, w τ) where τ is the next smallest."""
        rank = rng.random(len(weights)) / weights
        nearest = np.argpartition(rank, n)[: n + 1]
        nearest = nearest[np.argsort(rank[nearest])]
        drawn = nearest[:n]
        return drawn, np.minimum(1.0, weights[drawn] * rank[nearest[n]])

    def sample(self, rows: Ints, inclusion: Floats, proba: Floats | None = None) -> LabelledSample:
        believed = self.proba if proba is None else proba
        k = believed.shape[1]
        never = np.full((len(rows), k), np.inf)
        at = np.where(np.arange(k) > 0, 0.6, np.inf) * np.ones((len(rows), 1))
        return LabelledSample(
            y=np.eye(k)[self.truth[rows]],
            proba=believed[rows],
            labels=tuple("abcdef"[:k]),
            multi_label=False,
            violating=np.arange(k) > 0,
            weights=1 / inclusion,
            reach=self.reach[rows],
            review_at=never,
            limit_at=never,
            remove_at=at,
        )

    def everything(self, proba: Floats | None = None) -> LabelledSample:
        return self.sample(np.arange(len(self.truth)), np.ones(len(self.truth)), proba)

    def shaken(self, rng: np.random.Generator, by: float) -> Floats:
        """Another model's probabilities: this one's with noise on the logits."""
        odds = np.exp(np.log(self.proba) + rng.normal(size=self.proba.shape) * by)
        return odds / odds.sum(axis=1, keepdims=True)


@pytest.fixture(scope="session")
def plant():
    def make(seed: int, prior: list[float], *, size: int = 10_000, worth: float = 1.8) -> Planted:
        rng = np.random.default_rng(seed)
        truth = rng.choice(len(prior), size=size, p=prior)
        logits = rng.normal(size=(size, len(prior))) + np.log(np.maximum(prior, 1e-9))
        logits[np.arange(size), truth] += worth
        odds = np.exp(logits)
        reach = np.exp(rng.normal(size=size) * 1.3)
        return Planted(truth, odds / odds.sum(axis=1, keepdims=True), reach / reach.mean())

    return make
