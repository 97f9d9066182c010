"""The scan as a pass over shards: each block read, judged by the model and fed to a scanner of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from hitl.compute.shards import Shards
from hitl.compute.survey import Survey, coded, combined
from hitl.errors import ConfigError
from hitl.pool.keys import as_array, as_column, hash_text
from hitl.sampling.scan import Job, ScanBatch, Scanner
from hitl.sampling.view import Viewer
from hitl.types import Bools, Embeddings, Ints, Keys, Known, Predictions

READ_ROWS = 8192
"""Items in memory at once, with their texts and features."""


class Reads(Protocol):
    """Makes of rows what a model predicts from."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""

    def read(self, rows: pa.Table) -> tuple[Any, Embeddings | None]:
        """x of n rows, and their embeddings (n, d) if there are any; the same of a row in any batch."""


class Predicts(Protocol):
    """A model that has learned."""

    def predict(self, x: Any) -> Predictions:
        """Probabilities of items by what was read of them."""


@dataclass(frozen=True, eq=False)
class Judge:
    """What is made of rows: `reader` reads them, and the model that `load` gives predicts.

    The model is loaded once on each worker, and kept. `load` is `functools.partial(load_model, folder)` for a folder
    that every machine sees; `Judge.with_model` takes a model that then travels with the work.
    """

    reader: Reads
    load: Callable[[], Predicts]

    @classmethod
    def with_model(cls, reader: Reads, model: Predicts) -> Judge:
        """What brings its model along."""
        return cls(reader, partial(_itself, model))

    @cached_property
    def _model(self) -> Predicts:
        return self.load()

    def __call__(self, rows: pa.Table) -> tuple[Predictions, Embeddings | None]:
        """The predictions, and the embeddings (n, d) if the reader gives any."""
        x, embeddings = self.reader.read(rows)
        return self._model.predict(x), embeddings


def _itself(model: Predicts) -> Predicts:
    return model


@dataclass(frozen=True, eq=False)
class Eligible:
    """Which items may be picked: not `asked` before (keys, ascending), and in play in the round.

    With `replay`, a column of whole numbers, an item is in play from the round with its number on.
    """

    asked: Keys
    replay: str | None = None
    round: int = 0

    def of(self, keys: Keys, table: pa.Table) -> Bools:
        """The eligible among items with these keys (n,) and columns; O(n log asked)."""
        free = np.ones(len(keys), dtype=np.bool_)
        if len(self.asked):
            at = np.minimum(np.searchsorted(self.asked, keys), len(self.asked) - 1)
            free = self.asked[at] != keys
        return free if self.replay is None else free & (self._waves(table) <= self.round)

    def _waves(self, table: pa.Table) -> Ints:
        codes, values = combined(table, [str(self.replay)])
        try:
            return np.array([int(value) for (value,) in values], dtype=np.int64)[codes]
        except ValueError:
            raise ConfigError(f"plan.replay: column {self.replay!r} holds something else than whole numbers") from None


@dataclass(frozen=True, eq=False)
class ScanShards:
    """The pass that scans shards; run it with a `Compute`, and take the outcome's `result()`.

    `known` is what the campaign knows of the space of embeddings. The result of a job is bit by bit that of `scan`
    over the pool in one process.
    """

    shards: Shards
    survey: Survey
    viewer: Viewer
    job: Job
    judge: Judge
    eligible: Eligible
    known: Known | None = None
    label: str = "scoring the pool"

    def __post_init__(self) -> None:
        read = self.judge.reader.columns
        if not any(getattr(self.shards.columns, name, name) is not None for name in read):
            raise ConfigError(f"the shards have no {' or '.join(read)} for the model to read; name the column")

    @property
    def sizes(self) -> Sequence[int]:
        """Rows of each block."""
        return [block.rows for block in self.shards.blocks]

    def nothing(self) -> Scanner:
        """A scanner that has seen nothing."""
        return Scanner(self.job)

    def run(self, block: int) -> Scanner:
        """What a scanner keeps of one block; memory is `READ_ROWS` items beside the model and the sketches."""
        scanner = Scanner(self.job)
        for batch in self._batches(block):
            scanner.feed(batch)
        scanner.result()  # cuts the sketches back to what they keep: less than half the bytes to send
        return scanner

    @cached_property
    def _strata(self) -> dict[tuple[str, ...], int]:
        return {values: code for code, values in enumerate(self.survey.combinations)}

    @cached_property
    def _regions(self) -> dict[tuple[str, ...], int]:
        return {(name,): code for code, name in enumerate(self.survey.regions)}

    @cached_property
    def _wanted(self) -> list[str]:
        replay = [] if self.eligible.replay is None else [self.eligible.replay]
        return list(dict.fromkeys(["id", *self.judge.reader.columns, "reach", "region", *self.survey.columns, *replay]))

    def _batches(self, block: int) -> Iterator[ScanBatch]:
        row, columns = self.shards.blocks[block].start, self.shards.columns
        source = self.shards.source(block)
        for part in range(len(source.bounds) - 1):
            for raw in source.read(part, columns.raw(self._wanted), READ_ROWS):
                rows = np.arange(row, row + len(raw), dtype=np.int64)
                yield self._batch(columns.read(raw, rows, self._wanted), rows)
                row += len(raw)

    def _batch(self, table: pa.Table, rows: Ints) -> ScanBatch:
        left_out = self.survey.left_out
        before = np.searchsorted(left_out, rows)
        if len(left_out):
            kept = left_out[np.minimum(before, len(left_out) - 1)] != rows
            table, rows, before = table.take(as_column(np.flatnonzero(kept))), rows[kept], before[kept]
        keys, reach = hash_text(table["id"]), as_array(table["reach"], np.float64)
        predicted, embeddings = self.judge(table.select(self.judge.reader.columns).combine_chunks())
        view = self.viewer.view(
            keys,
            predicted.opinion,
            reach,
            coded(table, ["region"], self._regions),
            embeddings=embeddings,
            committee=predicted.committee,
            known=self.known,
        )
        strata = coded(table, self.survey.columns, self._strata)
        return ScanBatch(rows - before, view, strata, self.eligible.of(keys, table), predicted.proba)
