"""What a campaign's steps work with: the edges, and what is read from the record and the pool on the way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa

from hitl.challenges import ChallengeSuite
from hitl.compute import Compute
from hitl.compute.shards import Shards
from hitl.connectors import Connector
from hitl.errors import ConfigError, PolicyError
from hitl.history import BelievedRow
from hitl.ledger import Ledger, Writer
from hitl.models import Features, Fitted, Model, load_model
from hitl.policy import Policy
from hitl.pool import Pool
from hitl.rounds.alike import Alike
from hitl.rounds.gold import Gold, ruled
from hitl.sampling.plan import Plan
from hitl.sampling.uniforms import draws
from hitl.sampling.view import join_strata
from hitl.tasks.form import Form, FormName, usual
from hitl.types import Bools, Embeddings, Floats, Ints, Progress, Resolution
from hitl.workforce.exposure import ExposureCap
from hitl.workforce.routing import Route, default_routes

UNREADABLE = "unreadable.jsonl"
"""In the campaign's folder: items that the model could not read or people could not be shown, and why."""


@dataclass(frozen=True)
class Done:
    """What a completed step leaves: its output, and what it writes in the same transaction."""

    output: dict[str, Any]
    write: Callable[[Writer], object] = lambda writer: None


@dataclass(frozen=True)
class Walk:
    """One campaign's parts, as its steps see them; holds no state that the ledger does not hold."""

    campaign: str
    policy: Policy
    pool: Pool
    model: Model
    plan: Plan
    connector: Connector
    ledger: Ledger
    folder: Path
    progress: Progress
    compute: Compute
    question: FormName | None = None
    """The form by its name; the one that goes with the content when left out."""
    challenges: tuple[ChallengeSuite, ...] = ()
    """The suites that every round's model is run on."""
    rules: tuple[Route, ...] = ()
    """The campaign's own rules, by which judged items go on; the plan's two switches stand for some without any."""
    caps: tuple[ExposureCap, ...] = ()
    """How much severe content a person is dealt in a day."""

    @cached_property
    def form(self) -> Form:
        """The question that people are asked."""
        _, modalities = self.pool.codes("modality")
        if len(modalities) > 1:
            raise ConfigError(
                f"pool {self.pool.name}: it mixes {', '.join(modalities)}, and a project shows one kind of content; "
                "make a pool and a campaign for each"
            )
        modality = modalities[0] or "text"
        return Form(policy=self.policy, modality=cast(Any, modality), name=self.question or usual(modality))

    @property
    def routes(self) -> tuple[Route, ...]:
        """By which rules judged items go on."""
        return self.rules or default_routes(third_opinion=self.plan.third_opinion, review=self.plan.review)

    @cached_property
    def features(self) -> Features:
        """The pool as the model reads it: computed once, cached on disk."""
        return self.model.features(self.pool, self.folder / "cache", self.progress)

    @cached_property
    def gold_given(self) -> Gold:
        """The items whose label is known beforehand, as the pool has them."""
        return Gold.of(self.pool, self.plan.gold_column, self.policy)

    @property
    def gold(self) -> Gold:
        """The same, as rulings have corrected their labels by now; read from the record each time."""
        return self.gold_given.corrected(self.ruled) if len(self.gold_given) else self.gold_given

    @property
    def ruled(self) -> dict[str, tuple[str, ...]]:
        """Item id → the labels that a ruling gave it, read under the present policy."""
        return ruled(self.ledger, self.policy, self.pool)

    @cached_property
    def exam(self) -> Ints:
        """Where the items of the onboarding exam stand; the same in every round, whatever is ruled."""
        return self.gold_given.exam(self.plan.exam, self.seed(0, "exam"))

    def broken(self) -> dict[str, str]:
        """Item id → why people could not be shown it, in all rounds so far."""
        asked = (self.ledger.step(row["round"], "ask") or {} for row in self.ledger.rounds())
        return {item: why for output in asked for item, why in output.get("broken", {}).items()}

    def tell_unreadable(self, broken: Mapping[str, str]) -> int:
        """Write down the items that the model could not read or people could not be shown; how many of the first."""
        lost = self.features.unreadable
        unread = zip(self.pool.ids(lost.positions), lost.reasons, strict=True) if len(lost) else ()
        rows = [*unread, *broken.items()]
        if rows:
            lines = (json.dumps({"id": item, "why": why}) for item, why in rows)
            (self.folder / UNREADABLE).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return len(lost)

    @cached_property
    def exemplars(self) -> dict[str, Embeddings]:
        """Embeddings of the examples that the policy gives of each violating label; none where the model has none."""
        texts = {label.name: label.examples for label in self.policy.labels if label.violating and label.examples}
        if self.features.embeddings is None or self.features.reader.columns[:1] != ("text",):
            return {}
        read = {
            name: self.features.reader.read(pa.table({"text": list(examples)}))[1] for name, examples in texts.items()
        }
        found = {name: rows[rows.any(axis=1)] for name, rows in read.items() if rows is not None}
        return {name: rows for name, rows in found.items() if len(rows)}

    @cached_property
    def alike(self) -> Alike | None:
        """Near copies among the pool's pictures and clips; None for a pool of texts."""
        return Alike.of(self.pool, getattr(self.model, "root", None), self.progress)

    @cached_property
    def regions(self) -> tuple[Ints, tuple[str, ...]]:
        """Region codes by row, and the regions' names."""
        return self.pool.codes("region")

    @cached_property
    def strata(self) -> tuple[Ints, tuple[str, ...]]:
        """Stratum codes by row, and the strata's names."""
        return join_strata([self.pool.codes(column) for column in self.plan.strata], len(self.pool))

    @cached_property
    def has_text(self) -> bool:
        """Whether the pool holds texts, which keywords and near-duplicates are found in."""
        return self.pool.columns.text is not None

    def text_batches(self) -> Iterator[tuple[int, Any]]:
        """The pool's texts as Arrow arrays with their first row."""
        return ((batch.start, batch.table["text"]) for batch in self.pool.batches(columns=["text"]))

    @cached_property
    def wave(self) -> Ints | None:
        """The round from which on each item is in play; None when all are from the start."""
        if self.plan.replay is None:
            return None
        codes, names = self.pool.codes(self.plan.replay)
        try:
            waves = np.array([int(name) for name in names], dtype=np.int64)
        except ValueError:
            raise ConfigError(
                f"plan.replay: column {self.plan.replay!r} holds something else than whole numbers"
            ) from None
        return waves[codes]

    def eligible(self, number: int) -> Bools:
        """Which items the arms of a round may pick: in play, and not barred. O(n)."""
        free = self.in_play(number)
        free[self.barred()] = False
        return free

    def in_play(self, number: int) -> Bools:
        """Which items have come into play by a round, as an array of its own. O(n)."""
        return np.ones(len(self.pool), dtype=bool) if self.wave is None else self.wave <= number

    def barred(self) -> Ints:
        """Where the items stand that no arm may pick: those that are spent, and those of a known label.

        Asking about a known label buys nothing; the audit and the benchmark are draws from the items without one.
        """
        return np.concatenate([self.spent(), self.gold.positions])

    def spent(self) -> Ints:
        """Where the items stand that were asked before, that the model cannot read, or people cannot be shown."""
        lost = [self.features.unreadable.positions, self.positions(self.broken())]
        return np.concatenate([self.asked_positions(), *lost])

    def sample(self, number: int, size: int) -> Ints:
        """Positions of items drawn evenly from those in play, ascending: the same in every round, later ones added."""
        drawn = draws(self.pool.keys, self.seed(0, "sample"))
        if self.wave is not None:
            drawn = np.where(self.wave <= number, drawn, np.inf)
        size = min(size, int(np.isfinite(drawn).sum()))
        return np.sort(np.argpartition(drawn, size - 1)[:size]) if size else np.zeros(0, dtype=np.int64)

    def asked_positions(self) -> Ints:
        """Where the items stand that people were asked about, ascending."""
        return np.sort(self.positions(self.ledger.asked_items()))

    def positions(self, item_ids: Iterable[str]) -> Ints:
        """Where items stand in the pool now."""
        return self.pool.position_of(list(item_ids))

    def rng(self, number: int, step: str) -> np.random.Generator:
        """The chance of one step of one round: the same whenever it is run again."""
        return np.random.default_rng(self.seed(number, step))

    def seed(self, number: int, step: str) -> int:
        """What all chance of one step of one round comes from."""
        source = f"{self.plan.seed}/{self.campaign}/{number}/{step}"
        return int.from_bytes(hashlib.blake2b(source.encode(), digest_size=7).digest(), "big")

    def fitted(self, number: int) -> Fitted | None:
        """The model that a round trained; None before the first."""
        row = self.ledger.model(number) if number >= 0 else None
        return load_model(self.folder / row["folder"], device=getattr(self.model, "device", "auto")) if row else None

    def model_before(self, number: int) -> str:
        """The id of the model that a round picks with; empty in the seed round."""
        row = self.ledger.model(number - 1) if number else None
        return str(row["model_id"]) if row else ""

    def benchmark_items(self) -> dict[str, float]:
        """Item id → inclusion probability of the frozen benchmark."""
        return {pick.item_id: pick.inclusion or 1.0 for pick in self.ledger.picks(0) if pick.arm == "benchmark"}

    def audit_items(self, number: int) -> dict[str, float]:
        """Item id → inclusion probability of a round's audit draw."""
        return {pick.item_id: pick.inclusion or 1.0 for pick in self.ledger.picks(number) if pick.arm == "audit"}

    def believed(self, number: int) -> BelievedRow | None:
        """What the model that picked a round believed of the pool; None where that is not on record."""
        picked = self.ledger.step(number, "select") or {}
        found: BelievedRow | None = (picked.get("pool") or {}).get("believed")
        return found

    def one_hot(self, resolutions: Sequence[Resolution]) -> Floats:
        """(m, k) of 0 and 1 in the policy's order, for resolutions that have labels."""
        names = self.policy.names
        return np.array([[float(name in (r.labels or ())) for name in names] for r in resolutions]).reshape(
            -1, len(names)
        )

    def config(self) -> dict[str, Any]:
        """What a round was run with, as JSON."""
        people = {
            "routes": [rule.model_dump(mode="json", exclude_defaults=True) for rule in self.rules],
            "exposure": [cap.model_dump(mode="json") for cap in self.caps],
        }
        return {
            "plan": self.plan.model_dump(mode="json"),
            "model": {"kind": self.model.kind, **self.model.options()},
            "policy": {"name": self.policy.name, "version": self.policy.version},
            "pool": {"fingerprint": self.pool.fingerprint, "items": len(self.pool)},
            "connector": self.connector.kind,
            **{name: told for name, told in people.items() if told},
        }

    def config_hash(self) -> str:
        """A short hash of `config`."""
        return hashlib.blake2b(json.dumps(self.config(), sort_keys=True).encode(), digest_size=8).hexdigest()

    def check(self) -> None:
        """Refuse what would mix two campaigns into one; raises `PolicyError` or `ConfigError` saying what to do."""
        known = self.ledger.policies().get(self.policy.version)
        if known is not None and known != self.policy.to_yaml():
            raise PolicyError(
                f"policy {self.policy.name}: its text changed, but it is still version {self.policy.version}; "
                "give it a new version (and a `migration` for labels that were renamed), then call again"
            )
        if self.compute.travels:
            Shards.of(self.pool)
        for row in self.ledger.rounds()[-1:]:
            if row["policy_version"] != self.policy.version and self.ledger.step(row["round"], "measure") is None:
                raise PolicyError(
                    f"round {row['round']} began under policy version {row['policy_version']} and people are at it; "
                    f"finish it with that version, then go on with version {self.policy.version}"
                )
            for part in ("model", "pool"):
                if row["config"][part] != self.config()[part]:
                    raise ConfigError(
                        f"the {part} is not the one of round {row['round']} any more, and models of different rounds "
                        f"could not be compared; put it back, or give the campaign a new name"
                    )
