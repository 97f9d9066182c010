"""What brings a database from each earlier schema to the next, in the transaction that writes the new version."""

from __future__ import annotations

Steps = dict[str, tuple[str, ...]]

_WORDS = {
    "annotations": "campaign id task_key worker submitted problem mirrored",
    "campaigns": "campaign started cursor project",
    "events": "campaign at kind",
    "intents": "campaign kind key at",
    "metrics": "campaign sample name label model_id method",
    "models": "campaign model_id folder",
    "picks": "campaign item_id arm label stratum",
    "policies": "campaign version text",
    "resolutions": "campaign item_id method policy_version",
    "rounds": "campaign config_hash policy_version started",
    "steps": "campaign step completed",
    "tasks": "campaign key item_id form policy_version region model_id server_id",
}
_WHOLE = {
    "events": "number",
    "intents": "value",
    "metrics": "n",
    "picks": "position stands_for",
    "resolutions": "position",
    "rounds": "seed",
    "tasks": "position",
}


def _wider() -> tuple[str, ...]:
    """PostgreSQL alone held text to a length, sorted it by the system's language, and had whole numbers of 32 bits."""
    changes = {table: [(name, 'TEXT COLLATE "C"') for name in names.split()] for table, names in _WORDS.items()}
    for table, names in _WHOLE.items():
        changes[table] += [(name, "BIGINT") for name in names.split()]
    return tuple(
        f"ALTER TABLE {table} " + ", ".join(f'ALTER COLUMN "{name}" TYPE {kind}' for name, kind in columns)
        for table, columns in changes.items()
    )


def _new(words: str, true: str) -> tuple[str, ...]:
    """Columns, tables and indexes of schema 3, where `words` is the type of text, and `true` follows what is true."""
    return (
        "ALTER TABLE campaigns ADD COLUMN tasks BIGINT NOT NULL DEFAULT 0",
        "ALTER TABLE campaigns ADD COLUMN annotations BIGINT NOT NULL DEFAULT 0",
        f"ALTER TABLE tasks ADD COLUMN queue {words} NOT NULL DEFAULT ''",
        "ALTER TABLE tasks ADD COLUMN asked INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE tasks ADD COLUMN answers INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE tasks ADD COLUMN skips INTEGER NOT NULL DEFAULT 0",
        f"ALTER TABLE annotations ADD COLUMN changed_by {words} NOT NULL DEFAULT ''",
        "ALTER TABLE annotations ADD COLUMN latest BOOLEAN NOT NULL DEFAULT TRUE",
        _made("foreign_annotations", words, "id", "task_key worker mirrored", ", answer JSON"),
        _made("drafts", words, "task_key worker", "begun"),
        _made("settings", words, "name", "seen", ", value JSON NOT NULL"),
        "DROP INDEX ix_tasks_round",
        "CREATE INDEX ix_tasks_counters ON tasks (campaign, round, queue, lost, asked, answers, skips)",
        "CREATE INDEX ix_tasks_item ON tasks (campaign, item_id)",
        f'CREATE INDEX ix_tasks_lost ON tasks (campaign, "key") WHERE lost{true}',
        "CREATE INDEX ix_events_kind ON events (campaign, kind, number)",
    )


def _made(table: str, words: str, keys: str, others: str, more: str = "") -> str:
    """A new table with these columns of text, the first of them its key, and more."""
    columns = ", ".join(f"{name} {words} NOT NULL" for name in f"campaign {keys} {others}".split())
    return f"CREATE TABLE {table} ({columns}{more}, PRIMARY KEY (campaign, {', '.join(keys.split())}))"


_COUNTED = (
    """UPDATE annotations SET latest = FALSE WHERE EXISTS (
        SELECT 1 FROM annotations AS newer
        WHERE newer.campaign = annotations.campaign AND newer.id = annotations.id
        AND newer.revision > annotations.revision)""",
    "UPDATE tasks SET asked = overlap",
    """UPDATE tasks SET asked = wanted.people FROM (
        SELECT campaign, "key", MAX(value) AS people FROM intents WHERE kind = 'overlap' GROUP BY campaign, "key"
    ) AS wanted
    WHERE wanted.campaign = tasks.campaign AND wanted."key" = tasks."key" AND wanted.people > tasks.overlap""",
    # One voice a person, as in `hitl.labels.voices`: a skip counts only where that person gave no answer.
    """UPDATE tasks SET answers = heard.said - heard.skipped, skips = heard.skipped FROM (
        SELECT campaign, task_key, COUNT(*) AS said, SUM(skip) AS skipped FROM (
            SELECT campaign, task_key, skip, ROW_NUMBER() OVER (
                PARTITION BY campaign, task_key, worker ORDER BY skip, submitted DESC, id DESC
            ) AS turn
            FROM (
                SELECT campaign, task_key, worker, submitted, id,
                CASE WHEN skipped AND problem = '' THEN 1 ELSE 0 END AS skip
                FROM annotations WHERE latest AND NOT deleted
            ) AS current_ones
        ) AS voices
        WHERE turn = 1 GROUP BY campaign, task_key
    ) AS heard
    WHERE heard.campaign = tasks.campaign AND heard.task_key = tasks."key" """,
    """UPDATE campaigns SET
        tasks = (SELECT COUNT(*) FROM tasks WHERE tasks.campaign = campaigns.campaign),
        annotations = (SELECT COUNT(*) FROM annotations
            WHERE annotations.campaign = campaigns.campaign AND annotations.latest)""",
)

_LABEL = ("ALTER TABLE picks ADD COLUMN label TEXT NOT NULL DEFAULT ''",)

FORWARD: dict[int, Steps] = {
    1: {"sqlite": _LABEL, "postgresql": _LABEL},
    2: {
        "sqlite": (*_new("TEXT", " = 1"), *_COUNTED),
        "postgresql": (*_wider(), *_new('TEXT COLLATE "C"', ""), *_COUNTED),
    },
}
"""Earlier schema → what to say to each database; kept as it was released, whatever `tables` holds now."""
