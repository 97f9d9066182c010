"""A campaign whose scans travel picks, item by item and with the same reasons, what it picks in one process."""

import pickle
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hitl.compute import Compute
from hitl.compute.local import Local
from hitl.compute.shards import Shards
from hitl.errors import ConfigError, PoolError
from hitl.pool import Pool
from hitl.types import silent


@dataclass(frozen=True)
class Travelling:
    """Hands on work and outcomes as bytes, as a cluster does, the last block first, each to a worker of its own."""

    travels: bool = True

    def check(self):
        pass

    def run(self, work, progress=silent):
        body, merged = pickle.dumps(work), work.nothing()
        for block in reversed(range(len(work.sizes))):
            merged.merge(pickle.loads(pickle.dumps(pickle.loads(body).run(block))))
        return merged


def test_the_same_items_are_picked(picks):
    here, there = picks(Local(2)), picks(Travelling())
    assert isinstance(Travelling(), Compute)
    assert here == there
    seed, active = here
    assert len(active) == len({pick.item_id for pick in active}) > 20
    assert {"audit", "uncertain", "contested"} <= {pick.arm for pick in active}
    assert not {pick.item_id for pick in seed} & {pick.item_id for pick in active if pick.arm != "relabel"}


def write(folder, texts):
    for number, part in enumerate(texts):
        pq.write_table(pa.table({"text": part}), folder / f"{number}.parquet")
    return Pool.open(folder, on_error="quarantine", quarantine_to=folder / "aside.jsonl")


def test_a_pool_knows_the_files_that_it_is_made_of(tmp_path):
    pool = write(tmp_path, [["zonk", "wub"], ["plim"]])
    assert pool.shards == (str(tmp_path / "0.parquet"), str(tmp_path / "1.parquet"))
    assert Pool.open(tmp_path / "1.parquet").shards == pool.shards[1:]
    rows = Shards.of(pool).rows(np.arange(3), ["id", "text"])
    assert rows.equals(pool.rows(range(3), ["id", "text"]))


def test_a_pool_that_others_cannot_read_as_it_is_here_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"not of Parquet files.*compute: local"):
        Shards.of(Pool.open(pa.table({"text": ["zonk"]})))
    (tmp_path / "items.csv").write_text("text\nzonk\n")
    with pytest.raises(ConfigError, match="not of Parquet files"):
        Shards.of(Pool.open(tmp_path / "items.csv"))
    with pytest.raises(ConfigError, match=r"leaves out 1 rows of its files.*without these"):
        Shards.of(write(tmp_path, [["zonk", " "], ["plim"]]))


def test_files_that_have_changed_since_are_told(tmp_path):
    pool = write(tmp_path, [["zonk", "wub"], ["plim"]])
    write(tmp_path, [["zonk"], ["plim"]])
    with pytest.raises(PoolError, match=r"opened with 3 rows, and its files have 2 now"):
        Shards.of(pool)
