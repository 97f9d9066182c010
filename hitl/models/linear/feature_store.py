"""Sparse features of a whole pool: computed once in bounded memory, kept on disk, read through a memory map."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hitl.models.linear.lsa import Lsa
from hitl.models.linear.ngrams import Ngrams
from hitl.models.linear.sparse import Csr, slice_rows, take_rows
from hitl.models.linear.tfidf import TextReader
from hitl.models.saving import write
from hitl.types import READABLE, Embeddings, Ints, Unreadable

META = "meta.json"
_ABANDONED_AFTER = 24 * 3600.0
_KINDS: dict[str, Any] = {
    "indptr": np.int64,
    "indices": np.int32,
    "data": np.float32,
    "idf": np.float32,
    "embeddings": np.int16,
    "lsa_columns": np.int32,
    "lsa_components": np.float16,
}


@dataclass(frozen=True)
class Making:
    """How features are made: the fingerprint of pool and options, what is counted, and the `dimensions` of the LSA."""

    fingerprint: str
    ngrams: Ngrams
    dimensions: int

    @property
    def width(self) -> int:
        """Columns of a row."""
        return self.ngrams.width


@dataclass(frozen=True, eq=False)
class SparseFeatures:
    """TF-IDF rows of n items as the arrays of a CSR matrix (n, width), and their embeddings; in memory or mapped."""

    making: Making
    indptr: NDArray[np.int64]  # (n + 1,)
    indices: NDArray[np.int32]  # (nonzeros,)
    data: NDArray[np.float32]  # (nonzeros,)
    idf: NDArray[np.float32]  # (width,)
    embeddings: Embeddings | None = None  # (n, d), None without LSA
    lsa: Lsa | None = None

    unreadable: ClassVar[Unreadable] = READABLE
    block: ClassVar[int] = 65_536

    @classmethod
    def of(cls, making: Making, arrays: Mapping[str, Any]) -> SparseFeatures:
        """The features from all their arrays, by the names in the store."""
        rows = {name: arrays[name] for name in ("indptr", "indices", "data", "idf")}
        if not making.dimensions:
            return cls(making, **rows)
        lsa = Lsa(np.asarray(arrays["lsa_columns"]), np.asarray(arrays["lsa_components"]), making.width)
        return cls(making, **rows, embeddings=arrays["embeddings"], lsa=lsa)

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def fingerprint(self) -> str:
        """Changes with the pool and with the options that the features are made by."""
        return self.making.fingerprint

    @property
    def width(self) -> int:
        """Columns of a row."""
        return self.making.width

    @property
    def shape(self) -> tuple[int, int]:
        """Items and columns."""
        return len(self), self.width

    @cached_property
    def reader(self) -> TextReader:
        """Reads texts as these features were made, bit by bit."""
        return TextReader(self.making.ngrams, np.asarray(self.idf), self.lsa)

    def slice(self, start: int, stop: int) -> Any:
        """Consecutive rows as a scipy CSR matrix over the stored arrays; nothing but the row ends is copied."""
        return slice_rows((self.indptr, self.indices, self.data), start, stop, self.width)

    def take(self, positions: Ints) -> Any:
        """The rows at these positions, in this order, as a scipy CSR matrix; time and memory of those rows alone."""
        return take_rows((self.indptr, self.indices, self.data), positions, self.width)

    def __repr__(self) -> str:
        return f"SparseFeatures({len(self):,} items × {self.width:,} columns, {len(self.data):,} nonzeros)"


class FeatureWriter:
    """Takes rows batch by batch, to files in `folder` or with None to memory; gives them back as arrays."""

    def __init__(self, folder: Path | None, making: Making) -> None:
        self._folder, self._making = folder, making
        self._growing = {name: self._grow(name) for name in ("indptr", "indices", "data")}
        self._arrays: dict[str, Any] = {}
        self._ends = 0
        self._growing["indptr"].append(np.zeros(1))

    def _grow(self, name: str, width: int | None = None) -> _Growing:
        return _Growing(self._folder and self._folder / f"{name}.npy", _KINDS[name], width)

    def append(self, rows: Any) -> None:
        """Add the rows of a CSR matrix."""
        self._growing["indices"].append(rows.indices)
        self._growing["data"].append(rows.data)
        self._growing["indptr"].append(rows.indptr[1:].astype(np.int64) + self._ends)
        self._ends += int(rows.indptr[-1])

    def weigh(self, weigher: Callable[[Ints, Any, Any], Any], block: int) -> None:
        """End the appending: `weigher(ends, indices, data)` gives the data of each `block` of rows its final value."""
        self._arrays |= {name: growing.finish() for name, growing in self._growing.items()}
        indptr, indices, data = (self._arrays[name] for name in self._growing)
        for start in range(0, len(indptr) - 1, block):
            ends = np.asarray(indptr[start : start + block + 1])
            place = slice(int(ends[0]), int(ends[-1]))
            data[place] = weigher(ends - ends[0], np.asarray(indices[place]), np.asarray(data[place]))

    def slice(self, start: int, stop: int) -> Any:
        """Rows with their final values."""
        return slice_rows(self._csr, start, stop, self._making.width)

    def take(self, positions: Ints) -> Any:
        """Rows with their final values, in this order."""
        return take_rows(self._csr, positions, self._making.width)

    @property
    def _csr(self) -> Csr:
        return self._arrays["indptr"], self._arrays["indices"], self._arrays["data"]

    def keep(self, name: str, parts: Iterable[NDArray[Any]], width: int | None = None) -> None:
        """Another array of the store from its parts, of `width` columns if it has two dimensions."""
        growing = self._grow(name, width)
        for part in parts:
            growing.append(part)
        self._arrays[name] = growing.finish()

    def finish(self) -> dict[str, Any]:
        """All arrays, on disk what was sent there."""
        for array in self._arrays.values():
            if isinstance(array, np.memmap):
                array.flush()
        return self._arrays


class _Growing:
    """An array (n,) or (n, width) that grows at its end, in memory or in a .npy file."""

    def __init__(self, path: Path | None, kind: Any, width: int | None) -> None:
        self._path, self._kind, self._length = path, np.dtype(kind), 0
        self._tail = () if width is None else (width,)
        self._parts: list[Any] = []
        self._file: Any = None if path is None else path.open("w+b")
        self._begins = self._header() if self._file else 0

    def _header(self) -> int:
        """Write the header for the present length, and say where the values begin; numpy leaves the length room."""
        about = {"descr": self._kind.str, "fortran_order": False, "shape": (self._length, *self._tail)}
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(self._file, about)  # type: ignore[no-untyped-call]
        return int(self._file.tell())

    def append(self, values: Any) -> None:
        part = np.ascontiguousarray(values, dtype=self._kind)
        self._length += len(part)
        if self._file is None:
            self._parts.append(part)
        else:
            part.tofile(self._file)

    def finish(self) -> Any:
        empty = np.empty((0, *self._tail), dtype=self._kind)
        if self._file is None:
            return np.concatenate(self._parts) if self._parts else empty
        if self._header() != self._begins:
            raise OSError("the header of the array file has grown")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return np.load(str(self._path), mmap_mode="r+") if self._length else empty


Build = Callable[[FeatureWriter], dict[str, Any]]


def stored(cache: Path | None, making: Making, build: Build) -> SparseFeatures:
    """The features with this fingerprint: from `cache` when whole there, else built, and kept there for the next time.

    `build` fills a writer and gives its arrays. A folder is named last, when all in it is written, and one that is
    damaged is built again. With `cache` None all stays in memory.
    """
    if cache is None:
        return SparseFeatures.of(making, build(FeatureWriter(None, making)))
    target = Path(cache) / making.fingerprint
    found = read_features(target, making)
    if found is not None:
        return found
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    fresh = Path(mkdtemp(dir=target.parent, prefix=f".{making.fingerprint}."))
    try:
        arrays = build(FeatureWriter(fresh, making))
        shapes = {name: array.shape for name, array in arrays.items()}
        del arrays
        meta = {"fingerprint": making.fingerprint, "width": making.width, "shapes": shapes}
        write(fresh / META, json.dumps(meta).encode())
        _name(fresh, target, making)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    kept = read_features(target, making)
    if kept is None:
        raise OSError(f"{target}: features cannot be read back; check the disk, or choose another cache folder")
    return kept


def read_features(folder: Path, making: Making) -> SparseFeatures | None:
    """The features in a folder, memory-mapped; None when they are missing, not whole, or other ones."""
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        if (meta["fingerprint"], meta["width"]) != (making.fingerprint, making.width):
            return None
        arrays = {}
        for name, shape in meta["shapes"].items():
            array = np.load(folder / f"{name}.npy", mmap_mode="r" if shape[0] else None, allow_pickle=False)
            if array.dtype != _KINDS[name] or list(array.shape) != shape:
                return None
            arrays[name] = array
        return SparseFeatures.of(making, arrays) if _whole(arrays, making) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError):
        return None


def _whole(arrays: Mapping[str, Any], making: Making) -> bool:
    """Whether the arrays belong together."""
    rows = len(arrays["indices"]) == len(arrays["data"]) == arrays["indptr"][-1] and len(arrays["idf"]) == making.width
    if not making.dimensions:
        return bool(rows)
    spaces = arrays["embeddings"].shape == (len(arrays["indptr"]) - 1, making.dimensions)
    columns = arrays["lsa_components"].shape == (len(arrays["lsa_columns"]), making.dimensions)
    return bool(rows and spaces and columns)


def _name(fresh: Path, target: Path, making: Making) -> None:
    """Give a finished folder its name, unless another process was first; what is damaged there goes."""
    try:
        os.rename(fresh, target)
    except OSError:
        if read_features(target, making) is None:
            shutil.rmtree(target, ignore_errors=True)
            os.rename(fresh, target)


def _sweep(target: Path) -> None:
    """Remove what interrupted builds of these features left behind, when old enough to be no one's."""
    for left in target.parent.glob(f".{target.name}.*"):
        if time.time() - left.stat().st_mtime > _ABANDONED_AFTER:
            shutil.rmtree(left, ignore_errors=True)
