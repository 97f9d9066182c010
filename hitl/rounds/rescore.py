"""Between two rounds: a model fitted on the answers so far puts the open tasks into a new order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hitl.compute.survey import Survey
from hitl.errors import CampaignError
from hitl.models import Fitted
from hitl.rounds.collect import in_hand, unanswered
from hitl.rounds.intents import send_intents
from hitl.rounds.learn import fit_model_on, settle_now
from hitl.rounds.pick import known_places, standing
from hitl.rounds.walk import Walk
from hitl.sampling.aims import aims
from hitl.sampling.scan import Job, ScanBatch, priorities
from hitl.sampling.view import Viewer
from hitl.types import Floats, Ints, Predictions, Resolution, Task


@dataclass(frozen=True)
class Rescored:
    """What a rescoring did: the interim model, how many labels it learned from, and how many open tasks it ordered."""

    model_id: str
    labels: int
    tasks: int


def rescore(walk: Walk, number: int) -> Rescored:
    """Fit on what is settled by now, and serve the round's open tasks by that model.

    Nothing of the round's record changes but the order of what is open: its picks, their inclusion probabilities and
    the model that its audit judges stay. The new order is on record before the server hears of it, so that a call
    that is cut off is finished by the next, or by the next run. Raises `CampaignError` where nothing waits, and where
    nothing is settled.
    """
    held = [task for task in in_hand(walk, number) if not task.queue]
    waiting = unanswered(walk, held)
    tasks = [task for task in held if task.key in waiting]
    if not tasks:
        raise CampaignError(f"campaign {walk.campaign}: no task of round {number} waits, so there is nothing to order")
    settled = settle_now(walk)
    fitted, targets = fit_model_on(walk, number, settled, "rescore")
    fitted.save(walk.folder / "models" / fitted.model_id)
    ordered = _ordered(walk, number, fitted, tasks, settled)
    again = len(walk.ledger.events("rescored"))
    with walk.ledger.transaction() as writer:
        writer.reprioritise(ordered)
        writer.intend("refresh", {task.key: again for task in ordered})
        writer.event("rescored", {"round": number, "model": fitted.model_id, "labels": targets, "tasks": len(ordered)})
    send_intents(walk)
    return Rescored(fitted.model_id, targets, len(ordered))


def _ordered(
    walk: Walk, number: int, fitted: Fitted, tasks: Sequence[Task], settled: Sequence[Resolution]
) -> list[Task]:
    at = np.array([task.position for task in tasks], dtype=np.int64)
    predicted = fitted.predict(walk.features.take(at))
    served = _priorities(walk, number, predicted, at, settled)
    return [
        replace(
            task,
            predicted=dict(zip(fitted.labels, map(float, predicted.proba[row]), strict=True)),
            priority=float(served[row]),
            model_id=fitted.model_id,
        )
        for row, task in enumerate(tasks)
    ]


def _priorities(walk: Walk, number: int, predicted: Predictions, at: Ints, settled: Sequence[Resolution]) -> Floats:
    """What the plan's widest arm makes of the items (n,), as when a round picks."""
    benchmark = walk.benchmark_items()
    learned = [r for r in settled if r.labels is not None and r.item_id not in benchmark]
    survey = Survey.of(walk.pool, walk.plan.strata)
    looked_for = aims(walk.plan, standing(walk, learned))
    job = Job(walk.plan, looked_for, walk.strata[1], survey.stakes(walk.policy), walk.seed(number, "rescore"))
    embeddings = walk.features.embeddings
    view = Viewer(walk.policy, survey.regions, job.seed).view(
        walk.pool.keys[at],
        predicted.opinion,
        walk.pool.reach[at],
        walk.regions[0][at],
        embeddings=None if embeddings is None else np.asarray(embeddings[at]),
        committee=predicted.committee,
        known=known_places(walk, number, learned),
    )
    return priorities(ScanBatch(at, view, walk.strata[0][at], np.ones(len(at), dtype=np.bool_)), job)
