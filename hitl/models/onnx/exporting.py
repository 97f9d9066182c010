"""A fitted model to a folder with an ONNX graph: written whole and checked, or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from hitl.errors import ModelError
from hitl.models import Fitted
from hitl.models.onnx.running import MODEL, TOLD, missing
from hitl.models.saving import plain, sha256_of

if TYPE_CHECKING:
    from hitl.models.fitted import FittedModel
    from hitl.models.onnx.kinds import Deployable

FORMAT = 1
"""Raised whenever export.json means something else."""

REFUSED = {
    "text_linear": "its n-grams are hashed, which is no operation of ONNX; deploy it with hitl.load_model, which needs "
    "neither torch nor a network",
    "multimodal": "it reads texts, pictures and columns, any of which may be missing; deploy it with hitl.load_model",
    "video_classifier": "it chooses the frames of a clip before it looks at them; deploy it with hitl.load_model",
    "ensemble": "it is several models, and not all kinds can be exported; deploy it with hitl.load_model, or train one "
    "of its members by itself and export that",
    "policy_judge": "it asks a language model; export a model that has learned from what people answered",
}


@dataclass(frozen=True, eq=False)
class Exported:
    """An exported model in its `folder`, and what its export.json tells."""

    folder: Path
    told: Mapping[str, Any]

    @property
    def largest_difference(self) -> float:
        """How far a probability was from the library's own, of all samples and labels that were compared."""
        return float(self.told["check"]["largest_difference"])

    @property
    def summary(self) -> str:
        """Two lines for a person: what was written, and how near it is."""
        names = {MODEL: f"{MODEL} ({sum(_sizes(self.folder)) / 1e6:,.1f} MB)"}
        written = ", ".join(names.get(name, name) for name in (*self.told["files_sha256"], TOLD))
        check = self.told["check"]
        steps = check["samples_a_grid_step_apart"]
        rounded = f"; {steps} of them were rounded the other way" if steps else ""
        return (
            f"Wrote {self.folder}: {written}.\n"
            f"Checked on {check['samples']} samples by onnxruntime: "
            f"probabilities differ by {self.largest_difference:.1e} at most{rounded}."
        )

    def __repr__(self) -> str:
        return f"Exported({str(self.folder)!r}: {self.told['model_id']}, differs by {self.largest_difference:.1e})"


def export(fitted: Fitted, out: str | Path, *, samples: Sequence[str] | None = None) -> Exported:
    """Write a text transformer or image classifier, frozen or tuned, to the folder `out` as ONNX, and check it.

    `model.onnx` takes `input_ids` and `attention_mask` (n, t) int64, or `pixel_values` (n, 3, height, width) float32,
    and gives `proba` (n, k) float32: encoder, grid, head, calibration and constants are in it. A frozen encoder's also
    gives `item_embedding` (n, d) float32. Weights are float32, beyond 2 GB in a file of their own. Beside it are the
    files that prepare its input, and `export.json`, which says how, what the labels are, and how to decide.

    onnxruntime and the model itself predict `samples` (texts, or references of pictures under the model's root), by
    default invented ones of all lengths, by batches of one and of several. Raises `ModelError` where a probability
    differs by 0.001 or more, or the kind cannot be exported, with what to do instead; `ConfigError` when a package is
    missing; then nothing is left behind. An older export in `out` is replaced. Runs on the CPU; memory for the weights
    several times. A committee stays behind.
    """
    told_kind = str(fitted.card.get("kind"))
    if told_kind in REFUSED:
        raise ModelError(f"{told_kind} cannot be exported to ONNX: {REFUSED[told_kind]}")
    out = Path(out)
    _check_place(out)
    if not all(find_spec(name) for name in ("onnx", "onnxruntime", "onnxscript")):
        raise missing()
    from hitl.models.onnx.kinds import deployable

    kind = deployable(fitted)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(mkdtemp(dir=out.parent, prefix=f".{out.name}."))
        try:
            fresh.chmod(0o755)
            told = _written(kind, fresh, samples)
            _swap(fresh, out)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise ModelError(f"{out}: cannot be written ({error.strerror or error}); check disk and rights") from error
    return Exported(out, told)


def _written(kind: Deployable, folder: Path, samples: Sequence[str] | None) -> dict[str, Any]:
    """Write all files to an empty folder; what export.json tells."""
    from hitl.models.onnx.checking import check
    from hitl.models.onnx.writing import versions, write_graph

    preprocessing = kind.write(folder)
    made: dict[str, Any] = _told(kind.fitted) | write_graph(kind, folder / MODEL)
    made |= {"preprocessing": preprocessing, "made_with": versions(), "check": check(kind, folder, samples)}
    made["files_sha256"] = {path.name: sha256_of(path) for path in sorted(folder.iterdir())}
    told: dict[str, Any] = plain(made)
    (folder / TOLD).write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return told


def _told(fitted: FittedModel) -> dict[str, Any]:
    """What there is to say of the model itself."""
    card = fitted.card
    if fitted.multi_label:
        default, rule = 0.5, "an item has each label whose probability is at least its threshold"
    else:
        default, rule = 1.0, "an item has the one label whose probability / threshold is highest; of equals the first"
    thresholds = [default] * len(fitted.labels) if fitted.thresholds is None else fitted.thresholds.tolist()
    return {
        "format": FORMAT,
        "model_id": fitted.model_id,
        "kind": fitted.recipe.kind,
        "policy_version": card.get("policy_version", ""),
        "labels": list(fitted.labels),
        "multi_label": fitted.multi_label,
        "decision": {"rule": rule, "thresholds": thresholds},
        "calibration": card["calibration"],
        "intended_use": card.get("intended_use", ""),
        "limits": card.get("limits", []),
    }


def _check_place(out: Path) -> None:
    if out.exists() and not (out / TOLD).exists() and (not out.is_dir() or any(out.iterdir())):
        raise ModelError(f"{out}: something that is no exported model is there; export to another folder")


def _swap(fresh: Path, out: Path) -> None:
    """Put the finished folder in its place."""
    if not (out / TOLD).exists():
        os.rename(fresh, out)
        return
    old = Path(mkdtemp(dir=out.parent, prefix=f".{out.name}.")) / "old"
    os.rename(out, old)
    os.rename(fresh, out)
    shutil.rmtree(old.parent, ignore_errors=True)


def _sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.glob(f"{MODEL}*")]
