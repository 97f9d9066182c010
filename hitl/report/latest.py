"""Which finding a section shows: the newest that was told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from hitl.history import RoundRow


def latest(rounds: Sequence[RoundRow], finding: str) -> tuple[RoundRow, Any] | None:
    """The newest round that tells of a finding (a name in `RoundRow.findings`), with it; None where none does.

    >>> latest([], "gaps") is None
    True
    """
    told = ((row, cast(Mapping[str, Any], row["findings"]).get(finding)) for row in reversed(rounds))
    return next(((row, found) for row, found in told if found), None)
