"""Random: every item alike, the floor under all that is clever."""

from __future__ import annotations

from hitl.sampling.scorers._view import checked
from hitl.types import PoolView, Scores


def random(view: PoolView) -> Scores:
    """The view's own uniform draw; (n,) in [0, 1), O(n). Raises `DataError` for NaN probabilities, as all scorers do.

    >>> from hitl.sampling.view import example_view
    >>> view = example_view([[1.0, 0.0]])
    >>> bool(random(view).values == view.draw)
    True
    """
    checked(view)
    return Scores("random", view.draw.copy())
