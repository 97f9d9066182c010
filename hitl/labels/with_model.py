"""Reviewers and a model together: the model as one more voter, weighed by the errors that it was seen to make."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from hitl.labels.dawid_skene import DawidSkene
from hitl.labels.table import AnswerTable, Machine, Resolver, Settled, conclude, hold
from hitl.types import Bools, Floats

LEAST = 1e-5
"""No probability of a model counts as less: it was never seen often enough to say that something is impossible."""


@dataclass(frozen=True)
class WithModel:
    """What `people` (a resolver with confusions) make of the answers, and the model's opinion of each task besides.

    The opinion p (k,) is taken as P(truth) ∝ exp(shift + weight log p), in place of the classes' frequency; the answers
    speak after it as they do in `people`. Weight and shift (k,) are where the answers, and the known labels, are
    likeliest, people's confusions being held: a model that is as often right as it says has weight 1, one that is too
    sure of itself less, one that knows nothing 0, and none is turned around. The prior is normal, as if calibrated,
    with standard deviations `weight_sd` and `shift_sd`: few answers do not move it far.

    The model learns from people, and people nothing from the model: their record, their confusions and the worth of
    their answers are those of `people` (a cut posterior: Plummer 2015, Statistics and Computing 25:37). The opinion
    must be from before the answers, by a model that had not learned from them, and people must not have seen it: else
    it is counted twice. Where the model is itself to be judged it must have no voice: give it a row of NaN. Without an
    opinion of any task this is `people`. O(m k) as that, and O(t k²) a step for the model.
    """

    people: Resolver = field(default_factory=DawidSkene)
    weight_sd: float = 0.5
    shift_sd: float = 1.0
    tolerance: float = 1e-7
    steps: int = 200

    def __call__(self, table: AnswerTable) -> Settled:
        """Settle every task of `table`; tasks that nobody answered stay open, whatever the model believes."""
        alone = self.people(table)
        heard: Bools = np.zeros(len(table.tasks), dtype=np.bool_)
        if table.opinion is not None and alone.confusion is not None and len(table.labels) > 1:
            heard = ~np.isnan(table.opinion).any(axis=1) & ((np.diff(table.counts.indptr) > 0) | table.known)
        if not heard.any() or table.opinion is None or alone.confusion is None:
            return alone
        logs = np.log(np.maximum(table.opinion[heard], LEAST))
        evidence = _evidence(table, alone.confusion, heard)
        weight, shift = self._calibrate(logs, evidence)
        posterior = alone.posterior.copy()
        posterior[heard] = _softmax(shift + weight * logs + evidence)
        together = conclude(table, hold(table, posterior), alone.confusion, alone.support)
        machine = _record(alone.posterior[heard], logs, table.known[heard] | (table.people[heard] > 1), weight)
        return replace(together, machine=machine, correct=alone.correct, judged=alone.judged, doubt=alone.doubt)

    def _calibrate(self, logs: Floats, evidence: Floats) -> tuple[float, Floats]:
        """Weight and shift (k,) under which evidence (n, k) is likeliest: EM, a Newton step each; O(n k²) a step."""
        k = logs.shape[1]
        at, last = np.concatenate([[1.0], np.zeros(k)]), -np.inf
        precision = np.concatenate([[self.weight_sd**-2], np.full(k, self.shift_sd**-2)])
        for _ in range(self.steps):
            prior = _softmax(at[1:] + at[0] * logs)
            joint = np.log(prior) + evidence
            top = joint.max(axis=1, keepdims=True)
            likelihood = float((top[:, 0] + np.log(np.exp(joint - top).sum(axis=1))).sum())
            likelihood -= float((precision * (at - [1.0, *[0.0] * k]) ** 2).sum() / 2)
            if abs(likelihood - last) <= self.tolerance * len(logs):
                break
            last = likelihood
            over = _softmax(joint) - prior
            gradient = np.concatenate([[float((over * logs).sum())], over.sum(axis=0)])
            gradient -= precision * (at - np.concatenate([[1.0], np.zeros(k)]))
            at = at + np.linalg.solve(_bend(prior, logs) + np.diag(precision), gradient)
            at[0] = max(at[0], 0.0)
        return float(at[0]), at[1:]


def _bend(prior: Floats, logs: Floats) -> Floats:
    """(k + 1, k + 1) minus the second derivative of Σ log softmax at weight and shifts."""
    mean = (prior * logs).sum(axis=1, keepdims=True)
    cross = (prior * (logs - mean)).sum(axis=0)
    shifts = np.diag(prior.sum(axis=0)) - prior.T @ prior
    weight = float((prior * (logs - mean) ** 2).sum())
    return np.block([[np.array([[weight]]), cross[None, :]], [cross[:, None], shifts]])


def _evidence(table: AnswerTable, confusion: Floats, heard: Bools) -> Floats:
    """(n, k) log-likelihood of the answers to the tasks heard; of a known label nothing else is possible."""
    w, k, _ = confusion.shape
    told = np.log(confusion).transpose(0, 2, 1).reshape(w * k, k)
    evidence = table.counts[np.flatnonzero(heard)] @ told
    if table.truth is not None:
        truth = table.truth[heard, None]
        evidence = np.where(truth < 0, evidence, np.where(truth == np.arange(k), 0.0, -1e9))
    return np.asarray(evidence)


def _record(beliefs: Floats, logs: Floats, judged: Bools, weight: float) -> Machine:
    """How often the model's likeliest label was the truth that people's answers alone speak for."""
    k = beliefs.shape[1]
    said = np.eye(k)[logs.argmax(axis=1)]
    counts = beliefs.T @ said + 0.5
    right = (beliefs * said).sum(axis=1)[judged]
    rows = counts.sum(axis=1, keepdims=True)
    return Machine(
        weight=weight,
        confusion=counts / rows,
        support=np.broadcast_to(rows, counts.shape),
        correct=float(right.sum()),
        judged=int(judged.sum()),
        doubt=float((right * (1.0 - right)).sum()),
    )


def _softmax(logits: Floats) -> Floats:
    scaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))
