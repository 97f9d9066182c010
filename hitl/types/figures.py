"""Values that say how good something is: a figure with its interval, and one against another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["helped", "no evidence", "hurt"]


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval: `low` and `high` bound it at `level`, `n` answers carry it.

    A figure that cannot be known yet is NaN with the interval it could have, and `method` says why.
    """

    name: str  # e.g. "macro_f1", "recall@remove", "prevalence_by_views"
    value: float
    low: float
    high: float
    n: int
    label: str = ""  # the policy label it is about, empty for all
    level: float = 0.95
    method: str = ""

    def __repr__(self) -> str:
        about = f"{self.name}[{self.label}]" if self.label else self.name
        if self.value != self.value:
            return f"{about} unknown: {self.method or 'nothing bears on it'}"
        return f"{about} {self.figures} (n={self.n})"

    @property
    def figures(self) -> str:
        """Value and interval in words: `0.610 [0.550, 0.670]`, without decimals from 100 on, – where unknown."""
        if self.value != self.value:
            return "–"
        places = 3 if max(abs(self.value), abs(self.low), abs(self.high)) < 100 else 0
        return f"{self.value:,.{places}f} [{self.low:,.{places}f}, {self.high:,.{places}f}]"


@dataclass(frozen=True)
class Comparison:
    """New model against old on the same items: the difference of a figure and what may be said of it."""

    verdict: Verdict
    difference: Estimate
    old: Estimate
    new: Estimate

    def __repr__(self) -> str:
        if self.difference.value != self.difference.value:
            return f"{self.verdict}: {self.difference}"
        by = f"{self.difference.value:+.3f} [{self.difference.low:+.3f}, {self.difference.high:+.3f}]"
        about = f"{self.difference.name} {self.difference.label}".strip()
        return f"{self.verdict}: {about} {by} ({self.old.value:.3f} → {self.new.value:.3f}, n={self.difference.n})"
