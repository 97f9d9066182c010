"""Dense features by an encoder that counts its work: reuse by content, going on after a crash, damage, the centre."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import ModelError
from hitl.models.dense import DenseFeatures, DenseReader, centred, dense_features
from hitl.models.dense_store import alone
from hitl.pool import Pool
from hitl.pool.keys import hash_text
from hitl.sampling.diversity.crowd import GRID, on_grid
from hitl.types import Embeddings, Keys, silent

WIDTH = 6


class StopError(Exception):
    """What interrupts an encoder."""


@dataclass(frozen=True)
class Counting:
    """Rows drawn from the hash of a text. A text with "!" has no content, one with "?" breaks when it is opened."""

    name: str = "counting"
    stop_at: int = 1 << 60  # the call that is interrupted
    batch: int = 8
    width: int = WIDTH
    calls: list[list[str]] = field(default_factory=list, compare=False)

    columns = ("text",)

    @property
    def fingerprint(self) -> str:
        return self.name

    @property
    def seen(self) -> list[str]:
        """All texts that were encoded, in order."""
        return [text for call in self.calls for text in call]

    def keys(self, rows: pa.Table) -> tuple[Keys, list[str]]:
        lost = [f"nothing in {text}" if "!" in text else "" for text in rows["text"].to_pylist()]
        keys = hash_text(rows["text"])
        keys[[bool(why) for why in lost]] = 0
        return keys, lost

    def embed(self, rows: pa.Table) -> tuple[Embeddings, list[str]]:
        texts = rows["text"].to_pylist()
        if len(self.calls) >= self.stop_at:
            raise StopError
        self.calls.append(texts)
        broken = ["!" in text or "?" in text for text in texts]
        found = np.array(
            [np.random.default_rng(int(key)).normal(0.5, 1, self.width) for key in hash_text(rows["text"])]
        )
        found = on_grid(found.reshape(-1, self.width))
        found[broken] = 0
        return found, [f"broken: {text}" if lost else "" for text, lost in zip(texts, broken, strict=True)]


def pool_of(texts: list[str]) -> Pool:
    return Pool.open(pa.table({"id": [f"it-{at}" for at in range(len(texts))], "text": pa.array(texts, pa.string())}))


def mixed(n: int = 50, first: int = 0) -> list[str]:
    """Invented texts of which every seventh cannot be opened and every eleventh is empty."""
    marks = ["?" if at % 7 == 3 else "!" if at % 11 == 5 else "" for at in range(n)]
    return [f"zonk {first + at}{mark}" for at, mark in enumerate(marks)]


def alike(one: DenseFeatures, other: DenseFeatures) -> bool:
    """Whether two features say the same."""
    return bool(
        one.fingerprint == other.fingerprint
        and (np.asarray(one.embeddings) == np.asarray(other.embeddings)).all()
        and (one.reader.centre == other.reader.centre).all()
        and (one.unreadable.positions == other.unreadable.positions).all()
        and one.unreadable.reasons == other.unreadable.reasons
    )


def expected(texts: list[str]) -> DenseFeatures:
    """Features as they are made without a disk and without an interruption."""
    return dense_features(pool_of(texts), Counting(), None, silent)


def test_rows_are_unit_rows_less_the_centre_and_the_unreadable_are_zero() -> None:
    texts = mixed()
    found = expected(texts)
    lost = np.array([at for at, text in enumerate(texts) if "?" in text or "!" in text])
    assert found.unreadable.positions.tolist() == lost.tolist()
    assert found.unreadable.reasons == tuple(
        f"broken: {texts[at]}" if "?" in texts[at] else f"nothing in {texts[at]}" for at in lost
    )
    rows = np.asarray(found.embeddings)
    assert (rows.shape, rows.dtype) == ((50, WIDTH), np.int16)
    assert (np.flatnonzero(~rows.any(axis=1)) == lost).all()
    there = np.setdiff1d(np.arange(50), lost)
    np.testing.assert_allclose(np.linalg.norm(rows[there] / GRID, axis=1), 1, atol=2e-3)
    raw = Counting().embed(pa.table({"text": [texts[at] for at in there]}))[0] / GRID
    np.testing.assert_allclose(found.reader.centre, raw.mean(axis=0), atol=1e-7)
    moved = raw - raw.mean(axis=0)
    np.testing.assert_allclose(rows[there] / GRID, moved / np.linalg.norm(moved, axis=1)[:, None], atol=1 / GRID)


def test_memory_and_disk_and_what_is_read_back_are_the_same(tmp_path: Path) -> None:
    texts, encoder = mixed(), Counting()
    told: list[tuple[str, int, int | None]] = []
    first = dense_features(pool_of(texts), encoder, tmp_path, lambda *step: told.append(step))
    assert [done for _, done, _ in told] == [8, 16, 24, 32, 40, 48, 50]
    count = len(encoder.seen)
    again = dense_features(pool_of(texts), encoder, tmp_path, silent)
    assert len(encoder.seen) == count
    assert alike(first, expected(texts))
    assert alike(again, expected(texts))
    assert [path.suffix for path in tmp_path.iterdir()] == [""]
    other = dense_features(pool_of(texts), Counting("other"), tmp_path, silent)
    assert other.fingerprint != first.fingerprint


def test_taken_and_sliced_as_arrays_are() -> None:
    found = expected(mixed())
    whole = np.asarray(found.embeddings)
    assert (found.take(np.array([4, 0, 4])) == whole[[4, 0, 4]]).all()
    assert found.take(np.zeros(0, dtype=np.int64)).shape == (0, WIDTH)
    assert (found.slice(10, 20) == whole[10:20]).all()
    assert (len(found), repr(found)) == (50, "DenseFeatures(50 items × 6 dimensions)")


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_the_reader_reads_rows_as_the_pool_was(where: str, tmp_path: Path) -> None:
    texts = mixed()
    found = dense_features(pool_of(texts), Counting(), tmp_path if where == "disk" else None, silent)
    reader = pickle.loads(pickle.dumps(found.reader))
    order = np.random.default_rng(0).permutation(50)
    x, embeddings = reader.read(pa.table({"text": [texts[at] for at in order]}))
    assert (x == found.take(order)).all()
    assert x is embeddings
    assert reader.columns == ("text",)


def test_an_empty_pool_has_no_rows(tmp_path: Path) -> None:
    for cache in (None, tmp_path, tmp_path):
        found = dense_features(pool_of([]), Counting(), cache, silent)
        assert found.embeddings.shape == (0, WIDTH)
        assert found.slice(0, 5).shape == (0, WIDTH)
        assert (found.reader.centre == 0).all()
        assert len(found.unreadable) == 0


@pytest.mark.parametrize("texts", [["zonk"], ["zonk?"], ["zonk!", "wub?"], ["zonk", "wub?"]])
def test_fewer_than_two_readable_items_have_no_centre(texts: list[str], tmp_path: Path) -> None:
    found = dense_features(pool_of(texts), Counting(), tmp_path, silent)
    assert (found.reader.centre == 0).all()
    assert np.asarray(found.embeddings).any(axis=1).tolist() == [text == "zonk" for text in texts]
    assert alike(found, expected(texts))


def test_equal_texts_of_a_batch_are_encoded_once(tmp_path: Path) -> None:
    texts = ["zonk", "wub", "zonk", "zonk?", "zonk?", "wub", "plim", "zonk"]
    encoder = Counting()
    found = dense_features(pool_of(texts), encoder, tmp_path, silent)
    assert sorted(encoder.seen) == ["plim", "wub", "zonk", "zonk?"]
    rows = np.asarray(found.embeddings)
    assert (rows[[0, 0, 1]] == rows[[2, 7, 5]]).all()
    assert (rows[0] != rows[1]).any()
    assert found.unreadable.positions.tolist() == [3, 4]


def test_what_another_pool_shares_is_not_encoded_again(tmp_path: Path) -> None:
    old, new = [f"zonk {at}" for at in range(90)], [f"wub {at}" for at in range(10)]
    encoder = Counting()
    dense_features(pool_of(old), encoder, tmp_path, silent)
    encoder.calls.clear()
    order = np.random.default_rng(0).permutation(100)
    texts = [[*old, *new][at] for at in order]
    found = dense_features(pool_of(texts), encoder, tmp_path, silent)
    assert sorted(encoder.seen) == sorted(new)
    assert alike(found, expected(texts))
    dense_features(pool_of(texts), Counting("other"), tmp_path, silent)
    third = Counting()
    dense_features(pool_of([*old[:5], *new[:5], "plim"]), third, tmp_path, silent)
    assert third.seen == ["plim"]


def test_what_could_not_be_read_is_tried_again_in_another_pool(tmp_path: Path) -> None:
    dense_features(pool_of(mixed()), Counting(), tmp_path, silent)
    encoder = Counting()
    found = dense_features(pool_of([*mixed(), "plim"]), encoder, tmp_path, silent)
    assert {text for text in encoder.seen if "?" not in text} == {"plim"}
    assert alike(found, expected([*mixed(), "plim"]))


@pytest.mark.parametrize("stop_at", range(7))
def test_interrupted_in_any_batch_it_goes_on_there(stop_at: int, tmp_path: Path) -> None:
    texts, first, second = mixed(), Counting(stop_at=stop_at), Counting()
    with pytest.raises(StopError):
        dense_features(pool_of(texts), first, tmp_path, silent)
    found = dense_features(pool_of(texts), second, tmp_path, silent)
    assert len(first.calls) == stop_at
    assert [*first.calls, *second.calls] == _calls(texts)
    assert alike(found, expected(texts))
    assert alike(dense_features(pool_of(texts), Counting(stop_at=0), tmp_path, silent), expected(texts))


def _calls(texts: list[str]) -> list[list[str]]:
    whole = Counting()
    dense_features(pool_of(texts), whole, None, silent)
    return whole.calls


@settings(max_examples=40)
@given(
    st.integers(0, 6),
    st.lists(
        st.tuples(st.sampled_from(["keys.bin", "rows.bin", "unreadable.jsonl"]), st.floats(0, 1)),
        min_size=1,
        max_size=3,
    ),
    st.integers(0, 3),
    st.lists(st.tuples(st.sampled_from(["keys.bin", "rows.bin", "unreadable.jsonl"]), st.floats(0, 1)), max_size=3),
)
def test_cut_off_anywhere_and_twice_it_is_as_if_undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
    stop_at: int,
    cuts: list[tuple[str, float]],
    then: int,
    more: list[tuple[str, float]],
) -> None:
    """What the disk had of the files when the power went, each of them cut where it happened to be."""
    cache, texts = tmp_path_factory.mktemp("cache"), mixed()
    for stop, lengths in ((stop_at, cuts), (then, more)):
        try:
            dense_features(pool_of(texts), Counting(stop_at=stop), cache, silent)
        except StopError:
            [part] = cache.glob("*.part")
            for name, share in lengths:
                body = (part / name).read_bytes()
                (part / name).write_bytes(body[: round(share * len(body))])
    assert alike(dense_features(pool_of(texts), Counting(), cache, silent), expected(texts))
    shutil.rmtree(cache)


def test_what_became_readable_before_it_went_on_has_no_reason(tmp_path: Path) -> None:
    """A reason is written before its row; where the row was lost, it is the second look that counts."""
    texts = [f"zonk {at}" for at in range(40)]
    with pytest.raises(StopError):
        dense_features(pool_of(texts), Counting(stop_at=2), tmp_path, silent)
    [part] = tmp_path.glob("*.part")
    with (part / "unreadable.jsonl").open("a") as file:
        file.write(json.dumps([17, "not there yet"]) + "\n")
    for stop_at in (1, 1 << 60):
        try:
            found = dense_features(pool_of(texts), Counting(stop_at=stop_at), tmp_path, silent)
        except StopError:
            continue
    assert alike(found, expected(texts))


def _hold(folder: str, ready: multiprocessing.synchronize.Event, done: multiprocessing.synchronize.Event) -> None:
    with alone(Path(folder)):
        ready.set()
        done.wait(60)


def test_two_processes_do_not_make_the_same_features_at_once(tmp_path: Path) -> None:
    texts = mixed()
    with pytest.raises(StopError):
        dense_features(pool_of(texts), Counting(stop_at=2), tmp_path, silent)
    [part] = tmp_path.glob("*.part")
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(part), ready, done))
    other.start()
    try:
        assert ready.wait(60)
        with pytest.raises(ModelError, match=r"another process makes these features; wait for it, or stop it"):
            dense_features(pool_of(texts), Counting(), tmp_path, silent)
        dense_features(pool_of(mixed(20, first=500)), Counting(), tmp_path, silent)
    finally:
        done.set()
        other.join(60)
    assert alike(dense_features(pool_of(texts), Counting(), tmp_path, silent), expected(texts))


def test_features_that_another_process_just_made_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look for the folder and the lock, the other process ends."""
    texts = mixed()
    made = dense_features(pool_of(texts), Counting(), tmp_path / "other", silent)

    class Late(alone):
        def __enter__(self) -> None:
            super().__enter__()
            shutil.copytree(tmp_path / "other" / made.fingerprint, tmp_path / "cache" / made.fingerprint)

    monkeypatch.setattr("hitl.models.dense.alone", Late)
    encoder = Counting()
    found = dense_features(pool_of(texts), encoder, tmp_path / "cache", silent)
    assert encoder.calls == []
    assert alike(found, expected(texts))
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [made.fingerprint]


def _without(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def _short(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-9])


def _as(name: str, body: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(body)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no meta": _without("meta.json"),
    "no centre": _without("centre.npy"),
    "no rows": _without("embeddings.npy"),
    "meta cut": _short("meta.json"),
    "centre cut": _short("centre.npy"),
    "rows cut": _short("embeddings.npy"),
    "rows of nothing": _as("embeddings.npy", ""),
    "meta is a list": _as("meta.json", "[]"),
    "meta without reasons": _as("meta.json", "{}"),
    "meta with other reasons": _as("meta.json", '{"unreadable": 3}'),
    "rows of other width": lambda folder: np.save(folder / "embeddings.npy", np.zeros((50, 2), dtype=np.int16)),
    "rows of other kind": lambda folder: np.save(folder / "embeddings.npy", np.zeros((50, WIDTH))),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_features_say_so_and_what_to_do(damage: str, tmp_path: Path) -> None:
    texts = mixed()
    made = dense_features(pool_of(texts), Counting(), tmp_path, silent)
    folder = tmp_path / made.fingerprint
    del made
    DAMAGE[damage](folder)
    encoder = Counting()
    with pytest.raises(ModelError, match=r"these features are damaged; delete the folder") as told:
        dense_features(pool_of(texts), encoder, tmp_path, silent)
    assert str(folder) in str(told.value)
    assert encoder.calls == []
    shutil.rmtree(folder)
    assert alike(dense_features(pool_of(texts), encoder, tmp_path, silent), expected(texts))


@pytest.mark.parametrize(
    "damage", [_without("keys.bin"), _without("rows.bin"), _short("keys.bin"), _short("rows.bin"), *DAMAGE.values()]
)
def test_damaged_features_of_another_pool_do_no_harm(damage: Callable[[Path], object], tmp_path: Path) -> None:
    made = dense_features(pool_of(mixed()), Counting(), tmp_path, silent)
    folder = tmp_path / made.fingerprint
    del made
    damage(folder)
    texts = [*mixed(), "plim"]
    assert alike(dense_features(pool_of(texts), Counting(), tmp_path, silent), expected(texts))


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("zonk")
    with pytest.raises(ModelError, match="features cannot be kept in"):
        dense_features(pool_of(mixed()), Counting(), tmp_path / "file", silent)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 12))
def test_centred_rows_do_not_depend_on_the_others(seed: int, n: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    rows = on_grid(rng.normal(0.3, 1, (n, d)))
    rows[rng.random(n) < 0.3] = 0
    centre = rng.normal(0, 0.3, d).astype(np.float32)
    whole = centred(rows, centre)
    assert (np.concatenate([centred(rows[at : at + 1], centre) for at in range(n)]) == whole).all()
    assert (whole[~rows.any(axis=1)] == 0).all()
    assert (centred(rows, np.zeros(d, dtype=np.float32)) - rows <= 1).all()


def test_the_centre_is_exact_however_the_pool_is_cut() -> None:
    """The sum of whole numbers, so that no batch and no block moves it."""
    texts = [f"zonk {at}" for at in range(400)]
    found = {
        batch: dense_features(pool_of(texts), replace(Counting(), batch=batch), None, silent) for batch in (1, 7, 400)
    }
    raw = Counting().embed(pa.table({"text": texts}))[0]
    wanted = (raw.sum(axis=0, dtype=np.int64) / (GRID * 400)).astype(np.float32)
    for one in found.values():
        assert (one.reader.centre == wanted).all()
        assert (one.embeddings == found[1].embeddings).all()


def test_equal_items_all_alike_have_no_direction() -> None:
    found = dense_features(pool_of(["zonk"] * 20), Counting(), None, silent)
    assert not np.asarray(found.embeddings).any()
    assert len(found.unreadable) == 0


def test_a_reader_of_another_centre_reads_otherwise() -> None:
    found = expected(mixed())
    bare = DenseReader(Counting(), np.zeros(WIDTH, dtype=np.float32))
    table = pa.table({"text": ["zonk 0"]})
    assert (bare.read(table)[0] == Counting().embed(table)[0]).all()
    assert (bare.read(table)[0] != found.reader.read(table)[0]).any()
