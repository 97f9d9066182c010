"""Fine-tuning of a whole network: its options, what it learns from, and what is held out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ConfigError, ModelError
from hitl.models.calibration import HeldOut
from hitl.models.neural.devices import PRECISIONS
from hitl.models.neural.losses import class_factors, learnable
from hitl.models.neural.tuned import Tuned, logits_of
from hitl.models.neural.tuning_data import Inputs, held_out
from hitl.sampling.uniforms import draws
from hitl.types import Bools, Floats, Ints, Keys, Progress, silent

LOSSES = ("balanced", "focal", "plain")

LOOKS = 10
"""How often held-out items are looked at when `min_steps` asks for more passes over the items than that."""


@dataclass(frozen=True)
class Tuning:
    """How to fine-tune: AdamW, a learning rate that rises over `warmup` of the steps and then falls to 0.

    `epochs` passes over the items, and more of them until there are `min_steps` updates: a few hundred labels need that
    (Mosbach, Andriushchenko & Klakow 2021; Zhang et al. 2021). An update learns from `batch` items (on each GPU) times
    `accumulate`. `learning_rate` None is 3e-5, with LoRA 3e-4. `held_out` of the items of each label are not learned
    from; after each epoch they are looked at, training stops after `patience` epochs without a lower loss on them (0:
    never), and the best state is what is kept. `loss` is cross-entropy with "balanced" labels or as they are ("plain"),
    or the "focal" loss with `focal_gamma`. `precision` is "auto" (float32 on CPU and MPS, mixed on CUDA), "float32",
    "bfloat16" or "float16". `lora` above 0 is the rank of low-rank updates, which alone are learned beside the head
    (Hu et al. 2022; needs the extra `lora`) and merged into the weights in the end. Raises `ConfigError`.

    >>> Tuning(epochs=5, lora=8).rate
    0.0003
    """

    epochs: int = 3
    min_steps: int = 300
    learning_rate: float | None = None
    warmup: float = 0.1
    weight_decay: float = 0.01
    batch: int = 16
    accumulate: int = 1
    patience: int = 2
    held_out: float = 0.2
    loss: str = "balanced"
    focal_gamma: float = 2.0
    precision: str = "auto"
    lora: int = 0

    def __post_init__(self) -> None:
        lowest = {"epochs": 1, "min_steps": 0, "batch": 1, "accumulate": 1, "patience": 0, "lora": 0}
        for name, least in lowest.items():
            given = getattr(self, name)
            if not isinstance(given, int) or isinstance(given, bool) or given < least:
                raise ConfigError(f"tuning: {name}={given!r} must be a whole number from {least} on")
        ranges = {"warmup": 1.0, "weight_decay": 1.0, "held_out": 0.5, "focal_gamma": 10.0, "rate": 1.0}
        for name, most in ranges.items():
            given, told = getattr(self, name), "learning_rate" if name == "rate" else name
            if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= most:
                raise ConfigError(f"tuning: {told}={given!r} must be a number from 0 to {most:g}")
        if not self.rate > 0:
            raise ConfigError("tuning: learning_rate=0 learns nothing; take 3e-5, or null for the default")
        for name, allowed in (("loss", LOSSES), ("precision", ("auto", *PRECISIONS))):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"tuning: {name}={getattr(self, name)!r} must be one of {', '.join(allowed)}")

    @property
    def rate(self) -> float:
        """The highest learning rate."""
        return (3e-4 if self.lora else 3e-5) if self.learning_rate is None else self.learning_rate

    def passes(self, steps: int) -> tuple[int, int]:
        """Epochs, and passes over the items in each, when one pass is so many `steps`.

        >>> Tuning(epochs=3, min_steps=300).passes(200), Tuning(epochs=3, min_steps=300).passes(10)
        ((3, 1), (10, 3))
        """
        wanted = max(self.epochs, math.ceil(self.min_steps / steps))
        each = 1 if wanted == self.epochs else math.ceil(wanted / LOOKS)
        return math.ceil(wanted / each), each


@dataclass(frozen=True, eq=False)
class TuningJob:
    """What to learn: an encoder (a folder, or a name at the Hub and its `revision`), m inputs, and what they are.

    `y` (m, k) is 1 where a label applies, 0 where not, NaN where unknown; `weights` (m,) say how much an item counts,
    0 as if it were not there. `keys` (m,) are hashes of the items' identity, by which they are ordered and held out.
    """

    encoder: str | Path
    inputs: Inputs
    y: Floats
    weights: Floats
    keys: Keys
    multi_label: bool
    tuning: Tuning = Tuning()
    device: str = "auto"
    revision: str | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """What follows from a job before any network is opened: rows to learn from (t,) and held out (h,), and the costs.

    `learned` (k,) are the labels that can be learned from the former, `constant` (k,) the probability of the others.
    """

    seed: int
    rows: Ints
    held: Ints
    learned: Bools
    constant: NDArray[np.float32]
    factors: Floats  # (2, k), see `class_factors`


def tune(job: TuningJob, rng: np.random.Generator, progress: Progress = silent) -> Tuned:
    """Fine-tune a classifier; the same job and `rng` give the same weights on a CPU, in whatever order the items come.

    O(epochs × items × length); memory for the network, its gradients, two moments and its best state. Under
    `accelerate launch` each process calls this with the same job and comes to the same result. Global random states
    and settings are afterwards what they were, and nothing is left on the disk. Raises `ModelError` when there is
    nothing to learn from, the encoder cannot be had, or the loss is no number any more; `ConfigError` when a package or
    device is missing.
    """
    plan = planned(job, rng)
    from hitl.models.neural.tuning_loop import learn

    found = learn(job, plan, progress)
    tuned = Tuned(found.state, found.config, plan.constant, _nothing(plan), found.told, job.device)
    if not len(plan.held) or not plan.learned.any():
        return tuned
    logits = logits_of(tuned.network, job.inputs, plan.held)
    logits[:, ~plan.learned] = 0
    return Tuned(tuned.state, tuned.config, tuned.constant, HeldOut(plan.held, logits), tuned.told, job.device)


def planned(job: TuningJob, rng: np.random.Generator) -> Plan:
    """What is learned from and what is held out. Raises `ModelError` when no item has a label and a weight."""
    _check(job)
    seed = int(rng.integers(1 << 31))
    known = ~np.isnan(job.y).all(axis=1) if job.multi_label else (job.y == 1).any(axis=1)
    used = np.flatnonzero(known & (job.weights > 0))
    if not len(used):
        raise ModelError("no training item has a known label and a weight; resolve some answers first, then fit")
    chance = draws(job.keys, seed)
    used = used[np.lexsort((job.keys[used], chance[used]))]
    out = held_out(job.y[used], chance[used], job.tuning.held_out, multi_label=job.multi_label)
    rows, held = used[~out], used[out]
    y, weights = job.y[rows], job.weights[rows]
    learned = learnable(y, weights, multi_label=job.multi_label)
    factors = class_factors(y, weights, multi_label=job.multi_label, balanced=job.tuning.loss == "balanced")
    return Plan(seed, rows, held, learned, _constant(y, learned, multi_label=job.multi_label), factors)


def _check(job: TuningJob) -> None:
    m = len(job.inputs)
    if not m:
        raise ModelError("there is no training item; resolve some answers first (run the seed round), then fit")
    if job.y.ndim != 2 or len(job.y) != m or job.weights.shape != (m,) or job.keys.shape != (m,):
        raise ModelError(
            f"{m:,} inputs come with y {job.y.shape}, weights {job.weights.shape} and keys {job.keys.shape}; align them"
        )


def _constant(y: Floats, learned: Bools, *, multi_label: bool) -> NDArray[np.float32]:
    """Laplace's (count + 1) / (rows + classes) for labels that always or never occur, NaN for those to learn."""
    counts = (y == 1).sum(axis=0)
    rows, classes = ((~np.isnan(y)).sum(axis=0), 2) if multi_label else (len(y), y.shape[1])
    return np.where(learned, np.nan, (counts + 1) / (rows + classes)).astype(np.float32)


def _nothing(plan: Plan) -> HeldOut:
    return HeldOut(np.zeros(0, dtype=np.int64), np.zeros((0, len(plan.constant))))
