"""Whether an exported model says what the library says."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hitl.errors import ModelError
from hitl.models.fitted import texts_column
from hitl.models.onnx.kinds import Deployable
from hitl.models.onnx.running import open_session
from hitl.sampling.diversity.crowd import GRID

LIMIT = 1e-3
"""Probabilities must differ by less."""

STEPS = 0.05
"""How far a row may be from the library's when encoders differ in the last digit and it is rounded the other way."""

TOGETHER, ALONE = 8, 6


def check(kind: Deployable, folder: Path, samples: Sequence[str] | None = None) -> dict[str, Any]:
    """Predict samples, by default invented ones, by onnxruntime and by the model itself; what was compared.

    The first samples run in batches of one as well. A sample whose row is rounded to another step of the grid 1/2048,
    as it may be in the library itself from batch to batch, is compared by what the model says of that row. Raises
    `ModelError` when a probability differs by `LIMIT` or more.
    """
    if samples is not None and not len(samples):
        raise ModelError("there is no sample to check the exported model by; give some, or none for invented ones")
    with kind.invented() if samples is None else nullcontext((kind, samples)) as (there, given):
        rows = pa.table({there.column: texts_column(given)})
        batches = [slice(at, at + 1) for at in range(min(ALONE, len(rows)))]
        batches += [slice(at, at + TOGETHER) for at in range(0, len(rows), TOGETHER)]
        session = open_session(folder)
        outputs = [output.name for output in session.get_outputs()]
        found = [session.run(outputs, feed) for feed in there.feeds(folder, given, batches)]
        proba, *embedding = (np.concatenate(part) for part in zip(*found, strict=True))
        at = np.concatenate([np.arange(len(rows))[batch] for batch in batches])
        apart, steps = _compared(there, rows, at, (proba, *embedding))
    return {
        "samples": len(rows),
        "batches": len(batches),
        "of": "invented samples" if samples is None else "samples that were given",
        "against": "the model itself on the CPU, in float32",
        "onnxruntime": version("onnxruntime"),
        "largest_difference": apart,
        "limit": LIMIT,
        "samples_a_grid_step_apart": steps,
    }


def _compared(
    kind: Deployable, rows: pa.Table, at: NDArray[np.int64], found: Sequence[NDArray[Any]]
) -> tuple[float, int]:
    """The largest difference of probabilities, and how many samples' rows were rounded the other way."""
    proba = found[0]
    if len(found) == 1:
        apart = _apart(proba, kind.fitted.predict_rows(rows).proba[at])
        _limited(apart)
        return apart, 0
    x = kind.fitted.core.reader.read(rows)[0][at]
    whole = np.rint(found[1] * np.float32(GRID))
    _limited(_apart(proba, kind.fitted.predict(whole.astype(np.int16)).proba))
    far = float(np.linalg.norm(whole - x, axis=1).max()) / GRID
    if not far <= STEPS:
        raise ModelError(_told(f"embeddings that lie {far:.2g} from the library's"))
    other = (whole != x).any(axis=1)
    expected = kind.fitted.predict(x).proba
    _limited(_apart(proba[~other], expected[~other]))
    return _apart(proba, expected), len(np.unique(at[other]))


def _apart(one: NDArray[Any], other: NDArray[Any]) -> float:
    if one.shape != other.shape:
        return float("inf")
    return float(np.abs(one - other).max()) if one.size else 0.0


def _limited(apart: float) -> None:
    if not apart < LIMIT:
        raise ModelError(_told(f"probabilities that differ by {apart:.2g} from the library's"))


def _told(what: str) -> str:
    return (
        f"the exported model gives {what}, and was not kept; deploy it with hitl.load_model, or try other versions of "
        "torch, onnxscript and onnxruntime"
    )
