"""Models at rest: written whole or not at all, and refused when anything is not what was saved."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import ModelError
from hitl.models import saving
from hitl.models.saving import content_id, load, plain, read_card, save, sealed, sha256_of

ARRAYS = {"coef": np.arange(6.0).reshape(2, 3), "centre": np.ones(3, dtype=np.float32)}
CARD = {"kind": "zonk", "labels": ["a", "b"], "metrics": {"f1": 0.5, "macro": float("nan")}, "n": 3, "ok": True}


def saved(folder: Path, **more: Any) -> Path:
    """A model with a file by its bytes and one in a folder of its own."""
    files = {"config.json": b'{"wub": 1}', "encoder/tokenizer.json": b'{"plim": 2}'}
    return save(folder, ARRAYS, {**CARD, **more}, files)


def hidden(folder: Path) -> list[str]:
    """What lies about in a folder beside models."""
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_arrays_files_and_card_come_back(tmp_path: Path) -> None:
    found = load(saved(tmp_path / "some" / "where"))
    assert found.folder == tmp_path / "some" / "where"
    for name, array in ARRAYS.items():
        assert (found.arrays[name] == array).all()
        assert found.arrays[name].dtype == array.dtype
    assert found.files == ("config.json", "encoder/tokenizer.json")
    assert found.read("encoder/tokenizer.json") == b'{"plim": 2}'
    assert {key: found.card[key] for key in CARD} == {**CARD, "metrics": {"f1": 0.5, "macro": None}}
    with pytest.raises(ModelError, match=r"names no file other\.json"):
        found.read("other.json")


def test_a_model_without_files_has_none(tmp_path: Path) -> None:
    assert load(save(tmp_path / "m", ARRAYS, CARD)).files == ()


@pytest.mark.parametrize("link", [True, False])
def test_files_by_their_path_are_linked_or_copied(link: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not link:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(18, "another disk")))
    weights = tmp_path / "original" / "model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"zonk" * 1000)
    (tmp_path / "link").symlink_to(weights)  # as the cache of the Hub has them
    folder = save(tmp_path / "m", ARRAYS, CARD, {"encoder/a": weights, "encoder/b": tmp_path / "link"})
    for name in ("a", "b"):
        path = folder / "encoder" / name
        assert not path.is_symlink()
        assert path.samefile(weights) == link
    shutil.rmtree(tmp_path / "original")
    (tmp_path / "link").unlink()
    assert load(folder).read("encoder/b") == b"zonk" * 1000


def test_it_loads_from_where_it_was_moved_to(tmp_path: Path) -> None:
    before = load(saved(tmp_path / "m"))
    (tmp_path / "far").mkdir()
    shutil.move(tmp_path / "m", tmp_path / "far" / "model 2")
    shutil.copytree(tmp_path / "far" / "model 2", tmp_path / "copy")
    for folder in (tmp_path / "far" / "model 2", tmp_path / "copy"):
        assert load(folder).card == before.card


def test_a_model_can_be_saved_over_the_one_that_its_files_come_from(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m")
    own = {name: folder / name for name in load(folder).files}
    save(folder, {"coef": np.zeros(2)}, CARD, own)
    assert load(folder).read("config.json") == b'{"wub": 1}'
    assert (load(folder).arrays["coef"] == 0).all()
    assert hidden(tmp_path) == []


def test_only_the_card_is_written_where_only_the_card_differs(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m")
    before = (folder / "weights.safetensors").stat()
    saved(folder, note="later")
    assert load(folder).card["note"] == "later"
    assert (folder / "weights.safetensors").stat().st_ino == before.st_ino
    save(folder, ARRAYS, CARD, {"config.json": b"other"})
    assert load(folder).files == ("config.json",)
    assert sorted(state(folder)) == ["card.json", "config.json", "weights.safetensors"]
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("name", ["config.json", "encoder/tokenizer.json", "weights.safetensors"])
def test_a_file_that_was_changed_or_lost_is_refused(name: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "m")
    body = (folder / name).read_bytes()
    for other in (body[:-1], body + b" ", b"", body[:-1] + bytes([body[-1] ^ 1])):
        (folder / name).write_bytes(other)
        with pytest.raises(ModelError, match=r"is not what was saved with this model") as told:
            load(folder)
        assert name in str(told.value)
    (folder / name).write_bytes(body)
    load(folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match="is missing; take the model from its backup"):
        load(folder)
    (folder / name).mkdir()
    with pytest.raises(ModelError, match="is missing"):
        load(folder)


def _leaves(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for key in value for leaf in _leaves(value[key], (*at, key))]
    if isinstance(value, list):
        return [leaf for key in range(len(value)) for leaf in _leaves(value[key], (*at, key))]
    return [at]


def test_any_value_of_the_card_that_was_changed_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m")
    whole = (folder / "card.json").read_text()
    leaves = _leaves(json.loads(whole))
    assert len(leaves) > 8
    for leaf in leaves:
        card = json.loads(whole)
        inner = card
        for key in leaf[:-1]:
            inner = inner[key]
        inner[leaf[-1]] = "wub" if inner[leaf[-1]] != "wub" else "zonk"
        (folder / "card.json").write_text(json.dumps(card))
        with pytest.raises(ModelError, match=r"is not what was saved with this model|is missing"):
            load(folder)
    for key in json.loads(whole):
        less = {name: value for name, value in json.loads(whole).items() if name != key}
        (folder / "card.json").write_text(json.dumps(less))
        with pytest.raises(ModelError, match=r"is not what was saved|is no model card"):
            load(folder)
    (folder / "card.json").write_text(json.dumps(json.loads(whole)))  # written in another way it is the same
    assert load(folder).card["kind"] == "zonk"


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "3", '{"labels": []}', "\xff"])
def test_what_is_no_card_is_refused(content: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "m")
    (folder / "card.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ModelError, match="is no model card"):
        load(folder)
    with pytest.raises(ModelError, match="is no model card"):
        read_card(folder)


@pytest.mark.parametrize("name", ["../outside", "/outside", "link", "encoder/../../outside"])
def test_a_card_that_names_a_file_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    """Also by one who knows how the card is sealed."""
    folder = saved(tmp_path / "m")
    (tmp_path / "outside").write_bytes(b"secret")
    (folder / "link").symlink_to(tmp_path / "outside")
    name = str(tmp_path / "outside") if name == "/outside" else name
    card = read_card(folder)
    card["files_sha256"][name] = sha256_of(tmp_path / "outside")
    (folder / "card.json").write_text(json.dumps(sealed(card)))
    with pytest.raises(ModelError, match="is missing"):
        load(folder)


@pytest.mark.parametrize("files", [["config.json"], "config.json", 3])
def test_a_card_whose_files_are_no_mapping_is_refused(files: Any, tmp_path: Path) -> None:
    folder = saved(tmp_path / "m")
    (folder / "card.json").write_text(json.dumps(sealed({**read_card(folder), "files_sha256": files})))
    with pytest.raises(ModelError, match="is no model card"):
        load(folder)


def test_a_file_that_the_card_does_not_name_is_not_the_models(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m")
    (folder / "extra.json").write_text("{}")
    found = load(folder)
    assert "extra.json" not in found.files
    with pytest.raises(ModelError, match=r"names no file extra\.json"):
        found.read("extra.json")


def _fails_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the `step`-th call that writes or moves on, the disk says no once."""
    calls = iter(range(1 << 30))

    def failing(original: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if next(calls) == step:
                raise OSError(28, "No space left on device")
            return original(*args, **kwargs)

        return call

    for module, name in ((os, "fsync"), (os, "rename"), (os, "replace"), (saving, "mkdtemp"), (os, "link")):
        monkeypatch.setattr(module, name, failing(getattr(module, name)))


@pytest.mark.parametrize("step", range(9))
@pytest.mark.parametrize("older", [True, False])
def test_a_failure_in_the_middle_leaves_what_was_there(
    step: int, older: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if older:
        saved(tmp_path / "m")
    before = state(tmp_path)
    new = {"coef": np.full(4, 7.0)}
    _fails_at(step, monkeypatch)
    if step < (6 if older else 5):
        with pytest.raises(ModelError, match=r"cannot be saved \(No space left on device\); check disk and rights"):
            save(tmp_path / "m", new, CARD, {"config.json": b"new"})
        assert state(tmp_path) == before
    else:
        save(tmp_path / "m", new, CARD, {"config.json": b"new"})
        assert (load(tmp_path / "m").arrays["coef"] == 7).all()
    assert hidden(tmp_path) == []


def test_a_folder_of_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("notes", "file"):
        with pytest.raises(ModelError, match="something that is no model is there"):
            saved(tmp_path / name)
    assert state(tmp_path) == {"notes/a.txt": b"mine", "file": b"mine"}
    (tmp_path / "empty").mkdir()
    load(saved(tmp_path / "empty"))
    with pytest.raises(ModelError, match="cannot be saved"):
        saved(tmp_path / "file" / "below")


def test_nothing_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no saved model \(card.json is missing\)"):
        load(tmp_path / "nowhere")


def test_a_missing_file_to_take_along_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be saved"):
        save(tmp_path / "m", ARRAYS, CARD, {"a": tmp_path / "nowhere"})
    assert list(tmp_path.iterdir()) == []


def test_an_id_depends_on_every_array_and_value() -> None:
    base = content_id("zonk", ARRAYS, {"C": 1.0})
    assert base == content_id("zonk", dict(reversed(ARRAYS.items())), {"C": 1.0})
    assert base == content_id("zonk", {name: np.asfortranarray(a) for name, a in ARRAYS.items()}, {"C": np.float64(1)})
    others = [
        content_id("wub", ARRAYS, {"C": 1.0}),
        content_id("zonk", ARRAYS, {"C": 1.5}),
        content_id("zonk", {**ARRAYS, "coef": ARRAYS["coef"] + 1e-15 * (ARRAYS["coef"] == 1)}, {"C": 1.0}),
        content_id("zonk", {**ARRAYS, "coef": ARRAYS["coef"].reshape(3, 2)}, {"C": 1.0}),
        content_id("zonk", {**ARRAYS, "coef": ARRAYS["coef"].astype(np.float32)}, {"C": 1.0}),
        content_id("zonk", {"coef": ARRAYS["coef"], "other": ARRAYS["centre"]}, {"C": 1.0}),
    ]
    assert len({base, *others}) == 7


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers(), inner),
        max_leaves=10,
    )
)
def test_plain_values_are_json_and_plain_again(value: Any) -> None:
    told = plain(value)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert plain(told) == told


def test_numbers_of_numpy_are_plain() -> None:
    told = plain({"a": np.float32(0.5), "b": np.arange(2), "c": np.nan, "d": np.bool_(True), "e": Path("x"), 3: ()})
    assert told == {"a": 0.5, "b": [0, 1], "c": None, "d": True, "e": "x", "3": []}
