"""A policy with other action thresholds, as a new version that says where they come from."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from hitl.errors import PolicyError
from hitl.history import EstimateRow, ThresholdsRow
from hitl.markup import visible
from hitl.metrics.cuts import Cuts
from hitl.policy import Policy, Thresholds
from hitl.policy.parts import LabelOverride, Region
from hitl.reading import build

Placed = Mapping[tuple[str, str], Cuts]
"""Thresholds by region ("" for the policy's common ones) and label."""

_SUFFIX = "-thresholds"
_LONGEST, _MOST = 60, 10_000


def revised(policy: Policy, cuts: Placed) -> Policy:
    """The policy with these thresholds in place of its own, under the same version; raises `PolicyError`.

    A region that is given thresholds gets an override, or another one; all else stays.
    """
    labels = tuple(
        label.model_copy(update={"actions": _actions(cuts["", label.name])}) if ("", label.name) in cuts else label
        for label in policy.labels
    )
    regions: dict[str, Region] = dict(policy.regions)
    for (where, name), found in cuts.items():
        if where and _actions(found) != policy.model_copy(update={"labels": labels}).resolve(where).label(name).actions:
            there = regions.get(where, Region())
            override = there.labels.get(name, LabelOverride()).model_copy(update={"actions": _actions(found)})
            regions[where] = there.model_copy(update={"labels": {**there.labels, name: override}})
    values = policy.model_copy(update={"labels": labels, "regions": regions})
    return Policy.parse(values.to_yaml(), f"policy {policy.name} with other thresholds")


def proposal(policy: Policy, told: ThresholdsRow, taken: Collection[str]) -> str:
    """The revised policy as YAML text, with a version that is not in `taken`, and what the thresholds rest on above it.

    What it says is checked: it reads back as the policy that it is. Raises `PolicyError` where no version is left.
    """
    version = _version(policy.version, taken)
    text = policy.model_copy(update={"version": version}).to_yaml()
    whole = "".join(f"# {line}\n" if line else "#\n" for line in _lines(policy, told, version)) + "\n" + text
    Policy.parse(whole, f"proposal v{version}")
    return whole


def changed(told: ThresholdsRow) -> bool:
    """Whether any threshold differs from the present one where the policy can hold it."""
    rows = [row for row in told["cuts"] if told["by"] != "language" or not row["where"]]
    return any(row["present"] != row["proposed"] for row in rows)


def _version(now: str, taken: Collection[str]) -> str:
    base, suffix, rest = now.partition(_SUFFIX)
    last = 0 if not suffix else int(rest[1:]) if rest[1:].isdecimal() else 1
    for number in range(last + 1, last + _MOST):
        version = f"{base}{_SUFFIX}" + (f"-{number}" if number > 1 else "")
        if version not in taken and len(version) <= _LONGEST:
            return version
    raise PolicyError(f"version {now!r}: no new version can be made of it by a suffix; give the policy a shorter one")


def _lines(policy: Policy, told: ThresholdsRow, version: str) -> list[str]:
    risk = f"precision >= {told['precision']:g} of limit and remove, missed <= {told['missed']:g}"
    aim = f"promised: {risk}, each at {told['confidence']:.0%} confidence" if told["chosen_by"] == "promise" else ""
    lines = [
        f"Proposed by `hitl thresholds` for policy {policy.name} v{told['policy_version']}; nothing is in force yet.",
        f"To take it: read it, name this file as `policy` in the config, and go on; its version is {version}.",
        "Only thresholds (`actions`) differ. Comments of the file before are not in this one.",
        "",
        f"For model {told['model_id']}, on {told['items']:,} judged items of the {told['judged_on']}.",
        aim or "Chosen for least cost: severity and wrong_action_cost by views.",
        "",
    ]
    for row in told["cuts"]:
        where = f" in {row['where']}" if row["where"] else ""
        moved = f"{_at(row['present'])} -> {_at(row['proposed'])}"
        lines.append(f"{row['label']}{where}, {row['action']} {moved}: {_bound(row['risk'])}{_because(row['why'])}")
    before, after = ({one["name"]: one for one in told[side]} for side in ("present", "proposed"))
    lines += ["", "The whole policy, now and as proposed, with 95 % intervals:"]
    lines += [f"{name}: {_span(before[name])} -> {_span(after[name])}" for name in before]
    # A region of the pool may be called anything: no line of a comment ends where it should not.
    return [visible(line.replace("\n", " ")) for line in lines]


def _because(why: str) -> str:
    return f"; {why}" if why else ""


def _at(value: float | None) -> str:
    return "never" if value is None else f"{value:g}"


def _bound(row: EstimateRow) -> str:
    if row["value"] is None:
        return f"{row['name']} not known"
    sign, bound = (">=", row["low"]) if row["name"] == "precision" else ("<=", row["high"])
    return f"{row['name']} {row['value']:.3f}, {sign} {bound:.3f} ({row['n']:,} items)"


def _span(row: EstimateRow) -> str:
    value, low, high = (row["value"], row["low"], row["high"])
    if value is None or low is None or high is None:
        return "not known"
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _actions(cuts: Cuts) -> Thresholds:
    found: dict[str, Any] = {
        name: None if math.isinf(at) else at for name, at in vars(cuts).items() if name in Thresholds.model_fields
    }
    return build(Thresholds, found, "thresholds", PolicyError)
