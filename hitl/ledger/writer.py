"""Writing the record: what happens inside one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, Table, and_, func, insert, select, update

from hitl.history import estimate_row
from hitl.ledger import tables
from hitl.ledger.rows import read_annotation
from hitl.types import Annotation, Estimate, Pick, Pull, Resolution, Task


class Writer:
    """Writes rows of one campaign in the transaction that made it; the ledger hands it out."""

    def __init__(self, connection: Connection, campaign: str, now: str) -> None:
        self._connection = connection
        self._campaign = campaign
        self._now = now

    def begin_campaign(self) -> None:
        """The campaign exists from now on."""
        self._insert(tables.campaigns, [{"started": self._now, "cursor": "", "project": ""}])

    def save_policy(self, version: str, text: str) -> None:
        """Keep the text of a policy version, once."""
        table = tables.policies
        known = select(table.c.version).where(table.c.campaign == self._campaign, table.c.version == version)
        if self._connection.execute(known).first() is None:
            self._insert(tables.policies, [{"version": version, "text": text}])

    def begin_round(
        self, number: int, *, seed: int, config: Mapping[str, Any], policy_version: str, config_hash: str = ""
    ) -> None:
        """A round begins."""
        row = {"round": number, "seed": seed, "config": dict(config), "config_hash": config_hash}
        self._insert(tables.rounds, [row | {"policy_version": policy_version, "started": self._now}])

    def complete(self, number: int, step: str, output: Mapping[str, Any], seconds: float) -> None:
        """A step is completed: written in the transaction that holds its output."""
        row = {"round": number, "step": step, "output": dict(output), "completed": self._now, "seconds": seconds}
        self._insert(tables.steps, [row])

    def add_picks(self, number: int, picks: Iterable[Pick]) -> None:
        """What a round picked."""
        rows = [{"round": number, "rank": rank, **asdict(pick)} for rank, pick in enumerate(picks)]
        self._insert(tables.picks, rows)

    def add_tasks(self, asked: Iterable[Task]) -> None:
        """The intent to ask people; pushing makes it so."""
        rows = [{"rank": rank, "server_id": None, "lost": False, **asdict(task)} for rank, task in enumerate(asked)]
        self._insert(tables.tasks, rows)

    def set_server_ids(self, ids: Mapping[str, str]) -> None:
        """Which id the server gave to each task key."""
        for key, server_id in ids.items():
            self._connection.execute(
                update(tables.tasks)
                .where(tables.tasks.c.campaign == self._campaign, tables.tasks.c.key == key)
                .values(server_id=server_id)
            )

    def intend(self, kind: str, values: Mapping[str, int]) -> None:
        """Write down what is about to be done on the server, so that a crash forgets nothing."""
        rows = [
            {"kind": kind, "key": key, "value": value, "done": False, "at": self._now} for key, value in values.items()
        ]
        self._insert(tables.intents, rows)

    def done(self, kind: str) -> None:
        """Everything intended of this kind is done."""
        where = and_(tables.intents.c.campaign == self._campaign, tables.intents.c.kind == kind)
        self._connection.execute(update(tables.intents).where(where).values(done=True))

    def mirror(self, pulled: Pull) -> int:
        """Mirror what came back: new and changed annotations as revisions, vanished ones as deleted; what changed.

        O(annotations of the tasks that were re-read).
        """
        last = self._last_revisions(
            {a.task_key for a in pulled.annotations} | set(pulled.seen) | set(pulled.missing_tasks)
        )
        known = self._known_tasks()
        changed: list[Annotation] = []
        for annotation in pulled.annotations:
            if annotation.task_key not in known:
                self.event("foreign annotation", {"annotation": annotation.id, "task": annotation.task_key})
                continue
            before = last.get(annotation.id)
            now = replace(annotation, revision=before.revision + 1 if before else 1)
            if before is None or replace(before, revision=0) != replace(now, revision=0):
                changed.append(now)
        changed += self._vanished(pulled, last)
        rows = [{**asdict(a), "answer": asdict(a.answer) if a.answer else None, "mirrored": self._now} for a in changed]
        self._insert(tables.annotations, rows)
        for annotation in changed:
            if annotation.revision > 1:
                kind = "annotation deleted" if annotation.deleted else "annotation edited"
                self.event(
                    kind, {"annotation": annotation.id, "task": annotation.task_key, "worker": annotation.worker}
                )
        lost = self._mark_lost(pulled.missing_tasks)
        self.set_cursor(pulled.cursor)
        return len(changed) + lost

    def set_cursor(self, cursor: str) -> None:
        """Where the next pull goes on."""
        self._update_campaign(cursor=cursor)

    def set_project(self, url: str) -> None:
        """Where people work."""
        self._update_campaign(project=url)

    def _update_campaign(self, **values: str) -> None:
        where = tables.campaigns.c.campaign == self._campaign
        self._connection.execute(update(tables.campaigns).where(where).values(**values))

    def add_resolutions(self, number: int, resolutions: Iterable[Resolution]) -> None:
        """What a round settled."""
        rows = [
            {
                **asdict(resolution),
                "round": number,
                "labels": None if resolution.labels is None else list(resolution.labels),
                "annotations": list(resolution.annotations),
                "outs": dict(resolution.outs),
            }
            for resolution in resolutions
        ]
        self._insert(tables.resolutions, rows)

    def add_model(self, number: int, model_id: str, folder: str, card: Mapping[str, Any]) -> None:
        """The model that a round trained."""
        self._insert(tables.models, [{"round": number, "model_id": model_id, "folder": folder, "card": dict(card)}])

    def add_metrics(self, number: int, sample: str, model_id: str, estimates: Iterable[Estimate]) -> None:
        """Figures of a model on a sample."""
        common = {"round": number, "sample": sample, "model_id": model_id}
        rows = [{**estimate_row(estimate), **common, "rank": rank} for rank, estimate in enumerate(estimates)]
        self._insert(tables.metrics, rows)

    def event(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Something happened that a reader of the record will want to know."""
        latest = select(func.max(tables.events.c.number)).where(tables.events.c.campaign == self._campaign)
        number = (self._connection.execute(latest).scalar() or 0) + 1
        self._insert(tables.events, [{"number": number, "at": self._now, "kind": kind, "detail": dict(detail)}])

    def _insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self._connection.execute(insert(table), [{"campaign": self._campaign, **row} for row in rows])

    def _known_tasks(self) -> set[str]:
        keys = select(tables.tasks.c.key).where(tables.tasks.c.campaign == self._campaign)
        return set(self._connection.execute(keys).scalars())

    def _last_revisions(self, task_keys: set[str]) -> dict[str, Annotation]:
        table = tables.annotations
        query = select(table).where(table.c.campaign == self._campaign).order_by(table.c.id, table.c.revision)
        rows = self._connection.execute(query).mappings()
        return {row["id"]: read_annotation(row) for row in rows if row["task_key"] in task_keys}

    def _vanished(self, pulled: Pull, last: Mapping[str, Annotation]) -> list[Annotation]:
        held = {key: set(ids) for key, ids in pulled.seen.items()} | {key: set() for key in pulled.missing_tasks}
        return [
            replace(annotation, revision=annotation.revision + 1, deleted=True)
            for annotation in last.values()
            if not annotation.deleted and annotation.task_key in held and annotation.id not in held[annotation.task_key]
        ]

    def _mark_lost(self, keys: Iterable[str]) -> int:
        marked = 0
        for key in keys:
            row = and_(tables.tasks.c.campaign == self._campaign, tables.tasks.c.key == key)
            done = self._connection.execute(update(tables.tasks).where(row, ~tables.tasks.c.lost).values(lost=True))
            if done.rowcount:
                self.event("task deleted on the server", {"task": key})
                marked += 1
        return marked
