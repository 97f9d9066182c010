"""The words and sentences of the demo stream, as tables that numpy can draw from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa

from hitl.reading import parse_yaml
from hitl.types import Ints

INVENTED = {"weak": 6, "strong": 8, "slur": 8, "harm": 4, "coin": 5, "group": 4}
"""Slots whose words are made up, with how many words each has in a language."""

SLOTS = ("thing", "place", "name", *INVENTED)
SPELLINGS = 4
"""Spellings of each invented word: as it is, and three disguises."""

_LEXICON_SEED = 20_260_101  # the lexicon is one for all streams: the policy's keywords stand in it


def invent(syllables: Iterable[str], count: int, rng: np.random.Generator) -> tuple[tuple[str, str], ...]:
    """Make `count` different words of two of the syllables, each as a pair.

    >>> invent(["zor", "vax", "plim"], 2, np.random.default_rng(0))
    (('plim', 'zor'), ('vax', 'plim'))
    """
    known = list(syllables)
    pairs = [(a, b) for a in known for b in known if a != b]
    return tuple(pairs[i] for i in rng.choice(len(pairs), size=count, replace=False))


def disguise(word: tuple[str, str]) -> tuple[str, ...]:
    """The spellings under which people hide a word: plain, split, starred and stretched.

    >>> disguise(("zor", "vax"))
    ('zorvax', 'zor.vax', 'z*rvax', 'zorvaxxx')
    """
    first, second = word
    return first + second, f"{first}.{second}", f"{first[0]}*{first[2:]}{second}", first + second + second[-1] * 2


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Sentences and words of every language as flat tables.

    A sentence is `parts[0] word parts[1] word parts[2]`; `slots` (sentences, 2) says which of `SLOTS` fill it, -1 for
    none. `said` (languages, kinds, 2) and `listed` (languages, slots, 2) hold start and count of a language's
    sentences of a kind, and of its words for a slot. Invented words lie in `words` with their `SPELLINGS` in a row.
    """

    languages: tuple[str, ...]
    shares: tuple[float, ...]
    regions: tuple[Mapping[str, float], ...]
    spaces: tuple[str, ...]
    kinds: tuple[str, ...]
    parts: tuple[pa.Array, pa.Array, pa.Array]
    slots: Ints
    said: Ints
    words: pa.Array
    listed: Ints

    def invented(self, language: str, slot: str) -> tuple[str, ...]:
        """The invented words of a slot in a language, undisguised."""
        start, count = self.listed[self.languages.index(language), SLOTS.index(slot)]
        return tuple(self.words.slice(start, count * SPELLINGS).to_pylist()[::SPELLINGS])


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """The lexicon of the demo, read from the package once.

    >>> lexicon().languages
    ('en', 'id', 'de', 'ar', 'ja', 'hi')
    """
    text = files("hitl.demo").joinpath("lexicon.yaml").read_text(encoding="utf-8")
    spoken = parse_yaml(text, "lexicon.yaml")
    kinds = tuple(spoken["en"]["say"])
    sentences, said = _sentences(spoken, kinds)
    words, listed = _words(spoken)
    cut = [_cut(sentence) for sentence in sentences]
    return Lexicon(
        languages=tuple(spoken),
        shares=tuple(language["share"] for language in spoken.values()),
        regions=tuple(language["regions"] for language in spoken.values()),
        spaces=tuple(language["space"] for language in spoken.values()),
        kinds=kinds,
        parts=(pa.array([a for a, _, _ in cut]), pa.array([b for _, b, _ in cut]), pa.array([c for _, _, c in cut])),
        slots=np.array([_slots(sentence) for sentence in sentences], dtype=np.int64),
        said=said,
        words=pa.array(words),
        listed=listed,
    )


def _sentences(spoken: Mapping[str, Any], kinds: tuple[str, ...]) -> tuple[list[str], Ints]:
    sentences: list[str] = []
    said = np.zeros((len(spoken), len(kinds), 2), dtype=np.int64)
    for row, language in enumerate(spoken.values()):
        for column, kind in enumerate(kinds):
            said[row, column] = len(sentences), len(language["say"][kind])
            sentences += language["say"][kind]
    return sentences, said


def _words(spoken: Mapping[str, Any]) -> tuple[list[str], Ints]:
    words: list[str] = []
    listed = np.zeros((len(spoken), len(SLOTS), 2), dtype=np.int64)
    for row, language in enumerate(spoken.values()):
        made = iter(invent(language["syllables"], sum(INVENTED.values()), np.random.default_rng([_LEXICON_SEED, row])))
        for column, slot in enumerate(SLOTS):
            count = INVENTED.get(slot)
            start = len(words)
            if count is None:
                words += language["words"][slot]
            else:
                words += [spelling for _ in range(count) for spelling in disguise(next(made))]
            listed[row, column] = start, count or len(language["words"][slot])
    return words, listed


def _cut(sentence: str) -> tuple[str, str, str]:
    pieces = [piece.rpartition("}")[2] for piece in sentence.split("{")]
    first, second, third = (*pieces, "", "")[:3]
    return first, second, third


def _slots(sentence: str) -> tuple[int, int]:
    named = [SLOTS.index(piece.partition("}")[0]) for piece in sentence.split("{")[1:]]
    first, second = (*named, -1, -1)[:2]
    return first, second
