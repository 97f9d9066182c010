"""What carries a pool to the peers' own strategies: each library's classifier, knowing already what it would predict.

All peers are given the same probabilities (looked up by row, so that no peer pays for a model's prediction) and the
same embeddings.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

try:
    from modAL.models import ActiveLearner
    from skactiveml.base import SkactivemlClassifier
    from skactiveml.classifier import ParzenWindowClassifier, SklearnClassifier
    from small_text.classifiers.classification import Classifier, EmbeddingMixin
    from small_text.data.datasets import SklearnDataset
except ImportError as missing:
    raise SystemExit(f"skipped: a peer is not installed ({missing}); see benchmarks/peers-requirements.txt") from None

COMMITTEE = 5
"""Members of a committee: refits of the model on bootstrap samples of the labelled items."""


@dataclass(frozen=True, eq=False)
class State:
    """What a strategy may look at before it picks. Positions are rows of the pool, (N,) in all.

    `memory` is what strategies keep between the queries of one run (small-text's index of neighbours): hand the same
    dict to every query of a run, and a new one to every run.
    """

    x: csr_matrix  # (N, f) features
    embeddings: np.ndarray  # (N, d) float32
    proba: np.ndarray  # (N, k) what the model believes now
    labelled: np.ndarray  # (m,) positions
    y: np.ndarray  # (m,) class codes
    classifier: Any  # scikit-learn's API, fitted on x[labelled]
    unlabelled: np.ndarray  # positions, ascending
    memory: dict[Any, Any] = field(default_factory=dict)


Pick = Callable[[State, int, np.random.Generator], np.ndarray]


def seed_of(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def at_random(state: State, n: int, rng: np.random.Generator) -> np.ndarray:
    """The baseline."""
    return rng.choice(state.unlabelled, n, replace=False)


class Told(Classifier, EmbeddingMixin):
    """small-text's classifier with what is known already; the data sets' features are row numbers."""

    def __init__(self, state: State) -> None:
        self.state, self.num_classes = state, state.proba.shape[1]

    def fit(self, train_set: Any, weights: Any = None) -> Told:
        return self

    def predict(self, data_set: Any, return_proba: bool = False) -> Any:
        proba = self.predict_proba(data_set)
        return (proba.argmax(axis=1), proba) if return_proba else proba.argmax(axis=1)

    def predict_proba(self, data_set: Any) -> np.ndarray:
        whole = isinstance(data_set, SklearnDataset)
        return self.state.proba if whole else self.state.proba[data_set.x[:, 0]]

    def embed(self, data_set: Any, return_proba: bool = False, **_: Any) -> Any:
        rows = data_set.x[:, 0]
        embeddings = self.state.embeddings[rows]
        return (embeddings, self.state.proba[rows]) if return_proba else embeddings


@dataclass(frozen=True)
class SmallText:
    """A strategy of small-text; it draws from numpy's global generator, which is seeded for each query."""

    make: Callable[[int], Any]  # number of classes → strategy
    features: str = "rows"

    def __call__(self, state: State, n: int, rng: np.random.Generator) -> np.ndarray:
        np.random.seed(seed_of(rng))  # noqa: NPY002
        total, classes = state.proba.shape
        if self not in state.memory:
            x = np.arange(total)[:, None] if self.features == "rows" else state.embeddings
            blank = SklearnDataset(x, np.zeros(total, dtype=np.int64), target_labels=np.arange(classes))
            state.memory[self] = (self.make(classes), blank)
        strategy, data = state.memory[self]
        with contextlib.redirect_stderr(io.StringIO()):
            return np.asarray(strategy.query(Told(state), data, state.unlabelled, state.labelled, state.y, n=n))


class Known(SkactivemlClassifier):
    """scikit-activeml's classifier with what is known already: probabilities by row number, embeddings if asked."""

    def __init__(
        self,
        proba: Any = None,
        embeddings: Any = None,
        classes: Any = None,
        missing_label: Any = np.nan,
        cost_matrix: Any = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(classes, missing_label, cost_matrix, random_state)
        self.proba, self.embeddings = proba, embeddings
        self.classes_ = np.arange(proba.shape[1])

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Known:
        return self

    def predict_proba(self, X: Any) -> Any:
        rows = X[:, 0].astype(np.int64)
        return self.proba[rows] if self.embeddings is None else (self.proba[rows], self.embeddings[rows])


class Weighed(Known):
    """The same for McPAL, whose evidence is a kernel's sum over the labelled embeddings times the probabilities."""

    def predict_freq(self, X: Any) -> Any:
        labels, embeddings = self.embeddings
        window = ParzenWindowClassifier(classes=self.classes_, metric="rbf", metric_dict={"gamma": "mean"})
        rows = X[:, 0].astype(np.int64)
        evidence = window.fit(embeddings, labels).predict_freq(embeddings[rows])
        return evidence.sum(axis=1, keepdims=True) * self.proba[rows]


def rows_of(state: State) -> np.ndarray:
    return np.arange(len(state.proba))[:, None]


def labels_of(state: State) -> np.ndarray:
    """The classes as scikit-activeml wants them: NaN where nobody was asked."""
    y = np.full(len(state.proba), np.nan)
    y[state.labelled] = state.y
    return y


def by_proba(strategy: Any, state: State, n: int) -> Any:
    return strategy.query(rows_of(state), labels_of(state), Known(state.proba), fit_clf=False, batch_size=n)


def by_both(strategy: Any, state: State, n: int) -> Any:
    """Probabilities and embeddings, as the pair that `predict_proba` may return."""
    known = Known(state.proba, state.embeddings)
    # the third parameter is `clf` in most strategies and `estimator` in one, as is its flag
    return strategy.query(rows_of(state), labels_of(state), known, False, batch_size=n)


def by_evidence(strategy: Any, state: State, n: int) -> Any:
    y = labels_of(state)
    return strategy.query(rows_of(state), y, Weighed(state.proba, (y, state.embeddings)), fit_clf=False, batch_size=n)


def by_embeddings(strategy: Any, state: State, n: int) -> Any:
    return strategy.query(state.embeddings, labels_of(state), batch_size=n)


def by_linear(strategy: Any, state: State, n: int) -> Any:
    """For strategies that predict on changed embeddings: a logistic regression on them."""
    return strategy.query(state.embeddings, labels_of(state), linear(state.proba.shape[1]), batch_size=n)


def by_discriminator(strategy: Any, state: State, n: int) -> Any:
    return strategy.query(state.embeddings, labels_of(state), discriminator=linear(2), batch_size=n)


def by_committee(strategy: Any, state: State, n: int) -> Any:
    rng = np.random.default_rng(strategy.random_state)
    members = [Known(refitted(state, rng)) for _ in range(COMMITTEE)]
    return strategy.query(rows_of(state), labels_of(state), members, fit_ensemble=False, batch_size=n)


def linear(classes: int) -> Any:
    return SklearnClassifier(LogisticRegression(class_weight="balanced", max_iter=300), classes=np.arange(classes))


def refitted(state: State, rng: np.random.Generator) -> np.ndarray:
    """Probabilities (N, k) of the model fitted on a bootstrap sample of the labelled items."""
    rows = rng.integers(len(state.labelled), size=len(state.labelled))
    while len(np.unique(state.y[rows])) < 2 <= len(np.unique(state.y)):
        rows = rng.integers(len(state.labelled), size=len(state.labelled))
    model = clone(state.classifier).fit(state.x[state.labelled[rows]], state.y[rows])
    proba = np.zeros(state.proba.shape)
    proba[:, model.classes_.astype(np.int64)] = model.predict_proba(state.x)
    return proba


@dataclass(frozen=True)
class Activeml:
    """A strategy of scikit-activeml, asked in the way that suits it."""

    make: Callable[..., Any]
    ask: Callable[[Any, State, int], Any]

    def __call__(self, state: State, n: int, rng: np.random.Generator) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(self.ask(self.make(random_state=seed_of(rng)), state, n))


class Remembered:
    """modAL's estimator with what is known already, of the whole pool that it is asked about."""

    def __init__(self, proba: np.ndarray) -> None:
        self.proba = proba

    def fit(self, X: Any, y: Any, **_: Any) -> Remembered:
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        return self.proba


@dataclass(frozen=True)
class Modal:
    """A strategy of modAL, through its learner; its pool holds the unlabelled items alone."""

    strategy: Callable[..., Any]
    embeds: bool = False

    def __call__(self, state: State, n: int, rng: np.random.Generator) -> np.ndarray:
        rest, asked = state.unlabelled, state.labelled
        whole = len(rest) == len(state.proba)
        known = Remembered(state.proba if whole else state.proba[rest])
        x = state.embeddings if self.embeds else np.arange(len(state.proba))[:, None]
        learner = ActiveLearner(known, self.strategy, x[asked], state.y)
        return rest[learner.query(x if whole else x[rest], n_instances=n)[0]]
