"""What can be exported: a model's input, what prepares it, and samples to check by; of texts and of pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from hitl.errors import ModelError
from hitl.models import Fitted
from hitl.models.encoding import ImageRows, TextRows
from hitl.models.fitted import FittedModel
from hitl.models.frozen import FrozenCore
from hitl.models.onnx.pictures import PictureDeployable
from hitl.models.onnx.texts import TextDeployable
from hitl.models.tuned import TextReading, TunedCore

Feed = dict[str, NDArray[Any]]


class Deployable(Protocol):
    """A model on the CPU, and what surrounds it."""

    column: ClassVar[str]
    """The column that it reads."""

    names: ClassVar[tuple[str, ...]]
    """The graph's inputs."""

    @property
    def fitted(self) -> FittedModel:
        """The model."""

    @property
    def shapes(self) -> tuple[tuple[int | str, ...], ...]:
        """The shape of each input; a name stands for a size that may vary."""

    def example(self) -> tuple[NDArray[Any], ...]:
        """Inputs from which the graph is traced."""

    def write(self, folder: Path) -> dict[str, Any]:
        """Write what prepares the input to `folder`; how that is done, in plain values."""

    def invented(self) -> AbstractContextManager[tuple[Deployable, list[str]]]:
        """Samples that need no data, and the same model with the folder that they lie in."""

    def feeds(self, folder: Path, samples: Sequence[str], batches: Sequence[slice]) -> Iterator[Feed]:
        """The inputs of each batch, prepared by the files in `folder`."""


def deployable(fitted: Fitted) -> Deployable:
    """The model moved to the CPU, where it computes in float32; raises `ModelError` for a kind that is not known."""
    unknown = ModelError(f"{fitted.card.get('kind')} cannot be exported to ONNX; deploy it with hitl.load_model")
    if not isinstance(fitted, FittedModel):
        raise unknown
    core: Any = fitted.core
    if isinstance(core, TunedCore):
        moved = replace(fitted, core=replace(core, tuned=replace(core.tuned, device="cpu")))
        return TextDeployable(moved) if isinstance(core.reading, TextReading) else PictureDeployable(moved)
    if not isinstance(core, FrozenCore) or not isinstance(core.reader.encoder, TextRows | ImageRows):
        raise unknown
    rows = replace(core.reader.encoder, device="cpu")
    moved = replace(fitted, core=replace(core, reader=replace(core.reader, encoder=rows)))
    return TextDeployable(moved) if isinstance(rows, TextRows) else PictureDeployable(moved)
