"""Folders of saved models that were changed, broken off, or made to lead elsewhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bad import Bad

from hitl.errors import ModelError
from hitl.models import load_model
from hitl.models.saving import CARD, WEIGHTS, load, save, sealed

ARRAYS = {"coef": np.arange(6.0).reshape(2, 3)}


def placed(folder: Path) -> Path:
    card = {"kind": "text_linear", "labels": ["a", "b"], "options": {}}
    return save(folder / "m", ARRAYS, card, {"config.json": b"{}", "encoder/tokenizer.json": b"{}"})


def changed(kind: str, change: Callable[[Path], object], *words: str, call: Callable[[Path], object] = load) -> Bad:
    """A saved model after this was done to its folder."""

    def make(folder: Path) -> Path:
        model = placed(folder)
        change(model)
        return model

    return Bad(f"model: {kind}", make, call, ModelError, (*words,))


def card(kind: str, updates: dict[str, Any], *words: str, call: Callable[[Path], object] = load) -> Bad:
    """A card that somebody changed, and sealed anew."""

    def change(model: Path) -> None:
        told = sealed({**json.loads((model / CARD).read_text()), **updates})
        (model / CARD).write_text(json.dumps(told))

    return changed(kind, change, *words, call=call)


def write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda model: (model / name).write_bytes(content)


def flip(name: str) -> Callable[[Path], object]:
    def change(model: Path) -> None:
        body = bytearray((model / name).read_bytes())
        body[len(body) // 2] ^= 1
        (model / name).write_bytes(bytes(body))

    return change


def _linked_out(model: Path) -> None:
    (model.parent / "secret").write_bytes(b"{}")
    (model / "config.json").unlink()
    (model / "config.json").symlink_to(model.parent / "secret")


def _weights_of(content: bytes) -> Callable[[Path], None]:
    def change(model: Path) -> None:
        from hashlib import sha256

        (model / WEIGHTS).write_bytes(content)
        told = {**json.loads((model / CARD).read_text()), "weights_sha256": sha256(content).hexdigest()}
        (model / CARD).write_text(json.dumps(sealed(told)))

    return change


RESTORE = "backup"
CASES = [
    changed("no folder", shutil.rmtree, "holds no saved model", "give the folder"),
    changed("a file for a folder", lambda m: (shutil.rmtree(m), m.write_text("x")), "holds no saved model"),
    changed("no card", lambda m: (m / CARD).unlink(), "holds no saved model", CARD),
    changed("a card of nothing", write(CARD, b""), "no model card", RESTORE),
    changed("a card of words", write(CARD, b"zonk"), "no model card", RESTORE),
    changed("a card that is a list", write(CARD, b"[]"), "no model card"),
    changed("a card in Latin-1", write(CARD, '{"kind": "é"}'.encode("latin-1")), "no model card"),
    changed("a card nested without end", write(CARD, b"[" * 100_000), "no model card"),
    changed("a card as large as a library", write(CARD, b" " * (70 << 20)), "no model card"),
    changed("a card with a letter changed", flip(CARD), CARD),
    changed("no weights", lambda m: (m / WEIGHTS).unlink(), WEIGHTS, "is missing", RESTORE),
    changed("weights of nothing", write(WEIGHTS, b""), WEIGHTS, "its hash differs"),
    changed("weights with a bit turned over", flip(WEIGHTS), WEIGHTS, "restore it"),
    changed("weights that are pickled", write(WEIGHTS, b"\x80\x04K\x01."), WEIGHTS, "its hash differs"),
    changed("weights of words, with the hash of them", _weights_of(b"zonk"), WEIGHTS, "train it again"),
    changed("weights that claim a petabyte", _weights_of(b"\xff" * 8 + b"{}"), WEIGHTS, "train it again"),
    changed("a file with a bit turned over", flip("config.json"), "config.json", "its hash differs"),
    changed("a file that is gone", lambda m: (m / "config.json").unlink(), "config.json", "is missing"),
    changed("a folder that is gone", lambda m: shutil.rmtree(m / "encoder"), "tokenizer.json", "is missing"),
    changed("a file too many", write("encoder/code.py", b"import os"), "code.py", "does not name this file"),
    changed("a file that leads out", _linked_out, "config.json", "is missing"),
    card("a card that leads up and out", {"files_sha256": {"../../etc/x": "0" * 64}}, "etc/x", "is missing"),
    card("a card that leads to the root", {"files_sha256": {"/etc/hostname": "0" * 64}}, "hostname", "is missing"),
    card("a card whose files hold a zero", {"files_sha256": {"a\0b": "0" * 64}}, "is missing"),
    card("a card without a kind of its own", {"kind": "zonk"}, "of another version", "'zonk'", call=load_model),
    card("a card whose kind is a module", {"kind": "os:system"}, "of another version", call=load_model),
    card("a card with an option not known", {"options": {"zz": 1}}, "no option 'zz'", call=load_model),
    card("a card with options of another kind", {"options": [1]}, "another version", call=load_model),
    card("a card of too few weights", {}, "no text_linear card", call=load_model),
]
