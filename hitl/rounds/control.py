"""The control arm: what a round's picks bought over labels drawn by chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from hitl.deciding import decide
from hitl.errors import ModelError
from hitl.history import Control, ControlPoint, estimate_row
from hitl.metrics.intervals import FEWEST, kish
from hitl.metrics.sample import LabelledSample
from hitl.metrics.saved import Saved, Trained, labels_saved
from hitl.models import Model
from hitl.rounds.judged import Measured
from hitl.rounds.learn import training_set
from hitl.types import Floats, Ints, Targets

LEAST = 60
"""Even random labels that those of chance must be worth before a model of them is held against others."""

MOST_CHANCE = 0.7
"""Part of all labels that chance may have drawn; beyond it, models of the mix are models of chance."""

REPEATS = 5
"""Models of random parts of the labels, at each number of them: the chance of training is seen from these."""

PARTS = (0.25, 0.5, 1.0)
"""Numbers of labels of the mix that are tried beside all of them, as parts of what chance has."""

SAMPLE = 2_000
"""Items of the pool on which thresholds are set."""


def control(at: Measured) -> Control | None:
    """A shadow model of the labels that chance drew against models of as many labels of the whole mix.

    Chance's labels are those of the random arm and the seed's, and of the audit draws; the model learns from them by
    how many items each stands for, as if it were an even draw. They are worth (Σ w)² / Σ w² even ones (Kish 1965).
    No label is bought for it: a larger `random` makes it sharper. What is compared is the picking, and nothing else:
    all models are of the same recipe, uncalibrated, and decide for each label as often as the present model does in
    the pool. The mix's are of random parts of all that was learned from, the late picks among them. None in the seed
    round, without a benchmark, and where `plan.control` is off.
    """
    if not (at.walk.plan.control and at.number and at.benchmark):
        return None
    arms = _Arms(at, training_set(at.walk, at.number))
    if arms.why:
        return _told(arms, None, arms.why)
    try:
        return _told(arms, arms.compared(), "")
    except ModelError as error:
        return _told(arms, None, f"a model of some of the labels could not be trained: {error}")


def _told(arms: _Arms, found: Saved | None, why: str) -> Control:
    return Control(
        why=why,
        drawn=len(arms.chance),
        worth=arms.worth,
        labels=len(arms.targets),
        fits=arms.fits if found else 0,
        by_chance=estimate_row(found.by_chance) if found else None,
        by_choice=estimate_row(found.by_choice) if found else None,
        gain=estimate_row(found.gain) if found else None,
        saved=estimate_row(found.saved) if found else None,
        edge=found.edge if found else "",
        curve=[ControlPoint(labels=n, figure=estimate_row(figure)) for n, figure in found.curve] if found else [],
    )


@dataclass(frozen=True, eq=False)
class _Arms:
    """What a round's model learned from, with the part of it that chance drew."""

    at: Measured
    targets: Targets

    @cached_property
    def stands_for(self) -> Floats:
        """(m,) by how many items each of them is drawn, 0 for what was picked."""
        stands = self.targets.stands_for
        return np.zeros(len(self.targets)) if stands is None else stands

    @cached_property
    def chance(self) -> Ints:
        """Which of them chance drew."""
        return np.flatnonzero(self.stands_for > 0)

    @cached_property
    def worth(self) -> int:
        """How many even random labels they are worth."""
        return round(float(kish(self.stands_for[self.chance])))

    @cached_property
    def why(self) -> str:
        """Why nothing can be told; empty where it can."""
        model = self.at.walk.model
        if _trains_networks(model.kind, model.options()):
            return (
                "each of its models would be a network or a language model; it is told of models that learn in seconds"
            )
        if self.worth < LEAST:
            return (
                f"too few labels by chance: {len(self.chance)}, worth {self.worth} even ones of the {LEAST} that are "
                "needed; they grow with every round, and with the plan's `random`"
            )
        if self.worth > MOST_CHANCE * len(self.targets):
            return f"chance drew {len(self.chance)} of all {len(self.targets)} labels: what was picked is too little"
        sample = self.at.benchmark.sample if self.at.benchmark else None
        common = np.flatnonzero(sample.common) if sample else np.zeros(0, dtype=np.int64)
        counts = (self.targets.y[self.chance] == 1).sum(axis=0)
        if len(common) < min(2, len(counts)):
            return f"the benchmark has fewer than two labels with {FEWEST} items, so its macro-F1 is not known"
        rare = [self.targets.labels[label] for label in common if counts[label] < FEWEST]
        if rare:
            return (
                f"too few labels by chance: fewer than {FEWEST} of them are {', '.join(rare)}; they grow with every "
                "round, and with the plan's `random`"
            )
        return ""

    @property
    def numbers(self) -> list[int]:
        """How many labels of the mix are tried."""
        return [*(round(self.worth * part) for part in PARTS), len(self.targets)]

    @property
    def fits(self) -> int:
        """How many models are trained."""
        return 1 + REPEATS + len(PARTS) * REPEATS + 1

    def compared(self) -> Saved:
        """Train them all, and compare."""
        m = len(self.targets)
        weighted = replace(
            self.targets, weights=self.targets.weights * np.where(self.stands_for > 0, self.stands_for, 1)
        )
        rng = self.at.rng("control draws")
        halves = [self._part(rng, self.chance, len(self.chance) // 2) for _ in range(REPEATS)]
        by_choice = [
            Trained(
                number,
                tuple(
                    self._on_benchmark(self.targets, self._part(rng, np.arange(m), number), f"choice {number} {repeat}")
                    for repeat in range(REPEATS if number < m else 1)
                ),
            )
            for number in self.numbers
        ]
        return labels_saved(
            Trained(self.worth, (self._on_benchmark(weighted, self.chance, "chance"),)),
            [self._on_benchmark(weighted, half, f"half {repeat}") for repeat, half in enumerate(halves)],
            by_choice,
            self.at.rng("control"),
        )

    def _part(self, rng: np.random.Generator, rows: Ints, size: int) -> Ints:
        return np.sort(rng.choice(rows, size, replace=False))

    def _on_benchmark(self, targets: Targets, rows: Ints, name: str) -> LabelledSample:
        """The benchmark as a model of some of the labels sees it."""
        walk = self.at.walk
        fitted = self._recipe.fit(
            walk.features, targets.take(rows), self.at.rng(f"control {name}"), multi_label=walk.policy.multi_label
        )
        fitted = fitted.with_thresholds(self._prevalence, fitted.predict(self._sample).proba)
        judged = self.at.judge(walk.benchmark_items(), fitted)
        if judged is None:
            raise ModelError("no item of the benchmark is settled any more")
        return judged.sample

    @cached_property
    def _recipe(self) -> Model:
        """The campaign's own without a committee, and without calibration, which thresholds by prevalence undo."""
        recipe: Any = self.at.walk.model
        less = {name: plain for name, plain in (("calibrate", False), ("heads", 0)) if hasattr(recipe, name)}
        return replace(recipe, **less)  # type: ignore[no-any-return]

    @cached_property
    def _sample(self) -> Any:
        walk = self.at.walk
        return walk.features.take(walk.sample(self.at.number, SAMPLE))

    @cached_property
    def _prevalence(self) -> Floats:
        """How often the present model gives each label in the pool, (k,)."""
        told = self.at.new.predict(self._sample)
        return np.asarray(decide(told.proba, told.thresholds, self.at.walk.policy.multi_label).mean(axis=0))


def _trains_networks(kind: str, options: Mapping[str, Any]) -> bool:
    """Whether learning takes long: a network that is trained, or a model that asks another one."""
    members = options.get("members") or ()
    return (
        kind == "policy_judge"
        or options.get("tune") is not None
        or any(_trains_networks(str(one.get("kind")), one) for one in members)
    )
