"""How the report writes things down: figures with units and intervals, times, and text that may be hostile."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Literal

from hitl.history import EstimateRow
from hitl.markup import visible

UNKNOWN = "not known yet"
NONE = "–"

_PARTS: tuple[Literal["value"], Literal["low"], Literal["high"]] = ("value", "low", "high")

_FIGURES = {
    "f1": "F1",
    "macro_f1": "Macro-F1",
    "micro_f1": "Micro-F1",
    "ap": "Average precision",
    "kappa": "Cohen’s kappa",
    "roc_auc": "ROC AUC",
    "alpha": "Krippendorff’s alpha",
    "krippendorff_alpha": "Krippendorff’s alpha",
}
_ARMS = {
    "audit": "audit (known odds)",
    "benchmark": "benchmark (frozen)",
    "random": "random (even odds)",
    "keyword": "keyword matches",
    "exemplar": "like the policy’s examples",
    "diverse": "typical of a part of the pool",
    "relabel": "second opinions",
    "gold": "gold",
    "escalation": "escalation",
}
_FORMULA = re.compile(r"\s*[=+\-@|]")


def name(text: str, limit: int = 60) -> str:
    """A name from outside on one line: visible, short, and no formula when it is pasted into a spreadsheet.

    >>> name("=SUM(A1)\\nnext")
    "'=SUM(A1) next"
    """
    line = "no label" if text == "(none)" else visible(text.replace("\n", " "), limit)
    return f"'{line}" if _FORMULA.match(line) else line


def known(value: float | None) -> bool:
    """Whether a number is there and finite."""
    return value is not None and math.isfinite(value)


def count(value: float | None) -> str:
    """A count with thousands separators.

    >>> count(1234567), count(None)
    ('1,234,567', '–')
    """
    return f"{round(value):,}" if value is not None and math.isfinite(value) else NONE


def decimal(value: float | None, digits: int = 2) -> str:
    """A number with a fixed count of digits after the point, and a true minus."""
    if value is None or not math.isfinite(value):
        return NONE
    written = f"{value:,.{digits}f}"
    return (written.lstrip("-") if not float(written.replace(",", "")) else written).replace("-", "−")


def amount(value: float | None) -> str:
    """A number without decimals from 100 on, where they would say nothing."""
    return decimal(value, 0 if value is not None and abs(value) >= 100 else 2)


def needed(labels: float | None) -> str:
    """Labels that it takes, to two digits: an extrapolation knows no more.

    >>> needed(1234), needed(87_654), needed(None)
    ('1,200', '88,000', 'not reached')
    """
    if labels is None or not math.isfinite(labels):
        return "not reached"
    step = 10 ** max(len(str(round(labels))) - 2, 0)
    return count(round(labels / step) * step)


def percent(value: float | None, like: float | None = None) -> str:
    """A share as a percentage, finer when it is small; with the digits of `like` where that is given.

    >>> percent(0.5), percent(0.0123), percent(0.00041), percent(0.11, like=0.08)
    ('50%', '1.2%', '0.041%', '11.0%')
    """
    if value is None or not math.isfinite(value):
        return NONE
    share = abs(value if like is None else like) * 100
    digits = 0 if share >= 10 or share == 0 else 1 if share >= 1 else 2 if share >= 0.1 else 3
    return f"{value * 100:.{digits}f}%".replace("-", "−")


def estimate(row: EstimateRow | None) -> str:
    """A figure with its interval; prevalences as percentages, amounts from 100 on without decimals.

    >>> row = EstimateRow(name="f1", label="", value=.62, low=.55, high=.69, n=9, level=.95, method="")
    >>> estimate(row)
    '0.62 [0.55, 0.69]'
    """
    if row is None:
        return NONE
    if not known(row["value"]):
        return UNKNOWN
    if row["name"].startswith("prevalence") or row["name"] == "changed":
        value, low, high = (percent(row[key], like=row["value"]) for key in _PARTS)
    else:
        digits = 0 if max(abs(row[key] or 0.0) for key in _PARTS) >= 100 else 3 if row["name"] == "kappa" else 2
        value, low, high = (decimal(row[key], digits) for key in _PARTS)
    return value + _bounds(low, high)


def change(row: EstimateRow | None) -> str:
    """A difference with its sign and interval: `+0.06 [+0.02, +0.10]`."""
    if row is None:
        return NONE
    if not known(row["value"]):
        return UNKNOWN
    return _signed(row["value"]) + _bounds(_signed(row["low"]), _signed(row["high"]))


def _bounds(low: str, high: str) -> str:
    return "" if low == high == NONE else f" [{low}, {high}]"


def _signed(value: float | None) -> str:
    written = decimal(value)
    positive = value is not None and value > 0 and written.strip("0.")
    return f"+{written}" if positive else written


def duration(seconds: float | None) -> str:
    """A time span in its two largest units.

    >>> duration(8.44), duration(250), duration(12100)
    ('8.4 s', '4 min 10 s', '3 h 22 min')
    """
    if seconds is None or not math.isfinite(seconds):
        return NONE
    if seconds < 59.95:
        return f"{seconds:.1f} s" if seconds else "0 s"
    if seconds < 3600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {rest} min" if rest else f"{hours:,} h"


def moment(iso: str | None) -> str:
    """An ISO 8601 time as people write it, in UTC.

    >>> moment("2026-11-22T21:38:24+00:00")
    '22 Nov 2026, 21:38 UTC'
    """
    if not iso:
        return NONE
    try:
        time = datetime.fromisoformat(iso)
    except ValueError:
        return name(iso, 40)
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    month = "JanFebMarAprMayJunJulAugSepOctNovDec"[3 * time.month - 3 : 3 * time.month]  # whatever the locale
    return f"{time.day} {month} {time.year}, {time:%H:%M} UTC"


def figure(metric: str) -> str:
    """The name of a figure in words.

    >>> figure("macro_f1"), figure("recall@remove"), figure("prevalence_by_views")
    ('Macro-F1', 'Recall at remove', 'Prevalence by views')
    """
    base, _, action = metric.partition("@")
    words = _FIGURES.get(base) or name(base.replace("_", " "), 40).capitalize()
    return f"{words} at {name(action, 20)}" if action else words


def inside(title: str) -> str:
    """A figure's name as it stands inside a sentence."""
    return title if title[1:2].isupper() or title.split("-")[-1][:2] == "F1" else title[:1].lower() + title[1:]


def arm(label: str) -> str:
    """An arm in words."""
    return _ARMS.get(label) or name(label, 30)


def listed(counts: dict[str, int], limit: int = 8) -> str:
    """Counts in one line, largest first, each unbroken: `en 3,400 · id 1,200`."""
    ranked = sorted(counts.items(), key=lambda pair: -pair[1])
    shown = [f"{name(key or 'unknown', 30)}\N{NO-BREAK SPACE}{count(value)}" for key, value in ranked[:limit]]
    more = [f"{len(ranked) - limit} more"] if len(ranked) > limit else []
    return " · ".join(shown + more) or NONE
