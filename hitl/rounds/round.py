"""What a user holds after a round: its figures, its picks and its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from hitl.markup import paragraph, table, words
from hitl.types import Comparison, Estimate, Selection

_NOTHING = "no figures: no item of this sample has been settled yet"


@dataclass(frozen=True)
class Metrics:
    """Figures of one model on the frozen benchmark, by name or by name and label.

    >>> metrics = Metrics((Estimate("macro_f1", 0.61, 0.55, 0.67, 200), Estimate("recall", 0.4, 0.2, 0.6, 30, "hate")))
    >>> metrics["recall", "hate"].value
    0.4
    >>> metrics
    macro_f1  0.610 [0.550, 0.670]  n=200
    <BLANKLINE>
    label  recall
    hate   0.400 [0.200, 0.600]
    """

    estimates: tuple[Estimate, ...]

    def __getitem__(self, key: str | tuple[str, str]) -> Estimate:
        name, label = (key, "") if isinstance(key, str) else key
        for estimate in self.estimates:
            if (estimate.name, estimate.label) == (name, label):
                return estimate
        known = ", ".join(sorted({estimate.name for estimate in self.estimates})) or "none yet"
        raise KeyError(f"no figure {name!r}{f' for label {label!r}' if label else ''}; there are: {known}")

    def __iter__(self) -> Iterator[Estimate]:
        return iter(self.estimates)

    def __len__(self) -> int:
        return len(self.estimates)

    def __repr__(self) -> str:
        if not self.estimates:
            return _NOTHING
        overall = _aligned([[e.name, e.figures, f"n={e.n}"] for e in self._overall])
        by_label = _aligned(self._by_label())
        told = [overall, by_label, self._more()]
        return "\n\n".join(part for part in told if part)

    def _repr_html_(self) -> str:
        if not self.estimates:
            return paragraph(_NOTHING)
        overall = [[e.name, e.figures, str(e.n)] for e in self._overall]
        parts = [table(["figure", "value, 95 % interval", "items"], overall, numbers=[2])] if overall else []
        by_label = self._by_label()
        if by_label:
            parts.append(table(by_label[0], by_label[1:]))
        return "".join([*parts, f"<p>{words(self._more())}</p>" if self._more() else ""])

    @property
    def _overall(self) -> list[Estimate]:
        return [estimate for estimate in self.estimates if not estimate.label]

    def _by_label(self) -> list[list[str]]:
        """A row a label and a column a figure, those at action thresholds left out; the headers first."""
        found = {(e.label, e.name): e.figures for e in self.estimates if e.label and "@" not in e.name}
        names, labels = (list(dict.fromkeys(key[part] for key in found)) for part in (1, 0))
        rows = [[label, *(found.get((label, name), "–") for name in names)] for label in labels]
        return [["label", *names], *rows] if rows else []

    def _more(self) -> str:
        hidden = [estimate for estimate in self.estimates if estimate.label and "@" in estimate.name]
        if not hidden:
            return ""
        asked = f"[{hidden[-1].name!r}, {hidden[-1].label!r}]"
        return f"{len(hidden)} more, by label at the action thresholds: {asked} and so on"


@dataclass(frozen=True)
class Round:
    """One completed round.

    `metrics` is the round's new model on the frozen benchmark; `audit` the model that picked, on the probability
    sample that it had not seen; `comparison` the new model against the one before on the same items.
    """

    number: int
    kind: Literal["seed", "active"]
    selection: Selection
    metrics: Metrics
    audit: Metrics
    comparison: Comparison | None
    model_id: str
    labels_so_far: int

    def __repr__(self) -> str:
        figure = next((f", {e}" for e in self.metrics if e.name == "macro_f1"), "")
        verdict = f", {self.comparison.verdict}" if self.comparison else ""
        return f"Round {self.number} ({self.kind}): {len(self.selection)} asked{figure}{verdict}"

    def _repr_html_(self) -> str:
        against = f"Against the model before, {self.comparison}." if self.comparison else ""
        return paragraph(f"{self!r}.", against) + self.metrics._repr_html_()


@dataclass(frozen=True)
class Status:
    """Where a campaign stands."""

    state: Literal["empty", "running", "waiting", "done"]
    sentence: str
    round: int = 0
    tasks: int = 0
    tasks_done: int = 0
    next_steps: Sequence[str] = ()

    def __repr__(self) -> str:
        return f"{self.state}: {self.sentence}"

    def _repr_html_(self) -> str:
        return paragraph(
            self.state, f"{self.sentence}{'; next: ' if self.next_steps else ''}{', '.join(self.next_steps)}"
        )


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of plain text in columns two blanks apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
