"""The median of answers on an ordered scale: one person, one voice, and no voice counts for more by being far off."""

from __future__ import annotations

import numpy as np

from hitl.labels.table import AnswerTable, Settled, conclude, counted, hold


def median(table: AnswerTable) -> Settled:
    """The likeliest median of each task's answers, `AnswerTable.labels` being in the order of the scale; O(m + t k).

    The belief that the median is at most j is P(Beta(answers up to j, answers above) ≥ 1/2): the posterior of the
    median under the Bayesian bootstrap (Rubin 1981, Annals of Statistics 9:130). An even split is a tie and unresolved,
    so that no label is given between two camps that nobody chose; a label that is known beforehand stays.

    >>> said = [("a", "ana", "1"), ("a", "bo", "2"), ("a", "cy", "4"), ("b", "ana", "1"), ("b", "bo", "3")]
    >>> settled = median(AnswerTable.of(said, labels="1234"))
    >>> settled.labels, settled.confidence
    (array([ 1, -1]), array([0.5, 0.5]))
    """
    from scipy.special import betainc

    counts = counted(table)
    upto = counts.cumsum(axis=1)
    above = upto[:, -1:] - upto if counts.shape[1] else upto
    inside = (upto > 0) & (above > 0)
    below = np.where(above > 0, 0.0, 1.0)
    below[inside] = 1.0 - betainc(upto[inside], above[inside], 0.5)
    beliefs = np.diff(below, axis=1, prepend=0.0)
    beliefs[counts.sum(axis=1) == 0] = 1.0 / max(counts.shape[1], 1)
    return conclude(table, hold(table, np.clip(beliefs, 0.0, 1.0)))
