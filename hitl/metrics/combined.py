"""Several estimates as one: of the strata of a sample, and of the draws of several rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hitl.errors import DataError
from hitl.metrics.intervals import Shares, share_interval
from hitl.types import Estimate, Floats


@dataclass(frozen=True)
class Part:
    """An estimate of a share, with what an interval needs: variance, effective size, events and items behind it.

    It is of the share `rest` of a whole, of which the share `known` is known to count besides: a draw of what was not
    judged before speaks of a whole `known` + `rest` × value. `size` is the number of evenly drawn items that the
    weights are worth (Kish); it must not depend on what was found. `spread` is one over the effective size that the
    interval goes by where few events were seen, 1 / size when left out.
    """

    value: float
    variance: float
    size: float
    events: float
    n: int
    known: float = 0.0
    rest: float = 1.0
    spread: float | None = None

    @classmethod
    def of(
        cls, found: Shares, column: int = 0, *, known: float = 0.0, rest: float = 1.0, size: float | None = None
    ) -> Part:
        """The part that one column of shares is, with another effective size where theirs depends on the finds."""
        by_weights = float(found.by_weights[column])
        kish = 1.0 / by_weights if by_weights > 0 else float("inf")
        return cls(
            value=float(found.value[column]),
            variance=float(found.variance[column]),
            size=kish if size is None else size,
            events=float(found.events[column]),
            n=int(found.n[column]),
            known=known,
            rest=rest,
            spread=by_weights,
        )


def combined(parts: Sequence[Part], *, name: str = "share", label: str = "") -> Estimate:
    """What independent draws say together of one whole, each weighted by its effective size over `rest`².

    Given all that was judged before it, each draw's known + rest × value is without bias for the same whole, so that
    the draws' errors are uncorrelated though later draws depend on earlier finds. Weights by the variances that were
    estimated would not do: a draw that by chance found little has a small value and a small estimated variance, so
    that the mean would be drawn down. One over the effective size is what the variances are proportional to, and
    owes nothing to the finds. The interval is that of `share_interval`, and never below what is known. Parts without
    items are left out; none gives NaN in [0, 1]. Raises `DataError` for sizes that cannot be.

    >>> print(combined([Part(0.10, 0.0009, 100, 10, 100), Part(0.04, 0.0004, 100, 4, 100, known=0.05, rest=0.9)]))
    share 0.092 [0.066, 0.133] (n=200)
    """
    told = [part for part in parts if part.n and part.value == part.value]
    if not told:
        return Estimate(name, float("nan"), 0.0, 1.0, 0, label, method="no draw has a judged item that bears on it")
    how = f"{len(told)} draws together, each by its effective size" if len(told) > 1 else "one draw"
    return _mean(told, _by_size(told), name, label, how)


def stratified(parts: Sequence[Part], shares: Floats, *, name: str = "share", label: str = "") -> Estimate:
    """What strata say together of their whole, of which each is a known share: Σ share × value.

    Särndal, Swensson and Wretman (1992, ch. 3.7); with strata that were not drawn apart it is the post-stratified
    estimate (ch. 7.6). NaN where a stratum without a judged item has a share: collapse strata first
    (`hitl.metrics.responses.collapsed`). Raises `DataError` for shares that do not add up to 1.

    >>> print(stratified([Part(0.5, 0.0025, 100, 50, 100), Part(0.1, 0.0009, 100, 10, 100)], np.array([0.25, 0.75])))
    share 0.200 [0.154, 0.255] (n=200)
    """
    if len(shares) != len(parts) or not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-6:
        raise DataError(f"{len(parts)} strata need as many shares >= 0 that add up to 1; they add up to {shares.sum()}")
    silent = [share for part, share in zip(parts, shares, strict=True) if share > 0 and part.value != part.value]
    if silent or not len(parts):
        why = f"strata with {sum(silent):.1%} of the whole have no judged item"
        return Estimate(name, float("nan"), 0.0, 1.0, sum(part.n for part in parts), label, method=why)
    held = shares > 0
    told = [part for part, one in zip(parts, held, strict=True) if one]
    return _mean(told, shares[held], name, label, f"{len(told)} strata together, each by its share")


def _by_size(parts: Sequence[Part]) -> Floats:
    precision = np.array([part.size / part.rest**2 if part.rest > 0 else np.inf for part in parts])
    if not (precision > 0).all():
        raise DataError("an effective size is not above 0; leave draws without items out")
    certain = np.isinf(precision)
    weights = certain.astype(np.float64) if certain.any() else precision
    return np.asarray(weights / weights.sum())


def _mean(parts: Sequence[Part], weights: Floats, name: str, label: str, how: str) -> Estimate:
    """Σ weight × (known + rest × value), with Wilson's interval on what is not known."""
    of = {field: np.array([getattr(part, field) for part in parts]) for field in ("value", "variance", "known", "rest")}
    spread = np.array([1.0 / part.size if part.spread is None else part.spread for part in parts])
    known, rest = float(weights @ of["known"]), float(weights @ of["rest"])
    n, events = sum(part.n for part in parts), sum(part.events for part in parts)
    if rest <= 0:
        return Estimate(name, known, known, known, n, label, method=how)
    pull = weights * of["rest"] / rest
    value, variance, by_weights = pull @ of["value"], pull**2 @ of["variance"], pull**2 @ spread
    low, high = share_interval(*(np.array([one]) for one in (value, variance, by_weights, events, n)))
    least = float(of["known"].max())
    ends = [max(known + rest * float(end), least) for end in (value, low[0], high[0])]
    return Estimate(name, min(ends[0], 1.0), ends[1], min(ends[2], 1.0), n, label, method=f"{how}; Wilson interval")
