"""A whole pool against a list of known hashes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from hitl.errors import ConfigError
from hitl.hashes.known import HashList
from hitl.hashes.seen import OF_MEDIA, OF_TEXT, UNREADABLE, Look, Matching, Seen, media_seen, texts_seen
from hitl.media import MediaFolder
from hitl.pool import Batch, Pool
from hitl.pool.keys import as_column
from hitl.types import Progress, silent

_TEXTS, _FILES = 16_384, 256
_TEXT, _WHOLE = pa.string(), pa.int64()
_FOUND = pa.schema(
    {
        "position": _WHOLE, "id": _TEXT, "kind": _TEXT, "entry": _WHOLE, "label": _TEXT, "source": _TEXT,
        "distance": _WHOLE, "time": pa.float64(),
    }
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Matches:
    """What of a pool is in a list.

    `table` has a row for each item and entry that match, by position and entry: position, id, kind, entry (row of the
    list), label, source, distance (bits; the least of a clip's frames) and time (seconds into a clip of the frame that
    is nearest, null otherwise). `unreadable` has position, id and reason of items whose media could not be looked at.
    `left_out` names kinds of the list that the pool has no column for.
    """

    table: pa.Table
    unreadable: pa.Table
    left_out: tuple[str, ...] = ()

    def __repr__(self) -> str:
        items = len(self.table["position"].unique())
        return f"Matches({items:,} items, {len(self.table):,} pairs, {len(self.unreadable):,} items unreadable)"


def match(
    pool: Pool,
    known: HashList,
    folder: MediaFolder | None = None,
    options: Matching | None = None,
    progress: Progress = silent,
) -> Matches:
    """Look for a pool's texts and media in a list; media lie in `folder`.

    One pass: O(content) time to hash, and a look-up an item in the list, see `HammingIndex`; memory is that of the list
    and of what is found. An item whose media is broken is told in `unreadable`, and its file's bytes are matched still.
    Raises `ConfigError` when the pool holds nothing that the list is about, or `folder` is needed and missing.

    >>> from hitl.hashes import Entry, text_hashes, to_hex
    >>> items = pa.table({"id": ["a", "b"], "text": ["plim", "Zonk  wub!"]})
    >>> known = HashList.of([Entry("text", to_hex(text_hashes(["zonk wub!"]))[0], "spam")])
    >>> match(Pool.open(items), known).table.select(["id", "label"]).to_pylist()
    [{'id': 'b', 'label': 'spam'}]
    """
    options = options or Matching()
    texts, look = _of_text(pool, known), _of_media(pool, known, folder, options)
    left_out = tuple(kind for kind in known.held if kind not in (*texts, *(look.kinds if look else ())))
    if len(known) and not texts and look is None:
        raise ConfigError(
            f"the list holds {', '.join(left_out)} hashes, and pool {pool.name!r} no such content; name its column"
        )
    found, unread = [_FOUND.empty_table()], [UNREADABLE.empty_table()]
    columns = ["id", *(["text"] if texts else []), *(["media", "modality"] if look else [])]
    with ThreadPoolExecutor(options.threads) as threads:
        for batch in pool.batches(_FILES if look else _TEXTS, columns):
            seen = texts_seen(batch, texts) if texts else []
            if look:
                hashed, failed = media_seen(batch, look, threads)
                seen, unread = seen + hashed, [*unread, failed]
            found += [_found(batch, known, each, options.within) for each in seen if each.kind in known.held]
            progress("matching against the list", batch.start + len(batch), len(pool))
    table = pa.concat_tables(found).sort_by([("position", "ascending"), ("entry", "ascending")])
    return Matches(table, pa.concat_tables(unread), left_out)


def _of_text(pool: Pool, known: HashList) -> tuple[str, ...]:
    """The kinds of the list that the pool's texts are hashed to."""
    return tuple(kind for kind in OF_TEXT if kind in known.held and pool.columns.text is not None)


def _of_media(pool: Pool, known: HashList, folder: MediaFolder | None, options: Matching) -> Look | None:
    """What reads the pool's media, if the list is about any."""
    kinds = tuple(kind for kind in OF_MEDIA if kind in known.held and pool.columns.media is not None)
    if not kinds:
        return None
    if folder is None:
        raise ConfigError(f"the list holds {' and '.join(kinds)} hashes; name the folder that the pool's media lie in")
    return Look(folder, kinds, options)


def _found(batch: Batch, known: HashList, seen: Seen, within: int) -> pa.Table:
    """Items of the batch that match an entry, each pair once, by its nearest hash."""
    pairs = known.find(seen.kind, seen.hashes, within)
    rows, times = seen.rows[pairs.query], seen.times[pairs.query]
    order = np.lexsort((times, pairs.distance, pairs.entry, rows))
    again = (np.diff(rows[order], prepend=-1) == 0) & (np.diff(pairs.entry[order], prepend=-1) == 0)
    order = order[~again]
    rows, entry, times = rows[order], pairs.entry[order], times[order]
    chosen = entry.tolist()
    columns = {
        "position": as_column(batch.start + rows),
        "id": batch.table["id"].take(as_column(rows)).cast(_TEXT),
        "kind": pa.repeat(seen.kind, len(rows)),
        "entry": as_column(entry),
        "label": pa.array([known.labels[at] for at in chosen], _TEXT),
        "source": pa.array([known.sources[at] for at in chosen], _TEXT),
        "distance": as_column(pairs.distance[order]),
        "time": pa.array([None if at != at else at for at in times.tolist()], pa.float64()),
    }
    return pa.table(columns).cast(_FOUND)
