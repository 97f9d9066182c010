"""The conductor: a campaign and its rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hitl.challenges import ChallengeSuite
from hitl.compute import Compute, here
from hitl.connectors import Connector
from hitl.errors import CampaignError, ConfigError, ServerUnreachable
from hitl.history import History, TamperRow, read_estimate
from hitl.ledger import Ledger
from hitl.ledger.ledger import Clock, utc_now
from hitl.markup import paragraph, table
from hitl.metrics.tampering import KINDS, tampering
from hitl.models import Model
from hitl.policy import Policy
from hitl.pool import Pool
from hitl.report import rounds_table
from hitl.report import write as write_report
from hitl.rounds import qa_sheets
from hitl.rounds.asking import ask, push
from hitl.rounds.collect import in_hand, mirror, pull, unanswered
from hitl.rounds.findings import examine
from hitl.rounds.learn import fit, resolve
from hitl.rounds.measuring import measure
from hitl.rounds.pick import select
from hitl.rounds.reconcile import reconcile
from hitl.rounds.rescore import Rescored, rescore
from hitl.rounds.round import Metrics, Round, Status
from hitl.rounds.routing import checked
from hitl.rounds.tell import history
from hitl.rounds.walk import Done, Walk
from hitl.sampling.plan import Plan
from hitl.tasks import FormName
from hitl.types import Comparison, Difference, Progress, Selection, silent
from hitl.workforce.exposure import ExposureCap
from hitl.workforce.routing import Route

Step = Callable[[Walk, int], Done | None]

STEPS: dict[str, Step] = {
    "select": select,
    "ask": ask,
    "push": push,
    "pull": pull,
    "resolve": resolve,
    "fit": fit,
    "examine": examine,
    "measure": measure,
}
"""One item's walk. A step with no row in the ledger has not happened; resuming runs the steps that have none."""

LAST = list(STEPS)[-1]
"""The step with which a round is completed."""


class Campaign:
    """Rounds of picking, asking people and learning, on the record.

    Iterating yields every round: those on record at once, then those that are left, as they are completed. It ends
    where people must still work; the next iteration, in this process or another, goes on there.
    Raises `ConfigError`, `PolicyError`, `LedgerError` or `ConnectorError`; nothing that was done is lost.
    """

    def __init__(
        self,
        name: str,
        *,
        policy: Policy,
        pool: Pool,
        model: Model,
        connector: Connector,
        plan: Plan | None = None,
        folder: str | Path = "runs",
        ledger: Ledger | None = None,
        clock: Clock = utc_now,
        progress: Progress = silent,
        compute: Compute | None = None,
        form: FormName | None = None,
        challenges: Sequence[ChallengeSuite] = (),
        routes: Sequence[Route] = (),
        exposure: Sequence[ExposureCap] = (),
    ) -> None:
        if not name or any(mark in name for mark in "/\\\n"):
            raise ConfigError(f"campaign {name!r}: the name must be one line without slashes")
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ledger = ledger or Ledger(self.folder / "ledger.db", name, clock=clock)
        edges = (connector, self.ledger, self.folder, progress, compute or here())
        for suite in challenges:
            suite.check(policy, model.reads)
        suites = tuple(challenges)
        plan = plan or Plan()
        told = (form, suites, checked(routes, policy, plan), tuple(exposure))
        self.walk = Walk(name, policy, pool, model, plan, *edges, *told)
        self.clock = clock

    def run(self, *, wait: float | None = None) -> Status:
        """Go on to the next point where people must work, or to the end; with `wait` (seconds), keep looking."""
        while True:
            try:
                for _ in self._walk_on():
                    pass
            except ServerUnreachable:
                # people are at work for days: a server that is restarted meanwhile is no reason to give up
                if wait is None or self.status.state != "waiting":
                    raise
            status = self.status
            if status.state == "done" and not (self.folder / "report.html").exists():
                self.report()
            if status.state != "waiting" or wait is None:
                return status
            self.walk.progress("people at work", status.tasks_done, status.tasks)
            time.sleep(wait)

    def __iter__(self) -> Iterator[Round]:
        return map(self.round, self._walk_on())

    def _walk_on(self) -> Iterator[int]:
        """The numbers of the rounds, as they are completed; those on record are not read."""
        with self._alone(), self.ledger.alone():
            self.walk.check()
            completed = self.ledger.completed(LAST)
            for number in range(self.walk.plan.rounds + 1):
                if number not in completed:
                    self._open_project()
                    arrived = self._advance(number)
                    self.report()
                    if not arrived:
                        return
                yield number

    def _advance(self, number: int) -> bool:
        """Run the steps of a round that have no row yet; False where people must still work."""
        self._begin(number)
        for name, step in STEPS.items():
            if self.ledger.step(number, name) is not None:
                continue
            begun = time.monotonic()
            self.walk.progress(f"round {number}: {name}", 0, None)
            done = step(self.walk, number)
            if done is None:
                return False
            with self.ledger.transaction() as writer:
                done.write(writer)
                writer.complete(number, name, done.output, time.monotonic() - begun)
        return True

    def _open_project(self) -> None:
        project = self.walk.connector.open(self.walk.campaign, self.walk.form, self.walk.policy)
        if project != self.ledger.project:
            with self.ledger.transaction() as writer:
                writer.set_project(project)

    def _begin(self, number: int) -> None:
        if any(row["round"] == number for row in self.ledger.rounds()):
            return
        walk = self.walk
        with self.ledger.transaction() as writer:
            writer.save_policy(walk.policy.version, walk.policy.to_yaml())
            writer.begin_round(
                number,
                seed=walk.plan.seed,
                config=walk.config(),
                config_hash=walk.config_hash(),
                policy_version=walk.policy.version,
            )

    def _completed(self, number: int) -> bool:
        return self.ledger.step(number, LAST) is not None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the campaign's folder, so that two runs do not walk the same round at once."""
        with open(self.folder / "run.lock", "w") as lock:
            try:
                import fcntl

                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except ImportError:
                pass
            except OSError:
                raise CampaignError(
                    f"campaign {self.walk.campaign}: another run holds {self.folder}; wait for it, or stop it"
                ) from None
            yield

    def pull(self) -> int:
        """Mirror what people did until now, without going on; how many annotations changed."""
        # Of two pulls at once, the older could be written over the newer.
        with self._alone(), self.ledger.alone():
            self._open_project()
            return mirror(self.walk, self.walk.connector.pull(self.ledger.cursor))

    def rescore(self) -> Rescored:
        """Learn from the answers so far, and serve the open tasks in the order of that model; see `rescore`."""
        with self._at_work() as number:
            return rescore(self.walk, number)

    def reconcile(self, *, mend: bool = True) -> tuple[Difference, ...]:
        """Lay record and server side by side, and mend what differs; see `reconcile`."""
        with self._at_work():
            return reconcile(self.walk, mend=mend)

    def ask_again(self, sample: str = "", *, actor: str, reason: str) -> tuple[int, int]:
        """Ask seniors, blind, about decisions that were drawn; how many items, and how many are left."""
        with self._at_work():
            return qa_sheets.ask(self.walk, sample, actor=actor, reason=reason)

    @contextmanager
    def _at_work(self) -> Iterator[int]:
        """The number of the round that is under way, with the record ours alone and the project open."""
        rounds = self.ledger.rounds()
        if not rounds:
            raise CampaignError(f"campaign {self.walk.campaign}: no round has begun; call `hitl run` first")
        with self._alone(), self.ledger.alone():
            self._open_project()
            yield rounds[-1]["round"]

    def tampering(self) -> list[TamperRow]:
        """Who changed or deleted whose work, the gravest first, from the record alone."""
        return tampering(self.ledger.events(*KINDS))

    def round(self, number: int) -> Round:
        """A completed round; raises `CampaignError` when it is not."""
        if not self._completed(number):
            raise CampaignError(f"campaign {self.walk.campaign}: round {number} is not completed ({self.status})")
        measured = self.ledger.step(number, "measure") or {}
        row = measured.get("comparison")
        comparison = row and Comparison(row["verdict"], *(read_estimate(row[k]) for k in ("difference", "old", "new")))
        model = self.ledger.model(number)
        return Round(
            number=number,
            kind="active" if number else "seed",
            selection=Selection(tuple(self.ledger.picks(number))),
            metrics=Metrics(tuple(self.ledger.metrics(number, "benchmark"))),
            audit=Metrics(tuple(self.ledger.metrics(number, "audit"))),
            comparison=comparison or None,
            model_id=model["model_id"] if model else "",
            labels_so_far=(self.ledger.step(number, "resolve") or {}).get("resolved", 0),
        )

    @property
    def rounds(self) -> list[Round]:
        """The completed rounds."""
        return [self.round(number) for number in self.ledger.completed(LAST)]

    @property
    def status(self) -> Status:
        """Where the campaign stands, from the record alone."""
        rows = self.ledger.rounds()
        if not rows:
            return Status("empty", "no round has begun", next_steps=("hitl run",))
        number, last = rows[-1]["round"], self.walk.plan.rounds
        if self._completed(number):
            if number >= last:
                told = f"all {last + 1} rounds are completed" if last else "the seed round is completed, the only one"
                return Status("done", told, number)
            return Status("running", f"round {number} of {last} is completed", number, next_steps=("hitl run",))
        if self.ledger.step(number, "push") is None or self.ledger.step(number, "pull") is not None:
            return Status("running", f"round {number} of {last} is on its way", number, next_steps=("hitl run",))
        tasks = in_hand(self.walk, number)
        left = len(unanswered(self.walk, tasks))
        sentence = f"round {number} of {last} waits for people: {len(tasks) - left:,} of {len(tasks):,} tasks answered"
        return Status("waiting", sentence, number, len(tasks), len(tasks) - left, ("answer the tasks", "hitl run"))

    def history(self) -> History:
        """Everything that is told about the campaign, as plain values."""
        return history(self.walk, self.status, self._now)

    def brief(self) -> History:
        """What `hitl status` shows: the rounds by their figures, and the last one whole."""
        return history(self.walk, self.status, self._now, whole=False)

    @property
    def _now(self) -> str:
        return self.clock().isoformat(timespec="seconds")

    def report(self) -> Path:
        """Write `report.html` and `report.json` into the campaign's folder; the page's path."""
        return write_report(self.history(), self.folder)

    def __repr__(self) -> str:
        return f"Campaign({self.walk.campaign!r}, {self.status})"

    def _repr_html_(self) -> str:
        head, *rows = rounds_table(self.history())
        return paragraph(self.walk.campaign, str(self.status)) + (table(head, rows) if rows else "")
