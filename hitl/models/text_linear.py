"""Text classifier for rounds of minutes: hashed n-grams, TF-IDF, LSA of the pool, logistic regression."""

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
from hitl.models.feature_store import Making, SparseFeatures, stored
from hitl.models.fitting import Recipe, check_targets, fit_linear
from hitl.models.linear import Linear
from hitl.models.logistic import Penalty
from hitl.models.lsa import VERSION as LSA_VERSION
from hitl.models.pool_features import PoolReader
from hitl.models.saving import changed, content_id, load, plain, save
from hitl.models.tfidf import TextReader
from hitl.models.thresholds import prevalence_thresholds
from hitl.pool import Pool
from hitl.types import Floats, Predictions, Proba, Progress, Targets, silent

_LIMITS = (
    "Sees words and spelling, not meaning or context: irony, quotation, reclaimed words and new spellings mislead it.",
    "Knows the languages and topics of its training items only; check each slice before relying on it.",
    "With class_weight 'balanced' the probabilities of rare labels are higher than their frequency.",
)


@dataclass(frozen=True)
class TextLinear:
    """Logistic regression on TF-IDF of hashed n-grams of words (`word`) and characters (`char`, shortest to longest).

    `buckets` (a power of two) columns each for words and characters; characters keep `within_words` or run across.
    `C` is the inverse strength of the L2 penalty, `class_weight` "balanced" or None. `lsa` dimensions are learned from
    the unlabelled pool and read beside the n-grams, `lsa_scale` times; they are the items' embeddings, too. Columns
    count by how much their naive-Bayes ratio, smoothed by `naive_bayes`, says of a label. `heads` bootstrap heads make
    a committee. 0 leaves each of these out. Raises `ConfigError` for options that cannot be.

    Sources: Weinberger et al. (2009) for hashing; w = (1 + ln tf) (ln((1 + n) / (1 + df)) + 1), rows of length 1;
    Deerwester et al. (1990) for LSA; Wang & Manning (2012) for naive-Bayes weighting.

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
    lsa: int = 64
    lsa_scale: float = 1.0
    naive_bayes: float = 1.0
    heads: int = 0

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
        for name, most in (("lsa", 1024), ("heads", 1000)):
            number = getattr(self, name)
            if not isinstance(number, int) or not 0 <= number <= most:
                raise ConfigError(f"text_linear: {name}={number!r} must be a whole number from 0 (none) to {most}")
        if not all(np.isfinite(value) and value >= 0 for value in (self.lsa_scale, self.naive_bayes)):
            raise ConfigError("text_linear: lsa_scale and naive_bayes must be numbers from 0 on; 0 for none")
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

    def _made(self, making: Making) -> bool:
        """Whether features made so are of these options."""
        return (making.ngrams, making.dimensions) == (self.ngrams, self.lsa)

    def features(self, pool: Pool, cache: Path | None, progress: Progress = silent) -> SparseFeatures:
        """TF-IDF rows of the pool's texts and their embeddings: read from `cache` or computed, and kept there.

        Three passes, O(characters + nonzeros × lsa) time; memory for a batch beside the idf and the subsample that
        LSA learns from (at most 20,000 items). Raises `ModelError` without a text column.
        """
        if pool.columns.text is None:
            raise ModelError(f"pool {pool.name!r} has no text for text_linear; name one with Pool.open(..., text=...)")
        made_by = [ngrams.VERSION, unicodedata.unidata_version, plain(asdict(self.ngrams)), pool.fingerprint]
        made_by += [LSA_VERSION, self.lsa] if self.lsa else []
        fingerprint = blake2b(json.dumps(made_by).encode(), digest_size=12).hexdigest()
        making = Making(fingerprint, self.ngrams, self.lsa)
        try:
            return stored(cache, making, PoolReader(pool, making, progress).build)
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
        """Learn from the targets; only the resamples of the heads draw from `rng`.

        Raises `ModelError` when there is no training item or the features are not of these options.
        """
        if not isinstance(features, SparseFeatures) or not self._made(features.making):
            raise ModelError("these features are not of this text_linear; compute them with its features(pool, cache)")
        check_targets(targets, len(features))
        penalty = Penalty(self.C, self.class_weight == "balanced", self.max_iter)
        recipe = Recipe(penalty, self.naive_bayes, self.lsa_scale, self.heads)
        x = features.take(targets.positions)
        linear, told = fit_linear(x, targets, recipe, features.lsa, rng, multi_label=multi_label)
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
            fitted = FittedTextLinear(
                recipe, tuple(card["labels"]), linear, arrays["idf"], about, arrays.get("thresholds")
            )
        except (KeyError, TypeError, ConfigError) as error:
            raise ModelError(f"{folder}: its card is no text_linear card ({error}); restore the model") from error
        if card.get("features_version") != ngrams.VERSION:
            raise ModelError(f"{folder}: saved by a version that counts n-grams differently; train the model again")
        if (fitted.model_id, fitted.card["thresholds"]) != (card.get("model_id"), card.get("thresholds")):
            raise changed(Path(folder) / "card.json")
        return fitted


_OWN = ("model_id", "labels", "multi_label", "options", "features_version", "thresholds", "weights_sha256")


@dataclass(frozen=True, eq=False, repr=False)
class FittedTextLinear:
    """A `TextLinear` that has learned; make one with `TextLinear.fit`, or `load_model`."""

    recipe: TextLinear
    labels: tuple[str, ...]
    linear: Linear
    idf: NDArray[np.float32]  # (width,)
    about: Mapping[str, Any] = field(default_factory=dict)
    thresholds: Floats | None = None  # (k,)

    @property
    def multi_label(self) -> bool:
        """Whether labels are judged one by one; if not, the probabilities of an item sum to 1."""
        return not self.linear.softmax

    @cached_property
    def _weights(self) -> dict[str, NDArray[Any]]:
        decisions = {} if self.thresholds is None else {"thresholds": self.thresholds}
        return {**self.linear.arrays(), "idf": self.idf, **decisions}

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
            "thresholds": None if self.thresholds is None else self.thresholds.tolist(),
        }

    def with_thresholds(self, prevalence: Floats, proba: Proba, weights: Floats | None = None) -> FittedTextLinear:
        """The same model that decides for each label as often as its `prevalence` (k,) says, NaN where not known.

        `proba` (n, k) are its own probabilities of a sample of the pool, whose items count by `weights` (n,), e.g. one
        over their inclusion probability. Probabilities stay as they are. See `prevalence_thresholds`.
        """
        found = prevalence_thresholds(prevalence, proba, self.multi_label, weights)
        return replace(self, thresholds=found)

    def with_card(self, updates: Mapping[str, Any]) -> FittedTextLinear:
        """The same model with more in its card, e.g. metrics that are known only later."""
        return replace(self, about={**self.about, **plain(updates)})

    def predict(self, x: Any) -> Predictions:
        """Probabilities (n, k) of rows of features x (n, width), and the heads' (h, n, k), from one sparse product.

        O(nonzeros × k × (1 + heads)); the same of a row in any batch, bit by bit.
        """
        if x.shape[1] != self.linear.width:
            raise ModelError(
                f"features have {x.shape[1]:,} columns and the model {self.linear.width:,}; compute them by its recipe"
            )
        proba, committee = self.linear.proba(x)
        return Predictions(proba, self.labels, self.model_id, committee, self.thresholds)

    def predict_texts(self, texts: Sequence[str]) -> Predictions:
        """Probabilities (n, k) of texts; the same as by the pool's features, bit by bit."""
        return self.predict(TextReader(self.recipe.ngrams, self.idf).rows(texts))

    def save(self, folder: str | Path) -> Path:
        """Write weights (safetensors) and card (JSON) to a folder, whole or not at all; the folder."""
        return save(folder, self._weights, self.card)

    def __repr__(self) -> str:
        items = self.about.get("training", {}).get("items", 0)
        return f"FittedTextLinear({self.model_id!r}: {', '.join(self.labels)}; from {items:,} items)"


def _data_hash(features: SparseFeatures, targets: Targets) -> str:
    """A hash of what was learned from: the features' fingerprint, and which items with which labels and weights."""
    digest = blake2b(features.fingerprint.encode(), digest_size=12)
    order = np.argsort(targets.positions, kind="stable")
    for part in (targets.positions[order], targets.y[order], targets.weights[order]):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()
