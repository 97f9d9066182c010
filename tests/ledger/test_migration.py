"""Databases of every released schema: opened, brought forward whole or not at all, and used as any other."""

import json
import multiprocessing
import os
import random
from pathlib import Path

import pytest
from ledger_rows import said
from sqlalchemy import create_engine, inspect, text

from hitl.errors import LedgerError
from hitl.labels.voices import voices, wants_people
from hitl.ledger import Ledger, forward, tables
from hitl.types import Estimate, Pick, Pull, Resolution

SCHEMAS = Path(__file__).parent / "schemas"
OLD = Pick(5, "item-5", "explore", 0.7, {"margin": 0.9}, stratum="de", stands_for=4)
AT = "2025-06-01T00:00:00+00:00"
PEOPLE = ("ana", "bo", "cy", "di")


def script(version, dialect):
    return [part for part in (SCHEMAS / f"{version}.{dialect}.sql").read_text().split(";\n") if part.strip()]


def rows(version, rng):
    """Table → rows as the release wrote them, of two campaigns."""
    tasks = [(f"t{n}", n % 2, rng.choice((1, 2, 3)), n % 7 == 0) for n in range(40)]
    annotations = []
    for number in range(150):
        key, who = rng.choice(tasks)[0], rng.choice(PEOPLE)
        for revision in range(1, rng.choice((2, 2, 3, 4))):
            skipped = rng.random() < 0.4
            answer = None if skipped else {"labels": [rng.choice(("ok", "spam"))], "out": "", "note": "a note"}
            annotations.append(
                {
                    "id": str(number), "revision": revision, "task_key": key, "worker": who,
                    "answer": None if answer is None else json.dumps(answer),
                    "submitted": f"2025-06-0{rng.choice((1, 2))}T00:00:00Z", "seconds": 4.5, "skipped": skipped,
                    "deleted": rng.random() < 0.2, "problem": rng.choice(("", "", "", "unreadable")), "mirrored": AT,
                }
            )  # fmt: skip
    held = {
        "schema": [{"version": version}],
        "campaigns": [{"campaign": "other", "started": AT, "cursor": "", "project": ""},
                      {"started": AT, "cursor": "c-9", "project": "http://127.0.0.1/projects/1"}],
        "policies": [{"version": "1", "text": "name: p"}],
        "rounds": [{"round": 0, "config_hash": "h", "config": '{"plan": {}}', "seed": 7, "policy_version": "1",
                    "started": AT}],
        "steps": [{"round": 0, "step": "select", "output": '{"picks": 1}', "completed": AT, "seconds": 0.1}],
        "picks": [{"round": 0, "item_id": "item-5", "rank": 0, "position": 5, "arm": "explore", "score": 0.7,
                   "parts": '{"margin": 0.9}', "inclusion": None, "stratum": "de", "stands_for": 4}],
        "tasks": [{"key": key, "round": number, "rank": rank, "item_id": f"item-{key}", "position": rank,
                   "form": "classify", "policy_version": "1", "region": "DE", "data": '{"text": "harmless"}',
                   "priority": 0.4, "overlap": overlap, "predicted": "{}", "model_id": "", "server_id": str(rank),
                   "lost": lost} for rank, (key, number, overlap, lost) in enumerate(tasks)],
        "intents": [{"kind": "overlap", "key": "t1", "value": 3, "done": False, "at": AT},
                    {"kind": "overlap", "key": "t2", "value": 1, "done": True, "at": AT},
                    {"kind": "overlap", "key": "t1", "value": 2, "done": True, "at": AT}],
        "annotations": annotations,
        "resolutions": [{"round": 0, "item_id": "item-5", "position": 5, "labels": '["spam"]', "confidence": 0.9,
                         "method": "majority", "policy_version": "1", "annotations": '["1"]', "outs": "{}"}],
        "models": [{"round": 0, "model_id": "m-1", "folder": "models/m-1", "card": "{}"}],
        "metrics": [{"round": 0, "sample": "benchmark", "name": "macro_f1", "label": "", "rank": 0, "model_id": "m-1",
                     "value": 0.5, "low": 0.4, "high": 0.6, "n": 40, "level": 0.95, "method": "bootstrap"}],
        "events": [{"number": 1, "at": AT, "kind": "annotation edited", "detail": '{"task": "t1"}'}],
    }  # fmt: skip
    if version > 1:
        held["picks"][0]["label"] = ""
    return held


def write(where, version, rng):
    """A database as the release left it."""
    engine = create_engine(where)
    with engine.begin() as connection:
        for statement in script(version, engine.dialect.name):
            connection.execute(text(statement))
        for table, held in rows(version, rng).items():
            for row in held:
                given = row if table == "schema" else {"campaign": "trial", **row}
                names = ", ".join(f'"{name}"' for name in given)
                values = ", ".join(f":{name}" for name in given)
                connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), given)
    engine.dispose()


@pytest.fixture(params=[1, 2])
def old(request, place):
    """A database as each release wrote it."""
    write(place, request.param, random.Random(request.param))
    return place


def shape(where):
    """Columns with their kind and whether they may be empty, keys and indexes of every table."""
    engine = create_engine(where)
    seen = inspect(engine)
    found = {
        name: (
            sorted((c["name"], str(c["type"].__class__), c["nullable"]) for c in seen.get_columns(name))
            if engine.dialect.name == "postgresql"
            else sorted((c["name"], c["nullable"]) for c in seen.get_columns(name)),
            seen.get_pk_constraint(name)["constrained_columns"],
            sorted((i["name"], tuple(i["column_names"])) for i in seen.get_indexes(name)),
        )
        for name in seen.get_table_names()
    }
    engine.dispose()
    return found


def version(where):
    engine = create_engine(where)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT version FROM schema")).scalar_one()
        added = {column["name"] for column in inspect(connection).get_columns("tasks")} & {"queue", "asked"}
    engine.dispose()
    return found, bool(added)


def test_all_that_was_recorded_is_there(old, opened):
    ledger = opened(old)
    assert version(old) == (3, True)
    assert ledger.picks(0) == [OLD]
    assert ledger.step(0, "select") == {"picks": 1}
    assert (ledger.cursor, ledger.project) == ("c-9", "http://127.0.0.1/projects/1")
    assert ledger.policies() == {"1": "name: p"}
    assert (ledger.rounds()[0]["seed"], ledger.rounds()[0]["config"]) == (7, {"plan": {}})
    assert ledger.resolutions(0) == [Resolution("item-5", 5, ("spam",), 0.9, "majority", "1", ("1",), {})]
    assert ledger.model(0)["model_id"] == "m-1"
    assert ledger.metrics(0, "benchmark") == [Estimate("macro_f1", 0.5, 0.4, 0.6, 40, method="bootstrap")]
    assert ledger.intents("overlap") == {"t1": 3}
    assert [event["detail"] for event in ledger.events()] == [{"task": "t1"}]
    assert {(t.queue, t.region) for t in ledger.tasks()} == {("", "DE")}
    assert len(ledger.server_ids()) == ledger.counts()["tasks"] == 40
    assert len(ledger.lost_tasks()) == 6
    assert len(ledger.annotations()) == ledger.counts()["annotations"] == 150
    assert {a.changed_by for a in ledger.revisions()} == {""}
    assert opened(old, "other").counts() == {"rounds": 0, "tasks": 0, "annotations": 0}


def test_counters_are_what_the_old_answers_say(old, opened):
    ledger = opened(old)
    heard, lost = voices(ledger.revisions()), ledger.lost_tasks()
    assert voices(ledger.annotations()) == heard
    expected = [t.key for t in ledger.tasks() if t.key not in lost and wants_people(t, heard.get(t.key, ()))]
    assert ledger.unanswered() == expected
    assert 0 < len(expected) < 34
    assert {t.key: t.overlap for t in ledger.tasks()}["t1"] == 3


def test_it_goes_on_as_a_new_one(old, opened):
    ledger = opened(old)
    key = ledger.unanswered()[0]
    new = Pick(6, "item-6", "contested", 0.6, {"margin": 0.6}, label="hate")
    with ledger.transaction() as writer:
        writer.add_picks(1, [new])
        writer.mirror(Pull(tuple(said(f"n{who}", key, worker=who) for who in "123"), "c", seen={}))
    assert ledger.picks(1) == [new]
    assert key not in ledger.unanswered()
    assert ledger.counts()["annotations"] == 153


def test_it_has_the_shape_of_a_new_one(old, opened):
    opened(old).close()
    brought = shape(old)
    engine = create_engine(old)
    with engine.begin() as connection:
        tables.metadata.drop_all(connection)
    engine.dispose()
    assert shape(old) == {}
    opened(old)
    assert shape(old) == brought


def test_every_released_schema_has_a_way_forward():
    assert sorted(forward.FORWARD) == list(range(1, tables.SCHEMA_VERSION))
    released = {path.name.split(".")[0] for path in SCHEMAS.iterdir()}
    assert released == {str(number) for number in forward.FORWARD}


@pytest.mark.parametrize("after", [1, 9, 99])
def test_a_failure_in_mid_migration_changes_nothing(old, opened, monkeypatch, after):
    before = shape(old)
    with monkeypatch.context() as broken:
        for number, steps in forward.FORWARD.items():
            cut = {kind: (*said[:after], "UPDATE nowhere SET nothing = 1") for kind, said in steps.items()}
            broken.setitem(forward.FORWARD, number, cut)
        with pytest.raises(LedgerError, match="the database failed"):
            opened(old)
    assert shape(old) == before
    assert opened(old).picks(0) == [OLD]


class Deadly(tuple):
    """Statements after which the process is gone, as by a power cut."""

    def __iter__(self):
        yield from super().__iter__()
        os._exit(9)


def _open_and_die(where):
    for kind, steps in forward.FORWARD[2].items():
        forward.FORWARD[2][kind] = Deadly(steps)
    Ledger(where, "trial")


def test_a_process_killed_in_mid_migration_leaves_the_old_database(old, opened):
    before = shape(old)
    process = multiprocessing.get_context("fork").Process(target=_open_and_die, args=(old,))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert shape(old) == before
    assert opened(old).picks(0) == [OLD]
    assert version(old) == (3, True)
