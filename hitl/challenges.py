"""Challenge suites: tables of cases that a model should get right, each made to test one thing it may not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from hitl.deciding import decide, violation
from hitl.errors import ConfigError, DataError
from hitl.markup import paragraph, table
from hitl.metrics.challenge import Change, changes, faults, must_catch, pass_rates, passes
from hitl.metrics.facets import Facets
from hitl.policy import Policy
from hitl.pool import Columns, Pool
from hitl.pool.opening import open_source
from hitl.types import Bools, Estimate, Floats, Ints, Predictions

BATCH = 1024
"""Cases that a model reads at once."""

ALL = "all cases"


class Predicts(Protocol):
    """A model that has learned, as far as a suite knows it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What the columns of its predictions stand for."""

    @property
    def model_id(self) -> str:
        """Same id, same predictions."""

    def predict_rows(self, rows: pa.Table) -> Predictions:
        """Probabilities of rows that need not be in a pool."""


@dataclass(frozen=True, eq=False, repr=False)
class ChallengeSuite:
    """n cases with the labels that are right for each, and the functionality that it tests (Röttger et al. 2021, ACL).

    `expected` (n,) names the labels as the table has them, `accepts` what each of these means in a policy: one label or
    several of which any is right; none, that nothing violating may be given. Read one with `ChallengeSuite.read`.
    """

    name: str
    pool: Pool
    expected: str
    functionality: str
    groups: tuple[str, ...]
    accepts: Mapping[str, tuple[str, ...]]

    @classmethod
    def read(
        cls,
        source: Any,
        *,
        expected: str,
        functionality: str,
        text: str | None = None,
        media: str | None = None,
        groups: Sequence[str] = (),
        map: Mapping[str, str | Sequence[str]] = {},  # noqa: A002 - as the campaign's file has it
        name: str | None = None,
    ) -> ChallengeSuite:
        """Read a table of cases (CSV, Parquet, JSONL, or a `pa.Table`); the other arguments are columns of it.

        `groups` are facets such as the group that a case is about. `map` says what an expected value means in the
        policy: a label, several of which any is right, or none (an empty list); values not in it are labels. Raises
        `ConfigError` for a column that is not there, `DataError` for a case without an expected value or a
        functionality, and `PoolError` for a table that cannot be read. O(n).

        >>> cases = pa.table({"case": ["zonk off", "lovely zonk"], "gold": ["bad", "fine"], "kind": ["threat", "tone"]})
        >>> ChallengeSuite.read(cases, text="case", expected="gold", functionality="kind", name="zonks")
        ChallengeSuite('zonks': 2 cases of 2 functionalities)
        """
        own = {"expected": expected, "functionality": functionality}
        given = {**own, **{f"groups[{at}]": column for at, column in enumerate(groups)}}
        facets = tuple(dict.fromkeys(given.values()))
        where = name or (Path(source).name if isinstance(source, str | Path) else "the suite")
        _check_columns(given, open_source(source, Columns(text=text, media=media, facets=facets)).schema.names, where)
        parts: dict[str, Any] = {column: column for column in facets if column in ("language", "region")}
        others = tuple(column for column in facets if column not in parts)
        pool = Pool.open(source, text=text, media=media, facets=others, name=where, **parts)
        if not len(pool):
            raise DataError(f"{where}: holds no case; write one row for each")
        for part, column in own.items():
            codes, names = pool.codes(column)
            if "" in names:
                row = int((codes == names.index("")).argmax())
                raise DataError(
                    f"{where}, row {row:,}: column {column!r} ({part}) is empty; fill it in, or drop the case"
                )
        accepts = {value: (to,) if isinstance(to, str) else tuple(to) for value, to in map.items()}
        return cls(where, pool, expected, functionality, tuple(groups), accepts)

    def __len__(self) -> int:
        return len(self.pool)

    def check(self, policy: Policy, reads: Sequence[str] = ("text", "media")) -> None:
        """Raise `ConfigError` when a policy does not know what is expected, or a model reads nothing of the cases."""
        self.accepted(policy)
        if not set(reads) & set(self._content):
            raise ConfigError(
                f"challenge suite {self.name}: has {' and '.join(self._content)}, and the model reads "
                f"{' and '.join(reads)}; name the column of it, or take the suite out"
            )

    @property
    def _content(self) -> list[str]:
        return [part for part in ("text", "media") if getattr(self.pool.columns, part) is not None]

    def accepted(self, policy: Policy) -> Bools:
        """(n, k) which of a policy's labels are right for each case; raises `ConfigError` for one it does not know."""
        codes, values = self.pool.codes(self.expected)
        rows = np.zeros((len(values), len(policy.names)), dtype=np.bool_)
        for at, value in enumerate(values):
            for label in self.accepts.get(value, (value,)):
                if label not in policy.names:
                    via = f"expected value {value!r}" + (f", mapped to {label!r}," if label != value else "")
                    raise ConfigError(
                        f"challenge suite {self.name}: {via} is no label of policy {policy.name}; say in `map` which "
                        f"of {', '.join(policy.names)} it means"
                    )
                rows[at, policy.names.index(label)] = True
        return rows[codes]

    @cached_property
    def facets(self) -> Facets:
        """The groups as facets."""
        coded = [self.pool.codes(column) for column in self.groups]
        codes: Ints = np.stack([codes for codes, _ in coded], axis=1) if coded else np.zeros((len(self), 0), np.int64)
        return Facets(self.groups, tuple(names for _, names in coded), codes)

    def run(self, fitted: Predicts, policy: Policy) -> ChallengeRun:
        """What a model makes of the cases; raises `ConfigError` when its labels are not the policy's. O(n)."""
        if fitted.labels != policy.names:
            raise ConfigError(
                f"challenge suite {self.name}: model {fitted.model_id} knows the labels {', '.join(fitted.labels)}, "
                f"and the policy {', '.join(policy.names)}; run it under the policy that it was trained with"
            )
        at, lacks = np.arange(len(self)), {"text", "media"} - set(self._content)
        read = [name for name in self.pool.columns.names if name not in lacks]
        blocks = [
            fitted.predict_rows(self.pool.rows(at[start : start + BATCH], read)) for start in range(0, len(self), BATCH)
        ]
        proba = np.concatenate([block.proba for block in blocks]).astype(np.float64)
        given = decide(proba, blocks[0].thresholds, policy.multi_label)
        accepted = self.accepted(policy)
        return ChallengeRun(
            suite=self,
            model_id=fitted.model_id,
            passed=passes(given, accepted, policy.violating, policy.multi_label),
            must_catch=must_catch(accepted, policy.violating),
            score=violation(proba, faults(accepted, policy.violating), policy.multi_label),
        )

    def __repr__(self) -> str:
        kinds = len(self.pool.codes(self.functionality)[1])
        about = f" about {', '.join(self.groups)}" if self.groups else ""
        return f"ChallengeSuite({self.name!r}: {len(self):,} cases of {kinds} functionalities{about})"


@dataclass(frozen=True, eq=False, repr=False)
class ChallengeRun:
    """One model on a suite of n cases: which it passed, and how likely it held each for harmful (n,).

    `must_catch` (n,) are the violations; failing one is a miss, failing another case a false alarm.
    """

    suite: ChallengeSuite
    model_id: str
    passed: Bools
    must_catch: Bools
    score: Floats

    @cached_property
    def functionality(self) -> tuple[Ints, tuple[str, ...]]:
        """The functionality of each case, as a code (n,) into the names."""
        return self.suite.pool.codes(self.suite.functionality)

    @property
    def overall(self) -> Estimate:
        """The share of all cases passed."""
        return pass_rates(self.passed, np.zeros(len(self.passed), dtype=np.int64), (ALL,))[0]

    def by_functionality(self) -> list[Estimate]:
        """Pass rates by functionality, in the order of their names."""
        return pass_rates(self.passed, *self.functionality)

    def by_group(self, column: str) -> list[Estimate]:
        """Pass rates by one of the suite's groups; "" is of no group."""
        return pass_rates(self.passed, *self.suite.pool.codes(column))

    def against(self, old: ChallengeRun) -> list[Change]:
        """What changed since another model, by functionality; raises `DataError` when that ran on another suite."""
        return changes(self.passed, old.passed, *self.functionality)

    def __repr__(self) -> str:
        told = f"{int(self.passed.sum()):,} of {len(self.passed):,} passed"
        return f"ChallengeRun({self.suite.name!r}, {self.model_id}: {told})"

    def _repr_html_(self) -> str:
        lowest = sorted(self.by_functionality(), key=lambda one: (one.value != one.value, one.value))
        rows = [(one.label, one.figures, f"{one.n:,}") for one in lowest]
        head = ("functionality", "passed", "cases")
        return paragraph(self.suite.name, repr(self)) + table(head, rows, numbers=(1, 2))


def _check_columns(given: Mapping[str, str], known: Sequence[str], where: str) -> None:
    for part, column in given.items():
        if column not in known:
            near = get_close_matches(column, known, n=3, cutoff=0.5) or list(known)
            told = ", ".join(repr(name) for name in near[:12])
            raise ConfigError(f"{where}: {part}={column!r} is no column of it; did you mean {told}?")
