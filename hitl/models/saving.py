"""A model at rest: a folder with weights (safetensors) and a card (JSON) that holds the hash of the weights."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping
from hashlib import blake2b, sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from hitl.errors import ModelError

WEIGHTS, CARD = "weights.safetensors", "card.json"


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


def save(folder: str | Path, weights: Mapping[str, np.ndarray[Any, Any]], card: Mapping[str, Any]) -> Path:
    """Write weights and card to `folder`, whole or not at all; an older model there is replaced.

    Raises `ModelError` when the folder is in use for something else, or cannot be written.
    """
    from safetensors.numpy import save as to_bytes

    folder = Path(folder)
    if folder.exists() and not (folder / CARD).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder}: something that is no model is there; save to another folder")
    body = to_bytes({name: np.ascontiguousarray(array) for name, array in sorted(weights.items())})
    told = {**plain(card), "weights_sha256": sha256(body).hexdigest()}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            fresh.chmod(0o755)
            _write(fresh / WEIGHTS, body)
            _write(fresh / CARD, (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode())
            _swap(fresh, folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise ModelError(
            f"{folder}: the model cannot be saved ({error.strerror or error}); check disk and rights"
        ) from error
    return folder


def _write(path: Path, body: bytes) -> None:
    with path.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _swap(fresh: Path, folder: Path) -> None:
    """Put the finished folder in its place."""
    if (folder / WEIGHTS).exists() and (folder / WEIGHTS).read_bytes() == (fresh / WEIGHTS).read_bytes():
        os.replace(fresh / CARD, folder / CARD)
        return
    if (folder / CARD).exists():
        old = Path(mkdtemp(dir=folder.parent, prefix=f".{folder.name}.")) / "old"
        os.rename(folder, old)
        os.rename(fresh, folder)
        shutil.rmtree(old.parent, ignore_errors=True)
        return
    os.rename(fresh, folder)


def read_card(folder: str | Path) -> dict[str, Any]:
    """The card of a saved model; raises `ModelError` when there is none."""
    path = Path(folder) / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise ModelError(f"{folder}: holds no saved model ({CARD} is missing); give the folder of one") from None
    except ValueError:
        card = None
    if not isinstance(card, dict) or "kind" not in card:
        raise ModelError(f"{path}: is no model card; take the model from its backup, or train it again")
    return card


def load(folder: str | Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    """The weights and card of a saved model; raises `ModelError` when they do not belong together."""
    from safetensors.numpy import load as from_bytes

    card, path = read_card(folder), Path(folder) / WEIGHTS
    try:
        body = path.read_bytes()
    except OSError:
        raise ModelError(f"{path}: is missing; take the model from its backup, or train it again") from None
    if sha256(body).hexdigest() != card.get("weights_sha256"):
        raise changed(path)
    return from_bytes(body), card


def changed(path: Path) -> ModelError:
    """The error for a file that is not what was saved."""
    return ModelError(f"{path}: is not what was saved with this model (its hash differs); do not use it, restore it")
