"""Mirroring a pull: what changed becomes revisions, counters and events, in one transaction.

| event | written when | before → after | what it means for labels |
| --- | --- | --- | --- |
| `annotation edited` | the content of a known annotation is another | answer → answer | the new answer counts |
| `annotation deleted` | it vanished from a task that was re-read | answer → none | it counts no more |
| `annotation restored` | a deleted one is there again | answer → answer | it counts again |
| `annotated again` | the same person has a further one there | first → further | the last submitted counts |
| `annotation in another's name` | another than its worker made it | none → answer | unconfirmed: it is no answer |
| `task skipped` | a person declined | none → skip | no answer; after `SKIPS` people the task is let go |
| `draft begun`, `draft ended` | a draft appeared, or is gone | begun, answered | none: a draft is no answer |
| `task deleted on the server` | we pushed it, and it is gone | counters → none | nobody is asked any more |
| `task came back` | a lost task is there again | none → asked | its answers count as they are found |
| `setting changed` | a setting is another, and not by us | value → value | none by itself |
| `foreign annotation` | its task is not of this campaign | none → answer | none: it is kept aside, once |

A first, plain answer is no event: it is a row. Answers are told by labels, out and counts; notes and content never are.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import Any

from sqlalchemy import func, select

from hitl.history import EventRow
from hitl.ledger import tables
from hitl.ledger.access import Access
from hitl.ledger.columns import pack
from hitl.ledger.counting import count_voices
from hitl.ledger.describing import Event, begun, detail, differing
from hitl.ledger.erasing import kept
from hitl.ledger.rows import read_annotation
from hitl.types import Annotation, Pull


@dataclass
class Mirroring:
    """One pull on its way into the record. O(what was pulled) rows are read and written."""

    rows: Access
    now: str
    pulled: Pull
    events: list[Event] = field(default_factory=list)

    def write(self) -> int:
        """Write all but the events and the cursor; how many annotations and tasks changed."""
        pulled = self.pulled
        given = {one.id: _plain(one) for one in pulled.annotations}
        touched = {one.task_key for one in given.values()} | pulled.seen.keys() | set(pulled.missing_tasks)
        self._tasks = {row["key"]: row for row in self.rows.among(tables.tasks, "key", touched)}
        self._set_aside([one for one in given.values() if one.task_key not in self._tasks])
        known = {name: one for name, one in given.items() if one.task_key in self._tasks}
        self._read_last(known)
        known = {name: kept(self._last.get(name), one) for name, one in known.items()}
        self._resolved = self._last_resolved()
        gone = self._vanished(known)
        changed = [*gone, *self._changed(known, {one.id for one in gone})]
        self._write_revisions(changed)
        moved = self._lose_and_find()
        self._count({key for one in changed for key in self._keys_of(one)})
        self._follow_drafts()
        self._compare_settings()
        return len(changed) + moved

    def _read_last(self, known: Mapping[str, Annotation]) -> None:
        """The last revisions on these tasks, and of annotations that stood on another task before."""
        table = tables.annotations
        found = list(self.rows.among(table, "task_key", self._tasks.keys(), table.c.latest))
        strange = known.keys() - {row["id"] for row in found}
        found += self.rows.among(table, "id", strange, table.c.latest)
        self._last = {row["id"]: read_annotation(row) for row in found}
        edited = {row["id"] for row in found if row["revision"] > 1}
        first = [row for row in found if row["revision"] == 1]
        first += self.rows.among(table, "id", edited, table.c.revision == 1)
        self._first_mirrored = {row["id"]: row["mirrored"] for row in first}
        self._current = dict(self._last)

    def _last_resolved(self) -> str:
        """When answers last went into resolutions; empty before."""
        table = tables.steps
        last = select(func.max(table.c.completed)).where(self.rows.mine(table), table.c.step == "resolve")
        return str(self.rows.connection.execute(last).scalar() or "")

    def _changed(self, known: Mapping[str, Annotation], gone: set[str]) -> list[Annotation]:
        there = (one for one in self._last.values() if not one.deleted and one.id not in gone)
        standing = {(one.task_key, one.worker): one for one in there}
        changed, filled = [], []
        for one in sorted(known.values(), key=lambda one: (one.submitted, one.id)):
            before = self._last.get(one.id)
            if before is None:
                earlier = standing.get((one.task_key, one.worker))
                standing[one.task_key, one.worker] = one
                changed.append(one)
                self.events += begun(one, earlier)
                continue
            other = differing(before, one)
            if other == ["changed_by"] and not before.changed_by and one.changed_by == one.worker:
                filled.append({"id": one.id, "revision": before.revision, "changed_by": one.changed_by})
            elif other:
                changed.append(replace(one, revision=before.revision + 1))
                kind = "annotation restored" if before.deleted else "annotation edited"
                self.events.append((kind, self._about(one, before, one, other)))
        # Who touched it last was not kept in schemas 1 and 2: learning it is no change.
        self.rows.change(tables.annotations, ("id", "revision"), filled)
        return changed

    def _vanished(self, known: Mapping[str, Annotation]) -> list[Annotation]:
        held = {key: set(ids) for key, ids in self.pulled.seen.items()} | {
            key: set[str]() for key in self.pulled.missing_tasks
        }
        gone = []
        for one in self._last.values():
            if one.deleted or one.id in known or one.task_key not in held or one.id in held[one.task_key]:
                continue
            gone.append(replace(one, revision=one.revision + 1, deleted=True, changed_by=""))
            with_task = one.task_key in self.pulled.missing_tasks
            self.events.append(
                ("annotation deleted", self._about(one, one, None, ["deleted"]) | {"with_task": with_task})
            )
        return gone

    def _about(self, one: Annotation, before: Annotation, after: Annotation | None, other: list[str]) -> dict[str, Any]:
        return {**detail(one, before, after), "changed": other, "counted": self._counted(one)}

    def _counted(self, one: Annotation) -> bool:
        """Whether the annotation was there, in whatever revision, when answers last went into resolutions."""
        return bool(self._first_mirrored[one.id] <= self._resolved)

    def _write_revisions(self, changed: Iterable[Annotation]) -> None:
        rows = [
            {**asdict(one), "answer": asdict(one.answer) if one.answer else None, "mirrored": self.now, "latest": True}
            for one in changed
        ]
        past = [{"id": row["id"], "revision": row["revision"] - 1, "latest": False} for row in rows]
        self.rows.change(tables.annotations, ("id", "revision"), [row for row in past if row["revision"]])
        self.rows.insert(tables.annotations, rows)
        self._current |= {one.id: one for one in changed}
        fresh = sum(row["revision"] == 1 for row in rows)
        if fresh:
            table = tables.campaigns
            grown = table.update().where(self.rows.mine(table)).values(annotations=table.c.annotations + fresh)
            self.rows.connection.execute(grown)

    def _keys_of(self, one: Annotation) -> set[str]:
        before = self._last.get(one.id)
        return {one.task_key, before.task_key} if before else {one.task_key}

    def _count(self, keys: set[str]) -> None:
        """Bring the counters of tasks up to what people say of them now."""
        elsewhere = keys - self._tasks.keys()
        table = tables.annotations
        others = self.rows.among(table, "task_key", elsewhere, table.c.latest)
        current = {row["id"]: read_annotation(row) for row in others} | self._current
        fresh = [EventRow(number=0, at=self.now, kind=kind, detail=told) for kind, told in self.events]
        count_voices(self.rows, keys, current.values(), fresh)

    def _lose_and_find(self) -> int:
        missing = set(self.pulled.missing_tasks)
        gone = [row for key, row in self._tasks.items() if key in missing and not row["lost"]]
        back = [row for key, row in self._tasks.items() if row["lost"] and key in self.pulled.seen.keys() - missing]
        stood = Counter(one.task_key for one in self._last.values() if not one.deleted)
        counted = {one.task_key for one in self._last.values() if not one.deleted and self._counted(one)}
        for row in gone:
            told = {"annotations": stood[row["key"]], "answers": row["answers"], "skips": row["skips"]}
            about = {"task": row["key"], "round": row["round"], "before": told, "after": None}
            self.events.append(("task deleted on the server", about | {"counted": row["key"] in counted}))
        for row in back:
            about = {"task": row["key"], "round": row["round"], "before": None, "after": {"asked": row["asked"]}}
            self.events.append(("task came back", about))
        marked = [{"key": row["key"], "lost": lost} for rows, lost in ((gone, True), (back, False)) for row in rows]
        self.rows.change(tables.tasks, ("key",), marked)
        return len(marked)

    def _set_aside(self, foreign: list[Annotation]) -> None:
        """Keep annotations of strange tasks apart from ours, each once."""
        table = tables.foreign_annotations
        held = {row["id"] for row in self.rows.among(table, "id", {one.id for one in foreign})}
        new = [one for one in foreign if one.id not in held]
        self.rows.insert(
            table,
            [
                {
                    "id": one.id,
                    "task_key": one.task_key,
                    "worker": one.worker,
                    "answer": asdict(one.answer) if one.answer else None,
                    "mirrored": self.now,
                }
                for one in new
            ],
        )
        self.events += [("foreign annotation", detail(one, None, one)) for one in new]

    def _follow_drafts(self) -> None:
        table, given = tables.drafts, self.pulled.drafts
        seen = (given.keys() | self.pulled.seen.keys() | set(self.pulled.missing_tasks)) & self._known(given)
        held = {(row["task_key"], row["worker"]) for row in self.rows.among(table, "task_key", seen)}
        now = {(key, worker) for key in seen for worker in given.get(key, ())}
        answered = {(one.task_key, one.worker) for one in self._current.values() if not one.deleted}
        new, ended = sorted(now - held), sorted(held - now)
        self.rows.insert(table, [{"task_key": key, "worker": worker, "begun": self.now} for key, worker in new])
        for key, worker in ended:
            at = (table.c.task_key == key, table.c.worker == worker)
            self.rows.connection.execute(table.delete().where(self.rows.mine(table), *at))
        self.events += [("draft begun", {"task": key, "worker": worker}) for key, worker in new]
        self.events += [
            ("draft ended", {"task": key, "worker": worker, "answered": (key, worker) in answered})
            for key, worker in ended
        ]

    def _known(self, given: Mapping[str, Any]) -> set[str]:
        strange = given.keys() - self._tasks.keys()
        return self._tasks.keys() | {row["key"] for row in self.rows.among(tables.tasks, "key", strange)}

    def _compare_settings(self) -> None:
        seen = keep_settings(self.rows, self.now, self.pulled.settings)
        self.events += [
            ("setting changed", {"setting": name, "before": before, "after": after})
            for name, (before, after) in seen.items()
        ]


def keep_settings(rows: Access, now: str, settings: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Keep how the place is set up; which settings that were known are now another: name → before, after."""
    given = {name: json.loads(pack(value)) for name, value in settings.items()}
    held = {row["name"]: row["value"] for row in rows.among(tables.settings, "name", given.keys())}
    other = {name: (held[name], value) for name, value in given.items() if name in held and held[name] != value}
    fresh = [name for name in given if name not in held or name in other]
    rows.put(tables.settings, [{"name": name, "value": given[name], "seen": now} for name in fresh], ("value", "seen"))
    return other


def _plain(one: Annotation) -> Annotation:
    return one if isfinite(one.seconds) else replace(one, seconds=0.0)
