"""Evidence that may be looked at after every answer: test martingales on how often something happens.

A signal names what an honest person would do at most with a chance `f`, given all that went before. Each answer on
which it bears multiplies the person's evidence by q / f where the thing happened and by (1 - q) / (1 - f) where it did
not: by how much better a higher chance q explains it. For whoever does it with at most f the product is a
supermartingale that starts at 1, so that it ever reaches 1 / a with a chance of a at most, however often one looks and
whenever one stops (Ville 1939). A mean of such products is one, too: q need not be known (Ramdas, Grünwald, Vovk and
Shafer 2023, Statistical Science 38:576).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hitl.types import Bools, Floats, Ints

TILTS = (0.2, 0.4, 0.6, 0.8, 0.95)
"""How far of the way from f to 1 the chances q lie that are followed, all at once."""

BLOCK = 10
"""A change is looked for at every so many answers."""


@dataclass(frozen=True, eq=False)
class Bet:
    """One suspicion: on which of n answers it bears, whether the thing happened, and the most an honest chance is."""

    active: Bools
    hit: Bools
    chance: Floats


def strongest(bets: Sequence[Bet], owner: Ints, owners: int, *, change: bool = False) -> Floats:
    """The logarithm of the strongest evidence that each owner (o,) of answers (n,) ever had against them; 0 is none.

    Rows stand in order of time. Of several bets the strongest counts, divided by how many there are (Bonferroni). With
    `change` the suspicion is that the thing begins at some time: a mean over the times at which it could, the b-th
    block of `BLOCK` answers weighing 1 / (b (b + 1)). An alarm at log(1 / a) is false with a chance of a at most.
    O(bets × n + owners) time.

    >>> always = Bet(np.ones(20, dtype=bool), np.arange(20) < 18, np.full(20, 0.5))
    >>> strongest([always], np.zeros(20, dtype=int), 1).round(2)
    array([10.65])
    """
    top = np.zeros(owners)
    order = np.argsort(owner, kind="stable")
    for bet in bets:
        rows = order[bet.active[order]]
        if len(rows):
            sizes = np.bincount(owner[rows], minlength=owners)
            here = np.flatnonzero(sizes)
            path = _path(bet.hit[rows], bet.chance[rows], sizes[here], change)
            first = np.cumsum(sizes[here]) - sizes[here]
            top[here] = np.maximum(top[here], np.maximum.reduceat(path, first))
    return np.asarray(np.maximum(top - np.log(max(len(bets), 1)), 0.0))


def possible(bets: Sequence[Bet], owner: Ints, owners: int, *, change: bool = False) -> Floats:
    """About what `strongest` would come to for each owner (o,) had everything happened each time. O(bets × n)."""
    top = np.zeros(owners)
    for bet in bets:
        sums = []
        for tilt in TILTS:
            won = np.log1p(tilt * (1 - bet.chance[bet.active]) / bet.chance[bet.active])
            sums.append(np.bincount(owner[bet.active], won, minlength=owners))
        top = np.maximum(top, np.logaddexp.reduce(sums) - np.log(len(TILTS)))
    return np.asarray(np.maximum(top - np.log(max(len(bets), 1)) - (np.log(2) if change else 0.0), 0.0))


def _path(hit: Bools, chance: Floats, sizes: Ints, change: bool) -> Floats:
    """The evidence after each row, for owners who have `sizes` rows each, one owner after another."""
    first = np.cumsum(sizes) - sizes
    path = np.full(len(hit), -np.inf)
    odds = (1 - chance) / chance
    for tilt in TILTS:
        step = np.where(hit, np.log1p(tilt * odds), np.log1p(-tilt))
        total = np.cumsum(step)
        if change:
            product = np.concatenate([_since(step[a : a + n]) for a, n in zip(first, sizes, strict=True)])
        else:
            product = total - np.repeat(total[first] - step[first], sizes)
        path = np.logaddexp(path, product)
    return np.asarray(path - np.log(len(TILTS)))


def _since(step: Floats) -> Floats:
    """Evidence of one owner that something began at some block; what is bet on later blocks lies idle until then."""
    total = np.cumsum(step)
    block = np.arange(len(step)) // BLOCK + 1.0
    opens = np.arange(len(step)) % BLOCK == 0
    begun = np.where(opens, -np.log(block * (block + 1)) - (total - step), -np.inf)
    # the weights of the blocks that have not begun sum to 1 / (block + 1)
    return np.asarray(np.logaddexp(total + np.logaddexp.accumulate(begun), -np.log(block + 1)))
