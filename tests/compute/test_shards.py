"""Shards: found, ordered and numbered by their paths, and refused by name."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.compute.shards import Shards
from hitl.errors import ConfigError, PoolError


def write(folder, sizes, group=4):
    start = 0
    for number, size in enumerate(sizes):
        ids = [f"i{row}" for row in range(start, start + size)]
        table = pa.table({"id": pa.array(ids, pa.string()), "text": pa.array(["zonk"] * size, pa.string())})
        pq.write_table(table, folder / f"{number:03}.parquet", row_group_size=group)
        start += size
    return start


@given(st.lists(st.integers(0, 13), min_size=1, max_size=5), st.integers(1, 12), st.integers(1, 20))
def test_blocks_cover_all_rows_once_and_in_order(tmp_path_factory, sizes, group, most):
    folder = tmp_path_factory.mktemp("cut")
    total = write(folder, sizes, group)
    shards = Shards.open(folder, block_rows=most)
    seen = []
    for number, block in enumerate(shards.blocks):
        source = shards.source(number)
        assert block.start == len(seen)
        assert block.rows == source.bounds[-1] <= max(most, group)
        for part in range(len(source.bounds) - 1):
            seen += [name for table in source.read(part, ["id"], 3) for name in table["id"].to_pylist()]
    assert seen == [f"i{row}" for row in range(total)]
    assert len(shards) == total
    shutil.rmtree(folder)


def test_other_columns_in_one_shard_are_told(tmp_path):
    write(tmp_path, [3, 3])
    pq.write_table(pa.table({"id": ["x"], "body": ["wub"]}), tmp_path / "002.parquet")
    with pytest.raises(PoolError, match=r"002\.parquet: its columns differ from those of .*000\.parquet"):
        Shards.open(tmp_path)


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(PoolError, match=r"none\.parquet: there is no such file"):
        Shards.open(tmp_path / "none.parquet")
    with pytest.raises(PoolError, match=r"without \*\.parquet"):
        Shards.open(tmp_path)
    with pytest.raises(PoolError, match="at least one shard"):
        Shards.open([])
    (tmp_path / "000.parquet").write_bytes(b"PAR1 wub")
    with pytest.raises(PoolError, match=r"000\.parquet: this shard cannot be read"):
        Shards.open(tmp_path)


def test_a_shard_that_was_replaced_is_told(tmp_path):
    write(tmp_path, [8])
    shards = Shards.open(tmp_path, block_rows=4)
    write(tmp_path, [4])
    with pytest.raises(PoolError, match="is another file than when the scan began"):
        shards.source(1)


@pytest.mark.parametrize("url", ["s3://me:hush@bucket/pool", "s3://bucket/pool?secret_key=hush", "gs://b/p?token=hush"])
def test_a_secret_in_a_url_is_refused_and_not_repeated(url):
    with pytest.raises(ConfigError, match="environment") as refused:
        Shards.open(url)
    assert "hush" not in str(refused.value)


def test_a_scheme_that_nothing_reads_is_told():
    with pytest.raises(ConfigError, match="nothing here reads zonk://"):
        Shards.open("zonk://bucket/pool")


def test_stores_at_two_places_are_refused(tmp_path):
    write(tmp_path, [1, 1])
    with pytest.raises(ConfigError, match="one store"):
        Shards.open([tmp_path / "000.parquet", f"file://{tmp_path}/001.parquet"])


def test_the_rows_of_no_shard_at_all(tmp_path):
    write(tmp_path, [0, 0])
    shards = Shards.open(tmp_path)
    assert (len(shards), shards.blocks) == (0, ())
    assert shards.rows(np.empty(0, dtype=np.int64), ["id", "text"]).num_rows == 0
