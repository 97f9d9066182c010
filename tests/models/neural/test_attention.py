"""Attention over frames finds what was planted, and depends on nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from hitl.errors import ModelError
from hitl.models.moments import clock, heaviest
from hitl.models.neural.attention import Attention, Clips
from hitl.models.neural.attention_fitting import AttentionFitting, fit_attention
from hitl.sampling.diversity.crowd import on_grid
from hitl.types import Spans, Targets

F, D = 10, 24


def planted(n: int, seed: int = 0, labels: int = 1, decoy: float = 0.0) -> tuple[Clips, np.ndarray, np.ndarray]:
    """Clips of 4 to `F` frames of noise; where a label holds (n, labels), one frame leans its way: which (n, labels).

    With `decoy`, so many of the clips that have the first label show another thing in another frame.
    """
    rng = np.random.default_rng(seed)
    counts = rng.integers(4, F + 1, n)
    rows = rng.normal(size=(n, F, D)) * np.r_[np.full(8, 1.0), np.full(D - 8, 0.4)]
    y = rng.random((n, labels)) < 0.4
    order = np.argsort(np.where(np.arange(F) < counts[:, None], rng.random((n, F)), 2), axis=1)
    where = order[:, :labels]
    for label in range(labels):
        rows[y[:, label], where[y[:, label], label], D - 1 - label] += 2.5
    shown = y[:, 0] & (rng.random(n) < decoy)
    rows[shown, order[shown, 3], D - 4] += 4.0
    frames = on_grid(rows.reshape(-1, D)).reshape(n, F, D)
    frames[np.arange(F) >= counts[:, None]] = 0
    return Clips(frames, np.tile(np.arange(F, dtype=np.float32), (n, 1)), counts), y, where


def targets_of(y: np.ndarray, spans: Spans | None = None) -> Targets:
    names = tuple(f"label {at}" for at in range(y.shape[1]))
    return Targets(np.arange(len(y)), y.astype(float), names, np.ones(len(y)), spans=spans)


def fit(clips: Clips, targets: Targets, multi_label: bool = True, seed: int = 0, **options: float) -> Attention:
    fitting = AttentionFitting(**options)  # type: ignore[arg-type]
    return fit_attention(clips, targets, fitting, np.random.default_rng(seed), multi_label=multi_label)[0]


def hit_rate(found: Attention, clips: Clips, y: np.ndarray, where: np.ndarray, label: int = 0) -> float:
    first = found.attention(clips)[:, label].argmax(axis=1)
    return float((first == where[:, label])[y[:, label]].mean())


def test_it_finds_what_was_planted_from_labels_of_whole_clips() -> None:
    clips, y, _ = planted(150)
    found = fit(clips, targets_of(y))
    held, truth, at = planted(300, seed=1)
    logits = found.scores(held)[0][:, 0]
    chance = float((1 / held.counts)[truth[:, 0]].mean())
    assert ((logits > 0) == truth[:, 0]).mean() > 0.8
    assert hit_rate(found, held, truth, at) > 0.8 > 4 * chance


def test_each_label_has_its_own_moments() -> None:
    clips, y, _ = planted(200, labels=2)
    found = fit(clips, targets_of(y))
    held, truth, at = planted(300, seed=1, labels=2)
    for label in (0, 1):
        assert hit_rate(found, held, truth, at, label) > 0.75
    both = truth.all(axis=1)
    first = found.attention(held).argmax(axis=2)[both]
    assert (first[:, 0] != first[:, 1]).mean() > 0.7


def test_one_of_several_labels_is_told_and_found() -> None:
    clips, y, _ = planted(250)
    found = fit(clips, targets_of(np.c_[~y[:, 0], y[:, 0]]), multi_label=False)
    held, truth, at = planted(300, seed=1)
    assert ((found.scores(held)[0].argmax(axis=1) == 1) == truth[:, 0]).mean() > 0.8
    assert hit_rate(found, held, np.c_[truth, truth], np.c_[at, at], label=1) > 0.75


@pytest.mark.parametrize("multi_label", [True, False])
def test_timelines_lead_away_from_what_only_goes_along(multi_label: bool) -> None:
    clips, y, where = planted(80, decoy=0.9)
    marked = np.flatnonzero(y[:, 0])[:20]
    spans = Spans(marked, np.full(len(marked), int(not multi_label)), where[marked, 0] - 0.4, where[marked, 0] + 0.4)
    label, labels = (0, y) if multi_label else (1, np.c_[~y[:, 0], y[:, 0]])
    held, truth, at = planted(300, seed=1, decoy=0.9)
    truth, at = np.tile(truth, 2), np.tile(at, 2)
    rates = [
        hit_rate(fit(clips, targets_of(labels, some), multi_label), held, truth, at, label) for some in (None, spans)
    ]
    assert rates[1] > rates[0] + 0.2


def test_spans_that_say_nothing_change_nothing() -> None:
    clips, y, _ = planted(60)
    absent = int(np.flatnonzero(~y[:, 0])[0])
    shown = int(np.flatnonzero(y[:, 0])[0])
    spans = Spans(np.array([absent, shown]), np.zeros(2, dtype=np.int64), np.array([0.0, 1.3]), np.array([2.0, 1.6]))
    assert (fit(clips, targets_of(y, spans)).coef == fit(clips, targets_of(y)).coef).all()


def test_the_order_of_frames_does_not_matter() -> None:
    clips, y, _ = planted(60)
    found = fit(clips, targets_of(y))
    rng = np.random.default_rng(5)
    order = np.argsort(np.where(clips.there, rng.random(clips.times.shape), 2 + np.arange(F)), axis=1)
    rows = np.arange(len(clips))[:, None]
    moved = Clips(clips.frames[rows, order], clips.times[rows, order], clips.counts)
    np.testing.assert_allclose(found.scores(moved)[0], found.scores(clips)[0], atol=1e-12)
    before = np.take_along_axis(found.attention(clips), order[:, None], axis=2)
    np.testing.assert_allclose(found.attention(moved), before, atol=1e-12)


def test_padding_is_ignored() -> None:
    clips, y, _ = planted(60)
    found = fit(clips, targets_of(y))
    noise = np.random.default_rng(6).integers(-500, 500, clips.frames.shape).astype(np.int16)
    padded = replace(clips, frames=np.where(clips.there[..., None], clips.frames, noise))
    assert (found.scores(padded)[0] == found.scores(clips)[0]).all()
    assert (found.attention(padded) == found.attention(clips)).all()
    assert (found.attention(clips)[~np.broadcast_to(clips.there[:, None], (60, 1, F))] == 0).all()
    assert (fit(padded, targets_of(y)).coef == found.coef).all()


def test_a_clip_does_not_depend_on_its_batch() -> None:
    clips, y, _ = planted(150, labels=2)
    found = fit(clips, targets_of(y), heads=2)
    logits, committee = found.scores(clips)
    parts = [found.scores(clips.take(slice(start, start + 7))) for start in range(0, 150, 7)]
    np.testing.assert_allclose(np.concatenate([part[0] for part in parts]), logits, atol=1e-9, rtol=0)
    assert committee is not None
    assert (committee.shape, committee.dtype) == ((2, 150, 2), np.float32)
    assert found.scores(clips.take(slice(0, 0)))[0].shape == (0, 2)


def test_same_seed_same_attention_and_only_heads_draw() -> None:
    clips, y, _ = planted(60)
    first, again, other = (fit(clips, targets_of(y), seed=seed, heads=2) for seed in (0, 0, 1))
    assert all((first.arrays()[name] == again.arrays()[name]).all() for name in first.arrays() if name != "constant")
    assert (first.coef[0] == other.coef[0]).all()
    assert (first.coef[1] != other.coef[1]).any()
    back = Attention.of(first.arrays(), softmax=False)
    assert (back.scores(clips)[0] == first.scores(clips)[0]).all()


def test_unknown_labels_and_weightless_clips_teach_nothing() -> None:
    clips, y, _ = planted(80, labels=2)
    part = np.arange(60)
    masked = y.astype(float)
    masked[60:, 0] = np.nan
    both = fit(clips, replace(targets_of(masked), weights=np.r_[np.ones(60), np.zeros(20)]))
    alone = fit(clips.take(part), targets_of(y[:60]))
    np.testing.assert_allclose(both.coef, alone.coef, atol=1e-9)
    nothing = fit(clips, targets_of(masked))
    changed = np.where(np.isnan(masked), np.nan, masked)
    assert (fit(clips, targets_of(changed)).coef == nothing.coef).all()


def test_labels_without_two_sides_are_constants() -> None:
    clips, y, _ = planted(40)
    labels = np.c_[y[:, 0], np.ones(40), np.zeros(40)]
    found = fit(clips, targets_of(labels))
    np.testing.assert_allclose(found.constant[1:], [41 / 42, 1 / 42], rtol=1e-6)
    assert np.isnan(found.constant[0])
    single = fit(clips, targets_of(np.c_[y[:, 0], ~y[:, 0], np.zeros(40)]), multi_label=False)
    np.testing.assert_allclose(single.constant[2], 1 / 43, rtol=1e-6)
    assert np.isnan(single.constant[:2]).all()


def test_a_clip_without_frames_has_the_intercept() -> None:
    clips, y, _ = planted(40)
    found = fit(clips, targets_of(y))
    empty = Clips(np.zeros((2, F, D), np.int16), np.zeros((2, F), np.float32), np.zeros(2, np.int64))
    np.testing.assert_allclose(found.scores(empty)[0], np.tile(found.intercept[0], (2, 1)))
    assert heaviest(empty, found.attention(empty)[:, 0]).texts() == ["", ""]


def test_moments_are_apart_and_the_heaviest_comes_first() -> None:
    times = np.array([[0.0, 3.0, 3.5, 63.0], [5.0, 6.0, 0.0, 0.0]], dtype=np.float32)
    clips = Clips(np.zeros((2, 4, D), np.int16), times, np.array([4, 2]))
    weights = np.array([[0.0, 0.3, 0.5, 0.2], [0.01, 0.99, 0.0, 0.0]])
    found = heaviest(clips, weights, top=3, apart=1.0)
    assert found.texts() == ["0:03, 1:03", "0:06"]
    np.testing.assert_array_equal(found.times, [[3.5, 63.0, np.nan], [6.0, np.nan, np.nan]])
    np.testing.assert_array_equal(found.weights, [[0.5, 0.2, 0.0], [0.99, 0.0, 0.0]])
    assert heaviest(clips, weights, top=3, apart=0.1).texts()[0] == "0:03, 0:03, 1:03"
    assert clock(3599.99) == "59:59"


def test_what_does_not_fit_is_refused() -> None:
    clips, y, _ = planted(20)
    found = fit(clips, targets_of(y))
    with pytest.raises(ModelError, match="24"):
        found.scores(replace(clips, frames=clips.frames[:, :, :5].copy()))
    with pytest.raises(ModelError, match="int16"):
        replace(clips, frames=clips.frames.astype(np.int64))
    with pytest.raises(ModelError, match="counts"):
        replace(clips, counts=clips.counts[:3])
