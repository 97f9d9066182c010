import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hitl.errors import ConfigError, PoolError
from hitl.pool import Pool, opening

BAD = pa.table(
    {
        "id": ["a", "b", "a", None, "e", "f", "g", " ", "b", "a"],
        "text": ["zonk", "", "wub", "plim", None, "grint", " \t", "morv", "zonk", "wub"],
        "views": [1.0, 2.0, 3.0, 4.0, -1.0, float("nan"), None, float("inf"), 0.0, 5.0],
        "seen": ["2024-01-01", "", None, "2024-02-30", "soon", "2024-01-01T10:00Z", "2024", "", "20240101", ""],
    }
)
COLUMNS = {"reach": "views", "received": "seen"}
REASONS = {
    1: ["text missing or blank"],
    2: ["id stands on an earlier row already"],
    3: ["id is missing or blank", "received is no time"],
    4: ["reach is missing, negative or not finite", "received is no time", "text missing or blank"],
    5: ["reach is missing, negative or not finite"],
    6: ["reach is missing, negative or not finite", "text missing or blank"],
    7: ["id is missing or blank", "reach is missing, negative or not finite"],
    8: ["id stands on an earlier row already"],
    9: ["id stands on an earlier row already"],
}


@pytest.fixture(params=["table", "parquet"])
def source(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    if request.param == "table":
        return BAD
    monkeypatch.setattr(opening, "SMALL_ROWS", 0)
    pq.write_table(BAD, tmp_path / "bad.parquet", row_group_size=3)
    return tmp_path / "bad.parquet"


def test_the_error_names_how_many_and_the_first_of_each_kind(source: object) -> None:
    with pytest.raises(PoolError) as told:
        Pool.open(source, **COLUMNS)
    message = str(told.value)
    assert "9 of 10 rows cannot be used (rows are counted from 0)" in message
    assert "id is missing or blank: 2 — row 3 (id ''), row 7 (id ' ')" in message
    assert "id stands on an earlier row already: 3 — row 2 (id 'a'), row 8 (id 'b'), row 9 (id 'a')" in message
    assert "reach is missing, negative or not finite: 4 — row 4 (id 'e'), row 5 (id 'f'), row 6 (id 'g'), …" in message
    assert "received is no time: 2 — row 3 (id ''), row 4 (id 'e')" in message
    assert "text missing or blank: 3 — row 1 (id 'b')" in message
    assert 'on_error="quarantine"' in message
    assert not any(word in message for word in ("zonk", "wub", "plim", "grint"))


def test_quarantine_sets_bad_rows_aside_and_goes_on(source: object, tmp_path: Path) -> None:
    file = tmp_path / "aside" / "bad.jsonl"
    pool = Pool.open(source, **COLUMNS, on_error="quarantine", quarantine_to=file)
    written = [json.loads(line) for line in file.read_text().splitlines()]
    assert {row["row"]: sorted(row["reasons"]) for row in written} == REASONS
    assert written[2]["item"] == {"id": None, "text": "plim", "views": 4.0, "seen": "2024-02-30"}
    assert written[4]["item"]["views"] == "nan"
    assert (len(pool), pool.quarantined, pool.quarantine_file) == (1, 9, file)
    assert pool.ids([0]) == ["a"]
    assert pool.texts([0]) == ["zonk"]
    assert [batch.table["id"].to_pylist() for batch in pool.batches(5)] == [["a"]]
    assert "9 quarantined" in repr(pool)


def test_positions_count_the_rows_that_were_kept(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", "b", "c", "d"], "text": ["zonk", "", "wub", "plim"], "views": [1, 2, 3, 4]})
    pool = Pool.open(table, reach="views", on_error="quarantine", quarantine_to=tmp_path / "bad.jsonl")
    assert pool.ids([2, 1]) == ["d", "c"]
    assert pool.position_of(["d"]).tolist() == [2]
    assert pool.reach.tolist() == [1, 3, 4]
    assert [batch.table["text"].to_pylist() for batch in pool.batches(2)] == [["zonk", "wub"], ["plim"]]
    kept = Pool.open(table.take([0, 2, 3]), reach="views")
    assert pool.keys.tolist() == kept.keys.tolist()


def test_no_other_quarantine_file_is_overwritten(tmp_path: Path) -> None:
    def opened(rows: int) -> Path | None:
        pool = Pool.open(BAD.slice(0, rows), **COLUMNS, on_error="quarantine", quarantine_to=tmp_path / "bad.jsonl")
        return pool.quarantine_file

    assert opened(4) == tmp_path / "bad.jsonl"
    first = (tmp_path / "bad.jsonl").read_text()
    assert opened(4) == tmp_path / "bad.jsonl"
    assert opened(6) == tmp_path / "bad-2.jsonl"
    assert opened(6) == tmp_path / "bad-2.jsonl"
    assert (tmp_path / "bad.jsonl").read_text() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad-2.jsonl", "bad.jsonl"]


def test_a_quarantine_file_is_named_beside_a_file_and_asked_for_elsewhere(tmp_path: Path) -> None:
    pq.write_table(BAD, tmp_path / "items.parquet")
    pool = Pool.open(tmp_path / "items.parquet", **COLUMNS, on_error="quarantine")
    assert pool.quarantine_file == tmp_path / "items.quarantine.jsonl"
    with pytest.raises(ConfigError, match="give quarantine_to"):
        Pool.open(BAD, **COLUMNS, on_error="quarantine")
    clean = Pool.open(BAD.slice(0, 1), **COLUMNS, on_error="quarantine")
    assert (clean.quarantined, clean.quarantine_file) == (0, None)


def test_columns_of_text_are_checked_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("id,text,views\n1,zonk,10\n2,wub,many\n3,plim,\n")
    with pytest.raises(PoolError, match=r"reach is missing.*: 2 — row 1 \(id '2'\), row 2 \(id '3'\)"):
        Pool.open(path, reach="views")


def test_media_may_stand_for_text_and_one_of_both_is_enough() -> None:
    table = pa.table({"url": ["a.jpg", None, " "], "text": ["", "zonk", ""]})
    with pytest.raises(PoolError, match=r"1 of 3 rows.*text and media|1 of 3 rows.*text and url missing or blank: 1"):
        Pool.open(table, media="url", text="text")
    with pytest.raises(PoolError, match=r"2 of 3 rows.*url missing or blank: 2"):
        Pool.open(table, media="url")


def test_equal_keys_of_different_ids_are_no_duplicates(monkeypatch: pytest.MonkeyPatch) -> None:
    from hitl.pool import checks

    monkeypatch.setattr(checks, "hash_text", lambda column: np.zeros(len(column), dtype=np.uint64))
    assert len(Pool.open(pa.table({"id": ["a", "b"], "text": ["zonk", "wub"]}))) == 2
    with pytest.raises(PoolError, match=r"1 of 3 rows.*row 2 \(id 'a'\)"):
        Pool.open(pa.table({"id": ["a", "b", "a"], "text": ["zonk", "wub", "plim"]}))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=20), group=st.integers(1, 8))
def test_duplicates_are_found_wherever_they_stand(
    ids: list[str], group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "SMALL_ROWS", 0)
    pq.write_table(pa.table({"id": ids, "text": ["zonk"] * len(ids)}), tmp_path / "i.parquet", row_group_size=group)
    pool = Pool.open(tmp_path / "i.parquet", on_error="quarantine", quarantine_to=tmp_path / "q.jsonl")
    for file in tmp_path.glob("q*.jsonl"):
        file.unlink()
    assert pool.ids(np.arange(len(pool))) == list(dict.fromkeys(ids))
    assert pool.quarantined == len(ids) - len(set(ids))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(alphabet=" \t\nab\u00a0\u3000", max_size=3), min_size=1, max_size=12),
    group=st.integers(1, 5),
)
def test_statistics_and_reading_agree_on_blank_texts(
    texts: list[str], group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "SMALL_ROWS", 0)
    pq.write_table(pa.table({"text": texts}), tmp_path / "t.parquet", row_group_size=group)
    blank = [row for row, text in enumerate(texts) if not text.strip(" \t\n")]
    if not blank:
        assert len(Pool.open(tmp_path / "t.parquet")) == len(texts)
        return
    with pytest.raises(PoolError, match=f"text missing or blank: {len(blank)} — row {blank[0]} "):
        Pool.open(tmp_path / "t.parquet")
