import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hitl.errors import ConfigError, PoolError
from hitl.pool import Pool, opening

ROWS = 23


def items(rows: int = ROWS) -> pa.Table:
    at = np.arange(rows)
    return pa.table(
        {
            "item": [f"it-{row}" for row in at],
            "body": [f"zonk {row} wub" for row in at],
            "views": at * 1.5,
            "land": [None if row % 5 == 0 else f"land{row % 3}" for row in at],
            "tongue": pa.array([f"t{row % 2}" for row in at]).dictionary_encode(),
            "seen": [f"2024-01-{row % 28 + 1:02d}T10:00:00+02:00" for row in at],
            "reports": pa.array([None if row == 3 else row for row in at], pa.int32()),
            "source": [row % 4 for row in at],
        }
    )


COLUMNS = {
    "id": "item", "text": "body", "reach": "views", "region": "land", "language": "tongue", "received": "seen",
    "flags": "reports", "facets": ("source",),
}  # fmt: skip


@pytest.fixture(params=["table", "parquet", "folder"])
def pool(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pool:
    """The same items by each kind of source; Parquet is read by row groups, however small."""
    table = items()
    if request.param == "table":
        return Pool.open(table, **COLUMNS)
    monkeypatch.setattr(opening, "SMALL_ROWS", 0)
    if request.param == "parquet":
        pq.write_table(table, tmp_path / "items.parquet", row_group_size=4)
        return Pool.open(tmp_path / "items.parquet", **COLUMNS)
    pq.write_table(table.slice(0, 9), tmp_path / "a.parquet", row_group_size=5)
    pq.write_table(table.slice(9), tmp_path / "b.parquet", row_group_size=50)
    return Pool.open(tmp_path, **COLUMNS)


def test_reads_every_part_of_an_item(pool: Pool) -> None:
    assert len(pool) == ROWS
    found = pool.rows([7, 0, 3, 7]).to_pylist()
    assert [item["id"] for item in found] == ["it-7", "it-0", "it-3", "it-7"]
    assert found[0]["text"] == "zonk 7 wub"
    assert (found[0]["reach"], found[0]["region"], found[0]["language"], found[0]["flags"]) == (10.5, "land1", "t1", 7)
    assert found[0]["received"].isoformat() == "2024-01-08T08:00:00+00:00"
    assert (found[1]["region"], found[2]["flags"]) == ("", 0)
    assert (found[0]["source"], found[0]["modality"], found[0]["media"]) == ("3", "text", "")
    assert pool.reach.tolist() == (np.arange(ROWS) * 1.5).tolist()


def test_ids_positions_and_keys_agree(pool: Pool) -> None:
    ids = pool.ids(np.arange(ROWS))
    assert ids == [f"it-{row}" for row in range(ROWS)]
    assert pool.position_of(ids[::-1]).tolist() == list(range(ROWS))[::-1]
    assert pool.position_of([]).tolist() == []
    assert len(np.unique(pool.keys)) == ROWS
    with pytest.raises(PoolError, match=r"does not hold 2 of the 3.*'wub', 'it-99'"):
        pool.position_of(["wub", "it-1", "it-99"])
    with pytest.raises(PoolError, match="23 is none of them"):
        pool.rows([0, ROWS])
    with pytest.raises(PoolError, match="-1 is none"):
        pool.ids([-1])


def test_codes_name_what_is_missing_too(pool: Pool) -> None:
    codes, names = pool.codes("region")
    assert names == ("", "land0", "land1", "land2")
    assert [names[code] for code in codes] == [value or "" for value in items()["land"].to_pylist()]
    assert pool.codes("source")[1] == ("0", "1", "2", "3")
    assert pool.codes("modality")[1] == ("text",)
    with pytest.raises(ConfigError, match="choose one of region, language, modality, source"):
        pool.codes("views")


def test_batches_are_the_rows_whatever_their_size(pool: Pool) -> None:
    whole = pool.rows(np.arange(ROWS))
    for size in (1, 3, 4, 5, 22, 23, 24, 8192):
        batches = list(pool.batches(size))
        assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
        assert pa.concat_tables([batch.table for batch in batches]).combine_chunks().equals(whole.combine_chunks())
        assert np.concatenate([batch.positions for batch in batches]).tolist() == list(range(ROWS))
    assert [batch.table.column_names for batch in pool.batches(20, ["media", "id"])] == [["media", "id"]] * 2
    with pytest.raises(ConfigError, match="size of 1 or more"):
        next(pool.batches(0))
    with pytest.raises(ConfigError, match="no column 'body'"):
        pool.rows([0], ["body"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(12)), group=st.integers(1, 13))
def test_keys_follow_the_items_and_not_their_rows(
    order: list[int], group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "SMALL_ROWS", 0)
    pq.write_table(items(12).take(order), tmp_path / "shuffled.parquet", row_group_size=group)
    shuffled = Pool.open(tmp_path / "shuffled.parquet", **COLUMNS)
    straight = Pool.open(items(12), **COLUMNS)
    assert shuffled.keys.tolist() == straight.keys[order].tolist()
    assert shuffled.texts(np.arange(12)) == straight.texts(order)
    wanted = np.argsort(order)[::-1]
    assert shuffled.ids(wanted) == [f"it-{row}" for row in range(12)][::-1]


def test_fingerprint_follows_ids_columns_and_content() -> None:
    def fingerprint(table: pa.Table, **columns: object) -> str:
        return Pool.open(table, **{**COLUMNS, **columns}).fingerprint

    table = items()
    same = fingerprint(table)
    assert fingerprint(items()) == same
    assert fingerprint(table.slice(1)) != same
    assert fingerprint(table.take([*range(1, ROWS), 0])) != same
    assert fingerprint(table, facets=()) != same
    edited = table.set_column(1, "body", pa.array(["plim", *table["body"].to_pylist()[1:]]))
    assert fingerprint(edited) != same


def test_fingerprint_of_large_parquet_follows_its_footer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "SMALL_ROWS", 0)
    found = []
    for word in ("zonk", "plim"):
        table = items()
        edited = table.set_column(1, "body", pa.array([f"{word} {row}" for row in range(ROWS)]))
        pq.write_table(edited, tmp_path / "items.parquet", row_group_size=7)
        found += [Pool.open(tmp_path / "items.parquet", **COLUMNS).fingerprint for _ in range(2)]
    assert found[0] == found[1] != found[2] == found[3]


def test_a_bare_table_gets_row_numbers_and_defaults() -> None:
    pool = Pool.open(pa.table({"text": ["zonk", "wub"]}), name="bare")
    assert pool.ids([1, 0]) == ["1", "0"]
    assert pool.rows([1]).to_pylist() == [
        {
            "id": "1", "text": "wub", "media": "", "reach": 1.0, "region": "", "language": "", "modality": "text",
            "received": None, "flags": 0.0,
        }
    ]  # fmt: skip
    assert (pool.codes("language")[0].tolist(), pool.codes("language")[1]) == ([0, 0], ("",))
    assert pool.reach.tolist() == [1.0, 1.0]


def test_an_empty_pool_opens() -> None:
    pool = Pool.open(items(0).cast(items().schema), **COLUMNS)
    assert len(pool) == 0
    assert list(pool.batches()) == []
    assert pool.rows([]).num_rows == 0
    assert pool.codes("region")[0].tolist() == []
    assert pool.fingerprint
    with pytest.raises(PoolError, match="does not hold"):
        pool.position_of(["it-0"])


def test_media_pools_need_no_text_and_guess_the_modality() -> None:
    table = pa.table({"url": ["a/b.JPG", "c.mp4?x=1", "d.webm", ""], "text": ["", "", "zonk", "wub"]})
    pool = Pool.open(table, media="url", text="text")
    names = pool.codes("modality")[1]
    assert [names[code] for code in pool.codes("modality")[0]] == ["image", "video", "video", "text"]
    assert Pool.open(table.slice(0, 2), media="url").texts([0]) == [""]


def test_what_the_pool_holds_cannot_be_changed_and_is_told_in_short() -> None:
    pool = Pool.open(items(), **COLUMNS, name="<b>")
    for array in (pool.keys, pool.reach, pool.codes("region")[0]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert repr(pool).startswith("Pool('<b>': 23 items, 380 views; id='item', text='body'")
    html = pool._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;" in html
    assert "zonk" not in html


def test_opening_parquet_reads_no_text_and_imports_no_pandas(tmp_path: Path) -> None:
    """A page of the text column is destroyed: statistics prove the text present, so opening never looks at it."""
    path = tmp_path / "items.parquet"
    pq.write_table(items(), path, row_group_size=8, compression="none", use_dictionary=False)
    chunk = pq.read_metadata(path).row_group(1).column(1)
    body = bytearray(path.read_bytes())
    body[chunk.data_page_offset : chunk.data_page_offset + 20] = b"\xff" * 20
    path.write_bytes(body)
    script = (
        "import sys; from hitl.pool import Pool, opening; opening.SMALL_ROWS = 0\n"
        f"pool = Pool.open({str(path)!r}, text='body', id='item', reach='views')\n"
        "assert 'pandas' not in sys.modules, 'pandas'\n"
        "assert len(pool) == 23 and pool.position_of(['it-22'])[0] == 22\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
