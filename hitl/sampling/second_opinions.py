"""Which labelled items are asked again, before the model learns more from them."""

from __future__ import annotations

import numpy as np

from hitl.sampling.candidates import Candidates
from hitl.sampling.picks import Ids, make_picks
from hitl.sampling.scorers.relabel import relabel
from hitl.types import Ints, Pick, PoolView


def second_opinions(view: PoolView, positions: Ints, ids: Ids, count: int) -> list[Pick]:
    """At most `count` labelled items, the most doubtful first, as picks of the arm `relabel`; ties go by draw.

    `view` is of the m labelled items that stand at `positions` (m,), with `settled` and `confidence`. O(m log m).

    >>> from dataclasses import replace
    >>> from hitl.sampling.view import example_view
    >>> view = example_view([[0.9, 0.1], [0.9, 0.1]])
    >>> view = replace(view, settled=np.array([[1.0, 0.0], [0.0, 1.0]]), confidence=np.ones(2))
    >>> second_opinions(view, np.array([4, 7]), lambda at: [f"item {p}" for p in at], 1)
    [Pick(position=7, item_id='item 7', arm='relabel', score=0.89..., parts={'relabel': 0.89...}, ...)]
    """
    scores = relabel(view)
    items = Candidates(
        positions, view.keys, view.draw, np.zeros(len(view), dtype=np.int64), scores.values, {"relabel": scores.values}
    )
    doubtful = items.take(scores.values > 0).ranked()
    return make_picks("relabel", doubtful.take(np.arange(min(count, len(doubtful)))), ids, ("",))
