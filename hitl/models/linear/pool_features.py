"""The features of a whole pool: counted, weighed and embedded batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hitl.models.linear.feature_store import FeatureWriter, Making
from hitl.models.linear.lsa import Lsa, frequent, learn, subsample
from hitl.models.linear.tfidf import weigh
from hitl.pool import Pool
from hitl.types import Embeddings, Ints, Progress

BATCH = 4096
"""Items in memory at once; the features do not depend on it."""


@dataclass(frozen=True, eq=False)
class PoolReader:
    """Makes the features of a whole pool, in batches, for the store to keep.

    Two passes for the rows, one for the embeddings; time linear in characters and nonzeros × d, memory for a batch, the
    idf, and the LSA's subsample.
    """

    pool: Pool
    making: Making
    progress: Progress

    def build(self, writer: FeatureWriter) -> dict[str, Any]:
        """Fill the writer; its arrays."""
        found_in = self._count(writer)
        idf = (np.log((1 + len(self.pool)) / (1 + found_in)) + 1).astype(np.float32)
        writer.weigh(lambda ends, indices, data: weigh(ends, indices, data, idf), BATCH)
        writer.keep("idf", [idf])
        if self.making.dimensions:
            lsa = learn(writer.take(subsample(len(self.pool))), frequent(found_in), self.making.dimensions)
            writer.keep("lsa_columns", [lsa.columns])
            writer.keep("lsa_components", [lsa.components], self.making.dimensions)
            writer.keep("embeddings", self._embedded(writer, lsa), self.making.dimensions)
        return writer.finish()

    def _count(self, writer: FeatureWriter) -> Ints:
        """Write the counts of all items; in how many of them each column is found."""
        found_in = np.zeros(self.making.width, dtype=np.int64)
        for batch in self.pool.batches(BATCH, ["text"]):
            counts = self.making.ngrams.count(batch.table["text"])
            found_in += np.bincount(counts.indices, minlength=len(found_in))
            writer.append(counts)
            self.progress("computing features", batch.start + len(batch), len(self.pool))
        return found_in

    def _embedded(self, writer: FeatureWriter, lsa: Lsa) -> Iterator[Embeddings]:
        for start in range(0, len(self.pool), BATCH):
            stop = min(start + BATCH, len(self.pool))
            yield lsa.embed(writer.slice(start, stop))
            self.progress("computing embeddings", stop, len(self.pool))
