"""Majority vote: one person, one voice."""

from __future__ import annotations

from hitl.labels.table import AnswerTable, Settled, conclude, hold, shares


def majority(table: AnswerTable) -> Settled:
    """The most frequent label of each task, with its share as confidence; O(m + t k).

    A tie is unresolved, and `Settled.tied` tells between which labels; a label that is known beforehand stays.

    >>> table = AnswerTable.of([("a", "ana", "ok"), ("a", "bo", "ok"), ("b", "ana", "ok"), ("b", "bo", "spam")])
    >>> settled = majority(table)
    >>> settled.labels, settled.confidence
    (array([ 0, -1]), array([1. , 0.5]))
    >>> settled.tied
    array([[False, False],
           [ True,  True]])
    """
    return conclude(table, hold(table, shares(table)))
