import json
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hitl.errors import ConfigError, PoolError
from hitl.pool import Pool

ITEMS = {"id": ["007", "008", "009"], "text": ["zonk, wub", "plim\ngrint", "true"], "land": ["NA", "NO", ""]}


def check(pool: Pool) -> None:
    assert pool.ids([0, 1, 2]) == ITEMS["id"]
    assert pool.texts([2, 1, 0]) == ITEMS["text"][::-1]
    assert pool.rows([0, 1, 2], ["region"])["region"].to_pylist() == ITEMS["land"]


def test_csv_keeps_ids_texts_and_names_as_written(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text('id,text,land\n007,"zonk, wub",NA\n008,"plim\ngrint",NO\n009,true,\n')
    check(Pool.open(path, region="land"))
    path = tmp_path / "items.tsv"
    path.write_text('id\ttext\tland\n007\tzonk, wub\tNA\n008\t"plim\ngrint"\tNO\n009\ttrue\t\n')
    check(Pool.open(str(path), region="land"))


def test_jsonl_keeps_texts_that_look_like_times(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    rows = [dict(zip(ITEMS, row, strict=True)) for row in zip(*ITEMS.values(), strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    check(Pool.open(path, region="land"))
    path.write_text('{"id": "2024-01-01 00:00:00", "text": "2024-01-02", "n": 3}\n')
    pool = Pool.open(path, reach="n")
    assert pool.ids([0]) == ["2024-01-01 00:00:00"]
    assert pool.texts([0]) == ["2024-01-02"]


@pytest.mark.parametrize("stream", [True, False])
def test_arrow_files_are_mapped(tmp_path: Path, stream: bool) -> None:
    path = tmp_path / "items.arrow"
    table = pa.table(ITEMS)
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(str(path), table.schema) as writer:
        writer.write_table(table)
    check(Pool.open(path, region="land"))


def test_a_dataset_is_read_through_its_index(tmp_path: Path) -> None:
    rows = datasets.Dataset.from_dict({key: [*values[::-1], "spare"] for key, values in ITEMS.items()})
    chosen = rows.select([2, 1, 0])
    pool = Pool.open(chosen, region="land")
    check(pool)
    assert [batch.table["id"].to_pylist() for batch in pool.batches(2)] == [["007", "008"], ["009"]]
    assert pool.rows([]).num_rows == 0
    assert (
        pool.fingerprint == Pool.open(chosen, region="land").fingerprint != Pool.open(rows, region="land").fingerprint
    )
    chosen.save_to_disk(tmp_path / "saved")
    check(Pool.open(tmp_path / "saved", region="land"))
    with pytest.raises(PoolError, match="choose one of its splits: 'train'"):
        Pool.open(datasets.DatasetDict(train=rows))
    with pytest.raises(PoolError, match="without streaming=True"):
        Pool.open(rows.to_iterable_dataset())


def test_a_hub_name_is_loaded_by_split_or_told_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load(name: str, split: str) -> datasets.Dataset:
        asked.append((name, split))
        if name == "nobody/nothing":
            raise ConnectionError("secret proxy")
        return datasets.Dataset.from_dict(ITEMS)

    monkeypatch.setattr(datasets, "load_dataset", load)
    check(Pool.open("hub:someone/some", region="land"))
    check(Pool.open("hub:someone/some:test", region="land"))
    assert asked == [("someone/some", "train"), ("someone/some", "test")]
    with pytest.raises(PoolError, match=r"'nobody/nothing'.*\(ConnectionError\); check its name.*Parquet") as told:
        Pool.open("hub:nobody/nothing")
    assert "secret" not in str(told.value)
    with pytest.raises(PoolError, match="name the data set"):
        Pool.open("hub:")


def test_names_that_are_no_columns_are_answered_with_the_nearest() -> None:
    table = pa.table(ITEMS)
    with pytest.raises(ConfigError, match=r"text='txt' is no column of it; did you mean 'text'\?"):
        Pool.open(table, text="txt")
    with pytest.raises(ConfigError, match=r"facets='lnd'.*'land'"):
        Pool.open(table, facets=["lnd"])
    with pytest.raises(ConfigError, match=r"name the column that holds the content.*'words'"):
        Pool.open(pa.table({"words": ["zonk"]}))
    with pytest.raises(ConfigError, match=r"reach.* is of type bool; it must be numbers"):
        Pool.open(pa.table({"text": ["zonk"], "n": [True]}), reach="n")
    with pytest.raises(ConfigError, match="of type double; it must be text or whole numbers"):
        Pool.open(pa.table({"text": ["zonk"], "id": [1.0]}))
    with pytest.raises(ConfigError, match='choose "raise" or "quarantine"'):
        Pool.open(table, on_error="ignore")  # type: ignore[arg-type]


def test_files_that_cannot_be_read_are_told_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="there is no such file; check the path"):
        Pool.open(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 zonk")
    with pytest.raises(PoolError, match="cannot be read as parquet"):
        Pool.open(tmp_path / "bad.parquet")
    (tmp_path / "items.xlsx").write_bytes(b"zonk")
    with pytest.raises(PoolError, match="unknown kind of file"):
        Pool.open(tmp_path / "items.xlsx")
    (tmp_path / "empty").mkdir()
    with pytest.raises(PoolError, match=r"without \*.parquet files"):
        Pool.open(tmp_path / "empty")
    with pytest.raises(PoolError, match="cannot be opened from a list"):
        Pool.open([1, 2])
    (tmp_path / "bad.csv").write_text("id,text\n1,zonk\n2,wub,plim\n3,grint\n4\n")
    with pytest.raises(PoolError, match=r"2 rows do not have the 2 fields of the header \(row 1: 3 fields; row 3: 1"):
        Pool.open(tmp_path / "bad.csv")
    (tmp_path / "bad.jsonl").write_text('{"id": 1, "text": "zonk"}\n{"id": [2], "text": "wub"}\n')
    with pytest.raises(PoolError, match="line 2: 'id' is a list, and a number above"):
        Pool.open(tmp_path / "bad.jsonl")


def test_a_folder_must_hold_one_schema(tmp_path: Path) -> None:
    pq.write_table(pa.table(ITEMS), tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": [1], "text": ["zonk"]}), tmp_path / "b.parquet")
    with pytest.raises(PoolError, match=r"b.parquet: its columns differ from those of a.parquet"):
        Pool.open(tmp_path)


def test_damage_inside_a_file_is_a_pool_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hitl.pool import opening

    monkeypatch.setattr(opening, "SMALL_ROWS", 0)
    path = tmp_path / "items.parquet"
    pq.write_table(pa.table({"id": np.arange(1000), "text": ["zonk"] * 1000}), path, compression="none")
    chunk = pq.read_metadata(path).row_group(0).column(0)
    body = bytearray(path.read_bytes())
    body[chunk.dictionary_page_offset or chunk.data_page_offset :][:30] = b"\xff" * 30
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    body[start : start + 30] = b"\xff" * 30
    path.write_bytes(body)
    with pytest.raises(PoolError, match="a part of it cannot be read"):
        Pool.open(path)
