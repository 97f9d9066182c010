"""Columns beside the content as unit rows: counts by their logarithm, names one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hitl.errors import ConfigError
from hitl.pool import Pool
from hitl.pool.keys import as_array, as_text
from hitl.sampling.diversity.crowd import GRID
from hitl.types import Embeddings, Floats

COUNTS = ("reach", "flags")
MOST_NAMES = 64
"""Names of one column that have a place of their own; the others, and those that come later, have none."""

_ROWS, _LEAST = 65_536, 1e-9


@dataclass(frozen=True)
class Metadata:
    """How columns are read: for counts, mean and deviation of their logarithm; for names, those that have a place.

    `counts` are (column, mean, deviation), `names` (column, names). Learned from a pool by `Metadata.of`.
    """

    counts: tuple[tuple[str, float, float], ...]
    names: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, pool: Pool, columns: Sequence[str]) -> Metadata:
        """What a pool says of these columns; raises `ConfigError` for one that holds neither counts nor names. O(n)."""
        counts, names = [], []
        for column in columns:
            if column in COUNTS:
                counts.append((column, *_moments(pool, column)))
            elif column in ("region", "language", "modality", *pool.columns.facets):
                codes, known = pool.codes(column)
                often = np.argsort(-np.bincount(codes, minlength=len(known)), kind="stable")[:MOST_NAMES]
                names.append((column, tuple(sorted(known[at] for at in often.tolist() if known[at]))))
            else:
                known_here = ", ".join((*COUNTS, "region", "language", "modality", *pool.columns.facets))
                raise ConfigError(
                    f"multimodal: column {column!r} is none of {known_here}; name it in the pool's facets"
                )
        return cls(tuple(counts), tuple(names))

    @classmethod
    def restored(cls, told: Any) -> Metadata:
        """The same from the plain values of a model card."""
        counts = tuple((str(column), float(mean), float(deviation)) for column, mean, deviation in told["counts"])
        return cls(counts, tuple((str(column), tuple(map(str, names))) for column, names in told["names"]))

    @property
    def told(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "counts": [list(one) for one in self.counts],
            "names": [[one, list(names)] for one, names in self.names],
        }

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        return (*(column for column, _, _ in self.counts), *(column for column, _ in self.names))

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return len(self.counts) + sum(len(names) for _, names in self.names)

    def rows(self, table: pa.Table) -> Embeddings:
        """Rows (n, width) no longer than 1, on the grid 1/2048; a column that the table lacks is left at zero."""
        share = GRID / np.sqrt(max(len(self.counts) + len(self.names), 1))
        found: NDArray[np.float64] = np.zeros((len(table), self.width))
        at = 0
        for column, mean, deviation in self.counts:
            if column in table.column_names:
                found[:, at] = np.clip((_log(table[column]) - mean) / deviation, -4, 4) / 4 * share
            at += 1
        for column, names in self.names:
            if column in table.column_names and names:
                place = pc.index_in(as_text(table[column]), value_set=pa.array(names))
                codes = as_array(pc.fill_null(place, len(names)), np.int64)
                some = np.flatnonzero(codes < len(names))
                found[some, at + codes[some]] = share
            at += len(names)
        return np.rint(found).astype(np.int16)


def _log(values: pa.ChunkedArray) -> Floats:
    numbers = as_array(pc.fill_null(values.cast(pa.float64()), 0.0), np.float64)
    return np.asarray(np.log1p(np.maximum(np.nan_to_num(numbers), 0.0)))


def _moments(pool: Pool, column: str) -> tuple[float, float]:
    logs = np.concatenate([np.zeros(0), *(_log(batch.table[column]) for batch in pool.batches(_ROWS, [column]))])
    if not len(logs):
        return 0.0, 1.0
    deviation = float(logs.std())
    return float(logs.mean()), deviation if deviation > _LEAST else 1.0  # equal counts deviate by their rounding
