"""Reading the record; writing goes through `Ledger.transaction()`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr
from sqlalchemy import ColumnElement, RowMapping, Select, Table, func, or_, select, text

from hitl.errors import LedgerError
from hitl.history import EstimateRow, EventRow, read_estimate
from hitl.ledger import tables
from hitl.ledger.access import Access
from hitl.ledger.engine import PATIENCE, open_engine
from hitl.ledger.erasing import Held, held, vacuum
from hitl.ledger.failures import told
from hitl.ledger.overview import Counted, overview, wants_people
from hitl.ledger.rows import read_annotation, read_pick, read_resolution, read_task
from hitl.ledger.writer import Writer
from hitl.types import Annotation, Estimate, Pick, Resolution, Task

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


class Ledger:
    """The record of one campaign in a database that may hold several.

    `where` is a path (SQLite in WAL mode), which holds one campaign, or a URL of SQLite or PostgreSQL, which may hold
    several; a `SecretStr` keeps its password out of sight. Others may read while one writes; writers of one campaign
    wait for one another. Raises `LedgerError` when the database cannot be opened or fails, saying what to do, and
    `ConfigError` when its driver is not installed.

    >>> ledger = Ledger(":memory:", "trial")
    >>> with ledger.transaction() as writer:
    ...     writer.begin_round(0, seed=1, config={"budget": 10}, policy_version="1")
    ...     writer.complete(0, "select", {"picks": 10}, seconds=0.1)
    >>> ledger.step(0, "select")
    {'picks': 10}
    >>> ledger
    Ledger('trial', 1 round, 0 tasks, 0 annotations)
    """

    def __init__(self, where: str | Path | SecretStr, campaign: str, *, clock: Clock = utc_now) -> None:
        self.campaign = campaign
        self._clock = clock
        self._engine, self.place = open_engine(where, campaign)
        self._reader = self._engine.execution_options(reading=True)
        if not self._all(tables.campaigns):
            with self.transaction() as writer:
                writer.begin_campaign()

    @contextmanager
    def transaction(self) -> Iterator[Writer]:
        """One transaction: all that is written inside is there afterwards, or none of it."""
        with told(self.place), self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                # SQLite has one writer at a time anyway, and waits as long.
                connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}s'"))
                row = select(tables.campaigns.c.campaign).where(self._mine(tables.campaigns))
                connection.execute(row.with_for_update())
            yield Writer(connection, self.campaign, self._clock().isoformat())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only run of the campaign on this server, whatever folder others are started in.

        Raises `LedgerError` when there is another. A SQLite file lies in the campaign's folder, whose lock holds there.
        """
        if self._engine.dialect.name != "postgresql":
            yield
            return
        lock = {"lock": f"hitl run {self.campaign}"}
        with told(self.place):
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            with told(self.place):
                taken = connection.execute(text("SELECT pg_try_advisory_lock(hashtextextended(:lock, 0))"), lock)
                if not taken.scalar_one():
                    raise LedgerError(f"{self.place}: another run of {self.campaign!r} is at it; wait, or stop it")
            yield
        finally:
            # The lock ends with its connection, also where that is lost.
            connection.invalidate()
            connection.close()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @property
    def cursor(self) -> str:
        """Where the next pull goes on."""
        return str(self._about("cursor"))

    @property
    def started(self) -> str:
        """When the campaign began, ISO 8601."""
        return str(self._about("started"))

    @property
    def project(self) -> str:
        """The address where people work; empty until the project is there."""
        return str(self._about("project"))

    @property
    def settings(self) -> dict[str, Any]:
        """How the place where people work was last seen or set up by us: `queue/setting` → value."""
        return {row["name"]: row["value"] for row in self._all(tables.settings, order="name")}

    def _about(self, column: str) -> Any:
        return self._all(tables.campaigns)[0][column]

    def policies(self) -> dict[str, str]:
        """The text of every policy version that was in force."""
        return {row["version"]: row["text"] for row in self._all(tables.policies)}

    def rounds(self) -> list[RowMapping]:
        """The rounds that have begun, in order."""
        return self._all(tables.rounds, order="round")

    def step(self, number: int, step: str) -> dict[str, Any] | None:
        """What a step put out, None while it is not completed."""
        rows = self._all(tables.steps, round=number, step=step)
        return dict(rows[0]["output"]) if rows else None

    def steps(self, number: int) -> dict[str, RowMapping]:
        """The completed steps of a round."""
        return {row["step"]: row for row in self._all(tables.steps, order="completed", round=number)}

    def completed(self, step: str) -> dict[int, str]:
        """The rounds in which a step is completed, with when. O(rounds), no output is read."""
        table = tables.steps.c
        query = select(table.round, table.completed).where(self._mine(tables.steps), table.step == step)
        return {row["round"]: row["completed"] for row in self._rows(query.order_by(table.round))}

    def outputs(self, step: str) -> dict[int, dict[str, Any]]:
        """What a step put out in every round. O(rounds)."""
        return {row["round"]: dict(row["output"]) for row in self._all(tables.steps, order="round", step=step)}

    def picks(self, number: int) -> list[Pick]:
        """What a round picked, in order."""
        return [read_pick(row) for row in self._all(tables.picks, order="rank", round=number)]

    def tasks(self, number: int | None = None, *, items: Iterable[str] | None = None) -> list[Task]:
        """The tasks of a round, or of all, in the order in which they were asked, with the people asked by now.

        With `items`, only those about these items: O(items).
        """
        table = tables.tasks
        where = [] if number is None else [table.c.round == number]
        if items is None:
            query = select(table).where(self._mine(table), *where)
            return [read_task(row) for row in self._rows(query.order_by(table.c.round, table.c.rank, table.c.key))]
        found = self._among(table, "item_id", items, *where)
        return [read_task(row) for row in sorted(found, key=lambda row: (row["round"], row["rank"], row["key"]))]

    def unanswered(self, number: int | None = None) -> list[str]:
        """Keys of the tasks of a round, or of all, that still want people, in the order in which they were asked.

        By counters that `Writer.mirror` and `Writer.intend` keep: the same as `hitl.labels.voices.wants_people` says of
        each task that is not lost, of what is not quarantined, and no answer is read. O(tasks of the round).
        """
        table = tables.tasks
        where = [] if number is None else [table.c.round == number]
        query = select(table.c.key).where(self._mine(table), wants_people(), *where)
        return [row["key"] for row in self._rows(query.order_by(table.c.round, table.c.rank, table.c.key))]

    def overview(self) -> dict[int, Counted]:
        """How far the tasks of every round are. One pass over an index of the tasks."""
        rows = self._rows(overview().where(self._mine(tables.tasks)))
        names = [one.name for one in fields(Counted)]
        return {row["round"]: Counted(**{name: int(row[name]) for name in names}) for row in rows}

    def lost_tasks(self) -> set[str]:
        """Keys of tasks that somebody deleted on the server."""
        table = tables.tasks
        return {row["key"] for row in self._rows(select(table.c.key).where(self._mine(table), table.c.lost))}

    def asked_items(self) -> list[str]:
        """Ids of all items that people were asked about. O(tasks), their data is not read."""
        table = tables.tasks
        return [row["item_id"] for row in self._rows(select(table.c.item_id).where(self._mine(table)).distinct())]

    def server_ids(self) -> dict[str, str]:
        """The server's id of each task that was pushed."""
        table = tables.tasks
        query = select(table.c.key, table.c.server_id).where(self._mine(table), table.c.server_id.is_not(None))
        return {row["key"]: row["server_id"] for row in self._rows(query)}

    def intents(self, kind: str) -> dict[str, int]:
        """What was decided and is not yet known to be done: key → value."""
        return {row["key"]: row["value"] for row in self._all(tables.intents, order="value", kind=kind, done=False)}

    def intended(self, kind: str) -> list[tuple[str, int, str]]:
        """What was ever decided, done by now or not: key, value and when, in order."""
        rows = self._all(tables.intents, order="at, key, value", kind=kind)
        return [(row["key"], row["value"], row["at"]) for row in rows]

    def annotations(self, number: int | None = None, *, workers: Iterable[str] | None = None) -> list[Annotation]:
        """Every annotation at its last revision, deleted ones included, in a fixed order; of a round, or of all.

        With `workers`, of these people in all rounds.
        """
        table, task = tables.annotations, tables.tasks.c
        if workers is not None:
            found = self._among(table, "worker", workers, table.c.latest)
        elif number is None:
            found = self._rows(select(table).where(self._mine(table), table.c.latest))
        else:
            # By keys and not by a join: SQLite would begin it at the annotations.
            asked = self._rows(select(task.key).where(self._mine(tables.tasks), task.round == number))
            found = self._among(table, "task_key", (row["key"] for row in asked), table.c.latest)
        read = map(read_annotation, found)
        return sorted(read, key=lambda annotation: (annotation.task_key, annotation.worker, annotation.id))

    def revisions(self) -> list[Annotation]:
        """Every revision of every annotation, in order."""
        return [read_annotation(row) for row in self._all(tables.annotations, order="id, revision")]

    def resolutions(self, number: int, *, items: Iterable[str] | None = None) -> list[Resolution]:
        """What a round settled, for every item asked until then; with `items`, for these alone: O(items)."""
        if items is None:
            return [read_resolution(row) for row in self._all(tables.resolutions, order="item_id", round=number)]
        found = self._among(tables.resolutions, "item_id", items, tables.resolutions.c.round == number)
        return [read_resolution(row) for row in sorted(found, key=lambda row: row["item_id"])]

    def model(self, number: int) -> RowMapping | None:
        """The model that a round trained: `model_id`, `folder`, `card`."""
        rows = self._all(tables.models, round=number)
        return rows[0] if rows else None

    def models(self) -> dict[int, str]:
        """The id of the model that each round trained; no card is read."""
        table = tables.models
        rows = self._rows(select(table.c.round, table.c.model_id).where(self._mine(table)))
        return {row["round"]: row["model_id"] for row in rows}

    def metrics(self, number: int, sample: str) -> list[Estimate]:
        """The figures of a round on a sample (`benchmark`, `audit`, `agreement`, ...)."""
        return [
            read_estimate(cast(EstimateRow, row))
            for row in self._all(tables.metrics, order="rank", round=number, sample=sample)
        ]

    def figures(self, sample: str, *names: str) -> dict[int, list[Estimate]]:
        """The figures of every round on a sample, with `names` only these. O(figures found)."""
        table = tables.metrics
        only = [table.c.name.in_(names)] if names else []
        query = select(table).where(self._mine(table), table.c.sample == sample, *only)
        found: dict[int, list[Estimate]] = {}
        for row in self._rows(query.order_by(table.c.round, table.c.rank)):
            found.setdefault(row["round"], []).append(read_estimate(cast(EstimateRow, row)))
        return found

    def events(self, *kinds: str) -> list[EventRow]:
        """What happened, in order; with `kinds`, only that."""
        table = tables.events.c
        query = select(table.number, table.at, table.kind, table.detail).where(self._mine(tables.events))
        if kinds:
            query = query.where(or_(*(table.kind == kind for kind in kinds)))
        return [cast(EventRow, dict(row)) for row in self._rows(query.order_by(table.number))]

    def held(self, worker: str) -> Held:
        """Everything on record that names a person, as plain rows; one pass over events and steps."""
        with told(self.place), self._reader.connect() as connection:
            return held(Access(connection, self.campaign), worker)

    def vacuum(self) -> bool:
        """Leave nothing of what was erased in the file; whether that was done. See `hitl.ledger.erasing`."""
        return vacuum(self._engine)

    def _mine(self, table: Table) -> ColumnElement[bool]:
        return table.c.campaign == self.campaign

    def _all(self, table: Table, order: str = "", **where: Any) -> list[RowMapping]:
        query = select(table).where(self._mine(table), *(table.c[name] == value for name, value in where.items()))
        return self._rows(query.order_by(*(table.c[name.strip()] for name in order.split(",") if name.strip())))

    def _rows(self, query: Select[Any]) -> list[RowMapping]:
        with told(self.place), self._reader.connect() as connection:
            return list(connection.execute(query).mappings())

    def _among(self, table: Table, column: str, values: Iterable[str], *where: ColumnElement[bool]) -> list[RowMapping]:
        with told(self.place), self._reader.connect() as connection:
            return list(Access(connection, self.campaign).among(table, column, set(values), *where))

    def counts(self) -> Mapping[str, int]:
        """How many rounds, tasks and annotations there are; read from counters."""
        rounds = select(func.count().label("rounds")).where(self._mine(tables.rounds))
        about = self._all(tables.campaigns)[0]
        return {
            "rounds": int(self._rows(rounds)[0]["rounds"]),
            "tasks": int(about["tasks"]),
            "annotations": int(about["annotations"]),
        }

    def __repr__(self) -> str:
        try:
            counts = self.counts()
        except (LedgerError, AttributeError):
            return f"Ledger({self.campaign!r}, not open)"
        counted = (f"{n:,} {name[:-1] if n == 1 else name}" for name, n in counts.items())
        return f"Ledger({self.campaign!r}, {', '.join(counted)})"
