"""Annotations become resolutions: answer tables, resolvers, and `settle`, which runs one over a campaign's answers.

A resolver is one file: a function, or an object with options, from an `AnswerTable` to what it amounts to (`Settled`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from hitl.labels.dawid_skene import DawidSkene
from hitl.labels.majority import majority
from hitl.labels.median import median
from hitl.labels.one_coin import OneCoin
from hitl.labels.ordinal import Ordinal
from hitl.labels.table import AnswerTable, Machine, Resolver, Settled
from hitl.labels.weighted import WeightedMajority
from hitl.labels.with_model import WithModel
from hitl.types import Floats

RESOLVERS: Mapping[str, Resolver] = MappingProxyType(
    {
        "majority": majority,
        "weighted_majority": WeightedMajority(),
        "dawid_skene": DawidSkene(),
        "one_coin": OneCoin(),
        "median": median,
        "ordinal": Ordinal(),
        "with_model": WithModel(),
    }
)
"""Every way of turning answers into labels, by the name that a plan calls it."""

ORDINAL = frozenset({"median", "ordinal"})
"""Those to which the order of the labels is a scale."""


def begun(resolver: Resolver, start: Mapping[str, Floats]) -> Resolver:
    """The resolver as it begins from confusions (k, k) known of some workers; itself where it knows of no beginning."""
    if isinstance(resolver, WithModel):
        return replace(resolver, people=begun(resolver.people, start))
    return replace(resolver, start=start) if isinstance(resolver, DawidSkene | OneCoin | Ordinal) else resolver


__all__ = [
    "ORDINAL",
    "RESOLVERS",
    "AnswerTable",
    "DawidSkene",
    "Machine",
    "OneCoin",
    "Ordinal",
    "Resolver",
    "Settled",
    "WeightedMajority",
    "WithModel",
    "begun",
    "majority",
    "median",
]
