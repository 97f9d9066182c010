"""Sparse features of a whole pool: computed once in bounded memory, kept on disk, read through a memory map."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.types import Ints

META = "meta.json"
_ABANDONED_AFTER = 24 * 3600.0
_KINDS: dict[str, Any] = {"indptr": np.int64, "indices": np.int32, "data": np.float32, "idf": np.float32}


@dataclass(frozen=True, eq=False)
class SparseFeatures:
    """TF-IDF rows of n items as the arrays of a CSR matrix (n, width), in memory or memory-mapped, with their idf."""

    fingerprint: str
    width: int
    indptr: NDArray[np.int64]  # (n + 1,)
    indices: NDArray[np.int32]  # (nonzeros,)
    data: NDArray[np.float32]  # (nonzeros,)
    idf: NDArray[np.float32]  # (width,)

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """Items and columns."""
        return len(self), self.width

    def slice(self, start: int, stop: int) -> Any:
        """Consecutive rows as a scipy CSR matrix over the stored arrays; nothing but the row ends is copied."""
        start, stop, _ = slice(start, stop).indices(len(self))
        ends = np.asarray(self.indptr[start : max(start, stop) + 1])
        place = slice(int(ends[0]), int(ends[-1]))
        return as_csr(np.asarray(self.data[place]), np.asarray(self.indices[place]), ends - ends[0], self.width)

    def take(self, positions: Ints) -> Any:
        """The rows at these positions, in this order, as a scipy CSR matrix; time and memory of those rows alone."""
        rows = np.asarray(positions, dtype=np.int64)
        starts = np.asarray(self.indptr[rows])
        lengths = np.asarray(self.indptr[rows + 1]) - starts
        ends = np.concatenate([[0], np.cumsum(lengths)])
        at = np.arange(ends[-1]) + np.repeat(starts - ends[:-1], lengths)
        return as_csr(np.asarray(self.data[at]), np.asarray(self.indices[at]), ends, self.width)

    def __repr__(self) -> str:
        return f"SparseFeatures({len(self):,} items × {self.width:,} columns, {len(self.data):,} nonzeros)"


def as_csr(data: Any, indices: Any, ends: Ints, width: int) -> Any:
    """A CSR matrix of these arrays; row ends take the narrow type of the indices, or scipy would copy those."""
    from scipy.sparse import csr_matrix

    narrow = ends.astype(np.int32) if ends[-1] < 2**31 else ends
    return csr_matrix((data, indices, narrow), shape=(len(ends) - 1, width), copy=False)


class FeatureWriter:
    """Takes rows batch by batch, to files in `folder` or with None to memory; gives them back as arrays."""

    def __init__(self, folder: Path | None) -> None:
        self._arrays = {name: _Growing(folder and folder / f"{name}.npy", kind) for name, kind in _KINDS.items()}
        self._ends = 0
        self._arrays["indptr"].append(np.zeros(1))

    def append(self, rows: Any) -> None:
        """Add the rows of a CSR matrix."""
        self._arrays["indices"].append(rows.indices)
        self._arrays["data"].append(rows.data)
        self._arrays["indptr"].append(rows.indptr[1:].astype(np.int64) + self._ends)
        self._ends += int(rows.indptr[-1])

    def finish(self, weigh: Callable[[Ints, Any, Any], Any], idf: NDArray[np.float32], block: int) -> dict[str, Any]:
        """All arrays, after `weigh(ends, indices, data)` gave the data of each `block` of rows its final value."""
        self._arrays["idf"].append(idf)
        arrays = {name: growing.finish() for name, growing in self._arrays.items()}
        indptr, indices, data = arrays["indptr"], arrays["indices"], arrays["data"]
        for start in range(0, len(indptr) - 1, block):
            ends = np.asarray(indptr[start : start + block + 1])
            place = slice(int(ends[0]), int(ends[-1]))
            data[place] = weigh(ends - ends[0], np.asarray(indices[place]), np.asarray(data[place]))
        for array in arrays.values():
            if isinstance(array, np.memmap):
                array.flush()
        return arrays


class _Growing:
    """An array (n,) that grows at its end, in memory or in a .npy file."""

    def __init__(self, path: Path | None, kind: Any) -> None:
        self._path, self._kind, self._length = path, np.dtype(kind), 0
        self._parts: list[Any] = []
        self._file: Any = None if path is None else path.open("w+b")
        self._begins = self._header() if self._file else 0

    def _header(self) -> int:
        """Write the header for the present length, and say where the values begin; numpy leaves the length room."""
        about = {"descr": self._kind.str, "fortran_order": False, "shape": (self._length,)}
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
        if self._file is None:
            return np.concatenate(self._parts) if self._parts else np.empty(0, dtype=self._kind)
        if self._header() != self._begins:
            raise OSError("the header of the array file has grown")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return np.load(str(self._path), mmap_mode="r+") if self._length else np.empty(0, dtype=self._kind)


Build = Callable[[FeatureWriter], dict[str, Any]]


def stored(cache: Path | None, fingerprint: str, width: int, build: Build) -> SparseFeatures:
    """The features with this fingerprint: from `cache` when whole there, else built, and kept there for the next time.

    `build` fills a writer and gives its arrays. A folder is named last, when all in it is written, and one that is
    damaged is built again. With `cache` None all stays in memory.
    """
    if cache is None:
        return SparseFeatures(fingerprint, width, **build(FeatureWriter(None)))
    target = Path(cache) / fingerprint
    found = read_features(target, fingerprint, width)
    if found is not None:
        return found
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    fresh = Path(mkdtemp(dir=target.parent, prefix=f".{fingerprint}."))
    try:
        arrays = build(FeatureWriter(fresh))
        lengths = {name: len(array) for name, array in arrays.items()}
        del arrays
        _write_meta(fresh, {"fingerprint": fingerprint, "width": width, "lengths": lengths})
        _name(fresh, target, fingerprint, width)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    kept = read_features(target, fingerprint, width)
    if kept is None:
        raise OSError(f"{target}: features cannot be read back; check the disk, or choose another cache folder")
    return kept


def read_features(folder: Path, fingerprint: str, width: int) -> SparseFeatures | None:
    """The features in a folder, memory-mapped; None when they are missing, not whole, or other ones."""
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        lengths = meta["lengths"]
        if (meta["fingerprint"], meta["width"]) != (fingerprint, width):
            return None
        arrays = {}
        for name, kind in _KINDS.items():
            array = np.load(folder / f"{name}.npy", mmap_mode="r" if lengths[name] else None, allow_pickle=False)
            if array.dtype != kind or array.shape != (lengths[name],):
                return None
            arrays[name] = array
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None
    whole = len(arrays["indices"]) == len(arrays["data"]) == arrays["indptr"][-1]
    return SparseFeatures(fingerprint, width, **arrays) if whole and len(arrays["idf"]) == width else None


def _write_meta(folder: Path, meta: dict[str, Any]) -> None:
    with (folder / META).open("w", encoding="utf-8") as file:
        json.dump(meta, file)
        file.flush()
        os.fsync(file.fileno())


def _name(fresh: Path, target: Path, fingerprint: str, width: int) -> None:
    """Give a finished folder its name, unless another process was first; what is damaged there goes."""
    try:
        os.rename(fresh, target)
    except OSError:
        if read_features(target, fingerprint, width) is None:
            shutil.rmtree(target, ignore_errors=True)
            os.rename(fresh, target)


def _sweep(target: Path) -> None:
    """Remove what interrupted builds of these features left behind, when old enough to be no one's."""
    for left in target.parent.glob(f".{target.name}.*"):
        if time.time() - left.stat().st_mtime > _ABANDONED_AFTER:
            shutil.rmtree(left, ignore_errors=True)
