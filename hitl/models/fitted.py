"""A model that has learned, of any kind: what its core scores, made probable, decided, told and kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hitl.errors import ModelError
from hitl.models.calibration import DEFAULT, Calibration, HeldOut, calibrate, probable
from hitl.models.saving import Saved, changed, content_id, plain, save
from hitl.models.targets import FEW, FOLDS, check_targets, data_hash, folds_of, teaches
from hitl.models.thresholds import prevalence_thresholds
from hitl.types import Embeddings, Floats, Ints, Predictions, Proba, Targets


class Reads(Protocol):
    """Reads raw rows as a pool's features were made; small, and can be pickled."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the pool's tables that it reads."""

    def read(self, rows: pa.Table) -> tuple[Any, Embeddings | None]:
        """x of n rows, and their embeddings (n, d) if the features have any."""


class Core(Protocol):
    """What one kind of model has learned."""

    @property
    def constant(self) -> NDArray[np.float32]:
        """The probability (k,) of labels that there was nothing to learn from, NaN for the others."""

    @property
    def reader(self) -> Reads:
        """Reads raw rows as the features were made that it learned from."""

    @property
    def depends(self) -> Any:
        """Plain values that scores depend on, beside arrays, files, options and labels: versions, fingerprints."""

    def scores(self, x: Any) -> tuple[Floats, Proba | None]:
        """The logits (n, k) of items whose features are `x`, and a committee's probabilities (h, n, k) if any."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What it has learned by name, as it is saved."""

    def files(self) -> Mapping[str, bytes | Path]:
        """What is saved beside: configurations, tokenizers, an encoder's own files by their path."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What learning gives: the core, what is `told` of it, and what the kind itself held out, if it did."""

    core: Core
    told: Mapping[str, Any]
    held_out: HeldOut | None = None


class Recipe(Protocol):
    """What the options of a kind know of learning."""

    kind: ClassVar[str]
    limits: ClassVar[tuple[str, ...]]

    @property
    def calibrate(self) -> bool | str:
        """Whether probabilities are calibrated, or by which of `hitl.models.calibration.METHODS`."""

    def options(self) -> dict[str, Any]:
        """The options as plain values."""

    def learn(self, features: Any, targets: Targets, rng: np.random.Generator, *, multi_label: bool) -> Learned:
        """The part of fitting that is the kind's own; raises `ModelError` when there is nothing to learn from."""

    def restore(self, saved: Saved) -> Core:
        """The core of a saved model of these options; raises `ModelError`."""


_OWN = ("model_id", "kind", "labels", "multi_label", "options", "depends", "calibration", "thresholds", "files_sha256")


@dataclass(frozen=True, eq=False, repr=False)
class FittedModel:
    """A model that has learned, and does not change any more; made by a recipe's `fit`, or `load_model`."""

    recipe: Recipe
    labels: tuple[str, ...]
    multi_label: bool
    core: Core
    calibration: Calibration
    about: Mapping[str, Any] = field(default_factory=dict)
    thresholds: Floats | None = None  # (k,)

    @cached_property
    def _weights(self) -> dict[str, NDArray[Any]]:
        decisions = {} if self.thresholds is None else {"thresholds": self.thresholds}
        return {**self.core.arrays(), **self.calibration.arrays(), **decisions}

    @cached_property
    def model_id(self) -> str:
        """The kind and 12 hex digits over all that predictions depend on: same id, same predictions."""
        depends = [self.recipe.options(), self.labels, self.multi_label, self.core.depends]
        return content_id(self.recipe.kind, self._weights, depends)

    @property
    def card(self) -> dict[str, Any]:
        """The model card as plain values."""
        return {
            **self.about,
            "kind": self.recipe.kind,
            "model_id": self.model_id,
            "labels": list(self.labels),
            "multi_label": self.multi_label,
            "options": self.recipe.options(),
            "depends": plain(self.core.depends),
            "calibration": plain(self.calibration.told),
            "thresholds": None if self.thresholds is None else self.thresholds.tolist(),
        }

    def with_thresholds(self, prevalence: Floats, proba: Proba, weights: Floats | None = None) -> FittedModel:
        """The same model that decides for each label as often as its `prevalence` (k,) says, NaN where not known.

        `proba` (n, k) are its own probabilities of a sample of the pool, whose items count by `weights` (n,), e.g. one
        over their inclusion probability. Probabilities stay as they are. See `prevalence_thresholds`.
        """
        return replace(self, thresholds=prevalence_thresholds(prevalence, proba, self.multi_label, weights))

    def with_card(self, updates: Mapping[str, Any]) -> FittedModel:
        """The same model with more in its card, e.g. metrics that are known only later."""
        return replace(self, about={**self.about, **plain(updates)})

    def predict(self, x: Any) -> Predictions:
        """Probabilities (n, k) of items by their features, calibrated and raw, and a committee's (h, n, k) if any."""
        logits, committee = self.core.scores(x)
        constant, softmax = self.core.constant, not self.multi_label
        proba = probable(self.calibration(logits), constant, softmax=softmax)
        raw = probable(logits, constant, softmax=softmax)
        return Predictions(proba, self.labels, self.model_id, committee, self.thresholds, raw)

    def moments(self, x: Any, labels: Ints) -> list[str]:
        """Where in each item (n,) to look for the label in its column `labels` (n,), e.g. "0:03, 0:07".

        "" where a kind of model does not tell.
        """
        told = getattr(self.core, "moments", None)
        return list(told(x, labels).texts()) if told else [""] * len(labels)

    def predict_rows(self, rows: pa.Table) -> Predictions:
        """Probabilities (n, k) of rows that need not be in a pool, with the columns that the model reads."""
        missing = [name for name in self.core.reader.columns if name not in rows.column_names]
        if len(missing) == len(self.core.reader.columns):
            raise ModelError(f"{self.recipe.kind} reads {', '.join(missing)}; give rows with such columns")
        return self.predict(self.core.reader.read(rows)[0])

    def predict_texts(self, texts: Sequence[str]) -> Predictions:
        """Probabilities (n, k) of texts, as by a pool's features."""
        return self.predict_rows(pa.table({"text": texts_column(texts)}))

    def save(self, folder: str | Path) -> Path:
        """Write weights (safetensors), files and card (JSON) to a folder, whole or not at all; the folder."""
        return save(folder, self._weights, self.card, self.core.files())

    def __repr__(self) -> str:
        items = self.about.get("training", {}).get("items", 0)
        return f"FittedModel({self.model_id!r}: {', '.join(self.labels)}; from {items:,} items)"


def texts_column(texts: Sequence[str] | pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Texts as a column; half a surrogate pair, which no column can hold, becomes a question mark."""
    if isinstance(texts, pa.Array | pa.ChunkedArray):
        return texts
    return pa.array([text.encode("utf-8", "replace").decode() for text in texts], pa.large_string())


class Learner:
    """What all recipes do alike: their fields are their options, and they fit by `fit_model`."""

    def options(self) -> dict[str, Any]:
        """The options as plain values, without the places (`device`, `root`), by which recipes are not compared."""
        recipe: Any = self
        compared = {one.name for one in dataclasses.fields(recipe) if one.compare}
        options = {name: value for name, value in dataclasses.asdict(recipe).items() if name in compared}
        return {name: plain(value) for name, value in options.items()}

    def fit(
        self: Recipe,
        features: Any,
        targets: Targets,
        rng: np.random.Generator,
        *,
        multi_label: bool,
        card: Mapping[str, Any] = {},
    ) -> FittedModel:
        """Learn from the targets, calibrate, and begin the model card with `card`.

        Raises `ModelError` when there is nothing to learn from, or the features are not of these options.
        """
        return fit_model(self, features, targets, rng, multi_label=multi_label, card=card)


def fit_model(
    recipe: Recipe,
    features: Any,
    targets: Targets,
    rng: np.random.Generator,
    *,
    multi_label: bool,
    card: Mapping[str, Any] = {},
) -> FittedModel:
    """Learn, calibrate on what was held out, and begin the card.

    Raises `ModelError` when the targets cannot be learned from. Time is that of learning, six times up to `FEW` items,
    twice beyond, unless the kind holds items out by itself.
    """
    check_targets(targets, len(features), multi_label=multi_label)
    learned = recipe.learn(features, targets, rng, multi_label=multi_label)
    constant = learned.core.constant
    if recipe.calibrate:
        held = learned.held_out or _cross_fitted(recipe, features, targets, rng, constant, multi_label=multi_label)
        method = DEFAULT if recipe.calibrate is True else str(recipe.calibrate)
        calibration = calibrate(held, targets, constant, multi_label=multi_label, method=method)
    else:
        calibration = Calibration.none(len(constant), "calibrate is off")
    about = {
        "policy_version": "",
        "data_hash": data_hash(features.fingerprint, targets),
        "training": dict(learned.told),
        "metrics": {},
        "intended_use": "Ranks content for human review and proposes labels; people decide.",
        "limits": list(recipe.limits),
        **card,
    }
    return FittedModel(recipe, targets.labels, multi_label, learned.core, calibration, plain(about))


def restore_model(recipe: Recipe, saved: Saved) -> FittedModel:
    """The model that was saved; raises `ModelError` when it is not what was saved."""
    card = saved.card
    try:
        fitted = FittedModel(
            recipe,
            tuple(card["labels"]),
            bool(card["multi_label"]),
            recipe.restore(saved),
            Calibration.of(saved.arrays, card["calibration"], softmax=not card["multi_label"]),
            {key: value for key, value in card.items() if key not in _OWN},
            saved.arrays.get("thresholds"),
        )
        told = card["model_id"], card["thresholds"], card["depends"]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{saved.folder}: its card is no {recipe.kind} card ({error}); restore the model") from error
    if fitted.card["depends"] != told[2]:
        raise ModelError(
            f"{saved.folder}: was made with {told[2]}, and here there is {fitted.card['depends']}; use the version and "
            "the encoder that it was trained with, or train it again"
        )
    if (fitted.model_id, fitted.card["thresholds"]) != told[:2]:
        raise changed(saved.folder / "card.json")
    return fitted


def _cross_fitted(
    recipe: Recipe,
    features: Any,
    targets: Targets,
    rng: np.random.Generator,
    constant: NDArray[np.float32],
    *,
    multi_label: bool,
) -> HeldOut:
    """Scores of training items by models of the same recipe that have not learned from them."""
    plainer: Any = dataclasses.replace(recipe, heads=0) if getattr(recipe, "heads", 0) else recipe  # type: ignore[type-var]
    folds = folds_of(targets, multi_label=multi_label)
    rows, logits = [], []
    for fold in range(FOLDS if len(targets) <= FEW else 1):
        held, rest = np.flatnonzero(folds == fold), np.flatnonzero((folds != fold) & (folds >= 0))
        some = targets.take(rest)
        if not len(held) or not teaches(some, multi_label=multi_label):
            continue
        core = plainer.learn(features, some, rng, multi_label=multi_label).core
        scored = np.array(core.scores(features.take(targets.positions[held]))[0], dtype=np.float64)
        scored[:, ~np.isnan(core.constant) & np.isnan(constant)] = np.nan
        rows.append(held)
        logits.append(scored)
    k = len(targets.labels)
    return HeldOut(
        np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64),
        np.concatenate(logits) if logits else np.zeros((0, k)),
    )
