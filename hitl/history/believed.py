"""What a model believes of the pool that it picked from, as JSON."""

from __future__ import annotations

from typing import TypedDict


class BelievedRow(TypedDict):
    """Shares of the eligible items by a model's calibrated probabilities: what makes the audit's estimates assisted."""

    prevalence: float | None
    """Of items that violate the policy."""
    prevalence_by_views: float | None
    """Of views that go to them."""
    labels: dict[str, float | None]
    """Of items that each label applies to."""
