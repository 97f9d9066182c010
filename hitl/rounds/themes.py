"""What groups of items are about: where items lie, which phrases they share, words that name a group, examples."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from hitl.history.gaps import ExampleRow
from hitl.metrics.terms import log_odds
from hitl.rounds.walk import Walk
from hitl.sampling.diversity.crowd import on_grid
from hitl.sampling.diversity.weighted_kmeans import kmeans
from hitl.sampling.shingles import MAX_CHARS, is_unspaced, shingles
from hitl.sampling.typical import reduce
from hitl.types import Embeddings, Floats, Ints

TERMS = 4
EXAMPLES = 3
SHOWN = 600
"""Characters of an example that are kept; the pool holds the rest."""

_DISTINCT = 1.96
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, eq=False)
class Words:
    """Which words n texts hold: a sparse matrix (n, v) of 0 and 1, and the words (v,)."""

    held: Any
    words: tuple[str, ...]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Words:
        """The words of texts, without numbers and case; pairs of letters in scripts without spaces. O(characters)."""
        from scipy.sparse import csr_matrix

        known: dict[str, int] = {}
        columns, starts = [], [0]
        for text in texts:
            columns += sorted({known.setdefault(word, len(known)) for word in _words(text)})
            starts.append(len(columns))
        ones = np.ones(len(columns))
        held = csr_matrix((ones, np.array(columns, dtype=np.int64), starts), shape=(len(texts), len(known)))
        return cls(held, tuple(known))

    def telling(self, rows: Ints) -> list[str]:
        """The words that tell these texts from the others, the most telling first; those of one text alone aside."""
        inside = np.asarray(self.held[rows].sum(axis=0)).ravel()
        everywhere = np.asarray(self.held.sum(axis=0)).ravel()
        scores = log_odds(inside, everywhere - inside)
        scores[inside < min(2, len(rows))] = -np.inf
        best = np.argsort(-scores, kind="stable")[:TERMS]
        return [self.words[at] for at in best.tolist() if scores[at] > _DISTINCT]

    def places(self, rng: np.random.Generator) -> Embeddings:
        """Where texts lie by the words that they share, rare ones counting more (TF-IDF, reduced)."""
        counts = np.asarray(self.held.sum(axis=0)).ravel()
        rare = np.log(max(len(self.held.indptr) - 1, 1) / np.maximum(counts, 1.0))
        return on_grid(reduce(self.held.multiply(rare[None, :]).tocsr(), rng))


def _words(text: str) -> Iterable[str]:
    plain = unicodedata.normalize("NFKC", text[:MAX_CHARS]).casefold()
    for token in _SPACE.split(plain):
        yield from _parts(token)


@lru_cache(maxsize=1 << 16)
def _parts(token: str) -> tuple[str, ...]:
    edges = "".join({char for char in token if unicodedata.category(char)[0] in "PSZC"})
    word = token.strip(edges)
    if len(word) < 2 or word.isdecimal():
        return ()
    if any(map(is_unspaced, word)):
        return tuple(word[at : at + 2] for at in range(len(word) - 1))
    return (word[:40],)


def places(walk: Walk, positions: Ints, words: Words | None, rng: np.random.Generator) -> Embeddings | None:
    """Where items lie: the model's embeddings, or else by their words; None where there is neither."""
    embeddings = walk.features.embeddings
    if embeddings is not None:
        return np.asarray(embeddings[positions])
    return words.places(rng) if words is not None else None


def clusters(at: Embeddings, count: int, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """The cluster of each of n items (n,), -1 for those that lie nowhere, and the centres (c, d)."""
    somewhere = np.flatnonzero(at.any(axis=1))
    code = np.full(len(at), -1, dtype=np.int64)
    if not len(somewhere):
        return code, np.zeros((0, at.shape[1]))
    found = kmeans(at[somewhere], np.ones(len(somewhere)), count, rng, rounds=10)[0]
    code[somewhere] = np.unique(found, return_inverse=True)[1]
    centres = np.zeros((int(code.max()) + 1, at.shape[1]))
    np.add.at(centres, code[somewhere], at[somewhere].astype(np.float64))
    return code, centres / np.bincount(code[somewhere])[:, None]


def nearest_centre(at: Embeddings, centres: Floats) -> Ints:
    """The cluster whose centre each item (n, d) is nearest to, -1 for those that lie nowhere."""
    if not len(centres):
        return np.full(len(at), -1, dtype=np.int64)
    closeness = at.astype(np.float64) @ centres.T - (centres**2).sum(axis=1) / 2
    return np.where(at.any(axis=1), closeness.argmax(axis=1), -1)


def most_typical(at: Embeddings | None, rows: Ints) -> Ints:
    """These rows, those nearest to the mean direction of them all first; as they are where nothing lies."""
    if at is None or not len(rows):
        return rows
    mine = at[rows].astype(np.float64)
    return np.asarray(rows[np.argsort(-(mine @ mine.mean(axis=0)), kind="stable")])


def phrases(texts: Sequence[str], least: int) -> Any:
    """Phrases of one to three words that `least` texts or more share: a sparse matrix (n, p) of 0 and 1.

    Of phrases that stand in the very same texts one is kept. O(characters) time and memory.
    """
    from scipy.sparse import csc_matrix, csr_matrix

    hashes, starts = shingles(texts)
    known, column = np.unique(hashes, return_inverse=True)
    held = csr_matrix((np.ones(len(column)), column, starts), shape=(len(texts), len(known)))
    held.sum_duplicates()
    held.data[:] = 1.0
    often = np.flatnonzero(np.bincount(held.indices, minlength=len(known)) >= least)
    chosen = csc_matrix(held[:, often])
    # a phrase is told by the sum of random numbers of its texts: equal sums, the same texts
    mark = np.random.default_rng(0).random(len(texts))
    _, first = np.unique(np.round(np.asarray(chosen.T @ mark), 9), return_index=True)
    return chosen[:, np.sort(first)]


def examples(walk: Walk, positions: Ints, notes: Mapping[str, Sequence[str]] | None = None) -> list[ExampleRow]:
    """The first of these items that may be read, their text cut to `SHOWN` characters, with what people wrote of them.

    Benchmark and gold are not for reading: whoever knows their items could answer them from memory.
    """
    hidden = np.concatenate([walk.positions(walk.benchmark_items()), walk.gold.positions])
    shown = positions[~np.isin(positions, hidden)][:EXAMPLES]
    rows = walk.pool.rows(shown, ["id", "text", "media", "language", "reach"]).to_pylist() if len(shown) else []
    return [
        ExampleRow(
            item_id=str(row["id"]),
            text=str(row["text"] or row["media"] or "")[:SHOWN],
            language=str(row["language"] or ""),
            reach=float(row["reach"] or 0.0),
            notes=[note[:SHOWN] for note in (notes or {}).get(str(row["id"]), ())][:EXAMPLES],
        )
        for row in rows
    ]


def members(sets: Any, column: int) -> Ints:
    """The rows of one column of a sparse matrix (n, m) in columns, ascending."""
    return np.sort(sets.indices[sets.indptr[column] : sets.indptr[column + 1]]).astype(np.int64)


def one_hot(code: Ints, count: int) -> Any:
    """Codes (n,) as a sparse matrix (n, count) of 0 and 1 in columns; -1 is no column."""
    from scipy.sparse import csc_matrix

    rows = np.flatnonzero(code >= 0)
    return csc_matrix((np.ones(len(rows)), (rows, code[rows])), shape=(len(code), count))
