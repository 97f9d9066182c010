"""Why an item was picked, in a sentence."""

from __future__ import annotations

from hitl.types import Pick

_TOLD = {
    "audit": "Drawn for the audit{chance}, as part of a sample of the whole pool",
    "benchmark": "Drawn for the benchmark{chance}, as part of a sample of the whole pool",
    "random": "Drawn at random, each item alike",
    "gold": "Mixed in to see how people do: its label is known",
    "diverse": "Typical of one part of the pool",
    "relabel": "Asked again for a second opinion: the model doubts its label ({parts})",
}

_BY_LABEL = {"keyword": "Holds a seed keyword of", "exemplar": "Resembles an example of"}


def explain(pick: Pick, scores: str = "") -> str:
    """One sentence that says why this item was picked, with its figures; `scores` tells an arm's scorers in words.

    >>> explain(Pick(7, "a7", "uncertain", 0.81, {"margin": 0.97, "impact": 12.34}, stands_for=3))
    'Picked by the arm uncertain with priority 0.81, from margin 0.97 and impact 12.3; stands for 3 near-identical...'
    >>> explain(Pick(7, "a7", "contested", 0.9, {"margin": 0.9}, label="hate"), "margin")
    'Picked by the arm contested (margin) for the label hate with priority 0.90, from margin 0.9.'
    >>> explain(Pick(7, "a7", "audit", 0.2, inclusion=0.05))
    'Drawn for the audit with probability 0.05, as part of a sample of the whole pool.'
    """
    chance = "" if pick.inclusion is None else f" with probability {pick.inclusion:.3g}"
    parts = " and ".join(f"{name} {value:{',.0f' if value >= 100 else '.3g'}}" for name, value in pick.parts.items())
    if pick.arm in _BY_LABEL:
        labels = [name.removeprefix(f"{pick.arm} ") for name, value in pick.parts.items() if value]
        why = f"{_BY_LABEL[pick.arm]} {' and '.join(labels) or 'the policy'}"
    elif pick.arm in _TOLD:
        why = _TOLD[pick.arm].format(chance=chance, parts=parts or "no figures")
    else:
        by = f" ({scores})" if scores else ""
        whom = f" for the label {pick.label}" if pick.label else ""
        why = f"Picked by the arm {pick.arm}{by}{whom} with priority {pick.score:.2f}{', from ' * bool(parts)}{parts}"
    copies = f"; stands for {pick.stands_for} near-identical items" if pick.stands_for > 1 else ""
    return f"{why}{copies}."
