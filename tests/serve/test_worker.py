"""The loop: rounds begin from hints, and from looking alone; errors pause it, and a stop ends it between two steps."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hitl.errors import CampaignError, ServerUnreachable
from hitl.serve.worker import Pace, Stopper, Worker
from hitl.types import silent

SOON, NEVER = 0.05, 3600.0


@contextmanager
def working(worker: Worker) -> Iterator[threading.Thread]:
    """The worker runs in a thread until the test is through with it."""
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield thread
    finally:
        worker.stop()
        thread.join(60)
        assert not thread.is_alive()


class Told:
    """What was told, and a way to wait for it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, line: str) -> None:
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()

    def wait_for(self, part: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: any(part in line for line in self.lines), 60), (part, self.lines)


class Looks:
    """A campaign that counts how it is looked at; `fails` are raised, one a run."""

    def __init__(self, *fails: Exception) -> None:
        self.pulls, self.runs, self.fails = 0, 0, list(fails)
        self.looked = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()
        self.ledger = self
        self.walk = self
        self.plan = self
        self.answered = 1.0

    def completed(self, step):
        return []

    def pull(self):
        self.pulls += 1
        self.looked.release()
        assert self.gate.wait(60)

    def run(self):
        self.runs += 1
        self.looked.release()
        if self.fails:
            raise self.fails.pop(0)

    @property
    def status(self):
        from hitl.rounds.round import Status

        return Status("waiting", "round 0 of 1 waits for people: 0 of 9 tasks answered", 0, 9, 0)


class Joint:
    def __init__(self) -> None:
        self.joined, self.parted = 0, 0

    def join(self) -> None:
        self.joined += 1

    def part(self) -> None:
        self.parted += 1


def looker(campaign, every=NEVER, gather=0.0, joint=None):
    told = Told()
    return Worker(campaign, Stopper(silent), told, Pace(every, gather), joint), told


def open_worker(make, every, **parts):
    told, stopper = Told(), Stopper(silent)
    return Worker(make(progress=stopper, **parts), stopper, told, Pace(every, SOON)), told


def test_rounds_begin_by_looking_alone(make):
    worker, told = open_worker(make, SOON, rounds=1)
    with working(worker):
        for number in (0, 1):
            told.wait_for(f"round {number} of 1 waits for people")
            worker.campaign.walk.connector.work()
            told.wait_for(f"Round {number} (")
        told.wait_for("all 2 rounds are completed")
    assert worker.campaign.status.state == "done"
    assert [line.split(" (")[0] for line in told.lines if line.startswith("Round")] == ["Round 0", "Round 1"]
    assert len(told.lines) == len(set(told.lines))


def test_a_round_begins_from_a_hint_when_enough_is_answered(make):
    worker, told = open_worker(make, NEVER, rounds=1)
    with working(worker):
        told.wait_for("round 0 of 1 waits for people")
        worker.campaign.walk.connector.work(limit=3)
        worker.hint()
        worker.campaign.walk.connector.work()
        worker.hint()
        told.wait_for("round 1 of 1 waits for people")
    assert worker.campaign.ledger.step(0, "fit")


def test_a_hint_with_little_answered_mirrors_and_goes_no_further(make):
    worker, told = open_worker(make, NEVER)
    with working(worker):
        told.wait_for("round 0 of 2 waits for people")
        worker.campaign.walk.connector.work(limit=3)
        worker.hint()
        for _ in range(600):
            if worker.campaign.ledger.counts()["annotations"] == 3:
                break
            threading.Event().wait(0.05)
    assert worker.campaign.ledger.counts()["annotations"] == 3
    assert worker.campaign.ledger.step(0, "pull") is None


def test_a_thousand_hints_are_one_look():
    campaign = Looks()
    worker, _ = looker(campaign)
    campaign.gate.clear()
    with working(worker):
        assert campaign.looked.acquire(timeout=60)
        worker.hint()
        assert campaign.looked.acquire(timeout=60)
        for _ in range(1000):
            worker.hint()
        campaign.gate.set()
        assert campaign.looked.acquire(timeout=60)
        assert not campaign.looked.acquire(timeout=0.3)
    assert (campaign.runs, campaign.pulls) == (1, 2)


def test_errors_are_told_once_and_tried_again():
    silence = "the server does not answer"
    held = CampaignError("another run holds runs/x")
    campaign, joint = Looks(*[ServerUnreachable(silence)] * 2, held, OSError()), Joint()
    worker, told = looker(campaign, every=0.01, joint=joint)
    with working(worker):
        told.wait_for("waits for people")
    assert told.lines == [
        f"{silence}; trying again", "another run holds runs/x; trying again", "OSError; trying again",
        "round 0 of 1 waits for people",
    ]  # fmt: skip
    assert joint.joined >= 1
    assert joint.parted == 1


def test_hints_do_not_shorten_the_pause_after_an_error():
    campaign = Looks(ServerUnreachable("silent"))
    worker, told = looker(campaign)
    with working(worker) as thread:
        told.wait_for("trying again")
        worker.hint()
        assert campaign.looked.acquire(timeout=60)
        assert not campaign.looked.acquire(timeout=0.3)
        assert thread.is_alive()
    assert campaign.runs == 1


def test_what_the_library_does_not_know_is_not_hidden():
    worker, _ = looker(Looks(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        worker.run()


@pytest.mark.parametrize("step", ["select", "push", "fit"])
def test_a_stop_ends_the_walk_after_the_step_in_hand_and_another_goes_on(step, make):
    worker: Worker | None = None

    def stop_in(label, done, total):
        if worker is not None and label == f"round 0: {step}":
            worker.stop()

    stopper = Stopper(stop_in)
    worker = Worker(make(progress=stopper, auto=True, rounds=0), stopper, Told(), Pace(NEVER))
    worker.run()
    assert [*worker.campaign.ledger.steps(0)][-1] == step
    again = make(auto=True, rounds=0)
    assert again.run().state == "done"


def test_hints_without_end_keep_no_look_from_being_due():
    campaign = Looks()
    worker, _ = looker(campaign, every=0.2)
    with working(worker):
        for _ in range(400):
            worker.hint()
            if campaign.runs >= 3:
                break
            threading.Event().wait(0.01)
    assert campaign.runs >= 3
    assert campaign.pulls >= 3
