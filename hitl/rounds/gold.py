"""Gold: the items of the pool whose label is known beforehand, by a column of the pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hitl.errors import ConfigError
from hitl.ledger import Ledger
from hitl.policy import NONE, Policy
from hitl.pool import Pool
from hitl.sampling.candidates import Candidates
from hitl.sampling.gold import exam_rows
from hitl.sampling.uniforms import derive, draws
from hitl.types import Bools, Floats, Ints
from hitl.workforce.disputes import KINDS, fold, overturned

Labels = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Gold:
    """Where the g gold items stand (g,), ascending, and their labels, which are the policy's."""

    pool: Pool
    positions: Ints
    labels: tuple[Labels, ...]

    @classmethod
    def of(cls, pool: Pool, column: str | None, policy: Policy) -> Gold:
        """The gold items by a facet of the pool; none without a column. O(n) time.

        Raises `ConfigError` where a cell holds something else than labels of the policy, or no item is left to ask.
        """
        if column is None:
            return cls(pool, np.zeros(0, dtype=np.int64), ())
        codes, names = pool.codes(column)
        read = [_labels(name, policy) for name in names]
        positions = np.flatnonzero(np.array([name != "" for name in names])[codes])
        wrong = [at for at in positions.tolist() if read[codes[at]] is None]
        if wrong:
            allowed = f"labels joined by |, or {NONE} for none of them" if policy.multi_label else "one label"
            raise ConfigError(
                f"pool {pool.name}, column {column!r}: {len(wrong):,} cells hold something else than {allowed} of "
                f"policy {policy.name} v{policy.version}, the first at item {pool.ids(np.array(wrong[:1]))[0]!r}; mend "
                "them, or empty them"
            )
        if len(positions) == len(pool):
            raise ConfigError(
                f"pool {pool.name}, column {column!r}: every item has a known label, and none is left to ask people "
                "about; keep gold to a few hundred items, and leave the other cells empty"
            )
        return cls(pool, positions, tuple(read[code] or () for code in codes[positions].tolist()))

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        return f"Gold({len(self):,} items of {self.pool.name})"

    @cached_property
    def known(self) -> Mapping[str, Labels]:
        """Item id → its labels."""
        return dict(zip(self.pool.ids(self.positions), self.labels, strict=True)) if len(self) else {}

    def corrected(self, ruled: Mapping[str, Labels]) -> Gold:
        """The same items, with the labels that rulings gave to some: item id → labels. O(g) where any is among them."""
        if not ruled.keys() & self.known.keys():
            return self
        return replace(self, labels=tuple(ruled.get(item, labels) for item, labels in self.known.items()))

    def exam(self, count: int, seed: int) -> Ints:
        """Positions of the exam's items; the same for the same seed."""
        return self.positions[exam_rows(self.labels, self.pool.keys[self.positions], count, seed)]

    def fresh(self, free: Bools, strata: Ints, seed: int) -> Candidates:
        """The gold items where `free` (n,) holds, with two numbers of chance each: draw, and place among scores."""
        free_gold = self.positions[free[self.positions]]
        keys = self.pool.keys[free_gold]
        places: Floats = draws(keys, derive(seed, "serve"))
        return Candidates(free_gold, keys, draws(keys, derive(seed, "gold")), strata[free_gold], places)


def ruled(ledger: Ledger, policy: Policy, pool: Pool) -> dict[str, Labels]:
    """Item id → the labels that a ruling gave it, read under a policy; one that people must judge anew is left out."""
    found = overturned(fold(ledger.events(*KINDS)))
    others = {ruling.policy_version for ruling in found.values()} - {policy.version}
    texts = ledger.policies() if others else {}
    old = {version: Policy.parse(texts[version], f"policy v{version}") for version in others}
    codes, regions = pool.codes("region") if others else (np.zeros(0, dtype=np.int64), ())
    read: dict[str, Labels | None] = {}
    for item, ruling in found.items():
        read[item] = ruling.labels
        if ruling.policy_version in old and ruling.labels is not None:
            region = regions[codes[pool.position_of([item])[0]]]
            read[item] = policy.migrate(ruling.labels, region, old[ruling.policy_version])
    return {item: labels for item, labels in read.items() if labels is not None}


def _labels(cell: str, policy: Policy) -> Labels | None:
    """The labels that a cell holds, in the policy's order; None where it holds something else."""
    said: Sequence[str] = [part.strip() for part in cell.split("|")]
    if policy.multi_label and said == [NONE]:
        return ()
    if not set(said) <= set(policy.names) or (len(set(said)) > 1 and not policy.multi_label):
        return None
    return tuple(name for name in policy.names if name in said)
