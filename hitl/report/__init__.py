"""A campaign, told: one HTML file that opens offline, the same as JSON, plots for notebooks, a table for terminals."""

from __future__ import annotations

import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

from hitl.errors import ConfigError
from hitl.history import History
from hitl.report.html import render_html
from hitl.report.plots import arm_colours, arms_by_round, learning_curve, outlook
from hitl.report.table import rounds_table

__all__ = [
    "arm_colours",
    "arms_by_round",
    "learning_curve",
    "outlook",
    "render_html",
    "render_json",
    "rounds_table",
    "write",
]


def render_json(history: History) -> str:
    """The history as JSON in ASCII (other characters as escapes); numbers that are not finite become null.

    >>> render_json({"headline": "macro_f1", "rounds": [float("nan")]})
    '{\\n "headline": "macro_f1",\\n "rounds": [\\n  null\\n ]\\n}\\n'
    """
    return json.dumps(_plain(history), indent=1, allow_nan=False) + "\n"


def write(history: History, folder: str | Path) -> Path:
    """Write `report.html`, with `report.json` beside it, into `folder`, and return the path of the page.

    Each file appears whole or not at all; an older report stays until the new one is complete. Raises `ConfigError`
    when the folder cannot be written.
    """
    folder = Path(folder)
    page, data = render_html(history), render_json(history)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / "report.json", data)
        replace_file(folder / "report.html", page)
    except OSError as error:
        why = error.strerror or error.__class__.__name__
        raise ConfigError(f"{folder}: the report cannot be written here ({why}); choose another folder") from None
    return folder / "report.html"


def replace_file(path: Path, content: str) -> None:
    """Write a file whole or not at all; an older one stays until the new one is complete. Raises `OSError`."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
