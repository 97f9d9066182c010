"""How sure one may be of what is said of a person: intervals of accuracies and of confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hitl.labels.table import AnswerTable, Machine, Settled
from hitl.types import Estimate, Floats


@dataclass(frozen=True, eq=False)
class Confusion:
    """P(answer | truth) (k, k) over `labels`, the truth in rows, with 95 % credible bounds of each cell.

    `about` is the policy's label whose yes-or-no question it is of; empty where a task has one label of several.
    """

    labels: tuple[str, ...]
    value: Floats
    low: Floats
    high: Floats
    about: str = ""

    def __repr__(self) -> str:
        right = ", ".join(
            f"{name} {v:.2f} [{low:.2f}, {high:.2f}]"
            for name, v, low, high in zip(
                self.labels, *map(np.diagonal, (self.value, self.low, self.high)), strict=True
            )
        )
        return f"Confusion({right})"


def confusion_bounds(confusion: Floats, support: Floats) -> tuple[Floats, Floats]:
    """95 % equal-tailed bounds of probabilities that rest on `support` answers, of the same shape: a beta's quantiles.

    A cell of a row with a Dirichlet posterior is beta-distributed; `support` is its weight (see `Settled`). Of planted
    matrices, with four answers a task, they hold 93 % of the cells: the pull of the prior is not in them.

    >>> low, high = confusion_bounds(np.array([[0.9, 0.1]]), np.array([[100.0, 100.0]]))
    >>> low.round(2), high.round(2)
    (array([[0.83, 0.05]]), array([[0.95, 0.17]]))
    """
    from scipy.special import betaincinv

    inside = (confusion > 0) & (confusion < 1)
    theta = np.where(inside, confusion, 0.5)
    low = betaincinv(theta * support, (1 - theta) * support, 0.025)
    high = betaincinv(theta * support, (1 - theta) * support, 0.975)
    return np.where(inside, low, confusion), np.where(inside, high, confusion)


def confusions(settled: Settled, labels: tuple[str, ...], about: str = "") -> list[Confusion]:
    """Each worker's confusion matrix with its bounds; none where the resolver has none."""
    if settled.confusion is None or settled.support is None:
        return []
    low, high = confusion_bounds(settled.confusion, settled.support)
    return [Confusion(labels, *parts, about) for parts in zip(settled.confusion, low, high, strict=True)]


def machine_confusion(machine: Machine, labels: tuple[str, ...], about: str = "") -> Confusion:
    """The model's confusion matrix with its bounds."""
    return Confusion(labels, machine.confusion, *confusion_bounds(machine.confusion, machine.support), about)


def accuracy_estimate(correct: float, judged: int, doubt: float, method: str) -> Estimate:
    """The expected share of right answers with a 95 % interval under Jeffreys' prior (Brown, Cai and DasGupta 2001,
    Stat. Sci. 16:101).

    `doubt` is the variance of `correct`, since the truth is believed and not known. The answers count as so many on
    known truths as hold the same information on the accuracy a (Louis 1982, JRSS B 44:226): judged - doubt / (a (1 -
    a)), a being taken as (correct + 1/2) / (judged + 1). NaN where nothing was judged.

    >>> print(accuracy_estimate(18.0, 20, 0.0, "gold"), accuracy_estimate(18.0, 20, 0.9, "votes"), sep="; ")
    accuracy 0.900 [0.716, 0.979] (n=20); accuracy 0.900 [0.641, 0.987] (n=20)
    """
    if not judged:
        return Estimate("accuracy", float("nan"), 0.0, 1.0, 0, method="nobody else judged these tasks")
    share = correct / judged
    a = (correct + 0.5) / (judged + 1.0)
    worth = min(max(judged - doubt / (a * (1.0 - a)), 0.0), judged)
    low, high = _jeffreys(share * worth, (1.0 - share) * worth)
    return Estimate("accuracy", share, min(low, share), max(high, share), judged, method=f"{method}; Jeffreys")


def _jeffreys(right: float, wrong: float) -> tuple[float, float]:
    from scipy.special import betaincinv

    low = float(betaincinv(right + 0.5, wrong + 0.5, 0.025)) if right > 0.5 else 0.0
    high = float(betaincinv(right + 0.5, wrong + 0.5, 0.975)) if wrong > 0.5 else 1.0
    return low, high


@dataclass(frozen=True, eq=False)
class WorkerEstimate:
    """What the answers say of one person, or of the model beside them: `accuracy` where others judged, too.

    `confusions` holds one matrix for a policy with one label an item, one for each label where there can be several,
    and none where the resolver has none.
    """

    worker: str
    answers: int
    accuracy: Estimate
    confusions: tuple[Confusion, ...] = ()

    @property
    def confusion(self) -> Floats | None:
        """P(answer | truth) (k, k) over the policy's labels; None where an item can have several, or without one."""
        whole = [one.value for one in self.confusions if not one.about]
        return whole[0] if whole else None

    def __repr__(self) -> str:
        return f"WorkerEstimate({self.worker!r}, {self.answers} answers: {self.accuracy})"


@dataclass(frozen=True, eq=False)
class Question:
    """One question that a resolver settled: over which labels, and about which label of the policy, if about one."""

    settled: Settled
    labels: tuple[str, ...]
    about: str = ""


def worker_estimates(table: AnswerTable, questions: Sequence[Question], by: str) -> tuple[WorkerEstimate, ...]:
    """Each worker's accuracy, the mean over the questions, and confusion matrices; in the table's order. O(w k²)."""
    answers = np.bincount(table.worker, minlength=len(table.workers))
    judged = questions[0].settled.judged
    correct = np.mean([question.settled.correct for question in questions], axis=0)
    doubt = np.mean([question.settled.doubt for question in questions], axis=0)
    matrices = [confusions(one.settled, one.labels, one.about) for one in questions]
    return tuple(
        WorkerEstimate(
            worker=name,
            answers=int(answers[w]),
            accuracy=accuracy_estimate(float(correct[w]), int(judged[w]), float(doubt[w]), _method(by, questions)),
            confusions=tuple(each[w] for each in matrices if each),
        )
        for w, name in enumerate(table.workers)
    )


def machine_estimate(questions: Sequence[Question], by: str) -> WorkerEstimate | None:
    """The same of the model that had a voice; None where none had."""
    heard = [(one, machine) for one in questions if (machine := one.settled.machine) is not None]
    if not heard:
        return None
    correct, judged, doubt = (
        float(np.mean([getattr(m, of) for _, m in heard])) for of in ("correct", "judged", "doubt")
    )
    told = f"{_method(by, questions)}; by people's answers alone"
    return WorkerEstimate(
        worker="model",
        answers=max(machine.judged for _, machine in heard),
        accuracy=accuracy_estimate(correct, round(judged), doubt, told),
        confusions=tuple(machine_confusion(machine, one.labels, one.about) for one, machine in heard),
    )


def _method(by: str, questions: Sequence[Question]) -> str:
    return f"{by}, answers that others judged, too" + ("; mean over labels" if len(questions) > 1 else "")
