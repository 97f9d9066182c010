"""What a round's figures are made of: probability samples that people judged, with a model's opinion of each item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hitl.deciding import violation
from hitl.errors import CampaignError
from hitl.metrics.responses import Responses, responses
from hitl.metrics.sample import LabelledSample
from hitl.models import Fitted
from hitl.rounds.walk import Walk
from hitl.types import Floats, Ints


@dataclass(frozen=True, eq=False)
class Judged:
    """The settled part of a probability sample, n of m items: the sample, and where its items stand in the pool (n,).

    `drawn` (m,) is where all that was drawn stands, and `responses` who of it was settled. The sample's weights are
    those of the draw and of the answering together (`Responses.adjusted`), so that every figure bears both.
    """

    sample: LabelledSample
    positions: Ints
    drawn: Ints
    responses: Responses


@dataclass(frozen=True, eq=False)
class Measured:
    """One round's models on what was judged; each sample is None where nothing of it is settled."""

    walk: Walk
    number: int
    new: Fitted
    """The model that the round trained."""
    old: Fitted | None
    """The model that picked the round, and had not seen its audit draw; None in the seed round."""

    @classmethod
    def of(cls, walk: Walk, number: int) -> Measured:
        """The models of a round whose step `fit` is completed; raises `CampaignError` when its model is gone."""
        new = walk.fitted(number)
        if new is None:
            raise CampaignError(
                f"campaign {walk.campaign}, round {number}: its model is gone; restore {walk.folder}/models"
            )
        return cls(walk, number, new, walk.fitted(number - 1))

    @cached_property
    def drawn(self) -> dict[str, float]:
        """Item id → inclusion probability of the round's audit draw."""
        return self.walk.audit_items(self.number)

    @cached_property
    def benchmark(self) -> Judged | None:
        """The new model on the frozen benchmark."""
        return self.judge(self.walk.benchmark_items(), self.new)

    @cached_property
    def before(self) -> Judged | None:
        """The old model on the frozen benchmark, on the same items in the same order."""
        return self.judge(self.walk.benchmark_items(), self.old)

    @cached_property
    def audit(self) -> Judged | None:
        """The old model on the round's audit draw; the new one has learned from it."""
        return self.judge(self.drawn, self.old)

    def judge(self, drawn: Mapping[str, float], fitted: Fitted | None) -> Judged | None:
        """The settled part of a draw (item id → inclusion probability), with a model's predictions.

        Whatever model is judged, the weights are the same: what was not settled is weighed by the old model's risk.
        """
        return judged(self.walk, self.number, drawn, fitted, self.old) if fitted else None

    def rng(self, name: str) -> np.random.Generator:
        """The chance of one finding of the round."""
        return self.walk.rng(self.number, f"examine {name}")


def judged(
    walk: Walk, number: int, drawn: Mapping[str, float], fitted: Fitted, before: Fitted | None = None
) -> Judged | None:
    """The settled part of a probability sample with a model's predictions; None when nothing of it is settled.

    What is not settled is weighed by stratum, and by the risk that the model `before` sees, which must not have learned
    from the answers; without one by stratum alone.
    """
    settled = [r for r in walk.ledger.resolutions(number, items=drawn) if r.labels is not None]
    if not settled:
        return None
    at = walk.positions(drawn)
    place = {item: row for row, item in enumerate(drawn)}
    rows = np.array([place[r.item_id] for r in settled])
    answered = np.zeros(len(drawn), dtype=np.bool_)
    answered[rows] = True
    risk = _risk(walk, at, before) if before and not answered.all() else np.zeros(len(drawn))
    told = responses(np.array(list(drawn.values())), answered, walk.strata[0][at], risk)
    positions = at[rows]
    codes, regions = walk.regions
    predicted = fitted.predict(walk.features.take(positions))
    sample = LabelledSample.of(
        walk.policy,
        settled,
        predicted.proba,
        thresholds=predicted.thresholds,
        inclusion=told.adjusted[rows],
        reach=walk.pool.reach[positions],
        regions=[regions[code] for code in codes[positions]],
    )
    return Judged(sample, positions, at, told)


def _risk(walk: Walk, positions: Ints, fitted: Fitted) -> Floats:
    proba = fitted.predict(walk.features.take(positions)).proba
    return violation(proba, walk.policy.violating, walk.policy.multi_label)
