"""Which words tell a group of texts from the others."""

from __future__ import annotations

import numpy as np

from hitl.errors import DataError
from hitl.types import Floats


def log_odds(inside: Floats, outside: Floats, strength: float = 500.0) -> Floats:
    """How much more each of v terms belongs to one group of texts than to the rest, as z-scores (v,).

    `inside` and `outside` (v,) count the term in the group and in all other texts. The log-odds ratio has an
    informative Dirichlet prior in proportion to both counts together, worth `strength` terms, so that rare words and
    the words that everybody uses stay near 0: Monroe, Colaresi and Quinn (2008, Political Analysis 16:372, eq. 16 and
    22). Raises `DataError` for negative or unaligned counts. O(v).

    >>> log_odds(np.array([30.0, 9.0, 1.0]), np.array([300.0, 1.0, 99.0])).round(1)
    array([ 0. ,  2.9, -1.2])
    """
    if inside.shape != outside.shape or (inside < 0).any() or (outside < 0).any():
        raise DataError("counts of terms must be 0 or more, one for each term inside and outside")
    both = inside + outside
    everything = both.sum()
    if not everything:
        return np.zeros(len(both))
    prior = strength * np.maximum(both, 1e-9) / everything
    first, second = inside + prior, outside + prior
    total = prior.sum()

    def logit(counts: Floats, size: float) -> Floats:
        return np.asarray(np.log(counts / np.maximum(size + total - counts, 1e-9)))

    spread = np.sqrt(1 / first + 1 / second)
    return np.asarray((logit(first, inside.sum()) - logit(second, outside.sum())) / spread)
