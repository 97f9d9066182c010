"""The tables of the record; every row belongs to a campaign, so that one database can hold several."""

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKeyConstraint, Index, Integer, MetaData, Table, text
from sqlalchemy.schema import SchemaItem

from hitl.ledger.columns import Number, Words

SCHEMA_VERSION = 3

metadata = MetaData()


def _table(name: str, *parts: SchemaItem) -> Table:
    return Table(name, metadata, Column("campaign", Words, primary_key=True), *parts)


def _key(name: str, kind: Any = Words) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


def _held(name: str, kind: Any = Words, default: str | None = None) -> Column[Any]:
    return Column(name, kind, nullable=False, server_default=None if default is None else text(default))


def _some(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=True)


def _only_where(condition: str) -> dict[str, Any]:
    # SQLite takes an index for what is asked only where both are written alike, and its true is 1.
    return {"sqlite_where": text(f"{condition} = 1"), "postgresql_where": text(condition)}


schema = Table("schema", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

campaigns = Table(
    "campaigns",
    metadata,
    _key("campaign"),
    _held("started"),
    _held("cursor"),
    _held("project"),
    _held("tasks", BigInteger, "0"),
    _held("annotations", BigInteger, "0"),
)

policies = _table("policies", _key("version"), _held("text"))

rounds = _table(
    "rounds",
    _key("round", Integer),
    _held("config_hash"),
    _held("config", JSON),
    _held("seed", BigInteger),
    _held("policy_version"),
    _held("started"),
)

steps = _table(
    "steps",
    _key("round", Integer),
    _key("step"),
    _held("output", JSON),
    _held("completed"),
    _held("seconds", Number),
)

picks = _table(
    "picks",
    _key("round", Integer),
    _key("item_id"),
    _held("rank", Integer),
    _held("position", BigInteger),
    _held("arm"),
    _held("label", default="''"),
    _held("score", Number),
    _held("parts", JSON),
    _some("inclusion", Number),
    _held("stratum"),
    _held("stands_for", BigInteger),
)

tasks = _table(
    "tasks",
    _key("key"),
    _held("round", Integer),
    _held("rank", Integer),
    _held("item_id"),
    _held("position", BigInteger),
    _held("form"),
    _held("policy_version"),
    _held("region"),
    _held("data", JSON),
    _held("priority", Number),
    _held("overlap", Integer),
    _held("predicted", JSON),
    _held("model_id"),
    _some("server_id", Words),
    _held("lost", Boolean),
    _held("queue", default="''"),
    # What people have said of it by now, and how many are asked: `Ledger.unanswered` reads nothing else.
    _held("asked", Integer, "1"),
    _held("answers", Integer, "0"),
    _held("skips", Integer, "0"),
    Index("ix_tasks_counters", "campaign", "round", "queue", "lost", "asked", "answers", "skips"),
    Index("ix_tasks_item", "campaign", "item_id"),
    Index("ix_tasks_lost", "campaign", "key", **_only_where("lost")),
)

intents = _table(
    "intents",
    _key("kind"),
    _key("key"),
    _key("value", BigInteger),
    _held("done", Boolean),
    _held("at"),
)

annotations = _table(
    "annotations",
    _key("id"),
    _key("revision", Integer),
    _held("task_key"),
    _held("worker"),
    _some("answer", JSON(none_as_null=True)),
    _held("submitted"),
    _held("seconds", Number),
    _held("skipped", Boolean),
    _held("deleted", Boolean),
    _held("problem"),
    _held("mirrored"),
    _held("changed_by", default="''"),
    _held("latest", Boolean, "TRUE"),
    ForeignKeyConstraint(["campaign", "task_key"], ["tasks.campaign", "tasks.key"]),
    Index("ix_annotations_task_key", "campaign", "task_key"),
)

foreign_annotations = _table(
    "foreign_annotations",
    _key("id"),
    _held("task_key"),
    _held("worker"),
    _some("answer", JSON(none_as_null=True)),
    _held("mirrored"),
)

drafts = _table("drafts", _key("task_key"), _key("worker"), _held("begun"))

settings = _table("settings", _key("name"), _held("value", JSON), _held("seen"))

resolutions = _table(
    "resolutions",
    _key("round", Integer),
    _key("item_id"),
    _held("position", BigInteger),
    _some("labels", JSON(none_as_null=True)),
    _held("confidence", Number),
    _held("method"),
    _held("policy_version"),
    _held("annotations", JSON),
    _held("outs", JSON),
)

models = _table("models", _key("round", Integer), _held("model_id"), _held("folder"), _held("card", JSON))

metrics = _table(
    "metrics",
    _key("round", Integer),
    _key("sample"),
    _key("name"),
    _key("label"),
    _held("rank", Integer),
    _held("model_id"),
    _some("value", Number),
    _some("low", Number),
    _some("high", Number),
    _held("n", BigInteger),
    _held("level", Number),
    _held("method"),
)

events = _table(
    "events",
    _key("number", BigInteger),
    _held("at"),
    _held("kind"),
    _held("detail", JSON),
    Index("ix_events_kind", "campaign", "kind", "number"),
)
