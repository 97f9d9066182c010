"""Majority vote: one person, one voice."""

from __future__ import annotations

from hitl.labels.table import AnswerTable, Settled, conclude, hold, shares


def majority(table: AnswerTable) -> Settled:
    """The most frequent label of each task, with its share as confidence; O(m + t k).

    A tie is unresolved; a label that is known beforehand stays.

    >>> table = AnswerTable.of([("a", "ana", "ok"), ("a", "bo", "ok"), ("b", "ana", "ok"), ("b", "bo", "spam")])
    >>> settled = majority(table)
    >>> settled.labels, settled.confidence
    (array([ 0, -1]), array([1. , 0.5]))
    """
    return conclude(table, hold(table, shares(table)))
