"""The policy: a versioned taxonomy with costs, thresholds at which something is done, and regional overrides."""

from hitl.policy.parts import (
    ACTIONS,
    NONE,
    OUTS,
    Criterion,
    Label,
    LabelOverride,
    Migration,
    Region,
    Thresholds,
    as_read,
)
from hitl.policy.taxonomy import Costs, Policy, PolicyDiff

__all__ = [
    "ACTIONS",
    "NONE",
    "OUTS",
    "Costs",
    "Criterion",
    "Label",
    "LabelOverride",
    "Migration",
    "Policy",
    "PolicyDiff",
    "Region",
    "Thresholds",
    "as_read",
]
