"""The QA programme's record: what was drawn, what a second look said, and why errors happened, read from events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from hitl.errors import CampaignError
from hitl.history import EventRow
from hitl.labels.voices import is_answer, out_of, voices
from hitl.metrics.qa.errors import CRITICAL, Kind, kind_of
from hitl.metrics.qa.scorecards import Checked
from hitl.metrics.responses import responses
from hitl.rounds.counted import answers
from hitl.rounds.walk import Walk
from hitl.types import Floats, Ints
from hitl.types.times import datetime64
from hitl.workforce import disputes

SAMPLED, ASKED, CHECKED, CAUSED = "qa sample", "qa asked", "qa verdicts", "qa causes"
KINDS = (SAMPLED, ASKED, CHECKED, CAUSED)
"""The events that the programme is read from: `Ledger.events(*KINDS)`."""


@dataclass(frozen=True)
class Drawn:
    """One decision that was drawn: `review` is the name of its item in the sample, which tells nothing of it."""

    decision: str
    review: str
    item: str
    position: int  # -1 where the pool does not hold it
    kind: str
    by: str
    vendor: str
    team: str
    language: str
    clause: tuple[str, ...]
    acted: bool
    whole: bool
    at: str
    source: str
    stratum: str
    inclusion: float


@dataclass(frozen=True)
class Verdict:
    """What a second look said of an item: its violating labels, None where it was left open."""

    labels: tuple[str, ...] | None
    reviewer: str
    at: str


@dataclass(frozen=True)
class Looked:
    """A decision that was looked at again, with what kind of error it is; `inclusion` has the second look in it."""

    drawn: Drawn
    verdict: Verdict
    error: Kind
    cause: str
    inclusion: float

    @property
    def concerned(self) -> tuple[str, ...]:
        """The clauses that it is about: those it gave, and those it should have."""
        return tuple(dict.fromkeys((*self.drawn.clause, *(self.verdict.labels or ()))))


@dataclass(frozen=True)
class Sample:
    """One draw, with the verdicts on it so far by `review`."""

    name: str
    at: str
    detail: Mapping[str, Any]
    drawn: tuple[Drawn, ...]
    tasks: Mapping[str, str] = field(default_factory=dict)  # review → key of the task that asks for it

    @property
    def until(self) -> dict[str, str]:
        """Source → the time of its last decision that could be drawn."""
        return {name: told["until"] for name, told in self.detail["sources"].items()}


@dataclass(frozen=True, eq=False)
class Programme:
    """All samples by name, the verdict on each review, and the cause of each error by decision."""

    samples: Mapping[str, Sample]
    verdicts: Mapping[str, Verdict]
    causes: Mapping[str, str]

    def sample(self, name: str = "") -> Sample:
        """A sample by its name, the newest where none is given; raises `CampaignError` where there is none."""
        if not self.samples:
            raise CampaignError("no decisions have been drawn yet; call `hitl qa sample` first")
        if name and name not in self.samples:
            raise CampaignError(f"there is no sample {name!r}; there are {', '.join(self.samples)}")
        return self.samples[name] if name else list(self.samples.values())[-1]

    @cached_property
    def looked(self) -> tuple[Looked, ...]:
        """Every decision whose item was looked at again by somebody else than who decided. O(drawn)."""
        return tuple(one for sample in self.samples.values() for one in self._of(sample))

    def counted(self, one: Drawn) -> Verdict | None:
        """The verdict on a decision, if it says something and is not that of who decided."""
        verdict = self.verdicts.get(one.review)
        return None if verdict is None or verdict.labels is None or verdict.reviewer == one.by else verdict

    def _of(self, sample: Sample) -> list[Looked]:
        seen = np.array([self.counted(one) is not None for one in sample.drawn], dtype=np.bool_)
        if not seen.any():
            return []
        strata = np.unique([one.stratum for one in sample.drawn], return_inverse=True)[1]
        inclusion = np.array([one.inclusion for one in sample.drawn])
        # Those that nobody looked at are taken to be like the others of their stratum.
        adjusted = responses(inclusion, seen, strata.astype(np.int64), np.zeros(len(seen))).adjusted
        told = []
        for one, chance in zip(sample.drawn, adjusted.tolist(), strict=True):
            verdict = self.counted(one)
            if verdict is not None:
                error = kind_of(one.acted, one.clause, verdict.labels or (), whole=one.whole)
                told.append(Looked(one, verdict, error, self.causes.get(one.decision, ""), min(chance, 1.0)))
        return told


def programme(walk: Walk) -> Programme:
    """The programme as it stands: events, the answers to the questions it asked, and rulings that overturned them."""
    samples: dict[str, Sample] = {}
    verdicts: dict[str, Verdict] = {}
    causes: dict[str, str] = {}
    for event in walk.ledger.events(*KINDS):
        detail = event["detail"]
        if event["kind"] == SAMPLED:
            samples[detail["sample"]] = _sample(event)
        elif event["kind"] == ASKED:
            held = samples[detail["sample"]]
            samples[held.name] = replace(held, tasks={**held.tasks, **detail["tasks"]})
        elif event["kind"] == CHECKED:
            verdicts |= {
                row["review"]: Verdict(
                    None if row["labels"] is None else tuple(row["labels"]), row["reviewer"], event["at"]
                )
                for row in detail["verdicts"]
            }
        else:
            causes |= detail["causes"]
    verdicts |= {review: one for review, one in _answered(walk, samples.values()).items() if review not in verdicts}
    return Programme(samples, _ruled(walk, samples.values(), verdicts), causes)


def _sample(event: EventRow) -> Sample:
    detail = event["detail"]
    columns = detail["drawn"]
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    drawn = tuple(Drawn(**{**row, "clause": tuple(row["clause"])}) for row in rows)
    return Sample(detail["sample"], event["at"], {k: v for k, v in detail.items() if k != "drawn"}, drawn)


def _answered(walk: Walk, samples: Iterable[Sample]) -> dict[str, Verdict]:
    """What seniors said to the questions that the programme asked; an out leaves the item open."""
    keys = {key: review for sample in samples for review, key in sample.tasks.items()}
    if not keys:
        return {}
    bad = {label.name for label in walk.policy.labels if label.violating}
    found: dict[str, Verdict] = {}
    for key, said in voices(one for one in answers(walk) if one.task_key in keys).items():
        heard = [one for one in said if is_answer(one)]
        if heard:
            last = max(heard, key=lambda one: (one.submitted, one.id))
            given = None if out_of(last) or last.answer is None else tuple(n for n in last.answer.labels if n in bad)
            found[keys[key]] = Verdict(given, last.worker, last.submitted)
    return found


def _ruled(walk: Walk, samples: Iterable[Sample], verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """The verdicts, with those that a ruling on a dispute overturned put right."""
    rulings = disputes.overturned(disputes.fold(walk.ledger.events(*disputes.KINDS)))
    bad = {label.name for label in walk.policy.labels if label.violating}
    items = {one.review: one.item for sample in samples for one in sample.drawn if one.item in rulings}
    told = dict(verdicts)
    for review, item in items.items():
        ruling = rulings[item]
        if review in told and datetime64(ruling.at) >= datetime64(told[review].at):
            labels = tuple(name for name in ruling.labels or () if name in bad)
            told[review] = Verdict(labels, ruling.actor, ruling.at)
    return told


def checked(looked: Sequence[Looked]) -> Checked:
    """The decisions as figures are made of them."""
    return Checked(
        inclusion=np.array([one.inclusion for one in looked]),
        wrong=np.array([one.error != "right" for one in looked], dtype=np.bool_),
        critical=np.array([one.error in CRITICAL for one in looked], dtype=np.bool_),
    )


def codes(words: Sequence[str]) -> tuple[Ints, tuple[str, ...]]:
    """Codes (n,) into the sorted distinct words."""
    names, found = np.unique(np.array(words, dtype=str), return_inverse=True)
    return found.astype(np.int64), tuple(map(str, names))


def inclusion(looked: Sequence[Looked]) -> Floats:
    """(n,) the chance with which each was drawn and looked at."""
    return np.array([one.inclusion for one in looked])
