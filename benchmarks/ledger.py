"""Five million revisions of answers: opening, status, resuming and one more pull, on SQLite and PostgreSQL.

The record is of 500 rounds of 2,000 tasks that three people each answered, two answers of three edited once, and a
round that waits for people. What is timed runs in a process of its own, imports aside: `hitl status` and `hitl run` up
to their first request, and the mirroring of 200 answers.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from common import Goal, finish
from sqlalchemy import create_engine, text

import hitl
from hitl.demo.stream import demo_policy, generate
from hitl.errors import ServerUnreachable
from hitl.ledger import Ledger
from hitl.rounds import STEPS
from hitl.rounds.brief import brief
from hitl.types import Annotation, Answer, Pull

sys.path.append(str(Path(__file__).parent.parent / "tests" / "ledger"))
from throwaway import binary, throwaway

PEOPLE, TASKS = 3, 2_000
AT = "2026-01-01T00:00:00+00:00"
LABELS = ("spam", "hate", "threat", "fine")
PULLED = 200
SPREAD = 0x9E3779B97F
"""Odd, so that no two tasks have one key."""


class Silent(hitl.MemoryConnector):
    """A place whose first request is the end of what is timed."""

    def open(self, *about: Any) -> str:
        raise ServerUnreachable("as far as it goes without a request")


def campaign(url: str, folder: Path, rounds: int) -> hitl.Campaign:
    pool = hitl.Pool.open(generate(50, seed=3), text="text", id="id", reach="reach")
    return hitl.Campaign(
        "bench",
        policy=demo_policy(),
        pool=pool,
        model=hitl.TextLinear(),
        plan=hitl.Plan(rounds=rounds, budget=TASKS),
        connector=Silent({}),
        folder=folder,
        ledger=Ledger(url, "bench"),
    )


def key(number: int) -> str:
    """A task's key, spread like a hash: neighbours lie far apart."""
    return f"{number * SPREAD % 2**40:010x}"


def tables(rounds: int, config: str, version: str) -> Iterator[tuple[str, str, Iterable[tuple[Any, ...]]]]:
    """Table, columns and rows; the last round waits with half of its tasks answered."""
    every = range(rounds + 1)
    yield (
        "rounds",
        "round, config_hash, config, seed, policy_version, started",
        ((n, "", config, 0, version, AT) for n in every),
    )
    measured = json.dumps({"comparison": None, "confusion": {"labels": LABELS, "matrix": [[1.0] * 4] * 4, "n": 16}})
    outputs = {"resolve": json.dumps({"resolved": TASKS, "unresolved": 0, "workers": []}), "measure": measured}
    yield (
        "steps",
        "round, step, output, completed, seconds",
        (
            (n, step, outputs.get(step, "{}"), AT, 1.0)
            for n in every
            for step in (STEPS if n < rounds else ("select", "ask", "push"))
        ),
    )
    yield (
        "metrics",
        "round, sample, name, label, rank, model_id, value, low, high, n, level, method",
        (
            (n, sample, name, label, rank, f"m-{n}", 0.5, 0.4, 0.6, 100, 0.95, "bootstrap")
            for n in range(rounds)
            for sample in ("benchmark", "audit")
            for rank, (name, label) in enumerate(itertools.product(("macro_f1", "recall", "precision"), ("", *LABELS)))
        ),
    )
    yield "models", "round, model_id, folder, card", ((n, f"m-{n}", f"models/m-{n}", "{}") for n in range(rounds))


def bulk(rounds: int, version: str, dialect: str) -> Iterator[str]:
    """The large tables as SQL on `numbers` (`i` from 0 on); the last round waits with half of its tasks answered."""
    postgres = dialect == "postgresql"
    hashed = f"i * {SPREAD} % {2**40}"
    keyed = f"lpad(to_hex({hashed}), 10, '0')" if postgres else f"printf('%010x', {hashed})"
    none, as_json = ("NULL::float", "::json") if postgres else ("NULL", "")
    task, item, last = f"i / {TASKS}, i % {TASKS}", "'item-' || i", rounds * TASKS
    yield f"""INSERT INTO picks (campaign, round, rank, item_id, position, arm, label, score, parts, inclusion, stratum,
        stands_for) SELECT 'bench', {task}, {item}, i, 'uncertain', '', 0.5, '{{"margin": 0.5}}'{as_json}, {none}, '', 1
        FROM numbers"""
    data = json.dumps({"text": "a harmless sentence of some length, as people write them " * 3, "hitl_key": "k"})
    answers = f"CASE WHEN i < {last} OR i % 2 = 1 THEN {PEOPLE} ELSE 0 END"
    yield f"""INSERT INTO tasks (campaign, key, round, rank, item_id, position, form, policy_version, region, data,
        priority, overlap, predicted, model_id, server_id, lost, queue, asked, answers, skips)
        SELECT 'bench', {keyed}, {task}, {item}, i, 'classify', '{version}', '', '{data}'{as_json}, 0.5, {PEOPLE},
        '{{}}'{as_json}, 'm', CAST(i AS TEXT), FALSE, '', {PEOPLE}, {answers}, 0 FROM numbers"""
    said = "'{\"labels\": [\"' || CASE (i + person + revision) % 2 WHEN 0 THEN 'spam' ELSE 'fine' END || '\"], "
    said += '"out": "", "note": "", "spans": [], "ratings": []}\''
    who = "'w-' || (i + person) % 40"
    yield f"""INSERT INTO annotations (campaign, id, revision, task_key, worker, answer, submitted, seconds, skipped,
        deleted, problem, mirrored, changed_by, latest)
        SELECT 'bench', CAST(10000000 + i * {PEOPLE} + person AS TEXT), revision, {keyed}, {who}, ({said}){as_json},
        '{AT}', 6.5, FALSE, FALSE, '', '{AT}', {who}, (i + person) % 3 = 0 OR revision = 2
        FROM numbers, (SELECT 0 AS person UNION SELECT 1 UNION SELECT 2) AS people,
        (SELECT 1 AS revision UNION SELECT 2) AS revisions
        WHERE (i < {last} OR i % 2 = 1) AND ((i + person) % 3 > 0 OR revision = 1) ORDER BY i, person, revision"""
    detail = json.dumps({"worker": "w-1", "changed_by": "w-1", "changed": ["labels"], "before": {}, "after": {}})
    yield f"""INSERT INTO events (campaign, number, at, kind, detail)
        SELECT 'bench', i * 2 + n, '{AT}', 'annotation edited', '{detail}'{as_json}
        FROM numbers, (SELECT 1 AS n UNION SELECT 2) AS two"""


def build(url: str, folder: Path, rounds: int) -> int:
    """Write the record past the ledger, which would take hours; how many revisions there are."""
    made = campaign(url, folder, rounds)
    config, version = json.dumps(made.walk.config()), demo_policy().version
    made.ledger.close()
    engine = create_engine(url)
    postgres, tasks = engine.dialect.name == "postgresql", (rounds + 1) * TASKS
    with engine.begin() as connection:
        for table, columns, rows in tables(rounds, config, version):
            marks = ", ".join(f":{name}" for name in columns.split(", "))
            statement = text(f"INSERT INTO {table} (campaign, {columns}) VALUES ('bench', {marks})")
            connection.execute(statement, [dict(zip(columns.split(", "), row, strict=True)) for row in rows])
        series = f"SELECT generate_series(0::bigint, {tasks - 1}) AS i"
        if not postgres:
            series = (
                f"WITH RECURSIVE s(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i < {tasks - 1}) SELECT i FROM s"
            )
            connection.exec_driver_sql("PRAGMA cache_size = -1000000")
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE numbers AS {series}")
        connection.exec_driver_sql("DROP INDEX ix_annotations_task_key")
        for statement in bulk(rounds, version, engine.dialect.name):
            connection.exec_driver_sql(statement.replace("%", "%%") if postgres else statement)
        connection.exec_driver_sql("CREATE INDEX ix_annotations_task_key ON annotations (campaign, task_key)")
        connection.exec_driver_sql(f"UPDATE campaigns SET tasks = {tasks}")
        count = connection.exec_driver_sql("SELECT COUNT(*) FROM annotations").scalar_one()
    if postgres:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    engine.dispose()
    return int(count)


def timed(what: Callable[[], object]) -> float:
    begun = time.perf_counter()
    what()
    return time.perf_counter() - begun


def measure(url: str, folder: Path, rounds: int) -> dict[str, float]:
    """Seconds that each takes, in this process."""
    # What is imported late is not the ledger's.
    campaign(f"sqlite:///{folder / 'warm.db'}", folder, rounds).ledger.close()
    create_engine(url).connect().close()
    seconds = {"opening": timed(lambda: Ledger(url, "bench").close())}
    parts = campaign(url, folder, rounds)

    def status() -> None:
        parts.ledger.close()
        parts.walk.__dict__["ledger"] = parts.ledger = Ledger(url, "bench")
        assert parts.status.state == "waiting", parts.status
        assert len(brief(parts.walk)) == rounds + 1

    def resume() -> None:
        try:
            parts.run()
        except ServerUnreachable:
            return
        raise AssertionError

    seconds["status"] = timed(status)
    seconds["resume"] = seconds["opening"] + timed(resume)
    seconds["repr"] = timed(lambda: repr(parts.ledger))
    seconds["answers of a round"] = timed(lambda: parts.ledger.annotations(rounds))
    seconds["mirror"] = median(timed(lambda turn=turn: mirror(parts.ledger, rounds, turn)) for turn in range(5))
    seconds["the same again"] = timed(lambda: mirror(parts.ledger, rounds, 4))
    return seconds


def mirror(ledger: Ledger, rounds: int, turn: int) -> None:
    """A pull of 150 new answers to the round that waits, and of 50 edits all over the record."""
    rng = random.Random(turn)
    new = [rounds * TASKS + 2 * (turn * 150 + one) for one in range(150)]
    old = rng.sample(range(rounds * TASKS), PULLED - len(new))
    pulled = [
        Annotation(
            str(10_000_000 + task * PEOPLE + (task in new) * 10**8),
            key(task),
            f"w-{task % 40}",
            Answer(("threat",)),
            AT,
            5.0,
        )
        for task in [*new, *old]
    ]
    with ledger.transaction() as writer:
        writer.mirror(Pull(tuple(pulled), f"turn {turn}"))


@contextmanager
def places(folder: Path) -> Iterator[dict[str, str]]:
    """The databases by name: SQLite, and PostgreSQL where it is there or HITL_POSTGRES_URL names one that is empty."""
    found = {"SQLite": f"sqlite:///{folder / 'ledger.db'}"}
    given = os.environ.get("HITL_POSTGRES_URL")
    if given or not (binary("initdb") and binary("pg_ctl")):
        yield found | ({"PostgreSQL": given} if given else {})
        return
    with throwaway() as url:
        yield found | {"PostgreSQL": url}


def main(rounds: int) -> None:
    rows, goals = [], []
    with tempfile.TemporaryDirectory() as name, places(Path(name)) as found:
        for kind, url in found.items():
            begun = time.perf_counter()
            count = build(url, Path(name), rounds)
            built = time.perf_counter() - begun
            # A process of its own gets the URL by its environment: arguments can be read by everybody.
            here = os.environ | {"BENCH_URL": url}
            command = [sys.executable, __file__, "--measure", name, "--rounds", str(rounds)]
            told = json.loads(subprocess.run(command, env=here, capture_output=True, text=True, check=True).stdout)
            told["building"] = built
            rows += [[kind, f"{count:,}", what, f"{seconds:.3f}"] for what, seconds in told.items()]
            wanted = (("status", 2.0), ("resume", 2.0), ("mirror", 1.0))
            goals += [
                Goal(
                    f"{kind}: {what}, {count:,} revisions", f"< {most:.0f} s", f"{told[what]:.2f} s", told[what] < most
                )
                for what, most in wanted
            ]
    finish("ledger", goals, rows, ["database", "revisions", "what", "seconds"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 rounds instead of 500")
    parser.add_argument("--rounds", type=int, default=500, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(os.environ["BENCH_URL"], given.measure, given.rounds)))
    else:
        main(20 if given.quick else given.rounds)
