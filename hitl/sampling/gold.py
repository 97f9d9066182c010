"""Gold: items whose label is known, mixed into a round so that nothing but their label tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hitl.sampling.candidates import Candidates
from hitl.sampling.picks import Ids, make_picks
from hitl.sampling.seed import take_in_turn
from hitl.sampling.uniforms import draws
from hitl.types import Floats, Ints, Keys, Pick


def gold_picks(items: Candidates, count: int, others: Floats, ids: Ids, strata: Sequence[str]) -> list[Pick]:
    """At most `count` of the gold items, the smallest draws first, as picks of the arm `gold`.

    Each is served by a priority drawn from that of the round's `others` (m,): a place between two of theirs, found by
    inverting their distribution at a second draw, so that neither its rank nor a tie gives it away. `items.scores` are
    those second draws in [0, 1). O(n log n).

    >>> keys, none = np.arange(3, dtype=np.uint64), np.zeros(3, dtype=np.int64)
    >>> known = Candidates(np.arange(3), keys, draws=np.array([0.9, 0.1, 0.5]), strata=none, scores=np.full(3, 0.25))
    >>> gold_picks(known, 1, np.array([0.2, 0.6]), lambda at: [f"item {p}" for p in at], [""])
    [Pick(position=1, item_id='item 1', arm='gold', score=0.3, ...)]
    """
    chosen = items.take(np.lexsort((items.keys, items.draws))[:count])
    scores: Floats = np.quantile(others, chosen.scores).astype(np.float64) if len(others) else chosen.scores
    return make_picks("gold", replace(chosen, scores=scores), ids, strata)


def exam_rows(labels: Sequence[tuple[str, ...]], keys: Keys, count: int, seed: int) -> Ints:
    """Rows of `count` gold items for an exam, by chance, sets of labels taking turns: rare ones are asked, too.

    `labels` (n,) are what is known of each, `keys` (n,) their items'. The same items and seed give the same exam, and
    a smaller one is its beginning. O(n log n).

    >>> exam_rows([("ok",), ("ok",), ("ok",), ("spam",)], np.arange(4, dtype=np.uint64), 2, seed=1)
    array([..., 3])
    """
    order = np.lexsort((keys, draws(keys, seed)))
    sets = sorted(set(labels))
    queues = [np.array([row for row in order.tolist() if labels[row] == each], dtype=np.int64) for each in sets]
    return take_in_turn(queues, np.arange(len(labels)), count)
