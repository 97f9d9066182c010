"""Questions put to a judge: none twice, no more than was allowed, and nothing lost of what was answered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hitl.errors import ModelError
from hitl.models.judge.answers import Judgement, Judgements
from hitl.models.judge.cache import AnswerCache, question_key
from hitl.models.judge.cost import Cost
from hitl.models.judge.prompt import Prompt
from hitl.models.judge.question import Judge, Question
from hitl.types import Progress, silent

HOPELESS = 20
"""Items that a run begins with, after which it ends if not one of them got an answer."""

NO_TEXT = Judgement(problem="it has no text")


@dataclass(frozen=True)
class Allowed:
    """How much may be asked: `items` that have no answer yet, and money; None is no limit."""

    items: int
    cost: float | None = None


@dataclass(frozen=True)
class Asked:
    """Who is asked and how: the labels, the prompt of a region, and plain `settings` that answers depend on."""

    labels: tuple[str, ...]
    multi_label: bool
    prompt: Callable[[str], Prompt]
    settings: tuple[object, ...]

    def question(self, content: str, region: str) -> tuple[str, Question]:
        """A question and its key: over the content, the policy of its region, the prompt's version and the settings."""
        prompt = self.prompt(region)
        key = question_key(content, prompt.fingerprint, list(self.settings), self.multi_label)
        return key, Question(prompt.system, content)


class Asking:
    """A run of questions to one judge, which is opened by the first that has no answer yet.

    What is allowed counts over the whole run, and so do the answers that decide whether it is to any avail.
    """

    def __init__(
        self,
        asked: Asked,
        opened: Callable[[], Judge],
        cache: AnswerCache,
        allowed: Allowed,
        progress: Progress = silent,
    ) -> None:
        self._asked, self._opened, self._cache, self._allowed = asked, opened, cache, allowed
        self._progress, self._lock = progress, threading.Lock()
        self._judge: Judge | None = None
        self._count = self._judged = 0

    def __call__(self, contents: Sequence[str], regions: Sequence[str]) -> Judgements:
        """The judgements of n items, from the cache or asked for; raises `ModelError`, also for more than is allowed.

        Equal items are asked about once. Time of the requests that have to be made; O(n) memory.
        """
        made = [self._asked.question(content, region) for content, region in zip(contents, regions, strict=True)]
        found = self._cache.get(list(dict.fromkeys(key for key, _ in made)))
        found |= {key: NO_TEXT for key, question in made if not question.content.strip()}
        unasked = {key: question for key, question in made if key not in found}
        cached = len(made) - sum(key in unasked for key, _ in made)
        before = self.cost
        if unasked:
            found |= self._ask(unasked)
        return self._aligned([found[key] for key, _ in made], replace(self.cost - before, cached=cached))

    @property
    def cost(self) -> Cost:
        """What the whole run cost so far."""
        return Cost() if self._judge is None else self._judge.cost

    def _ask(self, unasked: dict[str, Question]) -> dict[str, Judgement]:
        self._check_items(len(unasked))
        judge = self._judge = self._judge or self._opened()
        self._check_price(sum(map(judge.price, unasked.values())), len(unasked))
        keys, found = list(unasked), {}

        def answered(number: int, judgement: Judgement) -> None:
            self._cache.put(keys[number], judgement)
            with self._lock:
                found[keys[number]] = judgement
                self._count += 1
                self._judged += not judgement.problem
                self._progress("asking the judge", len(found), len(keys))
            self._check_worth(judgement.problem)

        self._progress("asking the judge", 0, len(keys))
        judge.ask(list(unasked.values()), answered)
        return found

    def _check_items(self, more: int) -> None:
        wanted, most = self._count + more, self._allowed.items
        if wanted > most:
            raise ModelError(
                f"{more:,} items have no judgement yet, {self._count:,} were asked about in this run, and most_items "
                f"allows {most:,}; raise most_items to {wanted:,} or more, or give fewer items"
            )

    def _check_price(self, more: float, items: int) -> None:
        most, spent = self._allowed.cost, self.cost.money
        if most is not None and spent + more > most:
            raise ModelError(
                f"asking about {items:,} items will cost about {more:,.4g}, {spent:,.4g} is spent, and most_cost "
                f"allows {most:,.4g}; raise most_cost, or give fewer items"
            )

    def _check_worth(self, problem: str) -> None:
        """Raise `ModelError` when going on would cost too much, or is to no avail."""
        if self._count >= HOPELESS and not self._judged:
            raise ModelError(
                f"not one of the first {self._count:,} items got an answer, the last because: {problem}; "
                "take a model that keeps to the form, or raise completion for one that thinks first"
            )
        most, spent = self._allowed.cost, self.cost.money
        if most is not None and spent > most:
            raise ModelError(
                f"the judge has cost {spent:,.4g}, and most_cost allows {most:,.4g}; what was answered is kept: raise "
                "most_cost and call again"
            )

    def _aligned(self, found: list[Judgement], cost: Cost) -> Judgements:
        proba = np.full((len(found), len(self._asked.labels)), np.nan)
        for row, judgement in zip(proba, found, strict=True):
            if not judgement.problem:
                row[:] = judgement.proba
        rationales, problems = (tuple(getattr(one, part) for one in found) for part in ("rationale", "problem"))
        return Judgements(proba, rationales, problems, self._asked.multi_label, cost)
