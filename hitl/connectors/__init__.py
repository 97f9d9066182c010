"""Where people work: one contract, and a file for each place that meets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from hitl.policy import Policy
from hitl.tasks.form import Form
from hitl.types import Difference, Finding, Progress, Pull, Receipt, Tab, Task, silent


@runtime_checkable
class Connector(Protocol):
    """A place where people answer tasks; every call may be repeated, and a repeated call changes nothing.

    Calls raise `ServerUnreachable` (try again: nothing is lost), `NotAllowed` or `ServerRefused`.
    """

    kind: str

    def open(self, campaign: str, form: Form, policy: Policy) -> str:
        """Make or find the campaign's project; returns the address where people work."""
        ...

    def broken(self, tasks: Sequence[Task]) -> Mapping[str, str]:
        """Task keys whose content could not be shown to anybody there, and why; looked at before they are pushed."""
        ...

    def push(self, tasks: Sequence[Task], progress: Progress = silent) -> Receipt:
        """Put there what is not there yet: afterwards every task's key is there once."""
        ...

    def ask_more(self, overlap: Mapping[str, int]) -> None:
        """Ask more people: task key → how many different people in all."""
        ...

    def refresh(self, tasks: Sequence[Task], progress: Progress = silent) -> None:
        """Give open tasks the prediction and priority of their present model; whoever is at work is not disturbed."""
        ...

    def sort(self, tabs: Sequence[Tab]) -> None:
        """Show the tabs to those who look after the queues, as they are now; other people's tabs stay."""
        ...

    def reconcile(self, tasks: Sequence[Task], *, mend: bool) -> tuple[Difference, ...]:
        """How the place differs from these tasks, which are all that should be there; with `mend`, less so after."""
        ...

    def pull(self, cursor: str) -> Pull:
        """What is new or changed since the cursor of an earlier pull; "" for everything."""
        ...

    def finish(self) -> Pull:
        """The whole listing, which also tells what was deleted."""
        ...

    def check(self, campaign: str, form: Form) -> list[Finding]:
        """What stands in the way of asking this there, with what to do about it; makes nothing, raises nothing."""
        ...

    def close(self) -> None:
        """Let go of connections; the tasks stay where they are."""
        ...
