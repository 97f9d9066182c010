"""What every kind of model promises, and how a saved one comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from hitl.errors import ConfigError, ModelError
from hitl.pool import Pool
from hitl.types import Embeddings, Floats, Ints, Predictions, Proba, Progress, Targets, Unreadable, silent

if TYPE_CHECKING:
    from hitl.models.fitted import FittedModel

MODELS = {
    "text_linear": "hitl.models.text_linear:TextLinear",
    "text_transformer": "hitl.models.text_transformer:TextTransformer",
    "image_classifier": "hitl.models.image_classifier:ImageClassifier",
    "video_classifier": "hitl.models.video_classifier:VideoClassifier",
    "multimodal": "hitl.models.multimodal:Multimodal",
    "policy_judge": "hitl.models.policy_judge:PolicyJudge",
    "ensemble": "hitl.models.ensemble:Ensemble",
}
"""Module and class of each kind of model, imported when first asked for."""


@runtime_checkable
class Reader(Protocol):
    """Makes of raw rows what a pool's features hold of them; small, and can be pickled."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the pool's tables that it reads, e.g. text."""

    def read(self, rows: pa.Table) -> tuple[Any, Embeddings | None]:
        """x of n rows, and their embeddings (n, d) if the features have any."""


@runtime_checkable
class Features(Protocol):
    """What a model reads of each item of a pool, computed once; x is known to its model alone, and has a `shape`."""

    @property
    def fingerprint(self) -> str:
        """Changes with the pool and with the options that the features are made by."""

    @property
    def embeddings(self) -> Embeddings | None:
        """Where the items lie (n, d), learned from the pool itself; None when the options ask for none."""

    @property
    def reader(self) -> Reader:
        """Reads rows as these features were made, where the features are not."""

    @property
    def unreadable(self) -> Unreadable:
        """Items that could not be read, and why; their features say nothing."""

    @property
    def block(self) -> int:
        """How many items to score at once: fewer where an item takes much memory or time."""

    def __len__(self) -> int:
        """How many items."""

    def take(self, positions: Ints) -> Any:
        """x of the items at these positions, in this order."""

    def slice(self, start: int, stop: int) -> Any:
        """x of the items from `start` to before `stop`."""


@runtime_checkable
class Fitted(Protocol):
    """A model that has learned, and does not change any more."""

    @property
    def model_id(self) -> str:
        """The kind and a hash of all that the predictions depend on: same id, same predictions."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What the columns of its predictions stand for."""

    @property
    def multi_label(self) -> bool:
        """Whether labels are judged one by one; if not, the probabilities of an item sum to 1."""

    @property
    def card(self) -> Mapping[str, Any]:
        """The model card: plain values that tell what it is, what it learned from and what it is for."""

    def predict(self, x: Any) -> Predictions:
        """Probabilities of the items whose features are `x`."""

    def moments(self, x: Any, labels: Ints) -> list[str]:
        """Where in each item to look for the label in that column, "" where the model does not tell."""

    def predict_rows(self, rows: pa.Table) -> Predictions:
        """Probabilities of rows that need not be in a pool, with the columns that the model reads."""

    def predict_texts(self, texts: Sequence[str]) -> Predictions:
        """Probabilities of texts that need not be in a pool."""

    def with_thresholds(self, prevalence: Floats, proba: Proba, weights: Floats | None = None) -> Fitted:
        """The same model that decides for each label as often as its `prevalence` (k,) says, NaN where not known.

        `proba` (n, k) are its own probabilities of a sample of the pool, whose items count by `weights` (n,).
        """

    def with_card(self, updates: Mapping[str, Any]) -> Fitted:
        """The same model with more in its card."""

    def save(self, folder: str | Path) -> Path:
        """Write it to a folder that `load_model` reads; the folder."""


@runtime_checkable
class Model(Protocol):
    """A recipe: a kind of model and its options."""

    @property
    def kind(self) -> str:
        """The name in `MODELS`."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of a pool of which it reads one at least: text, media."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The packages, by the name they are imported by, that it needs beside the core."""

    def options(self) -> dict[str, Any]:
        """The options as plain values, from which `make_model` makes the same recipe."""

    def features(self, pool: Pool, cache: Path | None, progress: Progress = silent) -> Features:
        """The features of a pool, read from `cache` when they are there already."""

    def fit(
        self,
        features: Features,
        targets: Targets,
        rng: np.random.Generator,
        *,
        multi_label: bool,
        card: Mapping[str, Any] = {},
    ) -> Fitted:
        """Learn from the targets; raises `ModelError` when there is nothing to learn from."""


def _recipe_class(kind: str) -> Any:
    if kind not in MODELS:
        near = get_close_matches(kind, MODELS, n=1) or list(MODELS)
        raise ConfigError(f"model kind {kind!r} is not known; did you mean {' or '.join(map(repr, near))}?")
    module, name = MODELS[kind].split(":")
    return getattr(import_module(module), name)


def make_model(kind: str, options: Mapping[str, Any] | None = None, **places: Any) -> Model:
    """The recipe of this kind with these options; raises `ConfigError` for a kind or option that is not known.

    `places` are settings of this machine that are no part of a model, such as `device` and `root`: a kind that does
    not have one does without.

    >>> make_model("text_linear", {"C": 2.0})
    TextLinear(word=(1, 2), char=(3, 5), buckets=262144, within_words=True, C=2.0, ...)
    """
    recipe = _recipe_class(kind)
    known = list(getattr(recipe, "__dataclass_fields__", ()))
    for option in options or {}:
        if option not in known:
            near = get_close_matches(option, known, n=1) or known
            raise ConfigError(f"model {kind!r} has no option {option!r}; did you mean {', '.join(map(repr, near))}?")
    given = {**{name: value for name, value in places.items() if name in known}, **(options or {})}
    try:
        model: Model = recipe(**given)
    except (TypeError, ValueError):
        raise ConfigError(
            f"model {kind!r}: an option is missing, or has a value of the wrong kind, e.g. text for a number"
        ) from None
    return model


def load_model(folder: str | Path, **places: Any) -> FittedModel:
    """A saved model of any kind; raises `ModelError` when the folder holds none or was changed since.

    `places`: see `make_model`; `device="cpu"` says where it runs, `root="media"` where the files are that it reads.
    """
    from hitl.models.fitted import restore_model
    from hitl.models.saving import load

    saved = load(folder)
    try:
        recipe: Any = make_model(str(saved.card["kind"]), saved.card["options"], **places)
    except (ConfigError, KeyError, TypeError) as error:
        raise ModelError(f"{folder}: its card is of another version ({error}); train the model again") from error
    return restore_model(recipe, saved)
