"""From answers to a better model: resolve, fit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hitl.deciding import decide
from hitl.errors import CampaignError
from hitl.history import estimate_row
from hitl.labels.settle import NO_GOLD, settle
from hitl.labels.spans import settled_spans
from hitl.labels.worth import WorkerEstimate
from hitl.metrics.prevalence import Drawn, pooled_prevalence
from hitl.models import Fitted
from hitl.policy import Policy
from hitl.rounds.aid import aided
from hitl.rounds.counted import answers, known
from hitl.rounds.walk import Done, Walk
from hitl.types import Annotation, Resolution, Spans, Targets, Task

POOL_SAMPLE = 20_000
"""Items of the pool on which thresholds are set."""


def resolve(walk: Walk, number: int) -> Done:
    """Settle every item asked so far: what later answers say about a reviewer changes earlier items, too."""
    settled, people = _settle(walk)
    labelled = sum(resolution.labels is not None for resolution in settled)
    workers = [_worker(estimate) for estimate in people]
    output = {"resolved": labelled, "unresolved": len(settled) - labelled, "workers": workers}
    return Done(output, lambda writer: writer.add_resolutions(number, settled))


def settle_now(walk: Walk, annotations: Sequence[Annotation] | None = None) -> list[Resolution]:
    """What the answers so far that count, or these, amount to, item by item, read under the present policy."""
    return _settle(walk, annotations)[0]


def people_now(walk: Walk) -> tuple[WorkerEstimate, ...]:
    """What the answers so far that count say of the people who gave them."""
    return _settle(walk)[1]


def _settle(
    walk: Walk, annotations: Sequence[Annotation] | None = None
) -> tuple[list[Resolution], tuple[WorkerEstimate, ...]]:
    """The resolution of every item asked, and what the answers under the present policy say of the people.

    Gold reads as the pool and rulings say now; answers under earlier policies are settled by their own, and then read
    anew. What was ruled on an item goes before whatever people say of it.
    """
    annotations = answers(walk) if annotations is None else annotations
    by_version: dict[str, list[Task]] = defaultdict(list)
    for task in walk.ledger.tasks():
        by_version[task.policy_version].append(task)
    texts, gold, ruled = walk.ledger.policies(), walk.gold.known, walk.ruled
    settled: dict[str, Resolution] = {}
    workers: tuple[WorkerEstimate, ...] = ()
    for version, tasks in by_version.items():
        now = version == walk.policy.version
        policy = walk.policy if now else Policy.parse(texts[version], f"policy v{version}")
        settlement = settle(
            annotations,
            tasks,
            policy,
            resolver=walk.plan.resolver,
            min_confidence=walk.plan.min_confidence,
            gold=gold if now else NO_GOLD,
            aided=aided(walk),
        )
        regions = {task.item_id: task.region for task in tasks}
        settled |= {r.item_id: _under(walk.policy, policy, r, regions[r.item_id]) for r in settlement.resolutions}
        workers = settlement.workers if now else workers
    return [known(known(one, ruled, "ruling"), gold, "gold") for one in settled.values()], workers


def _worker(estimate: WorkerEstimate) -> dict[str, Any]:
    return {"worker": estimate.worker, "answers": estimate.answers, "accuracy": estimate_row(estimate.accuracy)}


def _under(now: Policy, then: Policy, resolution: Resolution, region: str) -> Resolution:
    if then.version == now.version or resolution.labels is None:
        return resolution
    labels = now.migrate(resolution.labels, region, then)
    return replace(resolution, labels=labels, method=resolution.method if labels is not None else "stale policy")


def training_set(walk: Walk, number: int, settled: Sequence[Resolution] | None = None) -> Targets:
    """What a round's model learns from: settled items outside the benchmark, weighted by their confidence.

    `settled` are the round's own resolutions when left out. Gold is learned from as well.
    """
    benchmark = walk.benchmark_items()
    found = walk.ledger.resolutions(number) if settled is None else settled
    usable = [r for r in found if r.labels is not None and r.item_id not in benchmark]
    if not usable:
        raise CampaignError(
            f"campaign {walk.campaign}, round {number}: no item has been settled, so there is nothing to learn from; "
            "look at the disagreements in the project, then call again"
        )
    drawn = _stands_for(walk, number)
    return Targets(
        positions=walk.positions(r.item_id for r in usable),
        y=walk.one_hot(usable),
        labels=walk.policy.names,
        weights=np.array([r.confidence for r in usable]),
        stands_for=np.array([drawn.get(r.item_id, 0.0) for r in usable]),
        spans=_spans(walk, usable) if walk.form.name == "timeline" else None,
    )


def _spans(walk: Walk, settled: Sequence[Resolution]) -> Spans:
    """Where in their videos people marked what was settled."""
    items = {task.key: task.item_id for task in walk.ledger.tasks() if task.queue != "exam"}
    said: dict[str, list[Annotation]] = defaultdict(list)
    for annotation in answers(walk):
        if annotation.task_key in items:
            said[items[annotation.task_key]].append(annotation)
    return settled_spans(said, settled, walk.policy.names)


def _stands_for(walk: Walk, number: int) -> dict[str, float]:
    """How many items of the pool each item of the audit draws and random arms stands for; each draw counts by its size.

    1 / inclusion, which a round's items were drawn with from what had not been asked by then.
    """
    drawn: dict[str, float] = {}
    for earlier in range(number + 1):
        picks = walk.ledger.picks(earlier)
        for arm in ("audit", "random"):
            mine = {pick.item_id: 1.0 / (pick.inclusion or 1.0) for pick in picks if pick.arm == arm}
            total = sum(mine.values())
            drawn |= {item: weight * len(mine) / total for item, weight in mine.items()}
    return drawn


def fit(walk: Walk, number: int) -> Done:
    """Train on what is settled, and keep the model under its content's hash."""
    fitted, items = fit_model_on(walk, number, walk.ledger.resolutions(number), "fit")
    folder = f"models/{fitted.model_id}"
    fitted.save(walk.folder / folder)
    return Done(
        {"model_id": fitted.model_id, "training_items": items},
        lambda writer: writer.add_model(number, fitted.model_id, folder, dict(fitted.card)),
    )


def fit_model_on(walk: Walk, number: int, settled: Sequence[Resolution], step: str) -> tuple[Fitted, int]:
    """A model of what is settled, with the chance of one step of a round; and how many items it learned from."""
    targets = training_set(walk, number, settled)
    card = {
        "campaign": walk.campaign,
        "round": number,
        "policy": walk.policy.name,
        "policy_version": walk.policy.version,
        "pool": walk.pool.fingerprint,
        "training_items": len(targets),
    }
    fitted = walk.model.fit(
        walk.features, targets, walk.rng(number, step), multi_label=walk.policy.multi_label, card=card
    )
    return _deciding(walk, number, fitted, settled), len(targets)


def _deciding(walk: Walk, number: int, fitted: Fitted, settled: Sequence[Resolution]) -> Fitted:
    """The model with thresholds at which it gives each label as often as the draws so far say it occurs.

    The audit draws and the random arms say it, never the benchmark: its figures must owe nothing to its labels.
    """
    draws = _draws(walk, number, settled)
    if not draws:
        return fitted
    predicted = fitted.predict(walk.features.take(walk.sample(number, POOL_SAMPLE)))
    prior = decide(predicted.proba, None, walk.policy.multi_label).mean(axis=0)
    return fitted.with_thresholds(pooled_prevalence(draws, prior), predicted.proba)


def _draws(walk: Walk, number: int, resolutions: Sequence[Resolution]) -> list[Drawn]:
    """The settled part of each round's audit draw and random arm, with what was settled before it.

    The pool that they speak for is that without benchmark and gold.
    """
    apart = walk.benchmark_items().keys() | walk.gold.known.keys()
    settled = {r.item_id: r for r in resolutions if r.labels is not None and r.item_id not in apart}
    asked = sum(task.item_id not in apart and not task.queue for task in walk.ledger.tasks())
    pool = int(walk.eligible(number).sum()) + asked
    before: list[Resolution] = []
    draws = []
    for earlier in range(number + 1):
        picks = [pick for pick in walk.ledger.picks(earlier) if pick.item_id in settled and pick.arm != "relabel"]
        known = walk.one_hot(before).sum(axis=0)
        for arm in ("audit", "random"):
            mine = [pick for pick in picks if pick.arm == arm]
            y = walk.one_hot([settled[pick.item_id] for pick in mine])
            draws.append(Drawn(y, np.array([pick.inclusion or 1.0 for pick in mine]), known, len(before), pool))
        before += [settled[pick.item_id] for pick in picks]
    return [draw for draw in draws if len(draw.y)]
