"""A connector that is made when it is first spoken to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from hitl.connectors import Connector
from hitl.policy import Policy
from hitl.tasks.form import Form
from hitl.types import Difference, Finding, Progress, Pull, Receipt, Tab, Task, silent


class Deferred:
    """Another connector, made at the first call: a record can then be read without token, server or reviewers.

    Calls raise what `make` and the connector that it makes raise.

    >>> Deferred("label_studio", lambda: exit("never made"))
    Deferred('label_studio')
    """

    def __init__(self, kind: str, make: Callable[[], Connector]) -> None:
        self.kind = kind
        self._make = make

    def __repr__(self) -> str:
        return repr(self._there) if "_there" in vars(self) else f"Deferred({self.kind!r})"

    @cached_property
    def _there(self) -> Connector:
        return self._make()

    def open(self, campaign: str, form: Form, policy: Policy) -> str:
        """As the connector that is made."""
        return self._there.open(campaign, form, policy)

    def broken(self, tasks: Sequence[Task]) -> Mapping[str, str]:
        """As the connector that is made."""
        return self._there.broken(tasks)

    def push(self, tasks: Sequence[Task], progress: Progress = silent) -> Receipt:
        """As the connector that is made."""
        return self._there.push(tasks, progress)

    def ask_more(self, overlap: Mapping[str, int]) -> None:
        """As the connector that is made."""
        self._there.ask_more(overlap)

    def refresh(self, tasks: Sequence[Task], progress: Progress = silent) -> None:
        """As the connector that is made."""
        self._there.refresh(tasks, progress)

    def sort(self, tabs: Sequence[Tab]) -> None:
        """As the connector that is made."""
        self._there.sort(tabs)

    def reconcile(self, tasks: Sequence[Task], *, mend: bool) -> tuple[Difference, ...]:
        """As the connector that is made."""
        return self._there.reconcile(tasks, mend=mend)

    def pull(self, cursor: str) -> Pull:
        """As the connector that is made."""
        return self._there.pull(cursor)

    def finish(self) -> Pull:
        """As the connector that is made."""
        return self._there.finish()

    def check(self, campaign: str, form: Form) -> list[Finding]:
        """As the connector that is made."""
        return self._there.check(campaign, form)

    def close(self) -> None:
        """Let go of what was made; nothing is made for it."""
        if "_there" in vars(self):
            self._there.close()
