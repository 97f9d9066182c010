"""The in-memory twin of Label Studio: simulated reviewers who answer tasks when they are asked to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path

from hitl.connectors.dealing import Dealer
from hitl.connectors.desk import Desk, Event
from hitl.errors import ConnectorError
from hitl.policy import Policy
from hitl.tasks.form import Form
from hitl.types import Annotation, Answer, Difference, Finding, Progress, Pull, Queue, Receipt, Tab, Task, silent
from hitl.workforce.exposure import ExposureCap
from hitl.workforce.simulated import TEAM, Response, Reviewer, assign, respond

Truth = Callable[[Task], tuple[str, ...]] | Mapping[str, tuple[str, ...]]
"""What is right about a task's item: asked with the task, or looked up by item id (no entry: no label)."""

FIRST_DAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""When the simulated clock starts: a round a day, and within it the most important tasks first."""


class MemoryConnector:
    """Reviewers who answer from a known truth, in this process; with a `folder`, in the next one, too.

    They work whenever `pull` is called, unless `auto` is False; then `work` makes them. Each answer and its time
    depend on seed, reviewer and task alone: neither order nor restarts change it. A skipped task goes to the next
    person; nobody is asked twice. Under `caps` (see `Dealer`) who is asked, and when, also hangs on what they saw.

    >>> policy = Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: spam}]}")
    >>> desk = MemoryConnector({"item-1": ("spam",)}, [Reviewer("mira", accuracy=1.0, skip_rate=0.0, unsure_rate=0.0)])
    >>> desk.open("demo", Form(policy=policy), policy)
    'memory://demo'
    >>> desk.push([Task("key-1", 0, "item-1", 0, "classify", "1", "", {"text": "..."})]).sent
    1
    >>> desk.pull("").annotations[0].answer.labels
    ('spam',)
    """

    kind = "memory"

    def __init__(
        self,
        truth: Truth,
        reviewers: Sequence[Reviewer] = TEAM,
        *,
        seed: int = 0,
        auto: bool = True,
        folder: str | Path | None = None,
        caps: Sequence[ExposureCap] = (),
    ) -> None:
        names = [reviewer.name for reviewer in reviewers]
        if not names or len(set(names)) < len(names):
            raise ConnectorError(f"reviewers need names of their own, at least one; got {', '.join(names) or 'none'}")
        self._truth = truth
        self._reviewers = tuple(reviewers)
        self._seed = seed
        self._auto = auto
        self._caps = tuple(caps)
        self._folder = Path(folder) if folder else None
        self._desks: dict[str, Desk] = {}
        self._opened: tuple[Desk, Policy] | None = None

    def __repr__(self) -> str:
        held = f", {len(self._desk.tasks):,} tasks" if self._opened else ""
        return f"MemoryConnector({len(self._reviewers)} reviewers{held})"

    def open(self, campaign: str, form: Form, policy: Policy) -> str:
        """Set out the campaign's desk, or go back to it."""
        if campaign not in self._desks:
            self._desks[campaign] = Desk(self._folder / _file_name(campaign) if self._folder else None)
        # On a form without stars nobody gives any.
        self._opened = (self._desks[campaign], policy if form.ratings else policy.model_copy(update={"rubric": ()}))
        return f"memory://{campaign}"

    def broken(self, tasks: Sequence[Task]) -> Mapping[str, str]:
        """Nothing: simulated people look at no content."""
        return {}

    def push(self, tasks: Sequence[Task], progress: Progress = silent) -> Receipt:
        """Put on the desk what is not there yet."""
        new = {task.key: task for task in tasks if task.key not in self._desk.tasks}
        self._desk.write([Event("task", key, task=task) for key, task in new.items()])
        progress("pushing tasks", len(tasks), len(tasks))
        return Receipt({task.key: self._desk.numbers[task.key] for task in tasks}, sent=len(new))

    def ask_more(self, overlap: Mapping[str, int]) -> None:
        """Ask more people; a task that is no longer there is passed over, a smaller number changes nothing."""
        more = {key: people for key, people in overlap.items() if people > self._desk.people.get(key, people)}
        self._desk.write([Event("people", key, people=people) for key, people in more.items()])

    def refresh(self, tasks: Sequence[Task], progress: Progress = silent) -> None:
        """Serve what waits by the priorities of its present model; what has that model's keeps it, as on a server."""
        self._desk.write([Event("change", task.key, task=task) for task in self._outdated(tasks)])
        progress("refreshing tasks", len(tasks), len(tasks))

    def sort(self, tabs: Sequence[Tab]) -> None:
        """Set the tabs out, in place of those of an earlier call."""
        if tuple(tabs) != self._desk.tabs:
            self._desk.write([Event("tabs", tabs=tuple(tabs))])

    def reconcile(self, tasks: Sequence[Task], *, mend: bool) -> tuple[Difference, ...]:
        """How the desk differs from these tasks; with `mend`, less so after."""
        desk, wanted = self._desk, {task.key: task for task in tasks}
        there = [task for key, task in wanted.items() if key in desk.tasks]
        missing = [task for key, task in wanted.items() if key not in desk.tasks]
        foreign = [desk.numbers[key] for key in desk.tasks if key not in wanted]
        altered = [task for task in there if desk.tasks[task.key].data != task.data]
        outdated = self._outdated(there)
        closed = [task for task in there if max(desk.people[task.key], desk.answers(task.key)) < task.overlap]
        found = [
            *(Difference("missing", task.key, "is not on the desk", mend) for task in missing),
            *(Difference("foreign", number, "a task that is not the campaign's") for number in foreign),
            *(Difference("altered", task.key, "not as it was sent", mend) for task in altered),
            *(Difference("unpredicted", task.key, "has not its model's priority", mend) for task in outdated),
            *(Difference("closed", task.key, f"not asked of {task.overlap} people", mend) for task in closed),
        ]
        if mend:
            self.push(missing)
            desk.write(
                [Event("change", task.key, task=replace(desk.tasks[task.key], data=task.data)) for task in altered]
            )
            self.refresh(outdated)
            self.ask_more({task.key: task.overlap for task in closed})
        return tuple(found)

    def pull(self, cursor: str) -> Pull:
        """What changed since the cursor; a cursor of a desk that is no more reads from the start.

        Raises `ConnectorError` when there was a desk and nothing is left of it.
        """
        if cursor and not self._desk.tasks and not self._desk.gone and not self._desk.knows(cursor):
            raise ConnectorError(
                "the tasks of an earlier pull are gone: they lived in another process; "
                "give MemoryConnector a folder, and it keeps them"
            )
        if self._auto:
            self.work()
        touched, changed = self._desk.since(cursor)
        return Pull(changed, self._desk.cursor, seen=self._desk.seen(touched))

    def finish(self) -> Pull:
        """Everything on the desk, and which tasks were taken off it."""
        desk = self._desk
        everything = tuple(annotation for held in desk.held.values() for annotation in held.values())
        return Pull(everything, desk.cursor, missing_tasks=tuple(desk.gone), seen=desk.seen(desk.tasks))

    def check(self, campaign: str, form: Form) -> list[Finding]:
        """Nothing can stand in the way here."""
        names = ", ".join(reviewer.name for reviewer in self._reviewers)
        where = f"kept in {self._folder}" if self._folder else "kept in this process only"
        return [Finding("reviewers", "ok", f"{len(self._reviewers)} simulated people ({names}), {where}")]

    def close(self) -> None:
        """Nothing to let go of."""

    def work(self, limit: int | None = None) -> int:
        """Let people answer what waits, the highest priority first, `limit` answers at most; how many they gave."""
        events: list[Event] = []
        for annotation in self._answers():
            if len(events) == limit:
                break
            events.append(Event("answer", annotation.task_key, annotation=annotation))
        self._desk.write(events)
        return len(events)

    def edit(self, annotation: str, answer: Answer) -> None:
        """Somebody changes their mind; raises `ConnectorError` when there is no such annotation."""
        found = self._find(annotation)
        edited = replace(found, answer=answer, skipped=False)
        self._desk.write([Event("answer", found.task_key, annotation=edited)])

    def delete(self, annotation: str) -> None:
        """Somebody deletes an annotation; another person is asked instead."""
        found = self._find(annotation)
        self._desk.write([Event("delete", found.task_key, annotation=found)])

    def delete_task(self, key: str) -> None:
        """Somebody deletes a task with all its annotations; raises `ConnectorError` when there is no such task."""
        self._desk.write([Event("delete_task", self._task(key).key)])

    def edit_task(self, key: str, data: Mapping[str, object]) -> None:
        """Somebody changes what a task shows; raises `ConnectorError` when there is no such task."""
        self._desk.write([Event("change", key, task=replace(self._task(key), data=dict(data)))])

    def close_task(self, key: str) -> None:
        """Somebody closes a task to further people; raises `ConnectorError` when there is no such task."""
        self._desk.write([Event("people", self._task(key).key, people=self._desk.answers(key))])

    def tab(self, name: str, queue: Queue = "") -> tuple[str, ...]:
        """Keys of the tasks that a tab shows, the most important first; raises `ConnectorError` without such a tab."""
        desk = self._desk
        tab = next((tab for tab in desk.tabs if (tab.name, tab.queue) == (name, queue)), None)
        if tab is None:
            raise ConnectorError(f"there is no tab {name!r} on the desk; sort(tabs) sets them out")
        shown = [
            task
            for task in desk.tasks.values()
            if task.queue == queue
            and (tab.language is None or task.data.get("language") == tab.language)
            and (tab.keys is None or task.key in tab.keys)
            and (tab.answered is None or tab.answered == (task.key not in desk.waiting))
        ]
        return tuple(task.key for task in sorted(shown, key=lambda task: -task.priority))

    @property
    def tabs(self) -> tuple[Tab, ...]:
        """The tabs that are set out."""
        return self._desk.tabs

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks on the desk, in the order in which they came."""
        return tuple(self._desk.tasks.values())

    @property
    def _now(self) -> tuple[Desk, Policy]:
        if self._opened is None:
            raise ConnectorError("no campaign is open on this connector: call open(campaign, form, policy) first")
        self._opened[0].refresh()
        return self._opened

    @property
    def _desk(self) -> Desk:
        return self._now[0]

    def _task(self, key: str) -> Task:
        if key not in self._desk.tasks:
            raise ConnectorError(f"there is no task {key} on the desk")
        return self._desk.tasks[key]

    def _outdated(self, tasks: Sequence[Task]) -> list[Task]:
        """What waits by the priority of another model, as it should be: content and people stay."""
        desk = self._desk
        return [
            replace(held, priority=task.priority, predicted=task.predicted, model_id=task.model_id)
            for task in tasks
            if task.key in desk.waiting and (held := desk.tasks[task.key]).model_id != task.model_id
        ]

    def _find(self, annotation: str) -> Annotation:
        found = next((held[annotation] for held in self._desk.held.values() if annotation in held), None)
        if found is None:
            raise ConnectorError(f"there is no annotation {annotation} on the desk")
        return found

    def _answers(self) -> Iterator[Annotation]:
        """What people would do now, in order. O(w log w) for w waiting tasks."""
        desk, policy = self._now
        dealer = self._dealer(desk, policy)
        waiting = sorted(desk.waiting, key=lambda key: (-desk.tasks[key].priority, int(desk.numbers[key])))
        for key in waiting:
            task, missing = desk.tasks[key], desk.missing(key)
            language = str(task.data.get("language", ""))
            asked = assign(key, language, self._reviewers, len(self._reviewers))
            for turn, (reviewer, day) in enumerate(dealer.deal(task, asked, task.round)):
                if missing <= 0:
                    break
                if reviewer.name in desk.asked[key]:
                    continue
                truth = self._truth(task) if callable(self._truth) else self._truth.get(task.item_id, ())
                response = respond(reviewer, key, truth, policy, self._seed, language, task.round)
                annotation = _annotation(task, reviewer, response, turn, day)
                missing -= not annotation.skipped
                dealer.see(reviewer.name, day, task, annotation)
                yield annotation

    def _dealer(self, desk: Desk, policy: Policy) -> Dealer:
        """Who has seen what by now; without caps nobody needs to know."""
        dealer = Dealer(self._caps, policy)
        for key, held in desk.held.items() if self._caps else ():
            for annotation in held.values():
                day = (datetime.fromisoformat(annotation.submitted) - FIRST_DAY).days
                dealer.see(annotation.worker, day, desk.tasks[key], annotation)
        return dealer


def _annotation(task: Task, reviewer: Reviewer, response: Response, turn: int, day: int) -> Annotation:
    return Annotation(
        id=f"{task.key}.{reviewer.name}",
        task_key=task.key,
        worker=reviewer.name,
        answer=response.answer,
        submitted=_when(task, turn, response, day).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        seconds=response.seconds,
        skipped=response.answer is None,
    )


def _when(task: Task, turn: int, response: Response, day: int) -> datetime:
    """When an answer is given on a day: high priority early, later opinions a quarter of an hour apart."""
    jitter = blake2b(task.key.encode(), digest_size=2).digest()
    return FIRST_DAY + timedelta(
        days=day,
        hours=6 * (1 - task.priority),
        minutes=15 * turn + 10 * int.from_bytes(jitter, "big") / 65536,
        seconds=response.seconds,
    )


def _file_name(campaign: str) -> str:
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in campaign)[:40]
    return f"{plain}-{blake2b(campaign.encode('utf-8', 'surrogatepass'), digest_size=4).hexdigest()}.jsonl"
