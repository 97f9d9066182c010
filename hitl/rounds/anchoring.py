"""What a campaign's own trial says of anchoring: tasks that showed the model's answer, and tasks that kept it back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hitl.history import AnchoringRow, EffectRow, estimate_row
from hitl.history.figures import finite
from hitl.labels.voices import is_answer, out_of, voices
from hitl.metrics.anchoring import Effect, Trial, effects, seconds_saved
from hitl.rounds.counted import answers
from hitl.rounds.judged import Measured
from hitl.rounds.showing import ALONE, Showing
from hitl.rounds.walk import Walk
from hitl.tasks.answers import suggestion
from hitl.types import Annotation, Bools, Task


def anchored(at: Measured) -> AnchoringRow | None:
    """How far predictions pull answers, over all rounds until now that showed any; None where none did.

    The truth that tells where the model was right is that of gold: a resolution of shown tasks rests on answers that
    saw the prediction, and would call a pulled answer right. O(tasks + annotations).
    """
    walk, showing = at.walk, Showing.of(at.walk)
    rounds = sorted(number for number in showing.rounds if number <= at.number)
    tasks = [task for number in rounds for task in walk.ledger.tasks(number) if _asked_with_one(walk, task)]
    if not tasks:
        return None
    arms = {(number, pick.item_id): pick.arm for number in rounds for pick in walk.ledger.picks(number)}
    dealt = [task for task in tasks if arms.get((task.round, task.item_id)) not in ALONE]
    heard = voices(one for number in rounds for one in answers(walk, number))
    told = [(task, first) for task in dealt if (first := _first(heard.get(task.key, ()))) is not None]
    trial = _trial(walk, told, np.array([showing.shows(task) for task, _ in told], dtype=np.bool_))
    shown, answered = sum(map(showing.shows, dealt)), int(trial.shown.sum())
    return AnchoringRow(
        rounds=rounds,
        shown=shown,
        hidden=len(dealt) - shown,
        answered_shown=answered,
        answered_hidden=len(told) - answered,
        never_shown=len(tasks) - len(dealt),
        effects=[_row(effect) for effect in effects(trial, walk.policy.names)],
        seconds_saved=estimate_row(seconds_saved(trial)),
    )


def _asked_with_one(walk: Walk, task: Task) -> bool:
    """Whether a task of the stream, under the present policy, was asked when there was a model to suggest something."""
    return not task.queue and bool(task.predicted) and task.policy_version == walk.policy.version


def _first(said: Sequence[Annotation]) -> Annotation | None:
    return min(filter(is_answer, said), key=lambda one: (one.submitted, one.id), default=None)


def _trial(walk: Walk, told: Sequence[tuple[Task, Annotation]], shown: Bools) -> Trial:
    names, gold = walk.policy.names, walk.gold.known
    labels = [() if one.answer is None or out_of(one) else one.answer.labels for _, one in told]
    known = [gold.get(task.item_id) for task, _ in told]
    truth = _one_hot([right or () for right in known], names).astype(np.float64)
    truth[[right is None for right in known]] = np.nan
    proba = np.array([[task.predicted.get(name, 0.0) for name in names] for task, _ in told]).reshape(-1, len(names))
    sure = np.maximum(proba, 1 - proba).min(axis=1) if walk.policy.multi_label else proba.max(axis=1)
    return Trial(
        shown=shown,
        suggested=_one_hot([suggestion(walk.policy, task.predicted) or () for task, _ in told], names),
        answered=_one_hot(labels, names),
        gave=np.array([not out_of(one) for _, one in told], dtype=np.bool_),
        belief=np.asarray(sure, dtype=np.float64),
        truth=truth,
        seconds=np.array([one.seconds for _, one in told], dtype=np.float64),
    )


def _one_hot(labels: Sequence[Sequence[str]], names: Sequence[str]) -> Bools:
    rows = [[name in given for name in names] for given in labels]
    return np.array(rows, dtype=np.bool_).reshape(len(labels), len(names))


def _row(effect: Effect) -> EffectRow:
    return EffectRow(
        about=effect.about,
        label=effect.label,
        shown=estimate_row(effect.shown),
        hidden=estimate_row(effect.hidden),
        difference=estimate_row(effect.difference),
        detectable=finite(effect.detectable),
    )
