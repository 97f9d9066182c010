"""Texts through an exported model, without torch and transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ConfigError, ModelError
from hitl.types import Proba

MODEL, TOLD, TOKENIZER = "model.onnx", "export.json", "tokenizer.json"


def run_exported(folder: str | Path, texts: Sequence[str], batch: int = 32) -> Proba:
    """Probabilities (n, k) of n texts by the model that `export` wrote to `folder`, by onnxruntime and tokenizers.

    An example to deploy by, and a way to try an export: the model is opened anew in each call. Raises `ModelError` when
    the folder holds no export of a text model, `ConfigError` when a package is missing. O(tokens) time.
    """
    told = read_told(Path(folder))
    if told["preprocessing"].get("reads") != "text":
        raise ModelError(f"{folder}: this model reads pictures; give its session pixel_values, as export.json says")
    tokenizer, session = open_tokenizer(Path(folder)), open_session(Path(folder))
    most = int(told["preprocessing"]["most_characters"])
    found = [np.zeros((0, len(told["labels"])), dtype=np.float32)]
    for start in range(0, len(texts), batch):
        found += session.run(["proba"], encoded(tokenizer, texts[start : start + batch], most))
    return np.concatenate(found)


def encoded(tokenizer: Any, texts: Sequence[str], most: int) -> dict[str, NDArray[np.int64]]:
    """Ids and mask (n, longest) of a batch; of a text with more than `most` characters blanks are made single ones."""
    short = [text if len(text) <= most else " ".join(text.split())[:most] for text in texts]
    done = tokenizer.encode_batch([text.encode("utf-8", "replace").decode() for text in short])
    ids = np.array([one.ids for one in done], dtype=np.int64).reshape(len(done), -1)
    mask = np.array([one.attention_mask for one in done], dtype=np.int64).reshape(len(done), -1)
    if not ids.shape[1]:  # no text has a token
        ids = np.full((len(done), 1), tokenizer.padding["pad_id"], dtype=np.int64)
        mask = np.zeros_like(ids)
    return {"input_ids": ids, "attention_mask": mask}


def read_told(folder: Path) -> dict[str, Any]:
    """What `export.json` tells; raises `ModelError` when there is none."""
    try:
        told: dict[str, Any] = json.loads((folder / TOLD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ModelError(f"{folder}: holds no exported model ({TOLD}); write one with hitl export") from None
    return told


def open_tokenizer(folder: Path) -> Any:
    """The tokenizer of an exported text model; it cuts and pads by itself."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise missing() from None
    return Tokenizer.from_file(str(folder / TOKENIZER))


def open_session(folder: Path) -> Any:
    """The exported model on the CPU; raises `ModelError` when it cannot be opened."""
    try:
        import onnxruntime
    except ImportError:
        raise missing() from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(folder / MODEL), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own, which it does not name in public
        raise ModelError(f"{folder / MODEL}: cannot be opened ({type(error).__name__}); export it again") from error


def missing() -> ConfigError:
    """The error for a package that is not installed."""
    return ConfigError("ONNX needs packages that are not installed: pip install 'hitl[onnx]'")
