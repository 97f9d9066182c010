"""Who is dealt what, and on which day, so that nobody sees more severe content in a day than the caps allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from hitl.policy import Policy
from hitl.types import Annotation, Task
from hitl.workforce.exposure import ExposureCap, suspected, within_caps
from hitl.workforce.simulated import Reviewer


class Dealer:
    """Deals tasks within the caps, by what is suspected of an item beforehand and what people named in it after.

    Whoever has reached a cap is dealt nothing more that day that may be so severe, which before the first model is
    everything: the task goes to another who reads the language, else it waits for the next day.
    """

    def __init__(self, caps: Sequence[ExposureCap], policy: Policy) -> None:
        self._caps = tuple(caps)
        self._policy = policy
        self._seen: Counter[tuple[str, int, int]] = Counter()  # worker, day, cap
        self._severities: dict[str, dict[str, float]] = {}  # region → label → severity

    def see(self, worker: str, day: int, task: Task, annotation: Annotation) -> None:
        """Somebody has seen an item; how severe it was is what they say, or what was suspected where they say none."""
        if not self._caps:
            return
        said = annotation.answer.labels if annotation.answer else ()
        severities = [self._severity(task.region)[name] for name in said if name in self._policy.names]
        suspicion = self._suspected(task)
        worst = max(severities, default=0.0 if np.isinf(suspicion) else suspicion)
        for at, cap in enumerate(self._caps):
            self._seen[worker, day, at] += worst >= cap.severity_from

    def deal(self, task: Task, people: Iterable[Reviewer], first: int) -> list[tuple[Reviewer, int]]:
        """The people in the order in which they are asked, each with the first day, from `first`, that is open to them.

        Those who read the language come before those who are free sooner.
        """
        language, severity = str(task.data.get("language", "")), self._suspected(task) if self._caps else 0.0
        dealt = [(reviewer, self._day(reviewer.name, severity, first)) for reviewer in people]
        return sorted(dealt, key=lambda one: (not one[0].reads(language), one[1]))

    def _day(self, worker: str, severity: float, day: int) -> int:
        while not within_caps(severity, [self._seen[worker, day, at] for at in range(len(self._caps))], self._caps):
            day += 1
        return day

    def _suspected(self, task: Task) -> float:
        severity = self._severity(task.region)
        proba = np.array([[task.predicted.get(name, 0.0) for name in severity]])
        return float(suspected(proba, np.array(list(severity.values())))[0])

    def _severity(self, region: str) -> dict[str, float]:
        if region not in self._severities:
            row = self._policy.costs([region]).severity[0].tolist()
            self._severities[region] = dict(zip(self._policy.names, row, strict=True))
        return self._severities[region]
