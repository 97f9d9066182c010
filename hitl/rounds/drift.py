"""Drift of inputs, of the model's scores and of labels, as rows with a test and effect sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from hitl.history import estimate_row
from hitl.history.trends import DriftRow
from hitl.metrics.drift import energy_test, prevalence_drift, psi, score_drift
from hitl.metrics.multiplicity import benjamini_hochberg
from hitl.metrics.trends import LEVEL
from hitl.rounds.judged import Measured
from hitl.rounds.periods import Sampled, by_chance
from hitl.rounds.themes import examples
from hitl.sampling.diversity.crowd import GRID
from hitl.types import Bools, Embeddings, Floats, Ints

ROWS = 1_000
"""Items of each period in the permutation test of inputs: its matrix of distances is their square."""


def inputs(at: Measured, sample: Sampled, lies: Embeddings | None, code: Ints) -> list[DriftRow]:
    """Whether what comes lies elsewhere than it did: an energy test, and the stability index of the clusters."""
    if lies is None:
        return []
    sides = [np.flatnonzero((code >= 0) & (sample.new == new)) for new in (False, True)]
    if not all(map(len, sides)):
        return []
    rows = [lies[side[:ROWS]].astype(np.float64) / GRID for side in sides]
    moved = energy_test(rows[0], rows[1], at.rng("inputs"))
    index = psi(*(np.bincount(code[side], minlength=int(code.max()) + 1) for side in sides))
    return [
        _row(
            kind="inputs",
            test=f"energy test by permutation, {len(rows[0]):,} and {len(rows[1]):,} items",
            n_before=len(sides[0]),
            n_new=len(sides[1]),
            p=moved.p,
            adjusted=moved.p,
            psi=index.value,
            by_chance=index.by_chance,
            distance=moved.distance,
        )
    ]


def scores(at: Measured, sample: Sampled, unasked: Bools) -> list[DriftRow]:
    """Whether the model that picked the round gives each label other probabilities than it did."""
    rows = np.flatnonzero(unasked)
    new = sample.new[rows]
    if at.old is None or not new.any() or new.all():
        return []
    proba = believed(at, sample.positions[rows])
    moved = [score_drift(proba[~new, column], proba[new, column]) for column in range(proba.shape[1])]
    adjusted = benjamini_hochberg(np.array([one.p for one in moved]))
    told = []
    for column, one in enumerate(moved):
        changed = bool(adjusted[column] <= LEVEL)
        highest = rows[new][np.argsort(-proba[new, column], kind="stable")]
        told.append(
            _row(
                kind="scores",
                label=at.walk.policy.names[column],
                test="Kolmogorov–Smirnov",
                n_before=int((~new).sum()),
                n_new=int(new.sum()),
                p=one.p,
                adjusted=float(adjusted[column]),
                psi=one.psi.value,
                by_chance=one.psi.by_chance,
                distance=one.distance,
                examples=examples(at.walk, sample.positions[highest]) if changed else [],
            )
        )
    return told


def labels(at: Measured) -> list[DriftRow]:
    """Whether each label is as frequent in this round's audit and random arm as in earlier ones."""
    before, now = by_chance(at.walk, at.number)
    names = at.walk.policy.names
    found = prevalence_drift(before, now, names)
    if not found:
        return []
    adjusted = benjamini_hochberg(np.array([one.p for one in found]))
    told = []
    for label, one, p in zip(names, found, adjusted.tolist(), strict=True):
        changed = p <= LEVEL
        told.append(
            _row(
                kind="labels",
                label=label,
                test="difference of audits and random arms",
                n_before=one.before.n,
                n_new=one.new.n,
                p=one.p,
                adjusted=p,
                difference=estimate_row(one.difference),
                before=estimate_row(one.before),
                now=estimate_row(one.new),
                examples=_with_label(at, label) if changed else [],
            )
        )
    return told


def _with_label(at: Measured, label: str) -> Any:
    """Items of this round's chance draws that people gave the label."""
    drawn = {pick.item_id for pick in at.walk.ledger.picks(at.number) if pick.arm in ("audit", "random")}
    found = [
        r.item_id for r in at.walk.ledger.resolutions(at.number) if r.item_id in drawn and label in (r.labels or ())
    ]
    return examples(at.walk, at.walk.positions(sorted(found)))


def believed(at: Measured, positions: Ints) -> Floats:
    """Probabilities (n, k) of the model that picked the round, which has not learned from what it picked."""
    if at.old is None:
        return np.zeros((len(positions), len(at.walk.policy.names)))
    return at.old.predict(at.walk.features.take(positions)).proba.astype(np.float64)


def _row(**told: Any) -> DriftRow:
    finite = {"psi": None, "by_chance": None, "distance": None, "difference": None, "before": None, "now": None}
    return DriftRow(**{"label": "", "examples": [], **finite, **told, "changed": told["adjusted"] <= LEVEL})  # type: ignore[typeddict-item]
