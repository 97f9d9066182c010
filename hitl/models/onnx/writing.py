"""A model's graph to a file, by torch's exporter, without a word and with nothing of this machine in it."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from hitl.errors import ModelError
from hitl.models.neural.loading import quiet
from hitl.models.onnx.graphs import FrozenGraph, graph_of
from hitl.models.onnx.kinds import Deployable

OPSET = 18
"""The oldest set of operators that torch's exporter writes."""

LARGEST_FILE = 1_900_000_000
"""A file of protocol buffers holds less than 2 GB; weights beyond this many bytes lie in a file beside it."""

_NOISY = ("torch.onnx", "torch.export", "torch._dynamo", "torch.fx", "onnxscript", "onnx_ir")


def write_graph(kind: Deployable, path: Path) -> dict[str, Any]:
    """Write the graph to `path`; the names, types and shapes of its inputs and outputs, and the operators' set.

    Raises `ModelError` when the encoder does something that cannot be written.
    """
    graph = graph_of(kind.fitted)
    outputs = ["proba", "item_embedding"] if isinstance(graph, FrozenGraph) else ["proba"]
    dims = tuple({at: name for at, name in enumerate(shape) if isinstance(name, str)} for shape in kind.shapes)
    with silence(), torch.no_grad():
        try:
            program: Any = torch.onnx.export(
                graph,
                tuple(torch.from_numpy(array) for array in kind.example()),
                dynamo=True,
                dynamic_shapes=(dims,),
                input_names=list(kind.names),
                output_names=outputs,
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
            _cleaned(program.model, kind)
            size = sum(tensor.numel() * tensor.element_size() for tensor in graph.state_dict().values())
            program.save(str(path), external_data=size > LARGEST_FILE)
        except (ModelError, OSError):
            raise
        except Exception as error:  # the exporter raises whatever the encoder's code makes it raise
            raise ModelError(
                f"this encoder cannot be written as ONNX ({type(error).__name__}); deploy it with hitl.load_model, "
                "or try another version of torch and onnxscript"
            ) from error
    model = program.model
    sides = {"inputs": _described(model.graph.inputs), "outputs": _described(model.graph.outputs)}
    return {**sides, "opset": int(model.opset_imports[""])}


def versions() -> dict[str, str]:
    """The packages that an exported graph depends on."""
    return {name: version(name) for name in ("hitl", "torch", "transformers", "onnx", "onnxscript")}


@contextmanager
def silence() -> Iterator[None]:
    """Inside, the exporter prints, warns and logs nothing, and draws no chance; afterwards all is what it was."""
    loggers = [logging.getLogger(name) for name in _NOISY]
    levels = [logger.level for logger in loggers]
    nowhere = io.StringIO()
    with (
        quiet(),
        warnings.catch_warnings(),
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
        torch.random.fork_rng(devices=[]),
    ):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _cleaned(model: Any, kind: Deployable) -> None:
    """Take out where in this machine's files each operation came from, and each weight that is there twice."""
    from onnx_ir.passes import common

    common.ClearMetadataAndDocStringPass()(model)
    common.DeduplicateInitializersPass()(model)
    model.metadata_props.update({"model_id": kind.fitted.model_id, "labels": "\n".join(kind.fitted.labels)})


def _described(values: Any) -> dict[str, Any]:
    return {
        value.name: {
            "type": {"FLOAT": "float32"}.get(value.dtype.name, value.dtype.name.lower()),
            "shape": [size if isinstance(size, int) else str(size.value) for size in value.shape],
        }
        for value in values
    }
