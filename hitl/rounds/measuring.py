"""What may be said of a round's model: its figures, and what it is against earlier models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hitl.history import ComparisonRow, comparison_row, estimate_row
from hitl.ledger import Writer
from hitl.metrics.assisted import Believed, assisted
from hitl.metrics.compare import compare
from hitl.metrics.quality import confusion
from hitl.metrics.quality import measure as measure_quality
from hitl.models import Fitted
from hitl.rounds.agreement import round_alpha
from hitl.rounds.judged import Judged, Measured
from hitl.rounds.stopping import audited_cost, steadiness
from hitl.rounds.walk import Done, Walk
from hitl.types import Estimate


def measure(walk: Walk, number: int) -> Done:
    """The new model on the benchmark, against earlier ones; the one before on the audit draw it had not seen.

    The benchmark's figures go into the new model's card, too.
    """
    at, rng = Measured.of(walk, number), walk.rng(number, "measure")
    on_benchmark = measure_quality(at.benchmark.sample, rng) if at.benchmark else ()
    on_audit = with_assistance(at, measure_quality(at.audit.sample, rng)) if at.audit else ()
    alpha = round_alpha(walk, number, rng)
    at.new.with_card({"benchmark": [estimate_row(estimate) for estimate in on_benchmark]}).save(
        walk.folder / f"models/{at.new.model_id}"
    )
    output = {
        "confusion": confusion(at.benchmark.sample) if at.benchmark else None,
        "comparison": _against(at.benchmark, at.before, rng),
        "stability": steadiness(walk, number, at.new, at.old),
        "cost_left": audited_cost(walk, at.audit),
        "since_seed": _since_seed(at, rng),
    }

    def write(writer: Writer) -> None:
        writer.add_metrics(number, "benchmark", at.new.model_id, on_benchmark)
        writer.add_metrics(number, "audit", at.old.model_id if at.old else "", on_audit)
        writer.add_metrics(number, "agreement", "", [alpha])

    return Done(output, write)


def with_assistance(at: Measured, figures: Sequence[Estimate]) -> tuple[Estimate, ...]:
    """Figures of the round's audit, prevalence with the help of what the model that picked believes of the pool.

    The same figures where that is not on record, as in campaigns of earlier versions.
    """
    believed = at.walk.believed(at.number)
    if believed is None or at.audit is None:
        return tuple(figures)
    helped = {(one.name, one.label): one for one in assisted(at.audit.sample, Believed.of(believed))}
    return tuple(helped.get((one.name, one.label), one) for one in figures)


def _since_seed(at: Measured, rng: np.random.Generator) -> ComparisonRow | None:
    seed: Fitted | None = at.walk.fitted(0) if at.number > 1 else None
    return _against(at.benchmark, at.judge(at.walk.benchmark_items(), seed), rng)


def _against(new: Judged | None, before: Judged | None, rng: np.random.Generator) -> ComparisonRow | None:
    """The new model's benchmark against an older model on the same items."""
    return comparison_row(compare(new.sample, before.sample, rng)) if new and before else None
