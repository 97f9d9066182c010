"""What of an item is shown, by the kind of its content: its data in a task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hitl.errors import DataError
from hitl.tasks.form import LEFT, RIGHT, Modality

_LEFTWARD, _RIGHTWARD = "\u200f", "\u200e"
_DIRECTIONS = str.maketrans(
    {
        **{override: f"⟨U+{ord(override):04X}⟩" for override in "\u202d\u202e"},
        **dict.fromkeys("\u202b\u2067", _LEFTWARD),
        **dict.fromkeys("\u202a\u2066", _RIGHTWARD),
        **dict.fromkeys("\u202c\u2068\u2069", ""),
    }
)


def shown(modality: Modality, row: Mapping[str, Any], item_id: str) -> dict[str, Any]:
    """A row of the pool as the data that the page shows.

    Of a conversation `text` holds a JSON list of turns `{"author": ..., "text": ...}` (or `role` and `content`), of a
    pair a JSON object `{"left": ..., "right": ...}` with a `prompt` if there is one. Raises `DataError` naming the
    item when there is nothing to show, or something else.

    >>> shown("conversation", {"text": '[{"role": "user", "content": "hi"}]'}, "item-1")
    {'turns': [{'author': 'user', 'text': 'hi'}]}
    >>> shown("pair", {"text": '{"left": "yes", "right": "no"}'}, "item-2")
    {'prompt': '', 'left': 'yes', 'right': 'no'}
    """
    written = modality in ("text", "conversation", "pair")
    column = "text" if written else "media"
    content = str(row.get(column) or "")
    if not content:
        raise DataError(f"item {item_id!r}: no {column} to show; give the pool's {column} column")
    if modality == "conversation":
        return {"turns": _turns(content, item_id)}
    if modality == "pair":
        return _sides(content, item_id)
    return {column: readable(content) if written else clean(content)}


def clean(text: str) -> str:
    """Without the two things that servers cannot hold: NUL, and halves of surrogate pairs."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def readable(text: str) -> str:
    """Clean text that reads in the order in which it is written, whatever controls of direction it holds.

    An override, which no language needs, shows as its code. Embeddings and isolates, which can turn words around when
    they are nested, become the mark of their direction: a line of Arabic or Hebrew that they open goes its way still.
    Source: Unicode Standard Annex 9; Boucher and Anderson, "Trojan Source", USENIX Security 2023.

    >>> readable("a\u202eb\u202c"), readable("\u2067\u05d0\u2069") == "\u200f\u05d0"
    ('a⟨U+202E⟩b', True)
    """
    return clean(text).translate(_DIRECTIONS)


def _turns(content: str, item_id: str) -> list[dict[str, str]]:
    turns = _json(content, item_id)
    if not isinstance(turns, list) or not turns:
        raise DataError(f"item {item_id!r}: its conversation is no JSON list of turns")
    return [_turn(turn, f"item {item_id!r}, turn {number}") for number, turn in enumerate(turns, start=1)]


def _turn(turn: object, where: str) -> dict[str, str]:
    told = turn if isinstance(turn, dict) else {}
    author, text = told.get("author", told.get("role")), told.get("text", told.get("content"))
    if not isinstance(author, str) or not isinstance(text, str) or not author.strip():
        raise DataError(f'{where}: it must read {{"author": "...", "text": "..."}} (or role and content)')
    return {"author": readable(author), "text": readable(text)}


def _sides(content: str, item_id: str) -> dict[str, str]:
    pair = _json(content, item_id)
    sides = {"prompt": "", **pair} if isinstance(pair, dict) else {}
    if not all(isinstance(sides.get(part), str) for part in ("prompt", LEFT, RIGHT)):
        raise DataError(f'item {item_id!r}: a pair must read {{"left": "...", "right": "..."}}, with a "prompt" if any')
    if not sides[LEFT].strip() and not sides[RIGHT].strip():
        raise DataError(f"item {item_id!r}: both sides of the pair are empty")
    return {part: readable(sides[part]) for part in ("prompt", LEFT, RIGHT)}


def _json(content: str, item_id: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise DataError(f"item {item_id!r}: its text is no JSON, which this kind of content must be") from None
