"""The tables of the record; every row belongs to a campaign, so that one database can hold several."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.schema import SchemaItem

SCHEMA_VERSION = 2

FORWARD = {1: ("ALTER TABLE picks ADD COLUMN label TEXT NOT NULL DEFAULT ''",)}
"""What brings a database from each earlier schema to the next."""

metadata = MetaData()


def _table(name: str, *parts: SchemaItem) -> Table:
    return Table(name, metadata, Column("campaign", String(200), primary_key=True), *parts)


schema = Table("schema", metadata, Column("version", Integer, primary_key=True))

campaigns = Table(
    "campaigns",
    metadata,
    Column("campaign", String(200), primary_key=True),
    Column("started", String(40), nullable=False),
    Column("cursor", Text, nullable=False, default=""),
    Column("project", Text, nullable=False, default=""),
)

policies = _table(
    "policies",
    Column("version", String(60), primary_key=True),
    Column("text", Text, nullable=False),
)

rounds = _table(
    "rounds",
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("config_hash", String(64), nullable=False),
    Column("config", JSON, nullable=False),
    Column("seed", Integer, nullable=False),
    Column("policy_version", String(60), nullable=False),
    Column("started", String(40), nullable=False),
)

steps = _table(
    "steps",
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("step", String(20), primary_key=True),
    Column("output", JSON, nullable=False),
    Column("completed", String(40), nullable=False),
    Column("seconds", Float, nullable=False),
)

picks = _table(
    "picks",
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("item_id", Text, primary_key=True),
    Column("rank", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("arm", String(20), nullable=False),
    Column("label", Text, nullable=False, server_default=""),
    Column("score", Float, nullable=False),
    Column("parts", JSON, nullable=False),
    Column("inclusion", Float),
    Column("stratum", Text, nullable=False),
    Column("stands_for", Integer, nullable=False),
)

tasks = _table(
    "tasks",
    Column("key", String(40), primary_key=True),
    Column("round", Integer, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("form", String(40), nullable=False),
    Column("policy_version", String(60), nullable=False),
    Column("region", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Column("priority", Float, nullable=False),
    Column("overlap", Integer, nullable=False),
    Column("predicted", JSON, nullable=False),
    Column("model_id", String(80), nullable=False),
    Column("server_id", String(40)),
    Column("lost", Boolean, nullable=False, default=False),
    Index("ix_tasks_round", "campaign", "round"),
)

intents = _table(
    "intents",
    Column("kind", String(20), primary_key=True),
    Column("key", String(40), primary_key=True),
    Column("value", Integer, primary_key=True, autoincrement=False),
    Column("done", Boolean, nullable=False, default=False),
    Column("at", String(40), nullable=False),
)

annotations = _table(
    "annotations",
    Column("id", String(60), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("task_key", String(40), nullable=False),
    Column("worker", String(60), nullable=False),
    Column("answer", JSON(none_as_null=True)),
    Column("submitted", String(40), nullable=False),
    Column("seconds", Float, nullable=False),
    Column("skipped", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("problem", Text, nullable=False),
    Column("mirrored", String(40), nullable=False),
    ForeignKeyConstraint(["campaign", "task_key"], ["tasks.campaign", "tasks.key"]),
    Index("ix_annotations_task_key", "campaign", "task_key"),
)

resolutions = _table(
    "resolutions",
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("item_id", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("labels", JSON(none_as_null=True)),
    Column("confidence", Float, nullable=False),
    Column("method", String(40), nullable=False),
    Column("policy_version", String(60), nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("outs", JSON, nullable=False),
)

models = _table(
    "models",
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("model_id", String(80), nullable=False),
    Column("folder", Text, nullable=False),
    Column("card", JSON, nullable=False),
)

metrics = _table(
    "metrics",
    Column("round", Integer, primary_key=True, autoincrement=False),
    Column("sample", String(20), primary_key=True),
    Column("name", String(60), primary_key=True),
    Column("label", String(80), primary_key=True),
    Column("rank", Integer, nullable=False),
    Column("model_id", String(80), nullable=False),
    Column("value", Float),
    Column("low", Float),
    Column("high", Float),
    Column("n", Integer, nullable=False),
    Column("level", Float, nullable=False),
    Column("method", Text, nullable=False),
)

events = _table(
    "events",
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("detail", JSON, nullable=False),
)
