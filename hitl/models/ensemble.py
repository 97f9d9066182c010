"""Several models as one: their mean opinion, and a committee of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hitl.errors import ConfigError, ModelError
from hitl.models import Features, Model, Reader, make_model
from hitl.models.calibration import check_method, probable
from hitl.models.fitted import Core, Learned, Learner
from hitl.models.saving import Saved
from hitl.pool import Pool
from hitl.types import Embeddings, Floats, Ints, Proba, Progress, Targets, Unreadable, silent

SMALLEST = 1e-6
"""Probabilities are averaged as log odds between this and its complement, so that no member is certain."""


@dataclass(frozen=True)
class Ensemble(Learner):
    """The members' mean log probabilities, each member one voice of a committee; calibrated as a whole.

    `members` are models, or their kinds with options: `[{"kind": "text_linear"}, {"kind": "text_transformer", ...}]`.
    `weights` say how much each counts, alike by default. Embeddings are those of the first member that has any. `root`
    and `device` are handed to the members. Raises `ConfigError` when there are fewer than two members.

    Source: Hinton (2002) for the product of experts; Lakshminarayanan et al. (2017) for ensembles' uncertainty.

    >>> Ensemble([{"kind": "text_linear"}, {"kind": "text_linear", "word": [1, 1]}]).members[1].word
    (1, 1)
    """

    members: tuple[Model, ...]
    weights: tuple[float, ...] | None = None
    calibrate: bool | str = True
    root: str | None = field(default=None, compare=False)
    device: str = field(default="auto", compare=False)

    kind: ClassVar[str] = "ensemble"
    limits: ClassVar[tuple[str, ...]] = (
        "Has the limits of its members; where they err alike, their agreement says nothing.",
    )

    def __post_init__(self) -> None:
        check_method(self.kind, self.calibrate)
        members = tuple(_member(one, root=self.root, device=self.device) for one in self.members)
        weights = tuple(float(weight) for weight in self.weights or [1.0] * len(members))
        if len(members) < 2 or len(weights) != len(members):
            raise ConfigError(f"ensemble: {len(members)} members and {len(weights)} weights; give two members or more")
        if not (min(weights) >= 0 and np.isfinite(weights).all() and sum(weights) > 0):
            raise ConfigError("ensemble: weights must be finite, not negative, and not all 0")
        object.__setattr__(self, "members", members)
        object.__setattr__(self, "weights", weights)

    def options(self) -> dict[str, Any]:
        """The options as plain values."""
        members = [{"kind": one.kind, **one.options()} for one in self.members]
        return {"members": members, "weights": list(self.weights or ()), "calibrate": self.calibrate}

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns of a pool, one of which its members must have."""
        return tuple(dict.fromkeys(name for one in self.members for name in one.reads))

    @property
    def needs(self) -> tuple[str, ...]:
        """The packages that its members need beside the core."""
        return tuple(dict.fromkeys(name for one in self.members for name in one.needs))

    def features(self, pool: Pool, cache: Path | None, progress: Progress = silent) -> JointFeatures:
        """The features of every member."""
        return JointFeatures(tuple(one.features(pool, cache, progress) for one in self.members))

    def learn(self, features: Any, targets: Targets, rng: np.random.Generator, *, multi_label: bool) -> Learned:
        """What every member learns."""
        if not isinstance(features, JointFeatures) or len(features.members) != len(self.members):
            raise ModelError("these features are not of this ensemble; compute them with its features(pool, cache)")
        pairs = zip(self._recipes, features.members, strict=True)
        learned = [one.learn(mine, targets, rng, multi_label=multi_label) for one, mine in pairs]
        core = EnsembleCore(tuple(one.core for one in learned), self.weights or (), softmax=not multi_label)
        return Learned(core, {"items": len(targets), "members": [dict(one.told) for one in learned]})

    def restore(self, saved: Saved) -> EnsembleCore:
        """The members of a saved model."""
        cores = []
        for at, member in enumerate(self._recipes):
            prefix = f"{at}/"
            arrays = {name.removeprefix(prefix): a for name, a in saved.arrays.items() if name.startswith(prefix)}
            files = {n.removeprefix(prefix): h for n, h in saved.card["files_sha256"].items() if n.startswith(prefix)}
            mine = {"options": saved.card["options"]["members"][at], "depends": saved.card["depends"][at]}
            card = {**saved.card, **mine, "files_sha256": files}
            cores.append(member.restore(replace(saved, folder=saved.folder / str(at), arrays=arrays, card=card)))
        return EnsembleCore(tuple(cores), self.weights or (), softmax=not saved.card["multi_label"])

    @property
    def _recipes(self) -> tuple[Any, ...]:
        return self.members


def _member(one: Any, **places: Any) -> Model:
    if isinstance(one, Mapping):
        options = {key: value for key, value in one.items() if key != "kind"}
        return make_model(str(one.get("kind", "")), options, **places)
    if isinstance(one, Model):
        return one
    raise ConfigError("ensemble: a member is neither a model nor a mapping with its kind and options")


@dataclass(frozen=True, eq=False)
class Joint:
    """The same n items as each member reads them."""

    parts: tuple[Any, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """How many items."""
        return (int(self.parts[0].shape[0]),)


@dataclass(frozen=True, eq=False)
class JointReader:
    """Reads rows as every member does."""

    members: tuple[Reader, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that any member reads."""
        return tuple(dict.fromkeys(name for one in self.members for name in one.columns))

    def read(self, rows: pa.Table) -> tuple[Joint, Embeddings | None]:
        """What each member reads, and the embeddings of the first that has any.

        Raises `ModelError` when the rows have nothing that a member reads.
        """
        for one in self.members:
            if not set(one.columns) & set(rows.column_names):
                raise ModelError(f"a member of it reads {', '.join(one.columns)}; give rows with such columns")
        found = [one.read(rows) for one in self.members]
        return Joint(tuple(x for x, _ in found)), next((rows for _, rows in found if rows is not None), None)


@dataclass(frozen=True, eq=False)
class JointFeatures:
    """The features of every member of an ensemble."""

    members: tuple[Features, ...]

    def __len__(self) -> int:
        return len(self.members[0])

    @property
    def fingerprint(self) -> str:
        """Changes with those of the members."""
        return "+".join(one.fingerprint for one in self.members)

    @property
    def block(self) -> int:
        """As many as the most careful member takes."""
        return min(one.block for one in self.members)

    @property
    def embeddings(self) -> Embeddings | None:
        """Those of the first member that has any (n, d)."""
        return next((one.embeddings for one in self.members if one.embeddings is not None), None)

    @property
    def reader(self) -> JointReader:
        """Reads rows as every member does."""
        return JointReader(tuple(one.reader for one in self.members))

    @property
    def unreadable(self) -> Unreadable:
        """Items that a member could not read."""
        told = {
            int(at): why
            for one in reversed(self.members)
            for at, why in zip(one.unreadable.positions, one.unreadable.reasons, strict=True)
        }
        return Unreadable(np.array(sorted(told), dtype=np.int64), tuple(told[at] for at in sorted(told)))

    def take(self, positions: Ints) -> Joint:
        """The items at these positions, in this order."""
        return Joint(tuple(one.take(positions) for one in self.members))

    def slice(self, start: int, stop: int) -> Joint:
        """Consecutive items."""
        return Joint(tuple(one.slice(start, stop) for one in self.members))


@dataclass(frozen=True, eq=False)
class EnsembleCore:
    """What the members have learned."""

    members: Sequence[Core]
    weights: tuple[float, ...]
    softmax: bool

    @property
    def constant(self) -> NDArray[np.float32]:
        """The first member's: what could not be learned by one could not by any."""
        return self.members[0].constant

    @property
    def reader(self) -> JointReader:
        """Reads rows as every member does."""
        return JointReader(tuple(one.reader for one in self.members))

    @property
    def depends(self) -> list[Any]:
        """What the members depend on."""
        return [one.depends for one in self.members]

    def scores(self, x: Joint) -> tuple[Floats, Proba]:
        """Mean log probabilities or log odds (n, k), and the members' probabilities (m, n, k)."""
        proba = []
        for one, part in zip(self.members, x.parts, strict=True):
            logits, _ = one.scores(part)
            proba.append(probable(logits, one.constant, softmax=self.softmax))
        clipped = np.clip(np.stack(proba).astype(np.float64), SMALLEST, 1 - SMALLEST)
        logits = np.log(clipped) if self.softmax else np.log(clipped) - np.log1p(-clipped)
        return np.average(logits, axis=0, weights=self.weights), np.stack(proba)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The members' arrays, by member and name."""
        return {f"{at}/{name}": array for at, one in enumerate(self.members) for name, array in one.arrays().items()}

    def files(self) -> dict[str, bytes | Path]:
        """The members' files, by member and name."""
        return {f"{at}/{name}": body for at, one in enumerate(self.members) for name, body in one.files().items()}
