"""Where the rounds stand, from counters alone: no task, answer or resolution is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, select

from hitl.labels.voices import SKIPS
from hitl.ledger import tables


@dataclass(frozen=True)
class Counted:
    """How far the tasks of one round are; lost tasks are in `tasks` and `lost` only, those of the exam nowhere."""

    tasks: int = 0
    waiting: int = 0  # still want somebody
    answers: int = 0  # one a person and task
    skips: int = 0
    lost: int = 0


def wants_people() -> ColumnElement[bool]:
    """The condition under which a task still wants somebody: `hitl.labels.voices.wants_people`, by its counters."""
    table = tables.tasks.c
    return and_(~table.lost, table.answers < table.asked, table.skips < SKIPS)


def overview() -> Select[Any]:
    """`round` and the figures of `Counted`; one pass over an index of the tasks."""
    table = tables.tasks.c
    figures = {
        "waiting": case((wants_people(), 1), else_=0),
        "answers": case((table.lost, 0), else_=table.answers),
        "skips": case((table.lost, 0), else_=table.skips),
        "lost": case((table.lost, 1), else_=0),
    }
    sums = (func.sum(figure).label(name) for name, figure in figures.items())
    query = select(table.round, func.count().label("tasks"), *sums)
    return query.where(table.queue != "exam").group_by(table.round).order_by(table.round)
