"""The campaign's own decisions: people's answers, what they resolve to, the model's; and how far to trust them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from hitl.deciding import violation
from hitl.labels.voices import out_of, voices
from hitl.metrics.transparency import decisions_at
from hitl.pool.keys import hash_text
from hitl.rounds.counted import answers
from hitl.rounds.in_force import periods, unjudged
from hitl.rounds.qa_decisions import ACT, JOIN, REVIEW, Decisions, coded, languages, moments
from hitl.rounds.walk import Walk
from hitl.sampling.uniforms import mix
from hitl.types import Bools, Floats, Ints, Resolution
from hitl.workforce import lifecycle

_BLOCK = 8192


def own_decisions(walk: Walk) -> list[Decisions]:
    """The campaign's own decisions: people's answers, what they were resolved to, and the newest model's of the rest.

    People's answers under the present policy that give labels, gold and exam apart; resolutions as of the round that
    asked; and the model's on every item that no person had judged, at the policy's thresholds: what it would send to a
    person is no decision. O(answers + pool).
    """
    return [found for found in (_answers(walk), _resolutions(walk), _model(walk)) if found is not None and len(found)]


def _answers(walk: Walk) -> Decisions | None:
    tasks = {
        task.key: task
        for task in walk.ledger.tasks()
        if not task.queue and task.policy_version == walk.policy.version and task.item_id not in walk.gold.known
    }
    heard = voices(answers(walk))
    said = [one for key in tasks for one in heard.get(key, ()) if one.answer is not None and not out_of(one)]
    if not said:
        return None
    roster = lifecycle.fold(walk.ledger.events(*lifecycle.KINDS))
    home = [roster.get(one.worker) for one in said]
    position = walk.positions(tasks[one.task_key].item_id for one in said)
    vendors = [one.vendor if one else "" for one in home]
    return Decisions(
        source="answers",
        whole=True,
        keys=hash_text(pa.array([f"{one.task_key}/{one.worker}" for one in said])),
        position=position,
        acted=np.array([bool(_violating(walk, one.answer.labels if one.answer else ())) for one in said]),
        at=moments([one.submitted for one in said]),
        codes={
            "kind": coded(["vendor" if vendor else "human" for vendor in vendors]),
            "by": coded([one.worker for one in said]),
            "vendor": coded(vendors),
            "team": coded([one.team if one else "" for one in home]),
            "language": languages(walk, position),
            "clause": coded([_violating(walk, one.answer.labels if one.answer else ()) for one in said]),
        },
    )


def _resolutions(walk: Walk) -> Decisions | None:
    resolved = walk.ledger.completed("resolve")
    if not resolved:
        return None
    asked = {task.item_id: task.round for task in reversed(walk.ledger.tasks()) if not task.queue}
    settled: list[Resolution] = [
        one
        for one in walk.ledger.resolutions(max(resolved))
        if one.labels is not None and one.method != "gold" and asked.get(one.item_id) in resolved
    ]
    if not settled:
        return None
    position = walk.positions(one.item_id for one in settled)
    given = [_violating(walk, one.labels or ()) for one in settled]
    blank = coded([""] * len(settled))
    return Decisions(
        source="resolutions",
        whole=True,
        keys=hash_text(pa.array([f"resolved/{one.item_id}" for one in settled])),
        position=position,
        acted=np.array([bool(clause) for clause in given]),
        at=moments([resolved[asked[one.item_id]] for one in settled]),
        codes={
            "kind": coded(["resolver"] * len(settled)),
            "by": coded([one.method for one in settled]),
            "vendor": blank,
            "team": blank,
            "language": languages(walk, position),
            "clause": coded(given),
        },
    )


def _model(walk: Walk) -> Decisions | None:
    """What the model in force decides by itself on what no person had judged."""
    found = periods(walk)
    fitted = walk.fitted(found[-1].number - 1) if found and found[-1].model else None
    if fitted is None or fitted.labels != walk.policy.names:
        return None
    rows = np.flatnonzero(unjudged(walk, found[-1].number))
    costs, codes = walk.policy.costs(walk.regions[1]), walk.regions[0]
    clause: Ints = np.zeros(len(rows), dtype=np.int64)
    settled: Bools = np.zeros(len(rows), dtype=np.bool_)
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        walk.progress("reading the model's decisions", start, len(rows))
        proba, mine = fitted.predict(walk.features.take(part)).proba, codes[part]
        called = decisions_at(proba, costs.review_at[mine], costs.limit_at[mine], costs.remove_at[mine])
        called = np.where(walk.policy.violating, called, 0)
        strictest = called.max(axis=1, initial=0)
        # Of labels that call for the same, the likeliest is the clause.
        likeliest = np.where(called == strictest[:, None], proba, -1.0).argmax(axis=1)
        clause[start : start + _BLOCK] = np.where(strictest >= ACT, likeliest + 1, 0)
        settled[start : start + _BLOCK] = strictest != REVIEW
    rows, clause = rows[settled], clause[settled]
    salt = np.uint64(int.from_bytes(fitted.model_id.encode()[-8:].rjust(8, b"\0"), "big"))

    def one(word: str) -> tuple[Ints, tuple[str, ...]]:
        return np.zeros(len(rows), dtype=np.int64), (word,)

    return Decisions(
        source="model",
        whole=False,
        keys=mix(walk.pool.keys[rows] ^ salt),
        position=rows,
        acted=clause > 0,
        at=np.full(len(rows), moments([found[-1].begin])[0]),
        codes={
            "kind": one("model"),
            "by": one(fitted.model_id),
            "vendor": one(""),
            "team": one(""),
            "language": languages(walk, rows),
            "clause": (clause, ("", *walk.policy.names)),
        },
    )


def _violating(walk: Walk, labels: Sequence[str]) -> str:
    """The violating ones of labels, in the policy's order."""
    return JOIN.join(one.name for one in walk.policy.labels if one.violating and one.name in labels)


def believed(walk: Walk, decisions: Decisions) -> tuple[Floats, Floats]:
    """The chance that each decision (n,) is wrong by the newest model, and what an error would cost: views × severity.

    NaN where there is no model, or the pool does not hold the item. O(n k).
    """
    models = walk.ledger.models()
    fitted = walk.fitted(max(models)) if models else None
    chance, cost = np.full(len(decisions), np.nan), np.full(len(decisions), np.nan)
    rows = np.flatnonzero(decisions.position >= 0)
    if fitted is None or fitted.labels != walk.policy.names or not len(rows):
        return chance, cost
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        violates, severity = _looked(walk, fitted, decisions.position[part])
        chance[part] = np.where(decisions.acted[part], 1 - violates, violates)
        cost[part] = severity * walk.pool.reach[decisions.position[part]]
    return chance, cost


def _looked(walk: Walk, fitted: Any, positions: Ints) -> tuple[Floats, Floats]:
    """What the model says of items: the chance that each violates (n,), and how grave that would be (n,)."""
    proba = fitted.predict(walk.features.take(positions)).proba.astype(np.float64)
    severity = walk.policy.costs(walk.regions[1]).severity[walk.regions[0][positions]]
    bad = np.where(walk.policy.violating, proba, 0.0)
    total = bad.sum(axis=1)
    mean = np.divide((bad * severity).sum(axis=1), total, out=severity.max(axis=1), where=total > 0)
    return violation(proba, walk.policy.violating, walk.policy.multi_label), mean
