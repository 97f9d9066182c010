"""Fitting as all kinds share it: folds, what is held out, what is refused, and what a model's id depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from hitl.errors import ModelError
from hitl.models.calibration import HeldOut
from hitl.models.fitted import FittedModel, Learned, fit_model, restore_model
from hitl.models.saving import Saved, load
from hitl.models.targets import FEW, FOLDS, data_hash, folds_of
from hitl.types import Spans, Targets

LABELS = ("a", "b", "c")


def targets(
    y: np.ndarray, weights: np.ndarray | None = None, positions: np.ndarray | None = None, **more: Any
) -> Targets:
    labels = LABELS[: y.shape[1]]
    at = np.arange(len(y)) if positions is None else positions
    return Targets(at, y, labels, np.ones(len(y)) if weights is None else weights, **more)


@dataclass(frozen=True, eq=False)
class Remembers:
    """A core whose logit is `sure` for the labels of items that it has learned, 0 for those that it has not."""

    known: Mapping[int, np.ndarray]
    constant: np.ndarray
    version: str = "1"

    columns: ClassVar[tuple[str, ...]] = ("text",)

    @property
    def reader(self) -> Remembers:
        return self

    @property
    def depends(self) -> dict[str, Any]:
        return {"version": self.version, "pair": (1, 2)}

    def read(self, rows: pa.Table) -> tuple[np.ndarray, None]:
        return np.array(rows["text"].to_pylist(), dtype=np.int64), None

    def scores(self, x: np.ndarray) -> tuple[np.ndarray, None]:
        nothing = np.zeros(len(self.constant))
        return np.array([self.known.get(int(at), nothing) for at in x]).reshape(-1, len(self.constant)), None

    def arrays(self) -> dict[str, np.ndarray]:
        at = sorted(self.known)
        return {"at": np.array(at), "logits": np.array([self.known[one] for one in at]), "constant": self.constant}

    def files(self) -> dict[str, bytes]:
        return {}


@dataclass(frozen=True)
class Parrot:
    """A recipe that learns items by heart, and notes what it was taught."""

    calibrate: bool = True
    heads: int = 0
    sure: float = 4.0
    version: str = field(default="1", compare=False)
    taught: list[np.ndarray] = field(default_factory=list, compare=False)
    with_heads: list[int] = field(default_factory=list, compare=False)
    holds: tuple[int, ...] = ()

    kind: ClassVar[str] = "parrot"
    limits: ClassVar[tuple[str, ...]] = ("Repeats.",)

    def options(self) -> dict[str, Any]:
        return {"calibrate": self.calibrate, "heads": self.heads, "sure": self.sure}

    def learn(self, features: Any, given: Targets, rng: np.random.Generator, *, multi_label: bool) -> Learned:
        self.taught.append(given.positions)
        self.with_heads.append(self.heads)
        logits = self.sure * (2 * np.nan_to_num(given.y) - 1)
        seen = [np.unique(column[~np.isnan(column)]).size == 2 for column in given.y.T]
        constant = np.where(seen, np.nan, 0.5).astype(np.float32)
        core = Remembers(dict(zip(given.positions.tolist(), logits, strict=True)), constant, self.version)
        held = np.array(self.holds, dtype=np.int64)
        mine = HeldOut(held, np.zeros((len(held), given.y.shape[1]))) if self.holds else None
        return Learned(core, {"items": len(given), "heads": self.heads}, mine)

    def restore(self, saved: Saved) -> Remembers:
        known = dict(zip(saved.arrays["at"].tolist(), saved.arrays["logits"], strict=True))
        return Remembers(known, saved.arrays["constant"], self.version)


@dataclass(frozen=True)
class Rows:
    """Features that are the positions themselves."""

    items: int
    fingerprint: str = "rows"

    def __len__(self) -> int:
        return self.items

    def take(self, positions: np.ndarray) -> np.ndarray:
        return positions


def fit(recipe: Parrot, given: Targets, multi_label: bool = True, items: int = 10_000) -> FittedModel:
    return fit_model(recipe, Rows(items), given, np.random.default_rng(0), multi_label=multi_label)


def coins(m: int, k: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, (m, k)).astype(float)


@given(st.integers(0, 1000), st.integers(1, 60), st.booleans())
def test_a_fold_depends_on_the_item_and_not_on_its_place(seed: int, m: int, multi_label: bool) -> None:
    rng = np.random.default_rng(seed)
    y = np.eye(3)[rng.integers(0, 3, m)]
    weights = rng.integers(0, 3, m).astype(float)
    given = targets(y, weights, rng.choice(10_000, m, replace=False))
    folds = folds_of(given, multi_label=multi_label)
    order = rng.permutation(m)
    shuffled = folds_of(given.take(order), multi_label=multi_label)
    assert (shuffled == folds[order]).all()
    assert ((folds == -1) == (weights == 0)).all()
    assert folds.max(initial=-1) < FOLDS


@given(st.integers(0, 1000), st.lists(st.integers(0, 12), min_size=3, max_size=3))
def test_every_label_is_in_as_many_folds_as_it_can(seed: int, counts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    at = rng.permutation(np.repeat(np.arange(3), counts))
    folds = folds_of(targets(np.eye(3)[at], positions=rng.choice(10_000, len(at), replace=False)), multi_label=False)
    for label, count in enumerate(counts):
        assert len(set(folds[at == label].tolist())) == min(count, FOLDS)
        sizes = np.bincount(folds[at == label], minlength=FOLDS)
        assert sizes.max() - sizes.min() <= 1
    sizes = np.bincount(folds, minlength=FOLDS)
    assert sizes.max() - sizes.min() <= 1


def test_folds_of_one_softmax_leave_out_what_has_no_label() -> None:
    y = np.eye(3)[np.arange(30) % 3]
    y[5], y[6] = 0, np.nan
    folds = folds_of(targets(y), multi_label=False)
    assert np.flatnonzero(folds == -1).tolist() == [5, 6]


def test_folds_of_several_labels_are_even_and_the_same_when_items_come() -> None:
    y = coins(5000)
    folds = folds_of(targets(y), multi_label=True)
    assert (np.abs(np.bincount(folds) - 1000) < 120).all()
    assert (folds_of(targets(y[:70]), multi_label=True) == folds[:70]).all()


@given(st.integers(0, 1000), st.integers(0, 20), st.integers(0, 30))
def test_taken_targets_keep_what_is_theirs(seed: int, m: int, s: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, max(m, 1), s if m else 0)
    spans = Spans(rows, rng.integers(0, 3, len(rows)), rng.random(len(rows)), 1 + rng.random(len(rows)))
    whole = targets(coins(m, 3, seed), rng.random(m), 100 + np.arange(m), stands_for=rng.random(m), spans=spans)
    kept = np.flatnonzero(rng.random(m) < 0.5)
    some = whole.take(kept)
    assert (some.positions == 100 + kept).all()
    for name in ("y", "weights", "stands_for"):
        assert (getattr(some, name) == getattr(whole, name)[kept]).all()
    told = [
        (int(whole.positions[row]), label, start, stop)
        for row, label, start, stop in zip(spans.rows, spans.labels, spans.start, spans.stop, strict=True)
        if row in kept
    ]
    assert [
        (int(some.positions[row]), label, start, stop)
        for row, label, start, stop in zip(
            some.spans.rows, some.spans.labels, some.spans.start, some.spans.stop, strict=True
        )
    ] == told


def test_items_are_scored_by_models_that_have_not_learned_them() -> None:
    """By heart all is known, held out nothing: calibration is told the second."""
    recipe = Parrot()
    fitted = fit(recipe, targets(coins(200)))
    assert len(recipe.taught) == 1 + FOLDS
    assert sorted(np.concatenate([np.setdiff1d(np.arange(200), part) for part in recipe.taught[1:]])) == list(
        range(200)
    )
    told = fitted.card["calibration"]
    assert told["items"] == 200
    assert told["brier_before"] == pytest.approx(0.25)
    assert fitted.predict(np.arange(3)).raw.max() == pytest.approx(expit(4.0))


def test_beyond_few_items_one_fifth_is_held_out_once() -> None:
    recipe = Parrot()
    told = fit(recipe, targets(coins(FEW + 1))).card["calibration"]
    assert [len(part) for part in recipe.taught] == [FEW + 1, FEW + 1 - told["items"]]
    assert 900 < told["items"] < 1100


def test_heads_are_left_out_where_they_are_not_needed() -> None:
    recipe = Parrot(heads=7)
    assert fit(recipe, targets(coins(50))).card["training"]["heads"] == 7
    assert recipe.with_heads == [7] + [0] * FOLDS


def test_what_a_kind_held_out_by_itself_is_used() -> None:
    recipe = Parrot(holds=(3, 4, 5))
    assert fit(recipe, targets(coins(50))).card["calibration"]["items"] == 3
    assert len(recipe.taught) == 1


def test_without_calibration_nothing_is_held_out() -> None:
    recipe = Parrot(calibrate=False)
    fitted = fit(recipe, targets(coins(50)))
    predicted = fitted.predict(np.arange(60))
    assert (predicted.proba == predicted.raw).all()
    assert fitted.card["calibration"] == {"method": "none", "why": "calibrate is off"}
    assert len(recipe.taught) == 1


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("m", [1, 2, 3, 6])
def test_few_items_can_be_learned_from(m: int, multi_label: bool) -> None:
    fitted = fit(Parrot(), targets(np.eye(3)[np.arange(m) % 3]), multi_label)
    predicted = fitted.predict(np.arange(10))
    assert np.isfinite(predicted.proba).all()
    assert fitted.card["calibration"]["method"]


def test_a_label_that_one_item_alone_has_is_not_calibrated_by_it() -> None:
    y = coins(100)
    y[:, 1] = 0
    y[7, 1] = 1
    fitted = fit(Parrot(sure=1.0), targets(y))
    assert np.isnan(fitted.core.constant).all()
    assert np.isfinite(fitted.calibration.shift).all()
    assert fitted.calibration.shift[1] < -1  # of the other items it was never true


def test_a_fold_that_teaches_a_label_nothing_says_nothing_of_it() -> None:
    """The one item of label c is in one fold, whose model has not seen c: its scores of c are none."""
    at = np.arange(100) % 2
    at[7] = 2
    assert fit(Parrot(), targets(np.eye(3)[at]), multi_label=False).card["calibration"]["items"] == 80


@pytest.mark.parametrize("change", ["y", "weights", "positions", "fingerprint"])
def test_the_hash_of_data_changes_with_all_that_was_learned_from(change: str) -> None:
    given = targets(coins(20), np.ones(20), np.arange(20))
    same = data_hash("rows", given.take(np.random.default_rng(0).permutation(20)))
    assert same == data_hash("rows", given)
    if change == "fingerprint":
        assert data_hash("other", given) != same
        return
    other = getattr(given, change).copy()
    other.flat[3] = 1 - other.flat[3] if change == "y" else other.flat[3] + 50
    assert data_hash("rows", replace(given, **{change: other})) != same


def test_a_model_that_was_made_with_another_version_says_so(tmp_path: Any) -> None:
    fitted = fit(Parrot(), targets(coins(50)))
    saved = load(fitted.save(tmp_path / "m"))
    again = restore_model(Parrot(), saved)
    assert again.model_id == fitted.model_id
    assert again.card == fitted.card
    assert (again.predict(np.arange(60)).proba == fitted.predict(np.arange(60)).proba).all()
    with pytest.raises(ModelError, match=r"was made with .*'1'.*, and here there is .*'2'.*; use the version"):
        restore_model(Parrot(version="2"), saved)
    with pytest.raises(ModelError, match="is not what was saved"):
        restore_model(Parrot(sure=3.0), saved)


@pytest.mark.parametrize("lost", ["calibration", "at", "logits", "constant"])
def test_a_saved_model_that_lacks_an_array_is_refused(lost: str, tmp_path: Any) -> None:
    saved = load(fit(Parrot(), targets(coins(50))).save(tmp_path / "m"))
    arrays = {name: array for name, array in saved.arrays.items() if name != lost}
    with pytest.raises(ModelError, match="is no parrot card"):
        restore_model(Parrot(), replace(saved, arrays=arrays))


@pytest.mark.parametrize("lost", ["labels", "multi_label", "calibration", "model_id", "thresholds", "depends"])
def test_a_card_that_lacks_a_value_is_refused(lost: str, tmp_path: Any) -> None:
    saved = load(fit(Parrot(), targets(coins(50))).save(tmp_path / "m"))
    with pytest.raises(ModelError, match="is no parrot card"):
        restore_model(Parrot(), replace(saved, card={key: v for key, v in saved.card.items() if key != lost}))


@pytest.mark.parametrize(
    "change", [{"labels": ["b", "a"]}, {"multi_label": False}, {"model_id": "parrot-000000000000"}, {"thresholds": [1]}]
)
def test_a_card_that_tells_of_another_model_is_refused(change: dict[str, Any], tmp_path: Any) -> None:
    saved = load(fit(Parrot(), targets(coins(50))).save(tmp_path / "m"))
    with pytest.raises(ModelError, match="is not what was saved"):
        restore_model(Parrot(), replace(saved, card={**saved.card, **change}))


def test_an_id_changes_with_calibration_and_thresholds() -> None:
    given = targets(coins(200), stands_for=np.r_[np.full(100, 5.0), np.zeros(100)])
    one, other = fit(Parrot(), given), fit(Parrot(), replace(given, stands_for=None))
    assert one.model_id != other.model_id
    deciding = one.with_thresholds(np.array([0.5, 0.5]), one.predict(np.arange(200)).proba)
    assert deciding.model_id != one.model_id
    assert one.with_card({"note": 1}).model_id == one.model_id


def test_a_card_cannot_be_told_another_kind_or_id() -> None:
    fitted = fit(Parrot(), targets(coins(50))).with_card({"kind": "zonk", "model_id": "zonk", "note": np.float32(1)})
    assert fitted.card["kind"] == "parrot"
    assert fitted.card["model_id"] == fitted.model_id
    assert fitted.card["note"] == 1.0
    assert repr(fitted) == f"FittedModel({fitted.model_id!r}: a, b; from 50 items)"
