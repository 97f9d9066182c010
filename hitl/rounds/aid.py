"""Where the model may have a voice beside people, when the plan's resolver asks it."""

from __future__ import annotations

from hitl.rounds.showing import Showing
from hitl.rounds.walk import Walk

APART = ("audit", "benchmark", "random", "gold")
"""Arms whose labels owe nothing to a model: it is measured, and its thresholds are set, by them."""


def aided(walk: Walk) -> frozenset[str]:
    """Items on which what the model believed may be heard: not those of the arms `APART`, nor those shown with it.

    Who saw the model's answer has heard it already. None unless the resolver is `with_model`. O(picks + tasks).
    """
    if walk.plan.resolver != "with_model":
        return frozenset()
    picks = [pick for row in walk.ledger.rounds() for pick in walk.ledger.picks(row["round"])]
    apart = {pick.item_id for pick in picks if pick.arm in APART}
    showing = Showing.of(walk)
    seen = {task.item_id for task in walk.ledger.tasks() if showing.shows(task)}
    return frozenset(pick.item_id for pick in picks) - apart - seen
