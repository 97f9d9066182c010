"""Annotations become resolutions: answer tables, resolvers, and `settle`, which runs one over a campaign's answers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hitl.labels.dawid_skene import DawidSkene
from hitl.labels.majority import majority
from hitl.labels.table import AnswerTable, Resolver, Settled

RESOLVERS: Mapping[str, Resolver] = MappingProxyType({"majority": majority, "dawid_skene": DawidSkene()})
"""Every way of turning answers into labels, by the name that a plan calls it."""

__all__ = ["RESOLVERS", "AnswerTable", "DawidSkene", "Resolver", "Settled", "majority"]
