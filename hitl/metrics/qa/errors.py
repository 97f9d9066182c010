"""What was wrong with a decision, by a second look at its item."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

Kind = Literal["right", "missed", "overreach", "clause"]
"""`missed` left up what violates, `overreach` acted on what does not, `clause` acted rightly by the wrong clause."""

CRITICAL: tuple[Kind, ...] = ("missed", "overreach")
"""Errors that people bear: harm left up, or something innocent taken away. The wrong clause alone is not critical."""

Cause = Literal["policy unclear", "training", "tool", "model", "context"]
"""Why an error happened, as somebody who then knew the decision judged."""

CAUSES: tuple[str, ...] = get_args(Cause)


def kind_of(acted: bool, named: Iterable[str], found: Iterable[str], *, whole: bool) -> Kind:
    """What kind of error a decision is, if any.

    `acted` says whether the decision holds that the item violates; `named` are the violating labels that it gave,
    `found` those that the second look gave. With `whole` the decision had to name all of them; otherwise (a log names
    one) those it names must be among them. A decision that named none is only judged by whether it acted.

    >>> kind_of(True, ["hate"], [], whole=True), kind_of(False, [], ["hate"], whole=True)
    ('overreach', 'missed')
    >>> kind_of(True, ["hate"], ["hate", "scam"], whole=False), kind_of(True, ["hate"], ["scam"], whole=False)
    ('right', 'clause')
    """
    said, truth = set(named), set(found)
    if acted != bool(truth):
        return "missed" if truth else "overreach"
    if not acted or not said:
        return "right"
    return "right" if (said == truth if whole else said <= truth) else "clause"
