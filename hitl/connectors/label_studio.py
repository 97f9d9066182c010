"""Label Studio as the place where people work: a project for each queue of a campaign."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import httpx
from pydantic import SecretStr

from hitl.connectors.studio.comparing import Comparing
from hitl.connectors.studio.http import Http
from hitl.connectors.studio.looking import look_over
from hitl.connectors.studio.project import QUEUES, Project, find, find_or_make, setup
from hitl.connectors.studio.pulling import Listing, People, Pulling
from hitl.connectors.studio.pushing import Pushing
from hitl.connectors.studio.storage import AsIs, Storage
from hitl.connectors.studio.tabs import Tabs
from hitl.connectors.studio.tasks import stamp
from hitl.errors import ConnectorError
from hitl.policy import Policy
from hitl.tasks.form import Form
from hitl.types import Annotation, Difference, Finding, Progress, Pull, Queue, Receipt, Tab, Task, silent


class LabelStudio:
    """A Label Studio server; `token` is a personal access token or a legacy one.

    `project` is the title to give to a new project (the campaign's name otherwise). With `show_predictions` reviewers
    see the model's answer ticked beforehand, which anchors them. `media` says how pictures and clips are shown. One
    writer a campaign at a time; readers as many as there are.

    >>> LabelStudio("http://127.0.0.1:8080", "0" * 40)
    LabelStudio('http://127.0.0.1:8080')
    """

    kind = "label_studio"

    def __init__(
        self,
        url: str,
        token: SecretStr | str,
        *,
        project: str | None = None,
        timeout: float = 60.0,
        show_predictions: bool = False,
        media: Storage | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = Http(url, token, timeout, transport)
        self._title = project
        self._show_predictions = show_predictions
        self._media: Storage = media or AsIs()
        self._projects: dict[Queue, Project] = {}
        self._people: People | None = None
        self._pushed: set[str] = set()
        self._prepared: set[int] = set()

    def __repr__(self) -> str:
        where = self.url_of_project if self._projects else self._http.url
        return f"LabelStudio({where!r})"

    @property
    def url_of_project(self) -> str:
        """Where people work: enter there by "Label All Tasks". Raises `ConnectorError` before `open`."""
        return f"{self._http.url}/projects/{self._opened.id}/"

    @property
    def project_id(self) -> int:
        """The server's number of the main queue's project. Raises `ConnectorError` before `open`."""
        return self._opened.id

    @property
    def project_ids(self) -> dict[Queue, int]:
        """The server's numbers of the projects there are, by queue. Raises `ConnectorError` before `open`."""
        return {queue: project.id for queue, project in self._all().items()}

    def open(self, campaign: str, form: Form, policy: Policy) -> str:
        """Make the project of this campaign and policy version, or find it; returns its address."""
        if form.policy != policy:
            raise ConnectorError(f"the form asks about {form.policy!r}, not about {policy!r}; give one policy")
        found = find(self._http, campaign, form)
        self._projects = {**found, "": found.get("") or self._made(campaign, replace(form, queue=""))}
        for project in found.values():
            Tabs(self._http, project).enter()
        self._people = People(self._http, campaign)
        return self.url_of_project

    def broken(self, tasks: Sequence[Task]) -> Mapping[str, str]:
        """Task keys whose media the server could not show, and why. O(media) requests, a few at a time."""
        references = {task.key: str(task.data["media"]) for task in tasks if "media" in task.data}
        if not references:
            return {}
        self._prepare(self._opened)
        wrong = self._media.broken(self._http, list(dict.fromkeys(references.values())))
        return {key: wrong[reference] for key, reference in references.items() if reference in wrong}

    def push(self, tasks: Sequence[Task], progress: Progress = silent) -> Receipt:
        """Afterwards each task is there once, with one prediction, and the highest priority is served first.

        A queue's project is made when its first task comes. Raises `ServerUnreachable` when some did not arrive.
        O(tasks) time, a chunk at a time in memory.
        """
        self._pushed |= {task.key for task in tasks}
        receipts = [self._ready(queue, some).push(some, progress) for queue, some in self._by_queue(tasks)]
        ids = {key: number for receipt in receipts for key, number in receipt.server_ids.items()}
        return Receipt(ids, sent=sum(receipt.sent for receipt in receipts))

    def ask_more(self, overlap: Mapping[str, int]) -> None:
        """Open tasks to more people; a task that is gone, or has as many answers, is left alone. One request a task."""
        for queue in self._all():
            self._pushing(queue).ask_more(overlap)

    def refresh(self, tasks: Sequence[Task], progress: Progress = silent) -> None:
        """Give open tasks the prediction of their present model, then serve by its priorities.

        A task that has its model's prediction keeps it with its priority: other priorities need another model id, by
        which the server tells one order from the next. What is locked, begun or answered stays as it is.
        O(tasks) time, a chunk at a time in memory.
        """
        for queue, some in self._by_queue(tasks):
            self._pushing(queue).refresh(some)
        progress("refreshing tasks", len(tasks), len(tasks))

    def sort(self, tabs: Sequence[Tab]) -> None:
        """Show the tabs in the data managers of the queues' projects; our tabs that are not among them are removed."""
        for queue, project in self._all().items():
            Tabs(self._http, project).show(tab for tab in tabs if tab.queue == queue)

    def reconcile(self, tasks: Sequence[Task], *, mend: bool) -> tuple[Difference, ...]:
        """How the projects differ from these tasks; with `mend`, less so after. O(tasks there) time."""
        asked, there = dict(self._by_queue(tasks)), self._all()
        found: list[Difference] = []
        for queue in QUEUES:
            wanted = asked.get(queue, [])
            if queue in there or (mend and wanted):
                comparing = Comparing(self._ready(queue, wanted), self._show_predictions)
                found += comparing.differences(wanted, mend=mend)
            else:
                found += [Difference("missing", task.key, "its queue has no project yet") for task in wanted]
        return tuple(found)

    def pull(self, cursor: str) -> Pull:
        """Tasks touched since the cursor, each with all its annotations: what vanished from one is not in `seen`."""
        there = self._all_now()
        since = _since(cursor, there)
        return self._told({queue: self._pulling(queue).since(since.get(queue)) for queue in there})

    def finish(self) -> Pull:
        """Every task there is; the ones that this connector pushed and are gone are in `missing_tasks`."""
        listed = self._told({queue: self._pulling(queue).since(None) for queue in self._all_now()}, whole=True)
        return replace(listed, missing_tasks=tuple(sorted(self._pushed - listed.seen.keys())))

    def check(self, campaign: str, form: Form) -> list[Finding]:
        """Server, token, permissions, clock, label config and settings, each with what to do; makes nothing."""
        return look_over(self._http, campaign, form, show_predictions=self._show_predictions)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def _opened(self) -> Project:
        if "" not in self._projects:
            raise ConnectorError("no project is open: call open(campaign, form, policy) first")
        return self._projects[""]

    def _all(self) -> dict[Queue, Project]:
        """The projects that there were when this one was opened, and those made from here since."""
        _ = self._opened
        return {queue: self._projects[queue] for queue in QUEUES if queue in self._projects}

    def _all_now(self) -> dict[Queue, Project]:
        """Those, and what another process made since."""
        self._projects |= find(self._http, self._opened.campaign, self._opened.form) | self._projects
        return self._all()

    def _made(self, campaign: str, form: Form) -> Project:
        title = self._title or campaign
        made = find_or_make(self._http, campaign, form, title, show_predictions=self._show_predictions)
        Tabs(self._http, made).enter()
        return made

    def _pushing(self, queue: Queue) -> Pushing:
        opened = self._opened
        if queue not in self._projects:
            self._projects[queue] = self._made(opened.campaign, replace(opened.form, queue=queue))
        return Pushing(self._http, self._projects[queue], self._media)

    def _pulling(self, queue: Queue) -> Pulling:
        project = self._projects[queue]
        return Pulling(self._http, project, self._people or People(self._http, project.campaign))

    def _by_queue(self, tasks: Sequence[Task]) -> list[tuple[Queue, list[Task]]]:
        """The tasks of each queue that has any."""
        return [(queue, some) for queue in QUEUES if (some := [task for task in tasks if task.queue == queue])]

    def _ready(self, queue: Queue, tasks: Sequence[Task]) -> Pushing:
        """A queue's project, able to show what the tasks refer to."""
        pushing = self._pushing(queue)
        if any("media" in task.data for task in tasks):
            self._prepare(pushing.project)
        return pushing

    def _prepare(self, project: Project) -> None:
        if project.id not in self._prepared:
            self._media.prepare(self._http, project.id)
            self._prepared.add(project.id)

    def _told(self, listed: Mapping[Queue, Listing], *, whole: bool = False) -> Pull:
        """One pull of all queues; copies that a late import left are taken away on the way."""
        since: dict[str, dict[str, object]] = {}
        annotations: list[Annotation] = []
        seen: dict[str, tuple[str, ...]] = {}
        drafts: dict[str, tuple[str, ...]] = {}
        for queue, listing in listed.items():
            if listing.doubled:
                pushing = self._pushing(queue)
                pushing.fold(pushing.server.held(listing.doubled))
            annotations += listing.annotations
            seen |= listing.seen
            drafts |= listing.drafts
            if listing.latest:
                since[queue] = {"project": self._projects[queue].id, "since": stamp(listing.latest)}
        # What is pulled on the way is followed by a pull that brings nothing, or by the whole.
        settings = setup(self._http, self._projects) if whole or not annotations else {}
        cursor = json.dumps(since) if since else ""
        return Pull(tuple(annotations), cursor, seen=seen, drafts=drafts, settings=settings)


def _since(cursor: str, there: Mapping[Queue, Project]) -> dict[Queue, datetime]:
    """Where each queue's reading goes on; a new policy version has projects of its own, read from their start."""
    try:
        told = json.loads(cursor) if cursor else {}
        if "project" in told:  # a cursor from before there were queues
            told = {"": told}
        return {
            queue: datetime.fromisoformat(told[queue]["since"]).astimezone(UTC)
            for queue, project in there.items()
            if queue in told and told[queue]["project"] == project.id
        }
    except (ValueError, TypeError, AttributeError, KeyError):
        raise ConnectorError("the cursor is not one of this connector; pull again from the start") from None
