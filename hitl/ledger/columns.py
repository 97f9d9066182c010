"""Kinds of columns that hold the same in SQLite and PostgreSQL: text, numbers and JSON."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

from sqlalchemy import Dialect, Float, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from hitl.errors import LedgerError

_ESCAPE = "\x10"  # "data link escape"


class Words(TypeDecorator[str]):
    """Text of any length, sorted by code points; PostgreSQL, which knows no NUL, is given an escape in its place."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return Text(collation="C" if dialect.name == "postgresql" else None)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or dialect.name != "postgresql":
            return value
        return value.replace(_ESCAPE, _ESCAPE * 2).replace("\x00", f"{_ESCAPE}0")

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or dialect.name != "postgresql" or _ESCAPE not in value:
            return value
        return _ESCAPE.join(part.replace(f"{_ESCAPE}0", "\x00") for part in value.split(_ESCAPE * 2))


class Number(TypeDecorator[float]):
    """A finite number; raises `LedgerError` for NaN and infinities, which SQLite would take for nothing at all."""

    impl = Float
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        if value is not None and not isfinite(value):
            raise LedgerError(
                f"ledger: a score, share or time is {value}, which is no number that can be kept; "
                "nothing was written: look at what the model gave, and call again"
            )
        return None if value is None else float(value)


def pack(value: Any) -> str:
    r"""A value as JSON that every database takes: plain ASCII; NaN and infinities become null, as in `History`.

    >>> pack({"margin": float("nan"), "of": (1, 2**60), "text": "\x00"})
    '{"margin": null, "of": [1, 1152921504606846976], "text": "\\u0000"}'
    """
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(held) for held in value]
    return None if isinstance(value, float) and not isfinite(value) else value
