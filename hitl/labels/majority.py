"""Majority vote: one person, one voice."""

from __future__ import annotations

from hitl.labels.table import AnswerTable, Settled, conclude, shares


def majority(table: AnswerTable) -> Settled:
    """The most frequent label of each task, with its share as confidence; a tie is unresolved. O(m + t k).

    >>> table = AnswerTable.of([("a", "ana", "ok"), ("a", "bo", "ok"), ("b", "ana", "ok"), ("b", "bo", "spam")])
    >>> settled = majority(table)
    >>> settled.labels, settled.confidence
    (array([ 0, -1]), array([1. , 0.5]))
    """
    return conclude(table, shares(table))
