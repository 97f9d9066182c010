"""What the campaign's newest model thinks of tasks, as Label Studio wants to hear it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from hitl.errors import HitlError, MediaError, ModelError
from hitl.media import FrameSampling, MediaFolder
from hitl.models import Fitted, load_model
from hitl.rounds.showing import Showing
from hitl.rounds.walk import Walk
from hitl.tasks import prediction, served_by
from hitl.types import Proba

MOST_TASKS = 1000
"""Tasks of one request that are looked at; the others are answered with no prediction, and may be asked again."""

MOST_SECONDS = 60.0
"""How long one request is worked at: Label Studio waits for 100 s."""

BLOCK = 8
FRESH_SECONDS = 5.0

Opinion = dict[str, Any]
"""A prediction: `result`, `score`, `model_version`."""


@dataclass(frozen=True)
class _Newest:
    """A model, and whether it learned from the pool that is open here."""

    fitted: Fitted
    pooled: bool


@dataclass(frozen=True)
class _Asked:
    """What is needed of a task of the campaign."""

    item_id: str
    priority: float
    kept_back: bool  # its page is to show no prediction


class Opinions:
    """Predictions by the newest model of a campaign, for tasks as Label Studio sends them; may be asked by any thread.

    A task of the campaign is known by its key: the model reads what the pool holds of it, and its score puts it where
    its priority does. Of another task the model reads what stands in its `data`; its score says how sure the model is,
    so that doubtful ones come first. A task that cannot be read gets an empty prediction. Requests are worked at one by
    one: `MOST_TASKS` tasks each, for `seconds` at most.
    """

    def __init__(self, walk: Walk, media: MediaFolder | None = None, *, seconds: float = MOST_SECONDS) -> None:
        self._walk = walk
        self._media = media
        self._seconds = seconds
        self._newest: _Newest | None = None
        self._tasks: Mapping[str, _Asked] = {}
        self._read_at = -np.inf
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """The name under which predictions of the newest model in the record stand on the server."""
        models = self._walk.ledger.models()
        return served_by(models[max(models)] if models else "", self._walk.policy.version)

    def predict(self, tasks: Sequence[Any]) -> list[Opinion | list[Opinion]]:
        """A prediction for each task, in their order; an empty list for one that time or number did not allow.

        Raises `ModelError` when the model cannot be read.
        """
        until = time.monotonic() + self._seconds
        told: list[Opinion | list[Opinion]] = []
        if self._lock.acquire(timeout=self._seconds):
            try:
                newest = self._opened()
                for start in range(0, min(len(tasks), MOST_TASKS), BLOCK):
                    if time.monotonic() < until:
                        told += self._block(newest, tasks[start : min(start + BLOCK, MOST_TASKS)])
            finally:
                self._lock.release()
        return [*told, *([] for _ in range(len(tasks) - len(told)))]

    def _opened(self) -> _Newest | None:
        """The newest model in the record, opened; None before the first."""
        walk, models = self._walk, self._walk.ledger.models()
        row = walk.ledger.model(max(models)) if models else None
        if row is None:
            return None
        if self._newest is None or self._newest.fitted.model_id != row["model_id"]:
            root, device = self._media and str(self._media.root), getattr(walk.model, "device", "auto")
            fitted = load_model(walk.folder / str(row["folder"]), device=device, root=root)
            self._newest = _Newest(fitted, fitted.card.get("pool") == walk.pool.fingerprint)
            self._read_at = -np.inf
        return self._newest

    def _block(self, newest: _Newest | None, tasks: Sequence[Any]) -> Iterator[Opinion]:
        data = [_data(task) for task in tasks]
        known = self._known([str(one.get("hitl_key", "")) for one in data])
        proba: list[Proba | None] = self._proba(newest, data, known) if newest else [None] * len(data)
        labels = newest.fitted.labels if newest else ()
        version = served_by(newest.fitted.model_id if newest else "", self._walk.policy.version)
        for row, task in zip(proba, known, strict=True):
            told = None if task and task.kept_back else row
            predicted = {} if told is None else dict(zip(labels, told.tolist(), strict=True))
            yield {
                "result": prediction(self._walk.form, predicted),
                # The server serves the lowest score first.
                "score": 1.0 - task.priority if task else _sureness(row, self._walk.policy.multi_label),
                "model_version": version,
            }

    def _proba(
        self, newest: _Newest, data: Sequence[Mapping[str, Any]], known: Sequence[_Asked | None]
    ) -> list[Proba | None]:
        """Probabilities (k,) of each item, None of what cannot be read."""
        found: list[Proba | None] = [None] * len(data)
        pooled = [at for at, task in enumerate(known) if task and newest.pooled]
        if pooled:
            positions = self._walk.positions(task.item_id for task in (known[at] for at in pooled) if task)
            proba = newest.fitted.predict(self._walk.features.take(positions)).proba
            for at, row in zip(pooled, proba, strict=True):
                found[at] = row
        for at in sorted(set(range(len(data))) - set(pooled)):
            found[at] = self._alone(newest.fitted, data[at])
        return found

    def _alone(self, fitted: Fitted, data: Mapping[str, Any]) -> Proba | None:
        """Probabilities (k,) of one item by its data; None when it cannot be read."""
        try:
            self._look(data)
            row = {name: [_clean(value)] for name, value in data.items() if isinstance(value, str)}
            proba: Proba = fitted.predict_rows(pa.table(row)).proba[0]
            return proba
        except (HitlError, KeyError, ValueError, pa.ArrowException):
            return None

    def _look(self, data: Mapping[str, Any]) -> None:
        """Raise `MediaError` or `ModelError` where there is nothing to read; a model would take it for an item."""
        modality = self._walk.form.modality
        shown = data.get("text" if modality == "text" else "media")
        if not isinstance(shown, str) or not shown.strip():
            raise ModelError("the task shows nothing that the model reads")
        if modality == "text":
            return
        if self._media is None:
            raise MediaError("the pool has no folder of media")
        if modality == "image":
            self._media.image(shown)
        else:
            self._media.frames(shown, FrameSampling(uniform=1, scenes=0))

    def _known(self, keys: Sequence[str]) -> list[_Asked | None]:
        """The campaign's tasks by their keys, None for a key that is not one; read anew now and then. O(tasks)."""
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            showing = Showing.of(self._walk)
            self._tasks = {
                task.key: _Asked(task.item_id, task.priority, showing.keeps_back(task))
                for task in self._walk.ledger.tasks()
            }
            self._read_at = time.monotonic()
        return [self._tasks.get(key) for key in keys]


def _data(task: object) -> Mapping[str, Any]:
    data = task.get("data") if isinstance(task, dict) else None
    return data if isinstance(data, dict) else {}


def _sureness(proba: Proba | None, multi_label: bool) -> float:
    """How sure the model is, in [0, 1]: the margin of the two likeliest labels, or twice the least to a half."""
    if proba is None or not len(proba):
        return 0.5
    if multi_label:
        return float(np.abs(2 * np.asarray(proba, dtype=float) - 1).min())
    ordered = np.sort(np.append(np.asarray(proba, dtype=float), 0.0))
    return float(min(1.0, max(0.0, ordered[-1] - ordered[-2])))


def _clean(text: str) -> str:
    """Without halves of surrogate pairs, which no column can hold."""
    return text.encode("utf-8", "replace").decode()
