"""Why an item was picked, in a sentence."""

from __future__ import annotations

from hitl.types import Pick


def explain(pick: Pick) -> str:
    """One sentence that says why this item was picked, with its figures.

    >>> explain(Pick(7, "a7", "explore", 0.81, {"margin": 0.97, "impact": 12.34}, stands_for=3))
    'Priority 0.81 from margin 0.97 and impact 12.3; stands for 3 near-identical items.'
    >>> explain(Pick(7, "a7", "audit", 0.2, inclusion=0.05))
    'Drawn for the audit with probability 0.05, as part of a sample of the whole pool.'
    """
    chance = "" if pick.inclusion is None else f" with probability {pick.inclusion:.3g}"
    labels = [name.removeprefix("keyword ") for name, value in pick.parts.items() if value]
    parts = " and ".join(f"{name} {value:{',.0f' if value >= 100 else '.3g'}}" for name, value in pick.parts.items())
    told = {
        "audit": f"Drawn for the audit{chance}, as part of a sample of the whole pool",
        "benchmark": f"Drawn for the benchmark{chance}, as part of a sample of the whole pool",
        "random": "Drawn at random, each item alike",
        "keyword": f"Holds a seed keyword of {' and '.join(labels) or 'the policy'}",
        "diverse": "Typical of one part of the pool",
    }
    why = told.get(pick.arm, f"Priority {pick.score:.2f} from {parts}" if parts else f"Priority {pick.score:.2f}")
    copies = f"; stands for {pick.stands_for} near-identical items" if pick.stands_for > 1 else ""
    return f"{why}{copies}."
