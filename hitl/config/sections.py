"""Parts of a campaign's file that say what: content, model, where passes run."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from hitl.reading import Place


class Section(BaseModel):
    """A part of the file: no key that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PoolConfig(Section):
    """Where the content is, and which columns hold what."""

    path: Place
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
    quarantine_to: Place | None = None


class ChallengeConfig(Section):
    """A challenge suite, and which of its columns hold what; see `ChallengeSuite.read`."""

    path: Place
    expected: str
    functionality: str
    text: str | None = None
    media: str | None = None
    groups: tuple[str, ...] = ()
    map: dict[str, str | tuple[str, ...]] = {}
    name: str | None = None


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
