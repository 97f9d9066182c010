"""Quotas and caps: the least and the most that a batch holds of anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hitl.sampling.plan import Plan
from hitl.types import Ints


@dataclass(frozen=True)
class Cap:
    """At most `most` rows of one code: `codes` (n,) of the rows, and how many of each code are held already."""

    most: int
    codes: Sequence[int]
    held: Counter[int] = field(default_factory=Counter)


def take_within(order: Ints, strata: Ints, want: int, need: Ints, caps: Sequence[Cap] = ()) -> Ints:
    """The first `want` rows of an order that no cap forbids, with places kept free for what each stratum needs.

    `order` (n,) are rows, `strata` (n,) the rows' codes and `need` (S,) the least of each stratum. Where a stratum
    has not enough, its places go to the others. The rows come back ascending. O(n caps).

    >>> take_within(np.arange(5), np.array([0, 0, 0, 1, 1]), 3, need=np.array([0, 1])).tolist()
    [0, 1, 3]
    >>> take_within(np.arange(4), np.zeros(4, dtype=np.int64), 2, np.zeros(1), [Cap(1, [7, 7, 8, 8])]).tolist()
    [0, 2]
    """
    held = [Counter(cap.held) for cap in caps]
    owed, codes = np.asarray(need, dtype=np.int64).copy(), strata.tolist()
    taken: list[int] = []
    for row in order.tolist():
        if len(taken) == want:
            break
        free = want - len(taken) - int(owed.sum())
        full = any(counter[cap.codes[row]] >= cap.most for cap, counter in zip(caps, held, strict=True))
        if full or (owed[codes[row]] <= 0 and free <= 0):
            continue
        taken.append(row)
        owed[codes[row]] = max(owed[codes[row]] - 1, 0)
        for cap, counter in zip(caps, held, strict=True):
            counter[cap.codes[row]] += 1
    if len(taken) < want and owed.any():
        return take_within(order, strata, want, np.asarray(need) - owed, caps)
    return np.sort(np.array(taken, dtype=np.int64))


def least(plan: Plan, strata: Sequence[str], want: int) -> Ints:
    """The least number of `want` picks that the plan's quotas ask of each stratum, (S,); no more than `want` in all.

    >>> least(Plan(quotas={"id": 0.25}), ("en", "id"), 10).tolist()
    [0, 3]
    """
    shares = np.array([plan.quotas.get(name, 0.0) for name in strata])
    need = np.ceil(shares * want - 1e-9)
    if need.sum() > want:
        need = np.floor(shares * want + 1e-9)
    return np.asarray(need, dtype=np.int64)
