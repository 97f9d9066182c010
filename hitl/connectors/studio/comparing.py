"""Comparing a project with the record: what differs is told, and mended where that takes no work from anybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hitl.connectors.studio.project import strays
from hitl.connectors.studio.pushing import Pushing, bare_of, doubly_predicted, firsts, shut, version
from hitl.connectors.studio.tasks import Held, Row, precedence
from hitl.errors import ServerRefused
from hitl.types import Difference, Task, silent


@dataclass
class _There:
    """What a reading of the whole project found."""

    held: dict[str, list[Held]] = field(default_factory=dict)
    foreign: list[int] = field(default_factory=list)
    altered: dict[int, tuple[str, list[str]]] = field(default_factory=dict)  # server id → key, names of fields


@dataclass(frozen=True)
class Comparing:
    """One project beside the tasks that should be in it. O(tasks) time; contents pass through, a few at once."""

    pushing: Pushing
    show_predictions: bool

    def differences(self, tasks: Sequence[Task], *, mend: bool) -> tuple[Difference, ...]:
        """Settings first, then tasks by kind; what belongs to nobody known is told and left as it is."""
        wanted = {task.key: task for task in tasks}
        there = self._read(wanted)
        firsts_there = {key: sorted(rows, key=precedence)[0] for key, rows in there.held.items()}
        found = [
            *self._settings(mend),
            *self._missing(wanted, there, mend),
            *self._doubled(there, mend),
            *(Difference("foreign", str(number), "a task that is not the campaign's") for number in there.foreign),
            *self._altered(wanted, there, mend),
            *self._unpredicted(wanted, firsts_there, mend),
            *self._closed(wanted, firsts_there, mend),
        ]
        if mend and wanted:
            self.pushing.serve(wanted, firsts(self.pushing.server.held(wanted)))
        return tuple(found)

    def _read(self, wanted: Mapping[str, Task]) -> _There:
        there = _There()
        for held, data in self.pushing.server.everything():
            key = data.get("hitl_key")
            if not isinstance(key, str) or key not in wanted:
                there.foreign.append(held.id)
                continue
            there.held.setdefault(key, []).append(held)
            changed = _changed(self.pushing.data(wanted[key]), data)
            if changed:
                there.altered[held.id] = (key, changed)
        return there

    def _settings(self, mend: bool) -> Iterator[Difference]:
        project = self.pushing.project
        where = f"/api/projects/{project.id}/"
        row = self.pushing.http.row(where)
        wrong = strays(row, project, show_predictions=self.show_predictions)
        for name, value in wrong.items():
            mended = mend and self._set(where, row, name, value)
            said = "the page is not as the policy renders it" if name == "label_config" else f"should be {value}"
            yield Difference("settings", f"{project.form.queue or 'main'}/{name}", said, mended)

    def _set(self, where: str, row: Mapping[str, Any], name: str, value: object) -> bool:
        # Hiding predictions makes the server forget the model version, by which it orders, unless it is told again.
        kept = {"model_version": row["model_version"]} if row.get("model_version") else {}
        try:
            self.pushing.http.rewrite("PATCH", where, {name: value, **kept})
        except ServerRefused:
            return False
        return True

    def _missing(self, wanted: Mapping[str, Task], there: _There, mend: bool) -> Iterator[Difference]:
        missing = [task for key, task in wanted.items() if key not in there.held]
        if mend and missing:
            self.pushing.push(missing, silent)
        for task in missing:
            yield Difference("missing", task.key, "is not on the server", mend)

    def _doubled(self, there: _There, mend: bool) -> Iterator[Difference]:
        for key, rows in there.held.items():
            if len(rows) > 1:
                first, *copies = sorted(rows, key=precedence)
                gone = [mend and not copy.touched and self.pushing.server.delete_untouched(copy.id) for copy in copies]
                said = f"lies {len(rows)} times on the server; {len(copies) - sum(gone)} copies stay beside {first.id}"
                yield Difference("doubled", key, said, all(gone))

    def _altered(self, wanted: Mapping[str, Task], there: _There, mend: bool) -> Iterator[Difference]:
        rows = {row.id: row for held in there.held.values() for row in held}
        for number, (key, names) in there.altered.items():
            if mend:
                self.pushing.server.change(number, {"data": self.pushing.data(wanted[key])})
            answers = rows[number].answers
            said = f"not as it was sent: {', '.join(names)}" + (f"; it has {answers} answers" if answers else "")
            yield Difference("altered", key, said, mend)

    def _unpredicted(self, wanted: Mapping[str, Task], there: Mapping[str, Held], mend: bool) -> Iterator[Difference]:
        still = {key: row for key, row in there.items() if not row.closed}
        wrong = {key: still[key] for key in bare_of(wanted, still)}
        wrong |= {key: row for key, row in there.items() if doubly_predicted(row)}
        if mend and wrong:
            self.pushing.predict(wanted, wrong)
        for key, row in wrong.items():
            lacks = version(wanted[key]) not in row.versions
            yield Difference("unpredicted", key, "has no priority" if lacks else "has a prediction twice", mend)

    def _closed(self, wanted: Mapping[str, Task], there: Mapping[str, Held], mend: bool) -> Iterator[Difference]:
        closed = {key: row for key, row in there.items() if shut(row, wanted[key].overlap)}
        if mend:
            self.pushing.open({key: wanted[key].overlap for key in closed}, closed)
        for key, row in closed.items():
            asked = row.answers if row.closed else row.overlap
            yield Difference("closed", key, f"asked of {asked} people instead of {wanted[key].overlap}", mend)


def _changed(ours: Row, theirs: Row) -> list[str]:
    """Names of the fields that differ; contents are told to nobody."""
    return sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
