"""Reading the record; writing goes through `Ledger.transaction()`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Engine, RowMapping, Select, Table, and_, func, select
from sqlalchemy.exc import OperationalError

from hitl.errors import LedgerError
from hitl.history import EstimateRow, read_estimate
from hitl.ledger import tables
from hitl.ledger.engine import open_engine, sqlite_url
from hitl.ledger.rows import read_annotation, read_pick, read_resolution, read_task
from hitl.ledger.writer import Writer
from hitl.types import Annotation, Estimate, Pick, Resolution, Task

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


class Ledger:
    """The record of one campaign in a database that may hold several.

    `where` is a path (SQLite in WAL mode) or a URL that SQLAlchemy understands. Others may read while one writes.
    Raises `LedgerError` when the database cannot be opened.

    >>> ledger = Ledger(":memory:", "trial")
    >>> with ledger.transaction() as writer:
    ...     writer.begin_round(0, seed=1, config={"budget": 10}, policy_version="1")
    ...     writer.complete(0, "select", {"picks": 10}, seconds=0.1)
    >>> ledger.step(0, "select")
    {'picks': 10}
    >>> ledger
    Ledger('trial', 1 round, 0 tasks, 0 annotations)
    """

    def __init__(self, where: str | Path, campaign: str, *, clock: Clock = utc_now) -> None:
        url = (
            str(where) if "://" in str(where) else sqlite_url(Path(where)) if str(where) != ":memory:" else "sqlite://"
        )
        self.campaign = campaign
        self._clock = clock
        self._engine: Engine = open_engine(url)
        self._reader = self._engine.execution_options(reading=True)
        if not self._all(tables.campaigns):
            with self.transaction() as writer:
                writer.begin_campaign()

    @contextmanager
    def transaction(self) -> Iterator[Writer]:
        """One transaction: all that is written inside is there afterwards, or none of it."""
        try:
            with self._engine.begin() as connection:
                yield Writer(connection, self.campaign, self._clock().isoformat())
        except OperationalError as error:
            raise LedgerError(
                f"ledger: the record could not be written ({error.orig.__class__.__name__}); "
                "another run may hold it, or the disk is full: look, and call again"
            ) from None

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @property
    def cursor(self) -> str:
        """Where the next pull goes on."""
        return self._about("cursor")

    @property
    def started(self) -> str:
        """When the campaign began, ISO 8601."""
        return self._about("started")

    @property
    def project(self) -> str:
        """The address where people work; empty until the project is there."""
        return self._about("project")

    def _about(self, column: str) -> str:
        return str(self._all(tables.campaigns)[0][column])

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

    def picks(self, number: int) -> list[Pick]:
        """What a round picked, in order."""
        return [read_pick(row) for row in self._all(tables.picks, order="rank", round=number)]

    def tasks(self, number: int | None = None) -> list[Task]:
        """The tasks of a round, or of all, in the order in which they were asked, with the people asked by now."""
        more = self._asked()
        return [
            replace(read_task(row), overlap=max(row["overlap"], more.get(row["key"], 0)))
            for row in self._all(tables.tasks, order="round, rank", **({} if number is None else {"round": number}))
        ]

    def lost_tasks(self) -> set[str]:
        """Keys of tasks that somebody deleted on the server."""
        return {row["key"] for row in self._all(tables.tasks, lost=True)}

    def server_ids(self) -> dict[str, str]:
        """The server's id of each task that was pushed."""
        return {row["key"]: row["server_id"] for row in self._all(tables.tasks) if row["server_id"]}

    def intents(self, kind: str) -> dict[str, int]:
        """What was decided and is not yet known to be done: key → value."""
        return {row["key"]: row["value"] for row in self._all(tables.intents, order="value", kind=kind, done=False)}

    def annotations(self, number: int | None = None) -> list[Annotation]:
        """Every annotation at its last revision, deleted ones included, in a fixed order."""
        table, task = tables.annotations, tables.tasks
        query = select(table).where(self._mine(table)).order_by(table.c.id, table.c.revision)
        if number is not None:
            query = query.join(task, and_(task.c.campaign == table.c.campaign, task.c.key == table.c.task_key))
            query = query.where(task.c.round == number)
        last = {row["id"]: read_annotation(row) for row in self._rows(query)}
        return sorted(last.values(), key=lambda annotation: (annotation.task_key, annotation.worker, annotation.id))

    def revisions(self) -> list[Annotation]:
        """Every revision of every annotation, in order."""
        return [read_annotation(row) for row in self._all(tables.annotations, order="id, revision")]

    def resolutions(self, number: int) -> list[Resolution]:
        """What a round settled, for every item asked until then."""
        return [read_resolution(row) for row in self._all(tables.resolutions, order="item_id", round=number)]

    def model(self, number: int) -> RowMapping | None:
        """The model that a round trained: `model_id`, `folder`, `card`."""
        rows = self._all(tables.models, round=number)
        return rows[0] if rows else None

    def metrics(self, number: int, sample: str) -> list[Estimate]:
        """The figures of a round on a sample (`benchmark`, `audit`, `agreement`, ...)."""
        return [
            read_estimate(cast(EstimateRow, row))
            for row in self._all(tables.metrics, order="rank", round=number, sample=sample)
        ]

    def events(self, kind: str | None = None) -> list[RowMapping]:
        """What happened, in order."""
        return self._all(tables.events, order="number", **({"kind": kind} if kind else {}))

    def _asked(self) -> dict[str, int]:
        rows = self._all(tables.intents, kind="overlap")
        asked: dict[str, int] = {}
        for row in rows:
            asked[row["key"]] = max(row["value"], asked.get(row["key"], 0))
        return asked

    def _mine(self, table: Table) -> Any:
        return table.c.campaign == self.campaign

    def _all(self, table: Table, order: str = "", **where: Any) -> list[RowMapping]:
        query = select(table).where(self._mine(table), *(table.c[name] == value for name, value in where.items()))
        return self._rows(query.order_by(*(table.c[name.strip()] for name in order.split(",") if name.strip())))

    def _rows(self, query: Select[Any]) -> list[RowMapping]:
        with self._reader.connect() as connection:
            return list(connection.execute(query).mappings())

    def counts(self) -> Mapping[str, int]:
        """How many rounds, tasks and annotations there are."""
        counted = {
            "rounds": select(func.count()).select_from(tables.rounds).where(self._mine(tables.rounds)),
            "tasks": select(func.count()).select_from(tables.tasks).where(self._mine(tables.tasks)),
            "annotations": select(func.count(tables.annotations.c.id.distinct())).where(self._mine(tables.annotations)),
        }
        return {name: int(next(iter(self._rows(query)[0].values()))) for name, query in counted.items()}

    def __repr__(self) -> str:
        told = (f"{n:,} {name[:-1] if n == 1 else name}" for name, n in self.counts().items())
        return f"Ledger({self.campaign!r}, {', '.join(told)})"
