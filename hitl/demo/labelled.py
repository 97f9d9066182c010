"""A user's own labelled file as a stage for the demo: a policy from its labels, and the truth its reviewers see."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from hitl.errors import DataError
from hitl.policy import NONE, OUTS, Label, Policy, Thresholds, as_read

BENIGN = re.compile(
    r"(?i:neither|none|neutral|normal|benign|clean|ok|okay|fine|safe|harmless|acceptable|ham|news|real|legit|false|0|0\.0)"
    r"|(?i:non|not|no)(?:[ _-].*|[A-Z]\w*)?|(?i:non|not)(?i:hat|tox|abus|spam|offens)\w*"
)
"""Names under which data sets keep what violates nothing."""

MOST_LABELS = 40


def policy_from_labels(counts: Mapping[str, int], name: str = "labelled file") -> tuple[Policy, dict[str, str]]:
    """A single-label policy with one label for each value, and which label each value became.

    The benign label is the most frequent of those named so (`neither`, `ok`, `not_hate`, `noHate`, `0`, ...), else
    the most frequent of all. The rarer a label, the higher its severity: the square root of the largest count over
    its own, at most 20. Raises `DataError` when there are fewer than 2 values, or more than a person can choose from.

    >>> policy, names = policy_from_labels({"offensive": 190, "neither": 42, "hate": 14})
    >>> policy
    Policy('labelled file' v1: neither, offensive, hate)
    >>> [label.violating for label in policy.labels]
    [False, True, True]
    """
    if not 2 <= len(counts) <= MOST_LABELS:
        raise DataError(
            f"the label column has {len(counts)} different values, and a policy needs 2 to {MOST_LABELS}; "
            "name another column"
        )
    names = _names(counts)
    by_count = sorted(counts, key=lambda value: (-counts[value], value))
    benign = next((value for value in by_count if BENIGN.fullmatch(value.strip())), by_count[0])
    rest = [value for value in by_count if value != benign]
    labels = [Label(name=names[benign], violating=False, definition="Nothing below applies.")]
    labels += [_label(names[value], counts[value], counts[by_count[0]]) for value in rest]
    return Policy(name=name, version="1", labels=tuple(labels)), names


def _names(counts: Mapping[str, int]) -> dict[str, str]:
    """A name that policy and form accept for each value: no commas, controls or $, none that reads like another."""
    names: dict[str, str] = {}
    taken = {as_read(name) for name in (*OUTS, NONE)}
    for value in counts:
        shown = "".join(letter if letter.isprintable() and letter != "$" else " " for letter in value)
        base = re.sub(r"[\s,]+", " ", shown).strip()[:50].rstrip() or "(empty)"
        choices = [base, f"{base} (label)", *(f"{base} {number}" for number in range(2, len(counts) + 2))]
        names[value] = next(choice for choice in choices if as_read(choice) not in taken)
        taken.add(as_read(names[value]))
    return names


def _label(name: str, count: int, largest: int) -> Label:
    severity = float(np.clip(np.sqrt(largest / max(count, 1)), 1.0, 20.0))
    strictness = (severity - 1) / 19  # the more severe, the earlier something is done
    return Label(
        name=name,
        definition=f"Content of the kind that the file calls “{name}”.",
        severity=round(severity, 2),
        actions=Thresholds(
            review=round(0.45 - 0.25 * strictness, 2),
            limit=round(0.65 - 0.25 * strictness, 2),
            remove=round(0.85 - 0.15 * strictness, 2),
        ),
    )
