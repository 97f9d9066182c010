"""Where passes over a pool run: in this process, or on a Ray cluster; the outcome is the same, bit by bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

from hitl.errors import ConfigError
from hitl.types import Progress, silent

COMPUTE = {"local": "hitl.compute.local:Local", "ray": "hitl.compute.on_ray:OnRay"}
"""Module and class of each kind of compute, imported when first asked for."""


class Mergeable(Protocol):
    """A summary of items that takes over another's; neither the cut nor the order of merging may matter."""

    def merge(self, other: Self) -> None:
        """Take over what the other saw."""


Outcome = TypeVar("Outcome", bound=Mergeable)
Out_co = TypeVar("Out_co", bound=Mergeable, covariant=True)


class Work(Protocol[Out_co]):
    """One pass over a pool: what is done to each block by itself. It is pickled to reach other machines."""

    @property
    def label(self) -> str:
        """What the progress is called."""

    @property
    def sizes(self) -> Sequence[int]:
        """The number of items in each block."""

    def nothing(self) -> Out_co:
        """What a pool without items comes to."""

    def run(self, block: int) -> Out_co:
        """What one block comes to: the same however often and wherever it runs; raises `HitlError`."""


@runtime_checkable
class Compute(Protocol):
    """Something that runs a pass over all blocks and merges what they come to, each block once."""

    @property
    def travels(self) -> bool:
        """Whether work is pickled to other processes, and so must bring along or be able to open all that it needs."""

    def check(self) -> None:
        """Raise `ConfigError` or `ComputeError` when it cannot be used as things stand; starts nothing."""

    def run(self, work: Work[Outcome], progress: Progress = silent) -> Outcome:
        """The outcome of all blocks; raises what a block raised, or `ComputeError` when some never came back."""


def make_compute(kind: str = "local", options: Mapping[str, Any] | None = None) -> Compute:
    """The compute of this kind with these options; raises `ConfigError` for a kind or option that is not known.

    >>> make_compute("local", {"threads": 2})
    Local(threads=2)
    """
    if kind not in COMPUTE:
        near = get_close_matches(kind, COMPUTE, n=1) or list(COMPUTE)
        raise ConfigError(f"compute {kind!r} is not known; did you mean {' or '.join(map(repr, near))}?")
    module, name = COMPUTE[kind].split(":")
    made = getattr(import_module(module), name)
    known = list(made.__dataclass_fields__)
    for option in options or {}:
        if option not in known:
            near = get_close_matches(option, known, n=1) or known
            raise ConfigError(f"compute {kind!r} has no option {option!r}; did you mean {', '.join(map(repr, near))}?")
    try:
        compute: Compute = made(**(options or {}))
    except (TypeError, ValueError):
        raise ConfigError(
            f"compute {kind!r}: an option has a value of the wrong kind, e.g. text for a number"
        ) from None
    return compute


def here() -> Compute:
    """The compute that a campaign has when none is named: this process, on all its cores up to `MOST`."""
    return make_compute()
