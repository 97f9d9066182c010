"""The policy itself: a versioned taxonomy, resolved by region, and compared between versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from hitl import markup
from hitl.errors import PolicyError
from hitl.policy.parts import Criterion, Label, LabelOverride, Line, Migration, Region, Strict, Version, as_read
from hitl.reading import build, parse_yaml, read_yaml, write_yaml
from hitl.types import Bools, Floats, Ints, Proba


@dataclass(frozen=True, eq=False)
class Costs:
    """The policy as arrays, a row a region and a column a label; thresholds that do not exist are infinite."""

    severity: Floats
    benign_cost: Floats
    review_at: Floats
    limit_at: Floats
    remove_at: Floats

    @property
    def act_at(self) -> Floats:
        """The lowest probability at which something is done to the item (limit or remove)."""
        return np.minimum(self.limit_at, self.remove_at)

    @property
    def cuts(self) -> Floats:
        """(R, k, 3) the probabilities from which an item is reviewed, limited, removed."""
        return np.stack([self.review_at, self.limit_at, self.remove_at], axis=-1)


@dataclass(frozen=True)
class PolicyDiff:
    """What changed between two versions, and which labels' resolutions no longer hold.

    `stale` maps a label of the old version to the regions in which its resolutions must be judged again, `("*",)`
    standing for all of them.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    stale: Mapping[str, tuple[str, ...]]

    def is_stale(self, label: str, region: str) -> bool:
        """Whether a resolution with this label from this region must be judged again."""
        regions = self.stale.get(label, ())
        return "*" in regions or region in regions


class Policy(Strict):
    """A versioned taxonomy; `Policy.load` reads it from YAML.

    Raises `PolicyError` naming file and key when it contradicts itself.

    >>> policy = Policy.parse('''
    ... name: abuse
    ... version: 1
    ... labels:
    ...   - {name: ok, violating: false}
    ...   - {name: threat, severity: 9, actions: {review: 0.3, remove: 0.9}}
    ... regions:
    ...   ID: {labels: {threat: {actions: {review: 0.2, remove: 0.8}}}}
    ... ''')
    >>> policy.resolve("ID").label("threat").actions.remove
    0.8
    >>> policy
    Policy('abuse' v1: ok, threat; regions ID)
    """

    name: Line
    version: Version
    multi_label: bool = False
    labels: tuple[Label, ...] = Field(min_length=1)
    regions: dict[Line, Region] = {}  # noqa: RUF012 - pydantic copies it
    migration: Migration | None = None
    rubric: Annotated[tuple[Criterion, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Policy:
        names = [label.name for label in self.labels]
        read = Counter(as_read(name) for name in names)
        doubled = [name for name in names if read[as_read(name)] > 1]
        if doubled:
            raise ValueError(f"labels stand twice, or read alike: {', '.join(doubled[:4])}; keep one of them")
        if len(names) < 2 and not self.multi_label:
            raise ValueError("a single-label policy needs two labels or more")
        if not self.multi_label and all(label.violating for label in self.labels):
            raise ValueError("a single-label policy needs a label with `violating: false` for content that is fine")
        # Preferences between the two sides of a pair harm nobody.
        if not any(label.violating for label in self.labels) and not {"left", "right"} <= set(names):
            raise ValueError("no label violates anything; give at least one a severity")
        for region, override in self.regions.items():
            for name, changes in override.labels.items():
                if name not in names:
                    raise ValueError(f"region {region}: no label is called {name!r}; there are {', '.join(names)}")
                harmless = not self.labels[names.index(name)].violating
                if harmless and (changes.severity or changes.actions):
                    raise ValueError(f"region {region}: {name!r} violates nothing, so it has no severity or actions")
        self._check_migration()
        criteria = [criterion.name for criterion in self.rubric]
        if len(set(criteria)) < len(criteria):
            raise ValueError("a criterion stands twice in the rubric; give each a name of its own")
        return self

    def _check_migration(self) -> None:
        if self.migration is None:
            return
        if self.migration.from_version == self.version:
            raise ValueError(f"migration: from_version {self.version!r} is this version; name the one before it")
        names = {label.name for label in self.labels}
        for old, new in self.migration.labels.items():
            unknown = [name for name in ((new,) if isinstance(new, str) else new) if name not in names]
            if unknown:
                raise ValueError(f"migration: {old!r} becomes {unknown[0]!r}, and no label is called that")

    @classmethod
    def load(cls, path: str | Path) -> Policy:
        """Read a policy from a YAML file; raises `PolicyError` or `ConfigError`."""
        return build(cls, read_yaml(path), str(path), PolicyError)

    @classmethod
    def parse(cls, text: str, source: str = "policy") -> Policy:
        """Read a policy from YAML text."""
        return build(cls, parse_yaml(text, source), source, PolicyError)

    def to_yaml(self) -> str:
        """The policy as YAML, without what is at its default."""
        values = self.model_dump(mode="json", exclude_defaults=True)
        for label in values["labels"]:
            if not label.get("violating", True):
                label.pop("severity", None)
        return write_yaml(values)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Label names in the policy's order, which is the order of every probability column."""
        return tuple(label.name for label in self.labels)

    @cached_property
    def violating(self) -> Bools:
        """(k,) whether each label violates the policy."""
        return np.array([label.violating for label in self.labels])

    def label(self, name: str) -> Label:
        """The label called `name`; raises `PolicyError` when there is none."""
        if name not in self.names:
            raise PolicyError(f"policy {self.name} v{self.version} has no label {name!r}: {', '.join(self.names)}")
        return self.labels[self.names.index(name)]

    def resolve(self, region: str) -> Policy:
        """The policy as it stands in a region; a region without overrides gets the common text."""
        override = self.regions.get(region)
        if override is None:
            return self.model_copy(update={"regions": {}})
        labels = tuple(
            label.model_copy(
                update={
                    key: value for key, value in override.labels.get(label.name, LabelOverride()) if value is not None
                }
            )
            for label in self.labels
        )
        return self.model_copy(update={"labels": labels, "regions": {}})

    def costs(self, regions: Sequence[str]) -> Costs:
        """Costs and thresholds as arrays, one row for each name in `regions`, (R, k)."""

        def rows(read: Any) -> Floats:
            table = [[read(label) for label in policy.labels] for policy in resolved]
            return np.array(table, dtype=np.float64).reshape(len(regions), len(self.labels))

        def at(action: str) -> Floats:
            return rows(
                lambda label: np.inf if getattr(label.actions, action) is None else getattr(label.actions, action)
            )

        resolved = [self.resolve(region) for region in regions]
        return Costs(
            severity=rows(lambda label: label.severity if label.violating else 0.0),
            benign_cost=rows(lambda label: label.wrong_action_cost),
            review_at=at("review"),
            limit_at=at("limit"),
            remove_at=at("remove"),
        )

    def decide(self, proba: Proba, regions: Sequence[str], codes: Ints) -> NDArray[np.int8]:
        """The strictest action that any label calls for: (n,) codes of `ACTIONS`.

        `proba` is (n, k); `codes` (n,) says which of `regions` each row is from. O(n k) time and memory.
        """
        costs = self.costs(regions)
        decided = np.zeros(len(proba), dtype=np.int8)
        for code, table in enumerate((costs.review_at, costs.limit_at, costs.remove_at), start=1):
            decided[(proba >= table[codes]).any(axis=1)] = code
        return decided

    def diff(self, other: Policy) -> PolicyDiff:
        """What changes from this version to `other`, and which of this version's resolutions go stale.

        Costs, thresholds and keywords do not touch what an item *is*; definition, examples and whether the label
        violates do. A new violating label makes judgements of "nothing wrong" stale: they were made without it.
        """
        mine, theirs = set(self.names), set(other.names)
        moved = other.migration.labels if other.migration and other.migration.from_version == self.version else {}
        targets = {new for value in moved.values() for new in ((value,) if isinstance(value, str) else value)}
        added = tuple(name for name in other.names if name not in mine and name not in targets)
        removed = tuple(name for name in self.names if name not in theirs and name not in moved)
        stale: dict[str, tuple[str, ...]] = dict.fromkeys(removed, ("*",))
        for name in self.names:
            new = moved.get(name, name)
            if not isinstance(new, str):
                stale[name] = ("*",)
            elif new in theirs:
                where = self._regions_that_differ(other, name, new)
                if where:
                    stale[name] = where
        if not self.multi_label and any(other.label(name).violating for name in added):
            stale |= {label.name: ("*",) for label in self.labels if not label.violating}
        changed = tuple(name for name in self.names if name in stale and name not in removed)
        return PolicyDiff(added, removed, changed, stale)

    def _regions_that_differ(self, other: Policy, name: str, new: str) -> tuple[str, ...]:
        def meaning(policy: Policy, region: str, label: str) -> tuple[Any, ...]:
            found = policy.resolve(region).label(label)
            return found.definition, found.examples, found.counter_examples, found.violating

        if meaning(self, "", name) != meaning(other, "", new):
            return ("*",)
        regions = sorted(set(self.regions) | set(other.regions))
        return tuple(region for region in regions if meaning(self, region, name) != meaning(other, region, new))

    def migrate(self, labels: tuple[str, ...], region: str, old: Policy) -> tuple[str, ...] | None:
        """Labels given under `old` as they read in this version, or None where people must judge again."""
        if old.version == self.version:
            return labels
        diff = old.diff(self)
        if any(diff.is_stale(label, region) for label in labels):
            return None
        moved = self.migration.labels if self.migration and self.migration.from_version == old.version else {}
        read = {str(moved.get(label, label)) for label in labels}
        return tuple(name for name in self.names if name in read) if read <= set(self.names) else None

    def __repr__(self) -> str:
        regions = f"; regions {', '.join(self.regions)}" if self.regions else ""
        return f"Policy({self.name!r} v{self.version}: {', '.join(self.names)}{regions})"

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        rows = [
            [
                label.name,
                label.definition,
                f"{label.severity:g}" if label.violating else "–",
                ", ".join(f"{a} ≥ {p:g}" for a, p in reversed(list(label.actions)) if p is not None) or "–",
                ", ".join(region for region, override in self.regions.items() if label.name in override.labels) or "–",
            ]
            for label in self.labels
        ]
        head = ["label", "definition", "severity a view", "actions from probability", "differs in"]
        return markup.table(head, rows, caption=f"{self.name} v{self.version}", numbers=[2])
