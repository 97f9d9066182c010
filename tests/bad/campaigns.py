"""Campaign files: settings that are wrong, and what they name that is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from bad import Bad

from hitl.config import CampaignConfig
from hitl.errors import ConfigError, HitlError, PolicyError, PoolError

BASE: dict[str, Any] = {
    "campaign": "trial",
    "policy": "policy.yaml",
    "pool": {"path": "items.parquet", "text": "text"},
    "plan": {"rounds": 0, "budget": 5, "benchmark": 5},
    "connect": {"kind": "memory", "truth": "truth"},
}
POLICY = "name: p\nversion: 1\nlabels:\n- {name: ok, violating: false}\n- {name: bad, keywords: [zonk]}\n"


def place(folder: Path, changes: dict[str, Any]) -> Path:
    """A campaign's file with these changes, its policy and its pool."""
    items = {"id": [f"i{at}" for at in range(40)], "text": [f"zonk wub {at}" for at in range(40)]}
    pq.write_table(pa.table({**items, "truth": ["ok", "bad"] * 20, "n": list(range(40))}), folder / "items.parquet")
    (folder / "policy.yaml").write_text(POLICY)
    config = {
        key: {**BASE.get(key, {}), **changes[key]} if key in ("pool", "plan") and key in changes else value
        for key, value in {**BASE, **changes}.items()
    }
    (folder / "hitl.yaml").write_text(yaml.safe_dump(config))
    return folder / "hitl.yaml"


def load(path: Path) -> object:
    return CampaignConfig.load(path)


def walk(path: Path) -> None:
    """As far as a run goes before it picks: policy, pool, model, record and reviewers."""
    campaign = CampaignConfig.load(path).open()
    try:
        campaign.walk.check()
        _ = campaign.walk.form, campaign.walk.wave
        campaign.run()
    finally:
        campaign.ledger.close()


def case(
    kind: str,
    changes: dict[str, Any],
    *words: str,
    call: Callable[[Path], object] = load,
    error: type[HitlError] = ConfigError,
) -> Bad:
    words = ("hitl.yaml", *words) if call is load else words
    return Bad(f"config: {kind}", lambda folder: place(folder, changes), call, error, words)


def studio(kind: str, url: str, *words: str, **more: Any) -> Bad:
    return case(kind, {"connect": {"kind": "label_studio", "url": url, **more}}, "connect.label_studio", *words)


ADDRESS = "http(s)://host[:port]"
ARM = {"scores": {"margin": 1}}
CASES = [
    case("a key misspelt", {"polcy": "x"}, "polcy: no such key", "'policy'"),
    case("a setting that is no setting", {"base": "."}, "base: no such key"),
    case("a campaign that is a list", {"campaign": ["a"]}, "campaign", "string"),
    case("a campaign without a name", {"campaign": ""}, "campaign", "at least 1"),
    case("a campaign that climbs out", {"campaign": "../up"}, "campaign", "without slashes"),
    case("a campaign called by dots", {"campaign": ".."}, "campaign", "visible line"),
    case("a campaign with a backslash", {"campaign": "a\\b"}, "campaign", "without slashes"),
    case("a campaign with a zero", {"campaign": "a\0b"}, "campaign", "visible line"),
    case("a campaign that moves the terminal", {"campaign": "a\x1b[2Jb"}, "campaign", "visible line"),
    case("a campaign that turns its direction", {"campaign": "a\u202eb"}, "campaign", "visible line"),
    case("a campaign longer than a folder's name", {"campaign": "é" * 150}, "campaign", "200 bytes", "shorten"),
    case("no pool", {"pool": {"path": None}}, "pool.path", "string"),
    case("a pool at no path", {"pool": {"path": " "}}, "pool.path", "give a path"),
    case("a pool whose path holds a zero", {"pool": {"path": "a\0b"}}, "pool.path", "no file"),
    case("a pool whose path is too long", {"pool": {"path": "a" * 300}}, "pool.path", "no file"),
    case("a policy at no path", {"policy": ""}, "policy", "give a path"),
    case("a policy that is a number", {"policy": 3}, "policy", "string"),
    case("facets as a word", {"pool": {"facets": "truth"}}, "pool.facets", "tuple"),
    case("bad rows to be skipped", {"pool": {"on_error": "skip"}}, "pool.on_error", "'raise' or 'quarantine'"),
    case("a column misspelt", {"pool": {"txt": "text"}}, "pool.txt", "'text'"),
    case("a folder with a zero", {"folder": "a\0b"}, "folder", "give a path"),
    case("a folder that is a number", {"folder": 5}, "folder", "string"),
    case("a budget below zero", {"plan": {"budget": -1}}, "plan.budget", "greater than 0"),
    case("a budget without end", {"plan": {"budget": float("inf")}}, "plan.budget", "finite"),
    case("a budget in words", {"plan": {"budget": "ten"}}, "plan.budget", "integer"),
    case("a budget that no record holds", {"plan": {"budget": 10**30}}, "plan.budget", "smaller"),
    case("rounds until the end of time", {"plan": {"rounds": 10**12}}, "plan.rounds", "smaller"),
    case("a seed below zero", {"plan": {"seed": -1}}, "plan.seed", "greater than or equal to 0"),
    case("a seed that no record holds", {"plan": {"seed": 2**31}}, "plan.seed", "smaller"),
    case("a share that is no number", {"plan": {"audit": float("nan")}}, "plan.audit"),
    case("shares above the whole", {"plan": {"audit": 0.8, "random": 0.5}}, "plan", "more than the budget"),
    case("a seed round above the whole", {"plan": {"keyword": 0.8, "diverse": 0.5}}, "plan", "the seed budget"),
    case("a target of nothing", {"plan": {"target": 0}}, "plan.target", "greater than 0"),
    case("quotas above the whole", {"plan": {"quotas": {"a": 0.8, "b": 0.8}}}, "plan", "quotas"),
    case("no arms", {"plan": {"arms": {}}}, "plan", "arms", "weight above 0"),
    case("an arm with a name that is taken", {"plan": {"arms": {"audit": ARM}}}, "'audit' is no free name"),
    case("an arm with no scores", {"plan": {"arms": {"a": {"scores": {"margin": 0}}}}}, "plan.arms.a", "weight"),
    case("an arm with a score misspelt", {"plan": {"arms": {"a": {"scores": {"margn": 1}}}}}, "did you mean margin"),
    case("an arm whose weight is no number", {"plan": {"arms": {"a": {"scores": {"margin": float("nan")}}}}}, "finite"),
    case("a diversity that is not known", {"plan": {"arms": {"a": {**ARM, "diversity": "z"}}}}, "plan.arms.a", "'z'"),
    case("a resolver that is not known", {"plan": {"resolver": "mean"}}, "plan.resolver", "'majority'"),
    case("a cap of nothing", {"plan": {"caps": {"author": 0}}}, "plan.caps.author", "greater than 0"),
    case("a round that needs no answers", {"plan": {"answered": 0}}, "plan.answered", "greater than 0"),
    case("a model that is a word", {"model": "text_linear"}, "model", "dictionary"),
    case("a kind of model that is a list", {"model": {"kind": ["text_linear"]}}, "model.kind", "string"),
    case("a place of no kind", {"connect": {"url": "http://127.0.0.1:9"}}, "connect.kind", "is missing"),
    case("a place of a kind not known", {"connect": {"kind": "post"}}, "connect", "'label_studio', 'memory'"),
    case("a place that is a list", {"connect": []}, "connect"),
    case("compute that is a list", {"compute": ["ray"]}, "compute", "dictionary"),
    case("a seed of people below zero", {"connect": {**BASE["connect"], "seed": -1}}, "connect.memory.seed"),
    case("people without a truth", {"connect": {"kind": "memory"}}, "connect.memory.truth: is missing"),
    studio("an address of another kind", "ftp://label.example", "url", ADDRESS),
    studio("an address without a scheme", "localhost:8080", "url", ADDRESS),
    studio("an address of nothing", "", "url", ADDRESS),
    studio("an address with a password", "http://u:swordfish@label.example", "url", "without a user or password"),
    studio("an address with a user", "http://zonk@label.example", "url", "without a user or password"),
    studio("a port that is no number", "http://label.example:x", "url", ADDRESS),
    studio("a port that no machine has", "http://label.example:99999", "url", ADDRESS),
    studio("an address of two lines", "http://label.example\nhost: evil", "url", ADDRESS),
    studio("an address with a blank", "http://label example", "url", ADDRESS),
    studio("a bracket that never closes", "http://[::1", "url", ADDRESS),
    studio("a token in the address", "http://label.example/?token=swordfish", "url", "without ? or #"),
    studio("an anchor in the address", "http://label.example/#people", "url", "without ? or #"),
    studio("a host longer than hosts are", f"http://{'a' * 260}.example", "url", ADDRESS),
    studio("a token in the file", "http://127.0.0.1:9", "token: no such key", token="swordfish"),
    studio("a token for its variable", "http://127.0.0.1:9", "token_env", "the name of", token_env="fe" * 20),
    studio("a variable that is none", "http://127.0.0.1:9", "token_env", "the name of", token_env="A=B"),
    studio("a variable without a name", "http://127.0.0.1:9", "token_env", "the name of", token_env=""),
    studio("a project that is a list", "http://127.0.0.1:9", "project", "string", project=["a"]),
    case("a ledger's URL for its variable", {"ledger_env": "sqlite:///x.db"}, "ledger_env", "the name of"),
    case("a policy that is not there", {"policy": "no.yaml"}, "no.yaml", "hitl init", call=walk),
    case("a policy that is a folder", {"policy": "."}, "a folder", "name the file", call=walk),
    case("a policy that is the pool", {"policy": "items.parquet"}, "items.parquet", "line 1", call=walk),
    case("a policy that is the config", {"policy": "hitl.yaml"}, "hitl.yaml", call=walk, error=PolicyError),
    case("a pool that is not there", {"pool": {"path": "no.csv"}}, "no.csv", "check", call=walk, error=PoolError),
    case("a data set without a name", {"pool": {"path": "hub:"}}, "hub:OWNER/NAME", call=walk, error=PoolError),
    case("a text column misspelt", {"pool": {"text": "txet"}}, "'txet'", "'text'", call=walk),
    case("a facet that is a part", {"pool": {"facets": ["text"]}}, "'text'", "rename the column", call=walk),
    case("a truth column that is not there", {"connect": {"kind": "memory", "truth": "z"}}, "'z'", call=walk),
    case("a cap on no column", {"plan": {"caps": {"zz": 1}}}, "'zz'", "did you mean", call=walk),
    case("strata by no column", {"plan": {"strata": ["zz"]}}, "'zz'", "did you mean", call=walk),
    case("a quota for no stratum", {"plan": {"quotas": {"zz": 0.5}}}, "zz", call=walk),
    case("a replay by words", {"plan": {"replay": "truth"}}, "plan.replay", "'truth'", "whole numbers", call=walk),
    case("a kind of model misspelt", {"model": {"kind": "text_linera"}}, "did you mean 'text_linear'", call=walk),
    case("an option of the model misspelt", {"model": {"kind": "text_linear", "bucket": 9}}, "'buckets'", call=walk),
    case("an option of the wrong sign", {"model": {"kind": "text_linear", "C": -1}}, "C must be", call=walk),
    case("an option that is no number", {"model": {"kind": "text_linear", "C": float("nan")}}, "C must be", call=walk),
    case("an option that takes all memory", {"model": {"kind": "text_linear", "buckets": 2**50}}, "2**24", call=walk),
    case("n-grams that fall", {"model": {"kind": "text_linear", "word": [3, 1]}}, "word=[3, 1]", call=walk),
    case("a compute not known", {"compute": "rey"}, "did you mean 'ray'", call=walk),
    case("threads below one", {"compute": {"kind": "local", "threads": -1}}, "compute.threads=-1", call=walk),
    case("a folder that is a file", {"folder": "items.parquet"}, "folder", "name another", call=walk),
    case("a ledger's variable not set", {"ledger_env": "HITL_NO_SUCH"}, "HITL_NO_SUCH", "environment", call=walk),
]
