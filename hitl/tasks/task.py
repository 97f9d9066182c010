"""A pick becomes a task: the same pick always the same key, and nothing in it that tells why it was picked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from hitl.errors import DataError
from hitl.tasks.form import Form, guidance
from hitl.types import Pick, Task


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What the tasks of one push have in common."""

    campaign: str
    round: int
    form: Form
    model_id: str = ""
    repeat: int = 0


def task_key(campaign: str, round: int, item_id: str, policy_version: str, form: str, repeat: int = 0) -> str:  # noqa: A002
    """The name of a question, 20 hex digits of BLAKE2b: the same pick always has the same key.

    >>> task_key("demo", 1, "item-7", "1", "classify")
    '...'
    """
    parts = json.dumps([campaign, round, item_id, policy_version, form, repeat], ensure_ascii=True)
    return blake2b(parts.encode(), digest_size=10).hexdigest()


def make_tasks(
    asking: Asking,
    picks: Sequence[Pick],
    rows: Sequence[Mapping[str, Any]],
    predicted: Sequence[Mapping[str, float]] = (),
    people: Sequence[int] = (),
) -> tuple[Task, ...]:
    """Render picks as tasks, in their order.

    `rows` are the picked rows of the pool (`text` or `media`, `region`, `language`; of a video `moments`, too),
    `predicted` label → probability and `people` how many are asked, each aligned with `picks` or left out. Raises
    `DataError` when they do not align, an item has nothing to show, or a score is no number. O(picks).
    """
    for name, column in (("rows", rows), ("predicted", predicted), ("people", people)):
        if len(column) != len(picks) and (name == "rows" or len(column)):
            raise DataError(f"{len(column)} {name} for {len(picks)} picks; give one for each, in the same order")
    told = lru_cache(maxsize=None)(lambda region: guidance(asking.form.policy, region))
    return tuple(
        _task(asking, pick, rows[at], predicted[at] if predicted else {}, people[at] if people else 1, told)
        for at, pick in enumerate(picks)
    )


def _task(
    asking: Asking,
    pick: Pick,
    row: Mapping[str, Any],
    predicted: Mapping[str, float],
    overlap: int,
    told: Any,
) -> Task:
    form, version = asking.form, asking.form.policy.version
    column = "text" if form.modality == "text" else "media"
    shown, region = row.get(column), str(row.get("region") or "")
    if not shown:
        raise DataError(f"item {pick.item_id!r}: no {column} to show; give the pool's {column} column")
    if not math.isfinite(pick.score) or overlap < 1:
        raise DataError(f"item {pick.item_id!r}: score {pick.score} or overlap {overlap} is not usable")
    key = task_key(asking.campaign, asking.round, pick.item_id, version, form.name, asking.repeat)
    data = {
        "hitl_key": key,
        column: _clean(str(shown)),
        "language": _clean(str(row.get("language") or "")),
        "region": _clean(region),
        "guidance": _clean(told(region)),
    }
    if form.modality == "video":
        data["moments"] = _clean(str(row.get("moments") or ""))
    return Task(
        key=key,
        round=asking.round,
        item_id=pick.item_id,
        position=pick.position,
        form=form.name,
        policy_version=version,
        region=region,
        data=data,
        priority=min(1.0, max(0.0, pick.score)),
        overlap=overlap,
        predicted=dict(predicted),
        model_id=asking.model_id,
    )


def _clean(text: str) -> str:
    """Without the two things that servers cannot hold: NUL, and halves of surrogate pairs."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
