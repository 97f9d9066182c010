"""Where a new model is better than the old one: by label and by slice, allowing for how many are looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hitl.errors import DataError
from hitl.metrics.compare import Contrast, contrast
from hitl.metrics.facets import Facets, conjunctions
from hitl.metrics.mcnemar import LEVEL, McNemar, mcnemar
from hitl.metrics.multiplicity import holm
from hitl.metrics.sample import LabelledSample
from hitl.types import Bools, Verdict

LEAST = 30
"""Judged items that a slice needs to be compared in."""

MOST = 20
"""Slices that are compared; of more, those with the most items."""


@dataclass(frozen=True)
class Paired:
    """New against old on all items, for one label, or in one slice (`facet` = `value`).

    `contrast` is of macro-F1 on all items, of F1 for a label, and of accuracy in a slice, where most labels are too
    rare for more; `decisions` are right for one label, or for all of an item.
    `adjusted` and `decisions_adjusted` are p-values after Holm's correction over the labels and slices that a test was
    made of, `family` and `decisions_family` in number; the comparison of all items stands by itself.
    """

    label: str
    facet: str
    value: str
    contrast: Contrast
    decisions: McNemar
    family: int = 1
    adjusted: float = float("nan")
    decisions_family: int = 1
    decisions_adjusted: float = float("nan")

    @property
    def verdict(self) -> Verdict:
        """*helped* or *hurt* where the corrected test of the difference says so at 5 %."""
        if not self.adjusted <= LEVEL:
            return "no evidence"
        return "helped" if self.contrast.comparison.difference.value > 0 else "hurt"

    @property
    def detectable(self) -> float:
        """The true difference that would be found with a power of 80 %, whatever the other tests of the family say."""
        return self.contrast.detectable(LEVEL / self.family)

    def __repr__(self) -> str:
        about = self.label or (f"{self.facet}={self.value}" if self.facet else "all")
        return f"Paired({about}: {self.contrast.comparison.difference}, p={self.adjusted:.3g}; {self.decisions})"


def paired(
    new: LabelledSample,
    old: LabelledSample,
    facets: Facets,
    rng: np.random.Generator,
    *,
    replicates: int = 1000,
) -> tuple[Paired, ...]:
    """New against old on the same n judged items: on all of them, then by label, then by slice, the largest first.

    Differences of figures are by `contrast`, those of decisions by `mcnemar`. Which slices are looked at hangs on how
    many items they have alone: `LEAST`, and as many outside. All labels and slices that a test could be made of are one
    family, whose p-values are corrected for one another by Holm (1979), which holds under any dependence. Raises
    `DataError` when the samples or facets are not of the same items. O((labels + slices) replicates n) time.
    """
    if len(facets) != len(new):
        raise DataError(f"{len(new):,} judged items and facets of {len(facets):,}; take the facets of the same items")
    every = np.ones(len(new), dtype=np.bool_)
    whole = _one(new, old, every, rng, replicates, "macro_f1")
    among = [_one(new, old, every, rng, replicates, "f1", label) for label in new.labels]
    cut = conjunctions(facets, 1, LEAST, MOST)
    for where, members in zip(cut.where, cut.members, strict=True):
        ((facet, value),) = where.items()
        row = _one(new, old, members[facets.cell], rng, replicates, "accuracy")
        among.append(replace(row, facet=facet, value=value))
    return (_corrected([whole])[0], *_corrected(among))


def _one(
    new: LabelledSample,
    old: LabelledSample,
    rows: Bools,
    rng: np.random.Generator,
    replicates: int,
    figure: str,
    label: str = "",
) -> Paired:
    if not rows.all():
        new, old = new.take(rows), old.take(rows)
    compared = contrast(new, old, rng, figure=figure, label=label, replicates=replicates)
    columns = [new.labels.index(label)] if label else list(range(len(new.labels)))
    settled = new.known[:, columns].all(axis=1)
    after, before = ((one.predicted == one.truth)[:, columns].all(axis=1)[settled] for one in (new, old))
    return Paired(label, "", "", compared, mcnemar(after, before, new.weights[settled]))


def _corrected(rows: list[Paired]) -> list[Paired]:
    figures, decisions = np.array([row.contrast.p for row in rows]), np.array([row.decisions.p for row in rows])
    tested = [max(int(np.isfinite(p).sum()), 1) for p in (figures, decisions)]
    return [
        replace(row, family=tested[0], adjusted=adjusted, decisions_family=tested[1], decisions_adjusted=decided)
        for row, adjusted, decided in zip(rows, holm(figures).tolist(), holm(decisions).tolist(), strict=True)
    ]
