"""A campaign's file as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, model_validator

from hitl.challenges import ChallengeSuite
from hitl.compute import Compute, make_compute
from hitl.config.places import LARGEST, LabelStudioConfig, MemoryConfig, secret
from hitl.config.sections import ChallengeConfig, ComputeConfig, ModelConfig, PoolConfig, Section
from hitl.connectors import Connector
from hitl.connectors.deferred import Deferred
from hitl.errors import ConfigError
from hitl.ledger import Ledger
from hitl.media import MediaFolder
from hitl.models import Model, make_model
from hitl.policy import Policy
from hitl.pool import Pool
from hitl.reading import FolderName, Place, Variable, build, read_yaml
from hitl.rounds import Campaign
from hitl.sampling.plan import Plan
from hitl.tasks import FormName
from hitl.types import Progress, silent
from hitl.workforce.exposure import ExposureCap
from hitl.workforce.routing import Route, check_routes


class CampaignConfig(Section):
    """A campaign's file as a whole; `load` reads it, `open` makes its objects.

    Raises `ConfigError` naming file and key.
    """

    campaign: FolderName
    policy: Place
    pool: PoolConfig
    model: ModelConfig = ModelConfig()
    plan: Plan = Plan()
    form: FormName | None = None
    challenges: tuple[ChallengeConfig, ...] = ()
    routes: tuple[Route, ...] = ()
    exposure: tuple[ExposureCap, ...] = ()
    connect: Annotated[LabelStudioConfig | MemoryConfig, Field(discriminator="kind")]
    compute: ComputeConfig = ComputeConfig()
    folder: Place | None = None
    ledger_env: Variable | None = None
    _base: Path = PrivateAttr(Path("."))

    @model_validator(mode="after")
    def _fits_the_record(self) -> CampaignConfig:
        large = [name for name, value in self.plan if isinstance(value, int) and value > LARGEST]
        if large:
            raise ValueError(f"plan.{large[0]}: above {LARGEST:,}, which the record cannot hold; give a smaller number")
        return self

    @model_validator(mode="after")
    def _routes_can_be_meant(self) -> CampaignConfig:
        try:
            check_routes(self.routes)
        except ConfigError as wrong:
            raise ValueError(str(wrong)) from None
        return self

    @classmethod
    def load(cls, path: str | Path) -> CampaignConfig:
        """Read a campaign's file."""
        config = build(cls, read_yaml(path), str(path))
        config._base = Path(path).resolve().parent
        return config

    def at(self, path: str) -> Path:
        """A path as the file means it: relative to the file itself."""
        return self._base / path

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
        facets |= {self.plan.gold_column} if self.plan.gold_column else set()
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

    def open_challenges(self) -> tuple[ChallengeSuite, ...]:
        """The challenge suites, checked as tables; their paths are relative to the file."""
        columns = [(self.at(one.path), one.model_dump(exclude={"path"})) for one in self.challenges]
        return tuple(ChallengeSuite.read(path, **given) for path, given in columns)

    def open_compute(self) -> Compute:
        """Where passes over the pool run; raises `ConfigError` for a kind or option that is not known."""
        return make_compute(self.compute.kind, self.compute.model_extra)

    def open_connector(self, pool: Pool) -> Connector:
        """The place where people work; raises `ConfigError` when its token is not in the environment."""
        if isinstance(self.connect, LabelStudioConfig):
            return self.connect.open(self.at("."), show_predictions=self.plan.show_predictions)
        return self.connect.open(pool, self.where / "reviewers", self.exposure)

    def open_ledger(self) -> Ledger:
        """The record: SQLite in the campaign's folder, or the database whose URL `ledger_env` holds."""
        if self.ledger_env:
            url = secret(self.ledger_env, "the ledger's URL")
            if "://" not in url.get_secret_value():
                raise ConfigError(
                    f"{self.ledger_env}: holds no URL; write postgresql+psycopg://user:password@host/name"
                )
            return Ledger(url, self.campaign)
        try:
            self.where.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"folder: {self.where} cannot be made ({error.strerror}); name another folder") from None
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
            form=self.form,
            challenges=self.open_challenges(),
            routes=self.routes,
            exposure=self.exposure,
        )
