"""Lists: read strictly, written as they were read, looked up exactly."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import ConfigError, DataError
from hitl.hashes import Entry, HashList, from_hex
from hitl.markup import visible

A, B = "0a" * 32, "b0" * 32
SHOWN = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=200).filter(
    lambda word: visible(word) == word
)
LINES = st.builds(
    Entry,
    st.sampled_from(["sha256", "pdq", "text", "minhash"]),
    st.binary(min_size=32, max_size=32).map(bytes.hex),
    SHOWN.filter(str.strip),
    SHOWN | SHOWN.map("=".__add__).filter(lambda word: len(word) <= 200),
)


@given(lines=st.lists(LINES, unique_by=lambda entry: entry[:2], max_size=8), suffix=st.sampled_from(["csv", "jsonl"]))
def test_a_list_is_read_as_it_was_written(tmp_path_factory, lines, suffix):
    path = tmp_path_factory.mktemp("lists") / f"known.{suffix}"
    HashList.of(lines).save(path)
    assert list(HashList.load(path).entries()) == lines


def test_columns_may_stand_in_any_order_and_the_source_be_left_out(tmp_path):
    path = tmp_path / "known.csv"
    path.write_text(f"\ufefflabel,hash,kind\nzonk,{A.upper()},pdq\n\n", encoding="utf-8")
    assert list(HashList.load(path).entries()) == [Entry("pdq", A, "zonk", "")]
    path = tmp_path / "known.jsonl"
    path.write_text(json.dumps({"label": "zonk", "hash": A, "kind": "text"}) + "\n\n")
    assert repr(HashList.load(path)) == "HashList(1 text)"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (f"kind,hash,label\npdq,{A},zonk\nphash,{B},zonk\n", "line 3: the kind 'phash' is not known"),
        (f"kind,hash,label\npdq,{A[:-1]},zonk\n", "line 2: the hash has 63 characters"),
        (f"kind,hash,label\npdq,{A},\n", "line 2: there is no label"),
        (
            f"kind,hash,label\npdq,{A},zonk\npdq,{B},zonk\npdq,{A.upper()},wub\n",
            r"line 4: the same pdq hash as .*line 2",
        ),
        (f"kind,hash\npdq,{A}\n", "line 1: .*label is missing"),
        (f"kind,hash,label,when\npdq,{A},zonk,now\n", "line 1: .*'when' is unknown"),
        (f"kind,hash,label,label\npdq,{A},zonk,wub\n", "line 1: .*one is twice"),
        (f"kind,hash,label\npdq,{A}\n", "line 2: 2 values for 3 columns"),
        (f'kind,hash,label\npdq,{A},"zonk\n', "line 2: this is not CSV"),
        ("", "line 1: .*kind is missing"),
    ],
)
def test_mistakes_in_csv_are_told_by_line(tmp_path, content, told):
    path = tmp_path / "known.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=told) as refused:
        HashList.load(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2: this is not JSON"),
        ("[" * 60_000, "line 2: this is not JSON"),
        ("[]", "line 2: a list stands"),
        (json.dumps({"kind": "pdq", "hash": 7, "label": "zonk"}), "line 2: .* must be text"),
        (json.dumps({"kind": "pdq", "hash": B, "label": None}), "line 2: .* must be text"),
        (json.dumps({"kind": "pdq", "hash": B, "label": "zonk", "self": 1}), "line 2: .*'self' is unknown"),
        (json.dumps({"kind": "pdq", "hash": A, "label": "wub"}), r"line 2: the same pdq hash as .*line 1"),
    ],
)
def test_mistakes_in_jsonl_are_told_by_line(tmp_path, line, told):
    path = tmp_path / "known.jsonl"
    path.write_text(json.dumps({"kind": "pdq", "hash": A, "label": "zonk"}) + "\n" + line + "\n")
    with pytest.raises(DataError, match=told):
        HashList.load(path)


def test_files_that_are_no_lists(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        HashList.load(tmp_path / "none.csv")
    with pytest.raises(ConfigError, match=r"\.csv or \.jsonl"):
        HashList.load(tmp_path / "known.xlsx")
    with pytest.raises(ConfigError, match=r"\.csv or \.jsonl"):
        HashList.of([]).save(tmp_path / "known.xlsx")
    (tmp_path / "latin.csv").write_bytes(b"kind,hash,label\n\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        HashList.load(tmp_path / "latin.csv")


def test_each_kind_is_looked_up_among_its_own():
    entries = [Entry("pdq", A, "zonk"), Entry("text", A, "wub"), Entry("sha256", B, "plim"), Entry("text", B, "plim")]
    known = HashList.of(entries)
    asked = from_hex([B, "ff" * 32, A, A[:-1] + "b"])
    for kind, query, entry, distance in [
        ("text", [0, 2], [3, 1], [0, 0]),
        ("sha256", [0], [2], [0]),
        ("pdq", [2, 3], [0, 0], [0, 1]),
        ("minhash", [], [], []),
    ]:
        pairs = known.find(kind, asked)
        assert (pairs.query.tolist(), pairs.entry.tolist(), pairs.distance.tolist()) == (query, entry, distance)
    assert len(known.find("text", np.empty((0, 32), dtype=np.uint8))) == 0
    assert len(HashList.of([]).find("text", asked)) == 0
    with pytest.raises(ConfigError, match="sha256, pdq, text, minhash"):
        known.find("phash", asked)
