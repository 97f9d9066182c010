"""The loop behind the server: look when hinted and now and then, and go on with the campaign when people are done."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol

from hitl.errors import HitlError
from hitl.rounds import Campaign
from hitl.rounds.campaign import LAST, STEPS
from hitl.types import Progress

LONGEST_PAUSE = 600.0


class Joint(Protocol):
    """What ties the campaign's project to this server, if anything does."""

    def join(self) -> None:
        """See to it that the project asks this server and tells it of answers; may be repeated."""

    def part(self) -> None:
        """The project asks this server no more."""


class Apart:
    """No project asks this server."""

    def join(self) -> None:
        """Nothing to do."""

    def part(self) -> None:
        """Nothing to undo."""


@dataclass(frozen=True)
class Pace:
    """Seconds: between looks without hints (`every`), and to gather hints before one look answers them all."""

    every: float = 30.0
    gather: float = 1.0


class _Stopped(Exception):  # noqa: N818 - no error: the walk ends here
    """The step in hand is finished, and no other is to begin."""


class Stopper:
    """Progress that is told on, and that ends a walk between two of its steps once `stop` was called."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.stopping = False

    def __call__(self, label: str, done: int, total: int | None) -> None:
        if self.stopping and label.startswith("round ") and label.rpartition(": ")[2] in STEPS:
            raise _Stopped
        self._progress(label, done, total)


class Worker:
    """Walks the campaign as far as it goes, then waits for hints, for time to pass, or to be stopped.

    A hint means a cheap look: what changed is mirrored, and the campaign goes on if enough is answered. The looks every
    `pace.every` seconds need no hints and miss nothing, however many hints there are. Errors of the library are told
    once and tried again, after ever longer pauses; nothing is lost by them. `campaign` must have been opened with
    `stopper` as its progress.
    """

    def __init__(
        self, campaign: Campaign, stopper: Stopper, tell: Callable[[str], None], pace: Pace, joint: Joint | None = None
    ) -> None:
        self.campaign = campaign
        self._stopper = stopper
        self._tell = tell
        self._pace = pace
        self._joint = joint or Apart()
        # A SimpleQueue may be put to by a signal's handler in the midst of a get.
        self._heard: SimpleQueue[None] = SimpleQueue()
        self._known = set(campaign.ledger.completed(LAST))
        self._told = ""

    def hint(self) -> None:
        """Something may have changed: look soon. Returns at once; any number of hints until then are one look."""
        if self._heard.empty():
            self._heard.put(None)

    def stop(self) -> None:
        """End after the step in hand; may be called by a signal's handler."""
        self._stopper.stopping = True
        self._heard.put(None)

    def run(self) -> None:
        """Work until stopped."""
        due, failed = time.monotonic(), 0
        while not self._stopper.stopping:
            hinted = time.monotonic() < due
            failed = 0 if self._look(hinted) else failed + 1
            if failed:
                due = time.monotonic() + min(LONGEST_PAUSE, self._pace.every * 2.0 ** min(failed - 1, 16))
            elif not hinted:
                due = time.monotonic() + self._pace.every
            self._rest(due, heed=not failed)
        with suppress(HitlError):
            self._joint.part()

    def _look(self, hinted: bool) -> bool:
        """Go on if there is anything to go on with; whether nothing failed."""
        try:
            if not hinted or self._enough():
                self.campaign.run()
                self._joint.join()
            self._tell_news()
        except _Stopped:
            self._tell_rounds()
        except (HitlError, OSError) as error:
            self._say(f"{error if isinstance(error, HitlError) else type(error).__name__}; trying again")
            return False
        return True

    def _enough(self) -> bool:
        """Mirror what changed; whether the campaign can go on now, or is not waiting for people at all."""
        self.campaign.pull()
        status = self.campaign.status
        left = status.tasks - status.tasks_done
        return status.state == "running" or (
            status.state == "waiting" and left <= (1 - self.campaign.walk.plan.answered) * status.tasks
        )

    def _rest(self, due: float, *, heed: bool) -> None:
        """Wait for the next look: until it is due, or with `heed` until hints were gathered."""
        if self._pause(due, heed=heed):
            self._pause(time.monotonic() + self._pace.gather, heed=False)
            with suppress(Empty):
                while True:
                    self._heard.get_nowait()

    def _pause(self, until: float, *, heed: bool) -> bool:
        """Whether something was heard and heeded before the time was over."""
        while not self._stopper.stopping and (left := until - time.monotonic()) > 0:
            with suppress(Empty):
                self._heard.get(timeout=left)
                if heed:
                    return True
        return False

    def _tell_news(self) -> None:
        """A line for each round that was completed, and one when the campaign waits for something else than before."""
        self._tell_rounds()
        status = self.campaign.status
        if status.state == "waiting":
            self._stopper("people at work", status.tasks_done, status.tasks)
        self._say(status.sentence.partition(":")[0])

    def _tell_rounds(self) -> None:
        completed = set(self.campaign.ledger.completed(LAST))
        for number in sorted(completed - self._known):
            self._tell(repr(self.campaign.round(number)))
        self._known = completed

    def _say(self, line: str) -> None:
        """Tell what was not the last thing told."""
        if line != self._told:
            self._told = line
            self._tell(line)
