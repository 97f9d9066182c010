"""A scan of shards is the scan of the pool, bit by bit, wherever and in whatever blocks it runs."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hitl.compute import make_compute
from hitl.compute.local import Local
from hitl.compute.scanning import Eligible, Judge, ScanShards
from hitl.compute.shards import Shards
from hitl.compute.survey import Survey, SurveyShards
from hitl.errors import ConfigError, PoolError
from hitl.pool import Columns


@pytest.mark.parametrize("block_rows", [1, 300, 10_000])
@pytest.mark.parametrize("threads", [1, 3])
def test_neither_blocks_nor_threads_matter(world, truth, same, block_rows, threads):
    shards = world.shards(block_rows=block_rows)
    survey = Local(threads).run(SurveyShards(shards, world.plan.strata)).result()
    same(Local(threads).run(world.work(shards, survey)).result(), truth)


def test_the_truth_is_not_trivial(world, truth):
    pool = world.pool()
    assert len(truth.strata) == 6
    assert all(truth.stats.strata.values())
    assert truth.stats.eligible < truth.stats.seen == len(pool) == 1651
    assert [aim.name for aim in truth.aims] == ["contested threat", "uncertain"]
    for items in truth.shortlists:
        assert (items.positions > 701).any()
        assert len(set(pool.codes("region")[0][items.positions])) == 3


@pytest.mark.parametrize("given", ["list", "url", "fsspec"])
def test_shards_are_the_same_by_list_and_by_url(world, truth, same, given):
    paths = sorted(world.folder.glob("*.parquet"), reverse=True)
    source = {"list": paths, "url": f"file://{world.folder}", "fsspec": f"local://{world.folder}"}[given]
    shards = world.shards(source)
    same(Local().run(world.work(shards, Survey.of(world.pool(), world.plan.strata))).result(), truth)


def test_row_numbers_are_ids_over_all_shards(world, tmp_path):
    for number, path in enumerate(sorted(world.folder.glob("*.parquet"))):
        pq.write_table(pq.read_table(path).drop_columns(["id"]), tmp_path / f"{number}.parquet")
    bare = replace(world, folder=tmp_path, asked=("3", "720", "1600"))
    shards = bare.shards()
    survey = Local().run(SurveyShards(shards, world.plan.strata)).result()
    found = Local().run(bare.work(shards, survey)).result()
    pool = bare.pool()
    for items in (*found.shortlists, found.audit.items, found.random):
        assert (pool.keys[items.positions] == items.keys).all()
    assert not np.isin(pool.position_of(bare.asked), found.random.positions).any()


def test_rows_that_cannot_be_used_are_left_out_as_the_pool_leaves_them_out(world, same, tmp_path):
    for path in sorted(world.folder.glob("*.parquet")):
        table = pq.read_table(path)
        reach = [-1.0 if row % 97 == 5 else views for row, views in enumerate(table["views"].to_pylist())]
        texts = [" " if row % 101 == 7 else text for row, text in enumerate(table["text"].to_pylist())]
        table = table.set_column(2, "views", pa.array(reach, pa.float64())).set_column(
            1, "text", pa.array(texts, pa.string())
        )
        pq.write_table(table, tmp_path / path.name, row_group_size=130)
    torn = replace(world, folder=tmp_path, asked=("item-3", "item-1600"))
    shards = torn.shards()
    tally = Local().run(SurveyShards(shards, world.plan.strata))
    survey = tally.result()
    assert len(survey.left_out) == torn.pool().quarantined == 35
    assert "reach is missing, negative or not finite: 18 — row 5, row 102" in str(tally.error())
    same(Local().run(torn.work(shards, survey)).result(), torn.truth())


def test_a_name_that_the_survey_did_not_see_stops_the_scan(world):
    survey = replace(Survey.of(world.pool(), world.plan.strata), regions=("", "ID"))
    with pytest.raises(PoolError, match="'NO' was not there"):
        Local().run(world.work(world.shards(), survey))


def test_a_wave_that_is_no_number_is_told(world):
    shards, survey = world.shards(), Survey.of(world.pool(), world.plan.strata)
    eligible = Eligible(np.empty(0, dtype=np.uint64), "source", 1)
    with pytest.raises(ConfigError, match="something else than whole numbers"):
        Local().run(replace(world.work(shards, survey), eligible=eligible))


def test_shards_without_text_are_refused(world, tmp_path):
    pq.write_table(pa.table({"photo": ["a.jpg"]}), tmp_path / "one.parquet")
    shards = Shards.open(tmp_path, Columns(media="photo"))
    with pytest.raises(ConfigError, match="no text"):
        ScanShards(shards, None, None, None, Judge(world.features.reader, lambda: world.fitted), None)


def test_progress_is_told_once_a_block(world):
    heard = []
    shards, survey = world.shards(), Survey.of(world.pool(), world.plan.strata)
    Local().run(world.work(shards, survey), lambda *what: heard.append(what))
    assert heard[0] == ("scoring the pool", 0, 1651)
    assert heard[-1] == ("scoring the pool", 1651, 1651)
    assert len(heard) == 1 + len(shards.blocks)


def test_kinds_and_options_are_checked():
    with pytest.raises(ConfigError, match="did you mean 'ray'"):
        make_compute("rai")
    with pytest.raises(ConfigError, match="did you mean 'address'"):
        make_compute("ray", {"adress": "head:6379"})
    with pytest.raises(ConfigError, match="cpus=0"):
        make_compute("ray", {"cpus": 0})


def test_rows_by_number(world):
    shards, pool = world.shards(), world.pool()
    wanted = np.array([1650, 0, 700, 699, 701, 3])
    found = shards.rows(wanted, ["id", "text", "language"])
    assert found.to_pydict() == pool.rows(wanted, ["id", "text", "language"]).to_pydict()
    assert shards.rows(wanted[:0], ["id"]).num_rows == 0
    assert repr(shards) == "Shards(1,651 rows in 3 shards, 9 blocks)"
