"""Parts of the decisions that were looked at again: by who decided, and what about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hitl.errors import ConfigError
from hitl.rounds.qa_record import Looked
from hitl.types import Bools

DIMENSIONS = ("decider", "kind", "vendor", "team", "language", "clause")
"""What scorecards are by."""

OF: Mapping[str, Callable[[Looked], str]] = {
    "decider": lambda one: one.drawn.by,
    "kind": lambda one: one.drawn.kind,
    "vendor": lambda one: one.drawn.vendor,
    "team": lambda one: one.drawn.team,
    "language": lambda one: one.drawn.language,
}
"""How each dimension but the clause, of which a decision may concern several, is told of a decision."""


def within(looked: Sequence[Looked], where: Mapping[str, str]) -> Bools:
    """(n,) which decisions lie in a part of all: dimension → value. Raises `ConfigError` for another dimension."""
    strange = [name for name in where if name not in DIMENSIONS]
    if strange:
        raise ConfigError(f"{strange[0]!r} is no dimension; choose of {', '.join(DIMENSIONS)}")
    return np.array(
        [
            all(value in one.concerned if name == "clause" else OF[name](one) == value for name, value in where.items())
            for one in looked
        ],
        dtype=np.bool_,
    )
