"""A pool of any size from real short texts: sampled with a seed, some of their words replaced, lengths as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hitl.policy import Policy

LABELS = {
    "neither": "fine",
    "news": "fine",
    "noHate": "fine",
    "offensive": "offensive",
    "hate": "hate",
    "clickbait": "clickbait",
}
"""What the labels of davidson, clickbait and stormfront become; others are left out."""

POLICY = Policy.parse("""
name: posts
version: 1
labels:
  - {name: fine, violating: false}
  - {name: offensive, severity: 1}
  - {name: hate, severity: 3}
  - {name: clickbait, severity: 1}
""")

REPLACED = 0.2
"""Share of a text's words that become another word of the corpus, as often as that word occurs there."""

GROUP = 100_000


def write(path: Path, rows: int, data: Path, seed: int = 0) -> Path:
    """Write `rows` posts (id, text, views, label) to a Parquet file; `data` is the folder of the data sets."""
    rng = np.random.default_rng(seed)
    base = _base(data)
    split = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(base["text"])).combine_chunks()
    words = split.flatten().dictionary_encode()
    codes, ends = words.indices.to_numpy(), split.offsets.to_numpy()
    with pq.ParquetWriter(path, pa.schema([("id", pa.string()), *base.schema, ("views", pa.float64())])) as writer:
        for start in range(0, rows, GROUP):
            n = min(GROUP, rows - start)
            chosen = rng.integers(len(base), size=n)
            lengths = ends[chosen + 1] - ends[chosen]
            offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
            at = np.arange(offsets[-1]) + np.repeat(ends[chosen] - offsets[:-1], lengths)
            drawn = np.where(rng.random(len(at)) < REPLACED, rng.integers(len(codes), size=len(at)), at)
            lists = pa.ListArray.from_arrays(offsets, words.dictionary.take(pa.array(codes[drawn])))
            columns = {
                "id": pc.binary_join_element_wise("post", pa.array(np.arange(start, start + n)).cast(pa.string()), "-"),
                "text": pc.binary_join(lists, " "),
                "label": base["label"].take(pa.array(chosen)),
                "views": pa.array(rng.pareto(1.2, n) * 100),
            }
            writer.write_table(pa.table(columns, schema=writer.schema))
    return path


def _base(data: Path) -> pa.Table:
    """The texts of three sets with what their labels become."""
    found = []
    for name in ("davidson", "clickbait", "stormfront"):
        table = pq.read_table(data / "data/text" / name / "items.parquet", columns=["text", "label"])
        labels = table["label"].cast(pa.string())
        kept = table.filter(pc.is_in(labels, pa.array(list(LABELS))))
        codes = pc.index_in(kept["label"].cast(pa.string()), pa.array(list(LABELS)))
        said = pa.array(list(LABELS.values())).take(codes.combine_chunks())
        found.append(pa.table({"text": kept["text"].cast(pa.string()), "label": said}))
    return pa.concat_tables(found)
