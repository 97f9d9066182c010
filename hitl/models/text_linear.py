"""Text classifier for rounds of minutes: hashed n-grams, TF-IDF, LSA of the pool, logistic regression."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ConfigError, ModelError
from hitl.models.calibration import check_method
from hitl.models.fitted import Learned, Learner
from hitl.models.linear import ngrams
from hitl.models.linear.feature_store import Making, SparseFeatures, stored
from hitl.models.linear.fitting import Fitting, fit_linear
from hitl.models.linear.logistic import Penalty
from hitl.models.linear.lsa import VERSION as LSA_VERSION
from hitl.models.linear.pool_features import PoolReader
from hitl.models.linear.tfidf import TextReader
from hitl.models.linear.weights import Linear
from hitl.models.saving import Saved, plain
from hitl.pool import Pool
from hitl.types import Floats, Proba, Progress, Targets, silent


@dataclass(frozen=True)
class TextLinear(Learner):
    """Logistic regression on TF-IDF of hashed n-grams of words (`word`) and characters (`char`, shortest to longest).

    `buckets` (a power of two) columns each for words and characters; characters keep `within_words` or run across.
    `C` is the inverse strength of the L2 penalty, `class_weight` "balanced" or None. `lsa` dimensions are learned from
    the unlabelled pool and read beside the n-grams, `lsa_scale` times; they are the items' embeddings, too. Columns
    count by how much their naive-Bayes ratio, smoothed by `naive_bayes`, says of a label. `heads` bootstrap heads make
    a committee. 0 leaves each of these out. `calibrate` fits the probabilities to held-out items: true
    by Platt's method, or one of "auto" (the best in cross-validation), "temperature", "platt", "beta" and "isotonic".
    Raises `ConfigError` for options that cannot be.

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
    calibrate: bool | str = True

    kind: ClassVar[str] = "text_linear"
    reads: ClassVar[tuple[str, ...]] = ("text",)
    needs: ClassVar[tuple[str, ...]] = ()
    limits: ClassVar[tuple[str, ...]] = (
        "Sees words and spelling, not meaning: irony, quotation, reclaimed words and new spellings mislead it.",
        "Knows the languages and topics of its training items only; check each slice before relying on it.",
    )

    def __post_init__(self) -> None:
        check_method(self.kind, self.calibrate)
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

    def learn(self, features: Any, targets: Targets, rng: np.random.Generator, *, multi_label: bool) -> Learned:
        """Weights for the columns, and what the fitting took."""
        if not isinstance(features, SparseFeatures) or not self._made(features.making):
            raise ModelError("these features are not of this text_linear; compute them with its features(pool, cache)")
        fitting = Fitting(Penalty(self.C, self.class_weight == "balanced", self.max_iter), self.naive_bayes)
        fitting = replace(fitting, lsa_scale=self.lsa_scale, heads=self.heads)
        x = features.take(targets.positions)
        linear, told = fit_linear(x, targets, fitting, features.lsa, rng, multi_label=multi_label)
        return Learned(LinearText(linear, features.reader), told)

    def restore(self, saved: Saved) -> LinearText:
        """The weights of a saved model of these options."""
        linear = Linear.of(saved.arrays, self.ngrams.width, not saved.card["multi_label"])
        return LinearText(linear, TextReader(self.ngrams, saved.arrays["idf"]))


@dataclass(frozen=True, eq=False)
class LinearText:
    """Linear weights, and the reader of the texts that they weigh."""

    linear: Linear
    reader: TextReader

    @property
    def constant(self) -> NDArray[np.float32]:
        """The probability (k,) of labels that there was nothing to learn from, NaN for the others."""
        return self.linear.constant

    @property
    def depends(self) -> dict[str, int]:
        """How n-grams are counted."""
        return {"ngrams": ngrams.VERSION}

    def scores(self, x: Any) -> tuple[Floats, Proba | None]:
        """Logits (n, k) of rows of features x (n, width), and the heads' probabilities (h, n, k); one sparse product.

        O(nonzeros × k × (1 + heads)); the same of a row in any batch, bit by bit.
        """
        if x.shape[1] != self.linear.width:
            raise ModelError(
                f"features have {x.shape[1]:,} columns and the model {self.linear.width:,}; compute them by its recipe"
            )
        return self.linear.scores(x)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Weights and idf by name."""
        return {**self.linear.arrays(), "idf": self.reader.idf}

    def files(self) -> dict[str, bytes]:
        """None."""
        return {}
