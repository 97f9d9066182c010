"""Pulling answers: by a watermark of the server's own clock, or everything there is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from hitl.connectors.studio.http import Http
from hitl.connectors.studio.project import Project
from hitl.connectors.studio.tasks import Row, Tasks, changed_at, stamp
from hitl.tasks import parse
from hitl.types import Annotation

LOOK_BACK = timedelta(seconds=30)
"""How far a pull looks back behind its watermark: a change is stamped before it can be read."""

DRAFTS = 200
"""Of so many tasks at most, the latest, a pull asks who began to answer them: one request each."""

UNDATED = datetime(1970, 1, 1, tzinfo=UTC)


Copies = dict[str, dict[int, list[Annotation]]]
"""Annotations by key and by the server's id of the task."""


@dataclass(frozen=True)
class Listing:
    """What one project told.

    Annotations, and the annotation ids of every task that was read; the newest change, by the server's clock; who has
    begun to answer which task; and keys that stand on several tasks, with the server's ids of those.
    """

    annotations: tuple[Annotation, ...]
    seen: dict[str, tuple[str, ...]]
    latest: datetime | None
    drafts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    doubled: dict[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass
class People:
    """Who is who on the server, as pseudonyms of one campaign; asked for when somebody new turns up."""

    http: Http
    campaign: str
    _emails: dict[int, str] = field(default_factory=dict)

    def name(self, user: object) -> str:
        """The pseudonym of a user, given by number or as the server tells of one; empty when it is none."""
        number = user.get("id") if isinstance(user, dict) else user
        return pseudonym(self.campaign, self._email(number)) if isinstance(number, int) else ""

    def _email(self, number: int) -> str:
        if number not in self._emails:
            self._emails = {
                int(row["id"]): str(row["email"]) for row in self.http.rows("/api/users/", each=("id", "email"))
            }
        return self._emails.setdefault(number, f"user {number}")


@dataclass(frozen=True)
class Pulling:
    """The way of answers out of one project. O(tasks that changed) time, a few hundred bodies at a time in memory."""

    http: Http
    project: Project
    people: People

    def since(self, watermark: datetime | None) -> Listing:
        """Tasks touched since the watermark, each with all its annotations; all tasks where there is none.

        The watermark follows the server's clock and never runs ahead of it. A clock that was set back since then might
        have stamped anything: everything is read again.
        """
        if watermark is None:
            return self._everything()
        changes = self._server.changed(watermark - LOOK_BACK)
        now = self.http.clock
        if now and now < watermark - LOOK_BACK:
            return self._everything()
        held: Copies = {}
        self._read_into(held, self._server.bodies(sorted(changes.at)))
        if held:
            # A key's other copies are read along with the one that changed.
            others = set(self._server.copies(held)) - changes.at.keys()
            self._read_into(held, self._server.bodies(sorted(others)))
        return self._listing(held, _watermark([*changes.at.values(), watermark], now), changes.drafted)

    def _everything(self) -> Listing:
        # The clock is asked before the reading, which takes minutes: what changes behind it is read again.
        begun, now = self._server.begun(), self.http.clock
        held: Copies = {}
        latest = self._read_into(held, self._server.all_bodies())
        return self._listing(held, _watermark([latest] if latest else [], now), begun)

    def _listing(self, held: Copies, latest: datetime | None, begun: Iterable[int]) -> Listing:
        return Listing(
            annotations=tuple(annotation for tasks in held.values() for read in tasks.values() for annotation in read),
            seen={key: tuple(a.id for read in tasks.values() for a in read) for key, tasks in held.items()},
            latest=latest,
            drafts=self._drafts(begun),
            doubled={key: tuple(sorted(tasks)) for key, tasks in held.items() if len(tasks) > 1},
        )

    @property
    def _server(self) -> Tasks:
        return Tasks(self.http, self.project.id)

    def _read_into(self, held: Copies, rows: Iterable[Row]) -> datetime | None:
        """Keep the annotations of tasks; when the latest of these changed."""
        latest = None
        for row in rows:
            moment = changed_at(row)
            latest = max(latest or moment, moment)
            key = _key(row)
            if key:
                held.setdefault(key, {})[row["id"]] = [self._annotation(key, told) for told in row["annotations"]]
        return latest

    def _drafts(self, drafted: Iterable[int]) -> dict[str, tuple[str, ...]]:
        latest = sorted(drafted)[-DRAFTS:]
        drafts: dict[str, tuple[str, ...]] = {}
        for row in self._server.bodies(latest):
            key = _key(row)
            if key:
                begun = {pseudonym(self.people.campaign, email) for email in self._server.drafts(row["id"])}
                drafts[key] = tuple(sorted(begun.union(drafts.get(key, ()))))
        return drafts

    def _annotation(self, key: str, held: Row) -> Annotation:
        skipped = bool(held["was_cancelled"])
        answer, problem = (None, "") if skipped else parse(self.project.form, held["result"])
        submitted = _moment(held.get("created_at"))
        number = str(held["id"])
        return Annotation(
            id=number,
            task_key=key,
            # Whose account is gone is somebody of their own, not one person with all others whose is.
            worker=self.people.name(held["completed_by"]) or pseudonym(self.people.campaign, f"annotation {number}"),
            answer=answer if submitted else None,
            submitted=stamp(submitted or UNDATED),
            seconds=_seconds(held.get("lead_time")),
            skipped=skipped,
            problem=problem or ("" if submitted else "it is not told when it was made"),
            changed_by=self.people.name(held.get("updated_by")),
        )


def pseudonym(campaign: str, email: str) -> str:
    """The name under which a person's work is kept: the same within a campaign, unlinkable between campaigns.

    >>> pseudonym("demo", "Ana@example.org") == pseudonym("demo", "ana@example.org")
    True
    """
    key = blake2b(campaign.encode()).digest()
    return f"w-{blake2b(email.strip().lower().encode(), key=key, digest_size=4).hexdigest()}"


def _watermark(known: Sequence[datetime], now: datetime | None) -> datetime | None:
    """The newest change, though not beyond the server's clock, nor far behind it: old changes are not read for ever."""
    if now is None:
        return max(known, default=None)
    # The clock is told in whole seconds.
    return min(max([*known, now - LOOK_BACK]), now + timedelta(seconds=1))


def _key(row: Row) -> str:
    """Our key of a task, empty where it is not ours."""
    key = row["data"].get("hitl_key") if isinstance(row["data"], dict) else None
    return key if isinstance(key, str) else ""


def _moment(told: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(told))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _seconds(told: object) -> float:
    """Active time; what is no length of time counts as none told."""
    if not isinstance(told, int | float):
        return 0.0
    try:
        seconds = float(told)
    except OverflowError:
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
