"""Dense features of a whole pool: what an encoder makes of each content, computed once, kept, resumed, and reused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hitl.errors import ModelError
from hitl.models.dense_store import META, Held, Known, alone
from hitl.models.saving import write
from hitl.pool import Pool
from hitl.pool.keys import as_column
from hitl.sampling.diversity.crowd import GRID, on_grid
from hitl.types import READABLE, Embeddings, Ints, Keys, Progress, Unreadable

VERSION = 1
"""Raised whenever the same rows of an encoder would come to other features."""


class Embeds(Protocol):
    """An encoder of raw rows; it can be pickled, and opens what it needs when first asked."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the pool's tables that it reads."""

    @property
    def fingerprint(self) -> str:
        """Changes with the encoder's weights, revision and options: same fingerprint and content, same row."""

    @property
    def width(self) -> int:
        """Numbers in a row."""

    @property
    def batch(self) -> int:
        """Rows to give it at once."""

    def keys(self, rows: pa.Table) -> tuple[Keys, list[str]]:
        """A hash of each row's content (n,), and why it cannot be read, "" where it can."""

    def embed(self, rows: pa.Table) -> tuple[Embeddings, list[str]]:
        """Unit rows (n, width) on the grid 1/2048, zero where one cannot be read, and why not, "" where it can."""


@dataclass(frozen=True, eq=False)
class DenseReader:
    """Reads rows as a pool's features were made: its encoder's rows less the pool's `centre` (d,), to length 1."""

    encoder: Embeds
    centre: NDArray[np.float32]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the pool's tables that it reads."""
        return self.encoder.columns

    def read(self, rows: pa.Table) -> tuple[Embeddings, Embeddings]:
        """The features (n, d), which are the embeddings; zero where a row cannot be read."""
        found = centred(self.encoder.embed(rows)[0], self.centre)
        return found, found


def centred(rows: Embeddings, centre: NDArray[np.float32]) -> Embeddings:
    """Rows (n, d) on the grid less a centre (d,), to length 1 on the grid again; a row of zeros stays one.

    What encoders give lies in a narrow cone; without its axis, cosines tell items apart (Mu & Viswanath 2018).
    """
    moved = rows.astype(np.float32) / np.float32(GRID) - centre
    moved[~rows.any(axis=1)] = 0
    return on_grid(moved)


@dataclass(frozen=True, eq=False)
class DenseFeatures:
    """Unit rows (n, d) on the grid 1/2048, the features and embeddings of n items; in memory or mapped."""

    fingerprint: str
    embeddings: Embeddings
    reader: DenseReader
    unreadable: Unreadable = READABLE

    block: ClassVar[int] = 65_536

    def __len__(self) -> int:
        return len(self.embeddings)

    def take(self, positions: Ints) -> Embeddings:
        """The rows at these positions, in this order."""
        return np.asarray(self.embeddings[np.asarray(positions, dtype=np.int64)])

    def slice(self, start: int, stop: int) -> Embeddings:
        """Consecutive rows."""
        return np.asarray(self.embeddings[start:stop])

    def __repr__(self) -> str:
        return f"DenseFeatures({len(self):,} items × {self.embeddings.shape[1]} dimensions)"


def dense_features(pool: Pool, encoder: Embeds, cache: Path | None, progress: Progress) -> DenseFeatures:
    """The features of a pool by an encoder: its rows less their mean; see `keep`."""
    kept = keep(pool, encoder, cache, Places(centre_of, centred), progress)
    return DenseFeatures(kept.fingerprint, kept.embeddings, DenseReader(encoder, kept.centre), kept.unreadable)


@dataclass(frozen=True)
class Places:
    """How rows say where items lie: the `centre` (d,) of all, and where rows (b, width) `lie` from there, (b, d)."""

    centre: Callable[[Embeddings], NDArray[np.float32]]
    lie: Callable[[Embeddings, NDArray[np.float32]], Embeddings]


@dataclass(frozen=True, eq=False)
class Kept:
    """What is kept of a pool: an encoder's rows (n, width) as they are, where items lie (n, d), and their centre."""

    fingerprint: str
    rows: Embeddings
    embeddings: Embeddings
    centre: NDArray[np.float32]
    unreadable: Unreadable


def keep(pool: Pool, encoder: Embeds, cache: Path | None, places: Places, progress: Progress) -> Kept:
    """The rows of a pool by an encoder, and where they lie: read from `cache` or computed, and kept there.

    Content that another pool's features in the same cache hold is not encoded again, nor is a content that the batch
    holds twice; what was interrupted goes on where it stopped. O(n) runs of the encoder at most, memory for a batch
    beside the hashes of what is known: 24 bytes an item. Raises `ModelError`.
    """
    about = [VERSION, encoder.fingerprint, pool.fingerprint]
    fingerprint = blake2b(json.dumps(about).encode(), digest_size=12).hexdigest()
    if cache is None:
        held = Held(encoder.width)
        encode(pool, encoder, held, Known.nothing(), progress)
        rows = held.rows()
        centre = places.centre(rows)
        lies = [np.zeros((0, len(centre)), dtype=np.int16), *(places.lie(block, centre) for block in _blocks(rows))]
        return Kept(fingerprint, rows, np.concatenate(lies), centre, held.unreadable())
    folder = Path(cache) / fingerprint
    try:
        if not folder.exists():
            _build(pool, encoder, folder, places, progress)
        return _opened(folder, fingerprint, len(pool))
    except OSError as error:
        raise ModelError(f"features cannot be kept in {cache} ({error}); check disk space and rights") from error


def _opened(folder: Path, fingerprint: str, items: int) -> Kept:
    try:
        told = json.loads((folder / META).read_text(encoding="utf-8"))["unreadable"]
        centre = np.load(folder / "centre.npy", allow_pickle=False)
        lies = np.load(folder / "embeddings.npy", mmap_mode="r" if items else None, allow_pickle=False)
        rows = np.zeros((0, 0), dtype=np.int16)
        if items:
            rows = np.memmap(folder / "rows.bin", dtype=np.int16, mode="r").reshape(items, -1)
        if lies.shape != (items, *centre.shape) or lies.dtype != np.int16:
            raise ValueError
        unreadable = Unreadable(np.array([at for at, _ in told], dtype=np.int64), tuple(why for _, why in told))
    except (FileNotFoundError, ValueError, KeyError, TypeError, EOFError):
        raise ModelError(f"{folder}: these features are damaged; delete the folder, and they are made anew") from None
    return Kept(fingerprint, rows, lies, centre, unreadable)


def _build(pool: Pool, encoder: Embeds, folder: Path, places: Places, progress: Progress) -> None:
    """Encode into `folder.part`, which is named when whole; a part that is there is gone on with."""
    part = folder.with_name(f"{folder.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    with alone(part):
        if folder.exists():  # another process was faster
            shutil.rmtree(part)
            return
        with closing(Held(encoder.width, part)) as held:
            encode(pool, encoder, held, Known.beside(folder, encoder.fingerprint, encoder.width), progress)
            rows, unreadable = held.rows(), held.unreadable()
            centre = places.centre(rows)
            np.save(part / "centre.npy", centre)
            _lie_all(rows, centre, places, part / "embeddings.npy")
            del rows
        told = [[int(at), why] for at, why in zip(unreadable.positions, unreadable.reasons, strict=True)]
        write(part / META, json.dumps({"encoder": encoder.fingerprint, "unreadable": told}).encode())
        os.rename(part, folder)


def encode(pool: Pool, encoder: Embeds, held: Held, known: Known, progress: Progress) -> None:
    """Add the rows of a pool to those that are held, from where they end; what is `known` is copied."""
    for batch in pool.batches(encoder.batch, list(encoder.columns)):
        done = min(max(len(held) - batch.start, 0), len(batch))
        if done < len(batch):
            held.append(*_encoded(batch.table.slice(done), encoder, known))
        progress("encoding the pool", batch.start + len(batch), len(pool))


def _encoded(rows: pa.Table, encoder: Embeds, known: Known) -> tuple[Keys, Embeddings, list[str]]:
    """Hashes and rows of a batch: copied where known, encoded once for each content else."""
    keys, reasons = encoder.keys(rows)
    found = np.zeros((len(rows), encoder.width), dtype=np.int16)
    left = ~known.copy(keys, found) & ~np.array([bool(why) for why in reasons], dtype=np.bool_)
    _, first, inverse = np.unique(keys[left], return_index=True, return_inverse=True)
    at = np.flatnonzero(left)
    if len(at):
        made, why = encoder.embed(rows.take(as_column(at[first])))
        found[at] = made[inverse]
        for row, told in zip(at.tolist(), inverse.tolist(), strict=True):
            reasons[row] = why[told]
    return keys, found, reasons


def centre_of(rows: Embeddings) -> NDArray[np.float32]:
    """The mean of all rows that are not zero; exact sums, so that no cut matters."""
    total, count = np.zeros(rows.shape[1], dtype=np.int64), 0
    for block in _blocks(rows):
        total += block.sum(axis=0, dtype=np.int64)
        count += int(block.any(axis=1).sum())
    return mean_of(total, count)


def mean_of(total: Ints, count: int) -> NDArray[np.float32]:
    """The mean (d,) of so many whole-numbered rows by their sum; of one alone or none, nowhere."""
    return (total / (GRID * max(count, 1)) * (count > 1)).astype(np.float32)


def _blocks(rows: Embeddings) -> Iterator[Embeddings]:
    """Rows in blocks of some 64 MiB."""
    size = max(1, (32 << 20) // max(rows.shape[1], 1))
    for start in range(0, len(rows), size):
        yield np.asarray(rows[start : start + size])


def _lie_all(rows: Embeddings, centre: NDArray[np.float32], places: Places, path: Path) -> None:
    if not len(rows):
        np.save(path, np.zeros((0, len(centre)), dtype=np.int16))
        return
    shape = (len(rows), len(centre))
    kept = np.lib.format.open_memmap(path, mode="w+", dtype=np.int16, shape=shape)  # type: ignore[no-untyped-call]
    at = 0
    for block in _blocks(rows):
        kept[at : at + len(block)] = places.lie(block, centre)
        at += len(block)
    kept.flush()
