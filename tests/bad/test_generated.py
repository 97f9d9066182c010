"""Input that nobody thought of: it is taken, or refused by an error of ours; nothing else happens."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from policies import GOOD

from hitl.config import CampaignConfig
from hitl.errors import ConfigError, HitlError, LedgerError, ModelError
from hitl.hashes import HashList
from hitl.ledger import Ledger
from hitl.media import open_image
from hitl.models.saving import load, save
from hitl.policy import Policy
from hitl.pool import Pool
from hitl.reading import build, parse_yaml, read_yaml, write_yaml
from hitl.tasks import Form, parse
from hitl.types import Annotation, Answer, Pull, Task

few = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
WORDS = st.text(max_size=12) | st.sampled_from(
    ["text", "labels", "kind", "memory", "no", "1e-5", "~", "", "*a", "&a", "<<"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=9
)
KEYS = [
    "campaign",
    "policy",
    "pool",
    "model",
    "plan",
    "connect",
    "compute",
    "folder",
    "ledger_env",
    "name",
    "version",
    "labels",
]


def refusal(call: Callable[[], object], kind: type[HitlError] = HitlError) -> str:
    """The words with which a call is refused by an error of this kind; "" when it is not."""
    try:
        call()
    except kind as refused:
        return str(refused)
    return ""


@given(st.text(max_size=200) | TREES.map(lambda tree: yaml.safe_dump(tree, allow_unicode=True)))
@few
def test_any_text_as_yaml(text: str) -> None:
    words = refusal(lambda: parse_yaml(text, "some.yaml"), ConfigError)
    assert words.startswith("some.yaml: ") or isinstance(parse_yaml(text), dict)


@given(st.dictionaries(st.sampled_from([*KEYS, "regions", "migration", "multi_label"]) | WORDS, TREES, max_size=6))
@few
def test_any_tree_as_config_and_as_policy(tree: dict[str, Any]) -> None:
    for kind in (CampaignConfig, Policy):
        words = refusal(lambda kind=kind: build(kind, tree, "some.yaml"), ConfigError)
        assert not words or words.startswith("some.yaml: ")


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.booleans() | st.none(), max_size=5))
@few
def test_what_is_written_reads_back(values: dict[str, Any]) -> None:
    written = write_yaml(values)
    words = refusal(lambda: parse_yaml(written), ConfigError)
    assert "half a character" in words or parse_yaml(written) == values


@given(name=st.text(min_size=1, max_size=60), definition=st.text(max_size=60), example=st.text(min_size=1, max_size=60))
@few
def test_a_policy_of_any_words_reads_back(name: str, definition: str, example: str) -> None:
    made = Policy.parse(GOOD).model_dump(mode="json")
    del made["labels"][0]["severity"], made["labels"][0]["actions"]
    made["labels"][1] |= {"name": name, "definition": definition, "examples": [example]}
    if not refusal(lambda: build(Policy, made, "made"), ConfigError):
        policy = build(Policy, made, "made")
        assert Policy.parse(policy.to_yaml()) == policy


READERS: dict[str, Callable[[Path], object]] = {
    "some.yaml": read_yaml,
    "some.csv": Pool.open,
    "some.jsonl": Pool.open,
    "some.parquet": Pool.open,
    "some.arrow": Pool.open,
    "list.csv": HashList.load,
    "list.jsonl": HashList.load,
    "some.png": open_image,
    "card.json": lambda path: load(path.parent),
}
STARTS = [
    b"",
    b"PAR1",
    b"ARROW1\0\0",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"id,text\n",
    b'{"id":',
    b"kind,hash,label\n",
]


@pytest.mark.parametrize("name", READERS)
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=300))
@settings(few, max_examples=30)
def test_any_bytes_as_any_file(name: str, start: bytes, rest: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(start + rest)
    refusal(lambda: READERS[name](path))
    assert path.read_bytes() == start + rest


CELLS = st.none() | st.text(max_size=8) | st.sampled_from(["a", "b", " ", "\0", "=1+1", "1e999", "-1", "nan"])


@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), max_size=8))
@few
def test_any_rows_are_used_or_set_aside_and_none_is_lost(rows: list[tuple[Any, ...]], tmp_path: Path) -> None:
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    items = pa.table({name: pa.array(list(column), pa.string()) for name, column in zip("itra", columns, strict=True)})
    aside = tmp_path / "aside.jsonl"
    aside.unlink(missing_ok=True)
    named = {"id": "i", "text": "t", "reach": "r", "received": "a"}
    pool = Pool.open(items, **named, on_error="quarantine", quarantine_to=aside)
    assert len(pool) + pool.quarantined == len(rows)
    told = [json.loads(line) for line in aside.read_text().splitlines()] if pool.quarantined else []
    assert len(told) == pool.quarantined
    assert all(line["reasons"] and [*line["item"].values()] == [*rows[line["row"]]] for line in told)
    assert len({*pool.ids(range(len(pool)))}) == len(pool)
    assert np.isfinite(pool.reach).all()


@given(
    TREES
    | st.lists(st.fixed_dictionaries({"from_name": WORDS, "to_name": WORDS, "type": WORDS, "value": TREES}), max_size=3)
)
@few
def test_any_json_as_an_answer_is_read_or_quarantined_with_a_reason(results: Any) -> None:
    answer, problem = parse(Form(policy=Policy.parse(GOOD)), results)
    assert (answer is None) == bool(problem)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    return save(folder / "m", {"w": np.arange(9.0)}, {"kind": "zonk", "labels": ["a"]}, {"config.json": b'{"a": 1}'})


@given(name=st.sampled_from(["card.json", "weights.safetensors", "config.json"]), data=st.data())
@few
def test_a_model_with_any_byte_changed_or_cut_off_is_refused(model: Path, name: str, data: st.DataObject) -> None:
    path = model / name
    whole = path.read_bytes()
    harmed = bytearray(whole)
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        harmed[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del harmed[at:]
    path.write_bytes(bytes(harmed))
    try:
        words = refusal(lambda: load(model), ModelError)
        assert str(model) in words or json.loads(harmed) == json.loads(whole)  # a change of blanks alone
    finally:
        path.write_bytes(whole)
    load(model)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ledgers") / "ledger.db"
    ledger = Ledger(path, "trial")
    tasks = [Task(f"key-{at}", 0, f"item-{at}", at, "classify", "1", "", {"text": "zonk"}) for at in range(20)]
    answers = [
        Annotation(f"a{at}", f"key-{at}", "mira", Answer(("bad",)), "2026-03-02T09:00:00Z", 3.0) for at in range(20)
    ]
    with ledger.transaction() as writer:
        writer.begin_round(0, seed=1, config={}, policy_version="1")
        writer.add_tasks(tasks)
        writer.mirror(Pull(tuple(answers), "1", seen={}))
    ledger.close()
    return path


@given(where=st.floats(0, 1), bit=st.integers(0, 7), cut=st.booleans())
@settings(few, max_examples=40)
def test_a_record_with_any_byte_changed_or_cut_off_is_read_or_refused(
    record: Path, where: float, bit: int, cut: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("harmed") / "ledger.db"
    shutil.copyfile(record, path)
    body = bytearray(path.read_bytes())
    at = min(int(where * len(body)), len(body) - 1)
    if cut:
        del body[max(at, 1) :]
    else:
        body[at] ^= 1 << bit
    path.write_bytes(bytes(body))
    words = refusal(lambda: look(path), LedgerError)
    assert not words or "ledger.db" in words


def look(path: Path) -> None:
    ledger = Ledger(path, "trial")
    try:
        _ = ledger.tasks(), ledger.annotations(), ledger.counts()
    finally:
        ledger.close()
