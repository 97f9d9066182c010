"""Whether a round helped: its model against the one before, on all items, by label and by slice."""

from __future__ import annotations

from hitl.history import DecisionsRow, Helped, PairedRow, PairedRows, estimate_row
from hitl.history.figures import finite
from hitl.metrics.mcnemar import LEVEL, McNemar
from hitl.metrics.paired import Paired, paired
from hitl.models import Fitted
from hitl.rounds.judged import Judged, Measured
from hitl.rounds.slices import facets_of


def helped(at: Measured) -> Helped | None:
    """The new model against the old one on the benchmark, and the old one against the one before it on the audit draw.

    The new model has learned from the round's audit draw; the two before it have not. So the audit says of the round
    before whether it helped, on the pool as it is now.
    """
    earlier = at.walk.fitted(at.number - 2) if at.number > 1 and at.drawn else None
    audit = at.judge(at.drawn, earlier)
    found = Helped(
        benchmark=_against(at, (at.benchmark, at.new), (at.before, at.old), at.number, "benchmark"),
        audit=_against(at, (at.audit, at.old), (audit, earlier), at.number - 1, "audit"),
    )
    return found if found["benchmark"] or found["audit"] else None


def _against(
    at: Measured,
    new: tuple[Judged | None, Fitted | None],
    old: tuple[Judged | None, Fitted | None],
    number: int,
    name: str,
) -> PairedRows | None:
    (after, newer), (before, older) = new, old
    if after is None or before is None or newer is None or older is None:
        return None
    rows = paired(after.sample, before.sample, facets_of(at.walk, after), at.rng(f"helped {name}"))
    return PairedRows(
        round=number,
        old_model=older.model_id,
        new_model=newer.model_id,
        items=len(after.sample),
        family=rows[-1].family,
        rows=[_row(row) for row in rows],
    )


def _row(row: Paired) -> PairedRow:
    compared = row.contrast.comparison
    return PairedRow(
        label=row.label,
        facet=row.facet,
        value=row.value,
        items=row.decisions.n,
        verdict=row.verdict,
        old=estimate_row(compared.old),
        new=estimate_row(compared.new),
        difference=estimate_row(compared.difference),
        p=finite(row.contrast.p),
        adjusted=finite(row.adjusted),
        detectable=finite(row.detectable),
        decisions=_decisions(row.decisions, row.decisions_adjusted, row.decisions_family),
    )


def _decisions(found: McNemar, adjusted: float, family: int) -> DecisionsRow:
    return DecisionsRow(
        wins=found.wins,
        losses=found.losses,
        n=found.n,
        difference=finite(found.difference),
        p=finite(found.p),
        adjusted=finite(adjusted),
        detectable=finite(found.detectable(LEVEL / family)),
        method=found.method,
    )
