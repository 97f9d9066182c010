"""A model at rest: weights (safetensors), files beside them, and a card (JSON) that holds the hash of all."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b, sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from hitl.errors import ModelError

WEIGHTS, CARD = "weights.safetensors", "card.json"
_LARGEST_CARD = 64 << 20
_HASHES = ("weights_sha256", "files_sha256", "card_sha256")


@dataclass(frozen=True, eq=False)
class Saved:
    """A saved model as it lies in its folder, its hashes checked."""

    folder: Path
    arrays: Mapping[str, np.ndarray[Any, Any]]
    card: Mapping[str, Any]

    def read(self, name: str) -> bytes:
        """One of the files beside the weights; raises `ModelError` where the model has none of that name."""
        if name not in self.files:
            raise ModelError(f"{self.folder}: its card names no file {name}; take the model from its backup")
        return (self.folder / name).read_bytes()

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the files beside the weights."""
        return tuple(self.card.get("files_sha256") or ())


def content_id(kind: str, weights: Mapping[str, np.ndarray[Any, Any]], values: Any) -> str:
    """The kind and 12 hex digits (blake2b) over weights, by name with type and shape, and plain values.

    >>> import numpy as np
    >>> content_id("demo", {"w": np.zeros(2)}, {"C": 1.0})
    'demo-06cfb08bf2a6'
    """
    digest = blake2b(json.dumps(plain(values), sort_keys=True).encode(), digest_size=6)
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return f"{kind}-{digest.hexdigest()}"


def plain(value: Any) -> Any:
    """A value as JSON can hold it: numpy numbers and tuples as plain ones, no number that is not finite."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def save(
    folder: str | Path,
    weights: Mapping[str, np.ndarray[Any, Any]],
    card: Mapping[str, Any],
    files: Mapping[str, bytes | Path] = {},
) -> Path:
    """Write weights, card and files to `folder`, whole or not at all; an older model there is replaced.

    A file given by its path is linked where the disk allows, so that a large encoder is not there twice. Raises
    `ModelError` when the folder is in use for something else, or cannot be written.
    """
    from safetensors.numpy import save as to_bytes

    folder = Path(folder)
    if folder.exists() and not (folder / CARD).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder}: something that is no model is there; save to another folder")
    body = to_bytes({name: np.ascontiguousarray(array) for name, array in sorted(weights.items())})
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            fresh.chmod(0o755)
            write(fresh / WEIGHTS, body)
            for name, content in files.items():
                _put(fresh / name, content)
            hashes = {"weights_sha256": sha256(body).hexdigest()}
            told = sealed({**plain(card), **hashes, "files_sha256": {name: sha256_of(fresh / name) for name in files}})
            write(fresh / CARD, (json.dumps(told, indent=2) + "\n").encode())
            _swap(fresh, folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise ModelError(
            f"{folder}: the model cannot be saved ({error.strerror or error}); check disk and rights"
        ) from error
    return folder


def sealed(card: Mapping[str, Any]) -> dict[str, Any]:
    """The card with the hash of all else in it."""
    told = {key: value for key, value in card.items() if key != "card_sha256"}
    return {**told, "card_sha256": sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()}


def sha256_of(path: Path) -> str:
    """The hash of a file, computed once while its size and time stay the same."""
    about = path.stat()
    return _hash(path.resolve(), about.st_size, about.st_mtime_ns, about.st_ino)


@lru_cache(maxsize=4096)
def _hash(path: Path, size: int, modified: int, inode: int) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def _put(path: Path, content: bytes | Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        write(path, content)
        return
    try:
        os.link(content.resolve(), path)
    except OSError:  # another disk, or one without links
        shutil.copyfile(content, path)


def write(path: Path, body: bytes) -> None:
    """Write a file, and wait until the disk has it."""
    with path.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _swap(fresh: Path, folder: Path) -> None:
    """Put the finished folder in its place; where only the card differs, only the card."""
    if not (folder / CARD).exists():
        os.rename(fresh, folder)
        return
    if _same_but_the_card(fresh, folder):
        os.replace(fresh / CARD, folder / CARD)
        return
    old = fresh.with_name(f"{fresh.name}.old")
    os.rename(folder, old)
    try:
        os.rename(fresh, folder)
    except OSError:
        os.rename(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _same_but_the_card(fresh: Path, folder: Path) -> bool:
    try:
        names = {path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()} - {Path(CARD)}
        there = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()} - {Path(CARD)}
        return names == there and all(sha256_of(fresh / name) == sha256_of(folder / name) for name in names)
    except OSError:
        return False


def read_card(folder: str | Path) -> dict[str, Any]:
    """The card of a saved model; raises `ModelError` when there is none."""
    path = Path(folder) / CARD
    try:
        with path.open("rb") as file:
            body = file.read(_LARGEST_CARD + 1)
    except (OSError, ValueError):
        raise ModelError(f"{folder}: holds no saved model ({CARD} is missing); give the folder of one") from None
    try:
        card = json.loads(body.decode()) if len(body) <= _LARGEST_CARD else None
    except (ValueError, RecursionError):
        card = None
    if not isinstance(card, dict) or "kind" not in card or not isinstance(card.get("files_sha256") or {}, dict):
        raise ModelError(f"{path}: is no model card; take the model from its backup, or train it again")
    return card


def load(folder: str | Path) -> Saved:
    """A saved model; raises `ModelError` when weights, files and card are not those that were saved together."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    folder = Path(folder)
    card = read_card(folder)
    if card.get("card_sha256") != sealed(card)["card_sha256"]:
        raise changed(folder / CARD)
    files = card.get("files_sha256") or {}
    for name, wanted in {WEIGHTS: card.get("weights_sha256"), **files}.items():
        path = folder / name
        if not _within(path, folder):
            raise ModelError(f"{path}: is missing; take the model from its backup, or train it again")
        if sha256_of(path) != wanted:
            raise changed(path)
    strange = [path for path in folder.glob("*/**/*") if path.is_file() and str(path.relative_to(folder)) not in files]
    if strange:
        raise ModelError(f"{strange[0]}: the model's card does not name this file; take it away, or restore the model")
    try:
        arrays = from_bytes((folder / WEIGHTS).read_bytes())
    except (SafetensorError, ValueError):
        raise ModelError(
            f"{folder / WEIGHTS}: holds no weights; take the model from its backup, or train it again"
        ) from None
    return Saved(
        folder, arrays, {key: value for key, value in card.items() if key not in _HASHES} | {"files_sha256": files}
    )


def _within(path: Path, folder: Path) -> bool:
    """Whether a file that a card names is there, and not elsewhere by way of `..` or links."""
    try:
        return path.resolve().is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, ValueError, RuntimeError):
        return False


def changed(path: Path) -> ModelError:
    """The error for a file that is not what was saved."""
    return ModelError(f"{path}: is not what was saved with this model (its hash differs); do not use it, restore it")
