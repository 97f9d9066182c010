"""What the demo is played with: content, policy and config in a folder of their own, made once and then kept."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml

from hitl.config import CampaignConfig
from hitl.demo.labelled import policy_from_labels
from hitl.demo.stream import demo_policy, generate
from hitl.errors import ConfigError
from hitl.pool import Pool

ITEMS = 5000
PLAN: dict[str, Any] = {"rounds": 4, "budget": 100, "benchmark": 150}
TOKEN = "HITL_DEMO_TOKEN"

HEAD = """\
# Written by the demo, read by `hitl status`, `hitl report` and `hitl run`; edit it, and the next run takes it up.
# {token} holds the token of the demo's own Label Studio while the demo runs.
"""


@dataclass(frozen=True)
class OwnData:
    """A user's labelled file: which columns hold the text, the label and, if known, the views."""

    path: Path
    text: str
    label: str
    reach: str | None = None

    def open(self) -> Pool:
        """The file as a pool with its label as a facet."""
        return Pool.open(self.path, text=self.text, reach=self.reach, facets=(self.label,))


@dataclass(frozen=True)
class Stage:
    """A folder with a config, and what its reviewers take for true: a column, with its values' labels."""

    folder: Path
    truth: str
    names: dict[str, str]

    @property
    def config(self) -> Path:
        """The campaign's file."""
        return self.folder / "hitl.yaml"


def set_stage(root: Path, url: str, data: OwnData | None = None, strategy: str = "active") -> Stage:
    """Write what is missing: content, policy and config; `strategy` "random" picks by chance alone, for comparison.

    The server's address is written anew each time, everything else is kept as it stands. Raises `ConfigError` or
    `PoolError` when the user's file cannot be used.
    """
    if strategy not in ("active", "random"):
        raise ConfigError(f"strategy {strategy!r}: choose active or random")
    name = "demo" if data is None else data.path.stem if data.path.stem != "items" else data.path.resolve().parent.name
    folder = root / (name if strategy == "active" else f"{name}-{strategy}")
    folder.mkdir(parents=True, exist_ok=True)
    stage = _own(folder, data) if data else _stream(folder)
    if not stage.config.exists():
        plan = plan_for(strategy) | ({} if data else {"replay": "wave"})
        _write(stage.config, HEAD.format(token=TOKEN) + _yaml(_config(stage, url, data, plan)))
    config = CampaignConfig.load(stage.config)
    if getattr(config.connect, "url", url) != url:
        _write(stage.config, stage.config.read_text().replace(getattr(config.connect, "url", url), url))
    return stage


def plan_for(strategy: str) -> dict[str, Any]:
    """The demo's plan; `random` picks by chance alone."""
    by_chance = {"keyword": 0.0, "exemplar": 0.0, "diverse": 0.0, "audit": 0.0, "random": 1.0}
    return PLAN | by_chance if strategy == "random" else PLAN


def _stream(folder: Path) -> Stage:
    content = folder / "stream.parquet"
    if not content.exists():
        half = content.with_suffix(".part")
        pq.write_table(generate(ITEMS), half)
        os.replace(half, content)
    if not (folder / "policy.yaml").exists():
        _write(folder / "policy.yaml", demo_policy().to_yaml())
    return Stage(folder, "truth", {})


def _own(folder: Path, data: OwnData) -> Stage:
    codes, values = data.open().codes(data.label)
    counts = dict(zip(values, np.bincount(codes, minlength=len(values)).tolist(), strict=True))
    policy, names = policy_from_labels(counts, data.path.stem)
    if not (folder / "policy.yaml").exists():
        _write(folder / "policy.yaml", policy.to_yaml())
    return Stage(folder, data.label, names)


def _config(stage: Stage, url: str, data: OwnData | None, plan: dict[str, Any]) -> dict[str, Any]:
    if data is None:
        columns = {key: key for key in ("id", "text", "reach", "region", "language", "received", "flags")}
        pool: dict[str, Any] = {"path": "stream.parquet", **columns, "facets": ["synthetic", stage.truth]}
    else:
        pool = {"path": str(data.path.resolve()), "text": data.text, "facets": [stage.truth]}
        pool |= {"reach": data.reach} if data.reach else {}
    return {
        "campaign": stage.folder.name,
        "policy": "policy.yaml",
        "pool": pool,
        "model": {"kind": "text_linear"},
        "plan": plan,
        "connect": {"kind": "label_studio", "url": url, "token_env": TOKEN},
        "folder": ".",
    }


def _yaml(values: dict[str, Any]) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def _write(path: Path, text: str) -> None:
    half = path.with_name(path.name + ".part")
    half.write_text(text, encoding="utf-8")
    os.replace(half, path)
