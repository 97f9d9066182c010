"""Writing the record: what happens inside one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, func, select, update

from hitl.history import EventRow, estimate_row
from hitl.ledger import tables
from hitl.ledger.access import Access
from hitl.ledger.counting import events, recount
from hitl.ledger.erasing import Erasure, erase
from hitl.ledger.mirroring import Mirroring, keep_settings
from hitl.types import Estimate, Pick, Pull, Resolution, Task


class Writer:
    """Writes rows of one campaign in the transaction that made it; the ledger hands it out.

    It is alone: another writer of the campaign waits until the transaction is over, while readers read on.
    """

    def __init__(self, connection: Connection, campaign: str, now: str) -> None:
        self._connection = connection
        self._campaign = campaign
        self._now = now
        self._rows = Access(connection, campaign)
        self._numbered: int | None = None

    def begin_campaign(self) -> None:
        """The campaign exists from now on, however many say so at once."""
        self._rows.put(tables.campaigns, [{"started": self._now, "cursor": "", "project": ""}])

    def save_policy(self, version: str, text: str) -> None:
        """Keep the text of a policy version, once."""
        self._rows.put(tables.policies, [{"version": version, "text": text}])

    def begin_round(
        self, number: int, *, seed: int, config: Mapping[str, Any], policy_version: str, config_hash: str = ""
    ) -> None:
        """A round begins."""
        row = {"round": number, "seed": seed, "config": dict(config), "config_hash": config_hash}
        self._rows.insert(tables.rounds, [row | {"policy_version": policy_version, "started": self._now}])

    def complete(self, number: int, step: str, output: Mapping[str, Any], seconds: float) -> None:
        """A step is completed: written in the transaction that holds its output."""
        row = {"round": number, "step": step, "output": dict(output), "completed": self._now, "seconds": seconds}
        self._rows.insert(tables.steps, [row])

    def add_picks(self, number: int, picks: Iterable[Pick]) -> None:
        """What a round picked."""
        rows = [{"round": number, "rank": rank, **asdict(pick)} for rank, pick in enumerate(picks)]
        self._rows.insert(tables.picks, rows)

    def add_tasks(self, asked: Iterable[Task]) -> None:
        """The intent to ask people; pushing makes it so. What joins a round later stands behind what it has asked."""
        table, asked = tables.tasks, list(asked)
        within = (self._rows.mine(table), table.c.round.in_({task.round for task in asked}))
        last = self._connection.execute(select(func.max(table.c.rank)).where(*within)).scalar()
        first = 0 if last is None else last + 1
        rows = [
            {"rank": rank, "server_id": None, "lost": False, "asked": task.overlap, **asdict(task)}
            for rank, task in enumerate(asked, start=first)
        ]
        self._rows.insert(table, rows)
        self._update_campaign(tasks=tables.campaigns.c.tasks + len(rows))

    def set_server_ids(self, ids: Mapping[str, str]) -> None:
        """Which id the server gave to each task key."""
        self._rows.change(tables.tasks, ("key",), [{"key": key, "server_id": given} for key, given in ids.items()])

    def reprioritise(self, tasks: Iterable[Task]) -> None:
        """Tasks have another priority and prediction than they were asked with."""
        names = ("key", "priority", "predicted", "model_id")
        self._rows.change(tables.tasks, ("key",), [{name: getattr(task, name) for name in names} for task in tasks])

    def intend(self, kind: str, values: Mapping[str, int]) -> None:
        """Write down what is about to be done on the server, so that a crash forgets nothing.

        What is intended again is to be done again. The kind `overlap` says how many people a task is asked of in all,
        which is counted with from now on.
        """
        rows = [
            {"kind": kind, "key": key, "value": value, "done": False, "at": self._now} for key, value in values.items()
        ]
        self._rows.put(tables.intents, rows, ("done", "at"))
        if kind == "overlap":
            held = {row["key"]: row["asked"] for row in self._rows.among(tables.tasks, "key", values.keys())}
            more = [{"key": key, "asked": values[key]} for key, asked in held.items() if values[key] > asked]
            self._rows.change(tables.tasks, ("key",), more)

    def done(self, kind: str, values: Mapping[str, int] | None = None) -> None:
        """These intents of the kind are done; without `values` all are, also what another run intended meanwhile."""
        table = tables.intents
        if values is not None:
            rows = [{"kind": kind, "key": key, "value": value, "done": True} for key, value in values.items()]
            self._rows.change(table, ("kind", "key", "value"), rows)
            return
        open_ones = (self._rows.mine(table), table.c.kind == kind, ~table.c.done)
        self._connection.execute(update(table).where(*open_ones).values(done=True))

    def mirror(self, pulled: Pull) -> int:
        """Mirror what came back as revisions, counters and events; how many annotations and tasks changed.

        `hitl.ledger.mirroring` says which events there are, and what each means for labels. The same pull again
        writes nothing. O(what was pulled), however large the record.
        """
        mirroring = Mirroring(self._rows, self._now, pulled)
        changed = mirroring.write()
        self._tell(mirroring.events)
        self.set_cursor(pulled.cursor)
        return changed

    def expect_settings(self, settings: Mapping[str, Any]) -> None:
        """We set the place up like this: what a pull finds so is no change behind our back."""
        keep_settings(self._rows, self._now, settings)

    def set_cursor(self, cursor: str) -> None:
        """Where the next pull goes on."""
        self._update_campaign(cursor=cursor)

    def set_project(self, url: str) -> None:
        """Where people work."""
        self._update_campaign(project=url)

    def _update_campaign(self, **values: Any) -> None:
        table = tables.campaigns
        other = [table.c[name] != value for name, value in values.items()]
        self._connection.execute(update(table).where(self._rows.mine(table), *other).values(**values))

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
        self._rows.insert(tables.resolutions, rows)

    def add_model(self, number: int, model_id: str, folder: str, card: Mapping[str, Any]) -> None:
        """The model that a round trained."""
        row = {"round": number, "model_id": model_id, "folder": folder, "card": dict(card)}
        self._rows.insert(tables.models, [row])

    def add_metrics(self, number: int, sample: str, model_id: str, estimates: Iterable[Estimate]) -> None:
        """Figures of a model on a sample."""
        common = {"round": number, "sample": sample, "model_id": model_id}
        rows = [{**estimate_row(estimate), **common, "rank": rank} for rank, estimate in enumerate(estimates)]
        self._rows.insert(tables.metrics, rows)

    def event(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Something happened that a reader of the record will want to know."""
        self._tell([(kind, detail)])

    def events(self, *kinds: str) -> list[EventRow]:
        """What happened of these kinds, in order: what is decided on it here is decided on the last state there is."""
        return events(self._rows, *kinds)

    def recount(self, worker: str) -> set[str]:
        """What counts of somebody's answers is another now: the keys of their tasks, whose counters are right again."""
        return recount(self._rows, worker)

    def erase(self, erasure: Erasure) -> bool:
        """Make one person's data nobody's; whether there was any. See `hitl.ledger.erasing`."""
        return erase(self._rows, erasure)

    def _tell(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        if not events:
            return
        if self._numbered is None:
            table = tables.events
            last = select(func.max(table.c.number)).where(self._rows.mine(table))
            self._numbered = int(self._connection.execute(last).scalar() or 0)
        rows = [
            {"number": number, "at": self._now, "kind": kind, "detail": dict(detail)}
            for number, (kind, detail) in enumerate(events, start=self._numbered + 1)
        ]
        self._rows.insert(tables.events, rows)
        self._numbered += len(rows)
