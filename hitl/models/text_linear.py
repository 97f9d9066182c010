"""Text classifier for rounds of minutes: hashed n-grams, TF-IDF, logistic regression."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ConfigError, ModelError
from hitl.models import ngrams
from hitl.models.feature_store import FeatureWriter, SparseFeatures, as_csr, stored
from hitl.models.linear import Linear, Penalty, check_targets, fit_linear
from hitl.models.saving import changed, content_id, load, plain, save
from hitl.pool import Pool
from hitl.types import Ints, Predictions, Progress, Targets, silent

_BATCH = 4096
_LIMITS = (
    "Sees words and spelling, not meaning or context: irony, quotation, reclaimed words and new spellings mislead it.",
    "Knows the languages and topics of its training items only; check each slice before relying on it.",
    "With class_weight 'balanced' the probabilities of rare labels are higher than their frequency.",
)


@dataclass(frozen=True)
class TextLinear:
    """Logistic regression on TF-IDF of hashed n-grams of words (`word`) and characters (`char`, shortest to longest).

    `buckets` (a power of two) columns each for words and characters; characters keep `within_words` or run across.
    `C` is the inverse strength of the L2 penalty, `class_weight` "balanced" or None. Raises `ConfigError` for options
    that cannot be.

    Sources: Weinberger et al. (2009) for hashing; w = (1 + ln tf) (ln((1 + n) / (1 + df)) + 1), rows of length 1.

    >>> import numpy as np, pyarrow as pa
    >>> pool = Pool.open(pa.table({"text": ["zonk wub", "plim grint", "zonk zonk", "plim wub"]}))
    >>> model = TextLinear(buckets=1024)
    >>> y = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> targets = Targets(np.array([0, 1]), y, ("bad", "fine"), np.ones(2))
    >>> features = model.features(pool, None)
    >>> fitted = model.fit(features, targets, np.random.default_rng(0), multi_label=False)
    >>> fitted.predict(features.slice(2, 4)).proba.argmax(axis=1)
    array([0, 1])
    """

    word: tuple[int, int] = (1, 2)
    char: tuple[int, int] = (3, 5)
    buckets: int = 1 << 18
    within_words: bool = True
    C: float = 1.0
    class_weight: str | None = "balanced"
    max_iter: int = 300

    kind: ClassVar[str] = "text_linear"

    def __post_init__(self) -> None:
        for name in ("word", "char"):
            given = tuple(getattr(self, name))
            if len(given) != 2 or not 1 <= given[0] <= given[1] <= 10:
                raise ConfigError(f"text_linear: {name}={list(given)} must be shortest and longest, from 1 to 10")
            object.__setattr__(self, name, given)
        if self.buckets < 2 or self.buckets & (self.buckets - 1) or self.buckets > 1 << 24:
            raise ConfigError(f"text_linear: buckets={self.buckets} must be a power of two up to 2**24, e.g. 262144")
        if not (np.isfinite(self.C) and self.C > 0 and self.max_iter >= 1):
            raise ConfigError("text_linear: C must be a number above 0 and max_iter at least 1")
        if self.class_weight not in ("balanced", None):
            raise ConfigError(f'text_linear: class_weight={self.class_weight!r} must be "balanced" or null')

    def options(self) -> dict[str, Any]:
        """The options as plain values."""
        options: dict[str, Any] = plain(asdict(self))
        return options

    @property
    def ngrams(self) -> ngrams.Ngrams:
        """What is counted in a text."""
        return ngrams.Ngrams(self.word, self.char, self.buckets, self.within_words)

    def features(self, pool: Pool, cache: Path | None, progress: Progress = silent) -> SparseFeatures:
        """TF-IDF rows of the pool's texts: read from `cache` when they are there, else computed and kept there.

        Two passes, O(characters) time; memory for a batch beside the idf. Raises `ModelError` without a text column.
        """
        if pool.columns.text is None:
            raise ModelError(f"pool {pool.name!r} has no text for text_linear; name one with Pool.open(..., text=...)")
        made_by = [ngrams.VERSION, unicodedata.unidata_version, plain(asdict(self.ngrams)), pool.fingerprint]
        fingerprint = blake2b(json.dumps(made_by).encode(), digest_size=12).hexdigest()

        def build(writer: FeatureWriter) -> dict[str, Any]:
            found_in = np.zeros(self.ngrams.width, dtype=np.int64)
            for batch in pool.batches(_BATCH, ["text"]):
                counts = self.ngrams.count(batch.table["text"])
                found_in += np.bincount(counts.indices, minlength=len(found_in))
                writer.append(counts)
                progress("computing features", batch.start + len(batch), len(pool))
            idf = (np.log((1 + len(pool)) / (1 + found_in)) + 1).astype(np.float32)
            return writer.finish(lambda ends, indices, data: weigh(ends, indices, data, idf), idf, _BATCH)

        try:
            return stored(cache, fingerprint, self.ngrams.width, build)
        except OSError as error:
            raise ModelError(f"features cannot be kept in {cache} ({error}); check disk space and rights") from error

    def fit(
        self,
        features: Any,
        targets: Targets,
        rng: np.random.Generator,
        *,
        multi_label: bool,
        card: Mapping[str, Any] = {},
    ) -> FittedTextLinear:
        """Learn from the targets; the solver takes no chances, so `rng` is left as it is.

        Raises `ModelError` when there is no training item or the features are not of these options.
        """
        if not isinstance(features, SparseFeatures) or features.width != self.ngrams.width:
            raise ModelError("these features are not of this text_linear; compute them with its features(pool, cache)")
        check_targets(targets, len(features))
        penalty = Penalty(self.C, self.class_weight == "balanced", self.max_iter)
        linear, told = fit_linear(features.take(targets.positions), targets, multi_label, penalty)
        about = {
            "kind": self.kind,
            "policy_version": "",
            "data_hash": _data_hash(features, targets),
            "training": told,
            "metrics": {},
            "intended_use": "Ranks content for human review and proposes labels; people decide.",
            "limits": list(_LIMITS),
            **plain(card),
        }
        return FittedTextLinear(self, targets.labels, linear, np.asarray(features.idf), about)

    @staticmethod
    def load(folder: str | Path) -> FittedTextLinear:
        """A saved model, bit by bit as it was; raises `ModelError` when the folder holds another or a changed one."""
        arrays, card = load(folder)
        try:
            recipe = TextLinear(**card["options"])
            linear = Linear.of(arrays, recipe.ngrams.width, not card["multi_label"])
            about = {key: value for key, value in card.items() if key not in _OWN}
            fitted = FittedTextLinear(recipe, tuple(card["labels"]), linear, arrays["idf"], about)
        except (KeyError, TypeError, ConfigError) as error:
            raise ModelError(f"{folder}: its card is no text_linear card ({error}); restore the model") from error
        if card.get("features_version") != ngrams.VERSION:
            raise ModelError(f"{folder}: saved by a version that counts n-grams differently; train the model again")
        if fitted.model_id != card.get("model_id"):
            raise changed(Path(folder) / "card.json")
        return fitted


_OWN = ("model_id", "labels", "multi_label", "options", "features_version", "weights_sha256")


@dataclass(frozen=True, eq=False, repr=False)
class FittedTextLinear:
    """A `TextLinear` that has learned; make one with `TextLinear.fit`, or `load_model`."""

    recipe: TextLinear
    labels: tuple[str, ...]
    linear: Linear
    idf: NDArray[np.float32]  # (width,)
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def multi_label(self) -> bool:
        """Whether labels are judged one by one; if not, the probabilities of an item sum to 1."""
        return not self.linear.softmax

    @cached_property
    def _weights(self) -> dict[str, NDArray[Any]]:
        return {**self.linear.arrays(), "idf": self.idf}

    @cached_property
    def model_id(self) -> str:
        """`text_linear-` and 12 hex digits over weights, options and labels."""
        depends = [self.recipe.options(), self.labels, self.multi_label, ngrams.VERSION]
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
            "features_version": ngrams.VERSION,
        }

    def with_card(self, updates: Mapping[str, Any]) -> FittedTextLinear:
        """The same model with more in its card, e.g. metrics that are known only later."""
        return replace(self, about={**self.about, **plain(updates)})

    def predict(self, x: Any) -> Predictions:
        """Probabilities (n, k) of rows of features x (n, width), from one sparse product; O(nonzeros × k)."""
        if x.shape[1] != self.linear.width:
            raise ModelError(
                f"features have {x.shape[1]:,} columns and the model {self.linear.width:,}; compute them by its recipe"
            )
        return Predictions(self.linear.proba(x), self.labels, self.model_id)

    def predict_texts(self, texts: Sequence[str]) -> Predictions:
        """Probabilities (n, k) of texts; the same as by the pool's features, bit by bit."""
        counts = self.recipe.ngrams.count(texts)
        ends = counts.indptr.astype(np.int64)
        data = weigh(ends, counts.indices, counts.data, self.idf)
        return self.predict(as_csr(data, counts.indices, ends, self.linear.width))

    def save(self, folder: str | Path) -> Path:
        """Write weights (safetensors) and card (JSON) to a folder, whole or not at all; the folder."""
        return save(folder, self._weights, self.card)

    def __repr__(self) -> str:
        items = self.about.get("training", {}).get("items", 0)
        return f"FittedTextLinear({self.model_id!r}: {', '.join(self.labels)}; from {items:,} items)"


def weigh(ends: Ints, indices: Any, counts: Any, idf: NDArray[np.float32]) -> NDArray[np.float32]:
    """TF-IDF of the counts of CSR rows: (1 + ln count) × idf, each row brought to length 1."""
    weights: NDArray[np.float32] = ((1 + np.log(counts, dtype=np.float64)) * idf[indices]).astype(np.float32)
    lengths = np.diff(ends)
    filled = lengths > 0
    squares = np.add.reduceat(np.square(weights, dtype=np.float64), ends[:-1][filled]) if filled.any() else np.ones(0)
    weights /= np.repeat(np.sqrt(squares), lengths[filled]).astype(np.float32)
    return weights


def _data_hash(features: SparseFeatures, targets: Targets) -> str:
    """A hash of what was learned from: the features' fingerprint, and which items with which labels and weights."""
    digest = blake2b(features.fingerprint.encode(), digest_size=12)
    order = np.argsort(targets.positions, kind="stable")
    for part in (targets.positions[order], targets.y[order], targets.weights[order]):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
