"""TF-IDF rows and embeddings: of a whole pool, to be kept, and of texts as they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hitl.models.linear.lsa import Lsa
from hitl.models.linear.ngrams import Ngrams
from hitl.models.linear.sparse import as_csr
from hitl.types import Embeddings, Ints


def weigh(ends: Ints, indices: Any, counts: Any, idf: NDArray[np.float32]) -> NDArray[np.float32]:
    """TF-IDF of the counts of CSR rows: (1 + ln count) × idf, each row brought to length 1."""
    weights: NDArray[np.float32] = ((1 + np.log(counts, dtype=np.float64)) * idf[indices]).astype(np.float32)
    lengths = np.diff(ends)
    filled = lengths > 0
    squares = np.add.reduceat(np.square(weights, dtype=np.float64), ends[:-1][filled]) if filled.any() else np.ones(0)
    weights /= np.repeat(np.sqrt(squares), lengths[filled]).astype(np.float32)
    return weights


@dataclass(frozen=True, eq=False)
class TextReader:
    """Reads texts as a pool's features were made: its n-grams, their `idf` (width,), its `lsa` or None.

    Small and picklable: a worker far from the features reads the same with it.
    """

    ngrams: Ngrams
    idf: NDArray[np.float32]
    lsa: Lsa | None = None

    def rows(self, texts: Sequence[str] | pa.Array | pa.ChunkedArray) -> Any:
        """TF-IDF rows of n texts as a CSR matrix (n, width), bit by bit those of the pool's features."""
        counts = self.ngrams.count(texts)
        ends = counts.indptr.astype(np.int64)
        return as_csr(weigh(ends, counts.indices, counts.data, self.idf), counts.indices, ends, self.ngrams.width)

    columns: ClassVar[tuple[str, ...]] = ("text",)

    def read(self, rows: pa.Table) -> tuple[Any, Embeddings | None]:
        """TF-IDF rows of n texts, and their embeddings (n, d) if there is an LSA; O(characters + nonzeros × d)."""
        x = self.rows(rows["text"])
        return x, self.lsa.embed(x) if self.lsa else None
