"""A campaign's file: YAML → objects, checked; paths are relative to the file, secrets come from the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from hitl.compute import Compute, make_compute
from hitl.connectors import Connector
from hitl.connectors.deferred import Deferred
from hitl.errors import ConfigError
from hitl.ledger import Ledger
from hitl.media import MediaFolder
from hitl.models import Model, make_model
from hitl.policy import Policy
from hitl.pool import Pool
from hitl.reading import build, read_yaml
from hitl.rounds import Campaign
from hitl.sampling.plan import Plan
from hitl.types import Progress, Task, silent


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PoolConfig(_Section):
    """Where the content is, and which columns hold what."""

    path: str
    id: str | None = None
    text: str | None = None
    media: str | None = None
    reach: str | None = None
    region: str | None = None
    language: str | None = None
    modality: str | None = None
    received: str | None = None
    flags: str | None = None
    facets: tuple[str, ...] = ()
    on_error: Literal["raise", "quarantine"] = "raise"
    quarantine_to: str | None = None


class ModelConfig(BaseModel):
    """A kind of model; every further key is one of its options."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    kind: str = "text_linear"


class ComputeConfig(BaseModel):
    """Where passes over the pool run; every further key is an option of that kind. `compute: ray` is the short form."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    kind: str = "local"

    @model_validator(mode="before")
    @classmethod
    def _by_its_kind(cls, given: Any) -> Any:
        return {"kind": given} if isinstance(given, str) else given


class LabelStudioConfig(_Section):
    """A Label Studio server; the token is read from the environment variable `token_env`."""

    kind: Literal["label_studio"]
    url: str
    token_env: str = "LABEL_STUDIO_TOKEN"
    project: str | None = None

    def open(self, *, show_predictions: bool = False) -> Connector:
        """The server; raises `ConfigError` when its token is not in the environment. Nothing is sent yet."""
        from hitl.connectors.label_studio import LabelStudio

        token = secret(self.token_env, "the Label Studio token")
        return LabelStudio(self.url, token, project=self.project, show_predictions=show_predictions)


class MemoryConfig(_Section):
    """Simulated reviewers, who answer from a labelled column of the pool, with errors."""

    kind: Literal["memory"]
    truth: str
    seed: int = 0

    def open(self, pool: Pool, folder: Path) -> Connector:
        """The reviewers, who keep what they did in `folder`."""
        from hitl.connectors.memory import MemoryConnector

        return MemoryConnector(truth_from(pool, self.truth), seed=self.seed, folder=folder)


class CampaignConfig(_Section):
    """A campaign's file as a whole; `load` reads it, `open` makes its objects.

    Raises `ConfigError` naming file and key.
    """

    campaign: Annotated[str, Field(min_length=1, max_length=200)]
    policy: str
    pool: PoolConfig
    model: ModelConfig = ModelConfig()
    plan: Plan = Plan()
    connect: Annotated[LabelStudioConfig | MemoryConfig, Field(discriminator="kind")]
    compute: ComputeConfig = ComputeConfig()
    folder: str | None = None
    ledger_env: str | None = None
    base: Path = Field(default=Path("."), exclude=True)

    @field_validator("campaign")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if any(mark in name for mark in "/\\\n") or not name.strip(". "):
            raise ValueError("the name must be one line without slashes: it names a folder and a project")
        return name

    @classmethod
    def load(cls, path: str | Path) -> CampaignConfig:
        """Read a campaign's file."""
        config = build(cls, read_yaml(path), str(path))
        return config.model_copy(update={"base": Path(path).resolve().parent})

    def at(self, path: str) -> Path:
        """A path as the file means it: relative to the file itself."""
        return self.base / path

    @property
    def where(self) -> Path:
        """The campaign's folder: ledger, models, caches and reports."""
        return self.at(self.folder or f"runs/{self.campaign}")

    @property
    def begun(self) -> bool:
        """Whether there may be a record: the ledger's file is there, or a database by URL was named."""
        return self.ledger_env is not None or self.ledger_file.exists()

    @property
    def ledger_file(self) -> Path:
        """Where the record is kept, unless a database by URL was named."""
        return self.where / "ledger.db"

    def open_policy(self) -> Policy:
        """The policy."""
        return Policy.load(self.at(self.policy))

    def open_pool(self) -> Pool:
        """The pool, checked."""
        columns = self.pool.model_dump(exclude={"path", "quarantine_to", "facets"})
        facets = set(self.pool.facets) | ({self.plan.replay} if self.plan.replay else set())
        facets |= {self.connect.truth} if isinstance(self.connect, MemoryConfig) else set()
        facets |= (set(self.plan.strata) | set(self.plan.caps) - {"cluster"}) - {"language", "region", "modality"}
        source = self.pool.path if self.pool.path.startswith("hub:") else self.at(self.pool.path)
        aside = self.at(self.pool.quarantine_to) if self.pool.quarantine_to else self.where / "quarantine.jsonl"
        return Pool.open(source, **columns, facets=tuple(sorted(facets)), quarantine_to=aside)

    def open_model(self) -> Model:
        """The model, not yet trained; encoders that are folders, and `root`, are relative to the file."""
        options = dict(self._placed(self.model.model_extra or {}))
        if self.model.kind == "policy_judge":
            options.setdefault("policy", self.open_policy().to_yaml())
        return make_model(self.model.kind, options)

    def _placed(self, given: Any) -> Any:
        """Options of a model and of its parts with the paths in them as the file means them."""
        if isinstance(given, Mapping):
            return {name: self._folder(name, value) or self._placed(value) for name, value in given.items()}
        return [self._placed(one) for one in given] if isinstance(given, list) else given

    def _folder(self, name: str, value: Any) -> str | None:
        """The path of an option that names a folder there; an encoder that is none is a name at the Hub."""
        if name not in ("encoder", "root") or not isinstance(value, str):
            return None
        return str(self.at(value)) if name == "root" or self.at(value).is_dir() else value

    def media_of(self, pool: Pool) -> MediaFolder | None:
        """The folder that the pool's references are looked for in: the model's `root`, else that of the pool's file."""
        root = (self.model.model_extra or {}).get("root")
        found = self.at(root) if isinstance(root, str) else pool.folder
        return MediaFolder(found) if found is not None and pool.columns.media is not None else None

    def open_compute(self) -> Compute:
        """Where passes over the pool run; raises `ConfigError` for a kind or option that is not known."""
        return make_compute(self.compute.kind, self.compute.model_extra)

    def open_connector(self, pool: Pool) -> Connector:
        """The place where people work; raises `ConfigError` when its token is not in the environment."""
        if isinstance(self.connect, LabelStudioConfig):
            return self.connect.open(show_predictions=self.plan.show_predictions)
        return self.connect.open(pool, self.where / "reviewers")

    def open_ledger(self) -> Ledger:
        """The record: SQLite in the campaign's folder, or the database whose URL `ledger_env` holds."""
        if self.ledger_env:
            url = secret(self.ledger_env, "the ledger's URL").get_secret_value()
            return Ledger(url, self.campaign)
        return Ledger(self.ledger_file, self.campaign)

    def open(self, progress: Progress = silent) -> Campaign:
        """The campaign, ready to run; token and server are asked for when people are, not when the record is read."""
        pool = self.open_pool()
        return Campaign(
            self.campaign,
            policy=self.open_policy(),
            pool=pool,
            model=self.open_model(),
            plan=self.plan,
            connector=Deferred(self.connect.kind, lambda: self.open_connector(pool)),
            folder=self.where,
            ledger=self.open_ledger(),
            progress=progress,
            compute=self.open_compute(),
        )


def secret(variable: str, what: str) -> SecretStr:
    """A secret from the environment; raises `ConfigError` that names the variable only."""
    value = os.environ.get(variable, "")
    if not value:
        raise ConfigError(f"{what} is not set: put it into the environment variable {variable}, not into a file")
    return SecretStr(value)


def truth_from(pool: Pool, column: str, names: Mapping[str, str] | None = None) -> Callable[[Task], tuple[str, ...]]:
    """What a labelled column says of a task's item; several labels are joined by `|`, an empty cell is none."""
    codes, values = pool.codes(column)

    def truth(task: Task) -> tuple[str, ...]:
        value = values[codes[task.position]]
        return tuple((names or {}).get(part, part) for part in value.split("|") if part)

    return truth
