"""What `hitl doctor` looks at: config, policy, pool, model, compute, record, disk, plan, server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from hitl.compute import Compute, here
from hitl.compute.shards import Shards
from hitl.config import CampaignConfig, LabelStudioConfig
from hitl.connectors import Connector
from hitl.connectors.deferred import Deferred
from hitl.errors import ConfigError, HitlError
from hitl.ledger import Ledger
from hitl.models import Model
from hitl.policy import Policy
from hitl.pool import Pool
from hitl.rounds.walk import Walk
from hitl.sampling.view import check_quotas
from hitl.tasks.form import Form
from hitl.types import Finding, silent

Made = TypeVar("Made")

FREE_GIB = 2.0
"""Below this much free disk, doctor warns."""


def examine(path: Path) -> list[Finding]:
    """Look at everything that a run needs, and say what to do; what cannot be looked at says why.

    Makes nothing but the file of rows that the config wants to be set aside, and changes nothing on the server.
    """
    found: list[Finding] = []
    config = _try(found, "config", lambda: CampaignConfig.load(path), lambda made: f"{path}: campaign {made.campaign}")
    if config is None:
        return found
    policy = _try(found, "policy", config.open_policy, _tell_policy, f"mend {config.policy}")
    found += _policy_advice(policy) if policy else ()
    pool = _try(found, "pool", config.open_pool, repr, f"put your content at {config.pool.path}, or mend `pool`")
    found += _pool_advice(pool, policy) if pool is not None and policy else ()
    model = _try(found, "model", lambda: _model_that_fits(config, pool), repr, "mend `model`")
    remedy = "install what is missing, start the cluster, or take `compute: local`"
    compute = _try(found, "compute", lambda: _compute_that_fits(config, pool), repr, remedy) or here()
    ledger = _look_at_record(found, config)
    found.append(_disk(config.where))
    form = None
    if policy and pool is not None and model and ledger:
        connector = Deferred(config.connect.kind, lambda: config.open_connector(pool))
        walk = Walk(config.campaign, policy, pool, model, config.plan, connector, ledger, config.where, silent, compute)
        form = _try(
            found, "plan", lambda: _form_that_fits(walk), lambda _: repr(config.plan), "mend `plan`, or the file"
        )
        found += _plan_advice(walk)
    else:
        found.append(Finding("plan", "skip", "not looked at before policy, pool, model and record are in order"))
    found += _look_at_server(config, policy, pool, form, ledger.project if ledger else "")
    return found


def _try(
    found: list[Finding],
    check: str,
    make: Callable[[], Made],
    tell: Callable[[Made], str],
    remedy: str = "mend the file",
) -> Made | None:
    try:
        made = make()
        found.append(Finding(check, "ok", tell(made)))
    except HitlError as error:
        found.append(Finding(check, "fail", str(error), remedy))
        return None
    return made


def _tell_policy(policy: Policy) -> str:
    kind = "multi-label" if policy.multi_label else "single-label"
    return f"{policy.name} v{policy.version}, {kind}: {', '.join(policy.names)}"


def _policy_advice(policy: Policy) -> Iterator[Finding]:
    for label in policy.labels:
        if label.violating and not any(value is not None for _, value in label.actions):
            yield Finding(
                "policy", "warn", f"{label.name}: no action has a threshold", "set `actions`, or nothing is ever done"
            )
        if not label.definition:
            yield Finding("policy", "warn", f"{label.name}: no definition", "reviewers see it as a hint: write one")
    if not any(label.keywords for label in policy.labels if label.violating):
        yield Finding(
            "policy", "warn", "no label has keywords", "a few words each help the seed round to find rare harm"
        )


def _pool_advice(pool: Pool, policy: Policy) -> Iterator[Finding]:
    if pool.quarantined:
        aside = f"bad rows set aside: {pool.quarantined:,}, in {pool.quarantine_file}"
        yield Finding("pool", "warn", aside, "each says there what is wrong with it: mend those that matter")
    unknown = sorted(set(policy.regions) - set(pool.codes("region")[1]))
    if unknown:
        yield Finding(
            "policy",
            "warn",
            f"regions without content: {', '.join(unknown)}",
            "check that `pool.region` names the right column and that its values are spelt as in the policy",
        )


def _look_at_record(found: list[Finding], config: CampaignConfig) -> Ledger | None:
    """The record as it is; an empty one in memory where none has begun, so that nothing is made by looking."""
    if config.begun:
        return _try(found, "record", config.open_ledger, repr, "mend `folder` or `ledger_env`")
    where = config.ledger_file
    if os.access(_existing(where), os.W_OK):
        found.append(Finding("record", "ok", f"none yet; `hitl run` makes {where}"))
    else:
        remedy = "name another `folder`, or ask for the right to write"
        found.append(Finding("record", "fail", f"{_existing(where)} cannot be written to", remedy))
    return Ledger(":memory:", config.campaign)


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(_existing(folder)).free / 2**30
    state = "ok" if free >= FREE_GIB else "warn"
    return Finding("disk", "ok" if state == "ok" else "warn", f"{free:.1f} GiB free", "make room before you run")


def _existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.parents) if parent.exists())


def _compute_that_fits(config: CampaignConfig, pool: Pool | None) -> Compute:
    """Where passes over the pool run, if it can be used, and the pool by it."""
    compute = config.open_compute()
    compute.check()
    if compute.travels and pool is not None:
        Shards.of(pool)
    return compute


EXTRAS = {"torch": "transformers", "transformers": "transformers", "PIL": "image", "av": "video"}
"""Which extra brings a package that some models need."""


def _model_that_fits(config: CampaignConfig, pool: Pool | None) -> Model:
    """The model, if what it needs is installed, its encoders are where they are said to be, and the pool has its parts.

    An encoder that is named by its name at the Hub is not looked for: that would fetch it.
    """
    model = config.open_model()
    for package in model.needs:
        if find_spec(package) is None:
            raise ConfigError(f"{model.kind} needs {package}: pip install 'hitl[{EXTRAS[package]}]'")
    if pool is not None and not any(getattr(pool.columns, part) for part in model.reads):
        parts = " or ".join(model.reads)
        raise ConfigError(f"{model.kind} reads {parts}, and the pool has none; name its column in `pool`")
    rows = getattr(model, "rows", None)
    if rows is not None:
        rows.checkpoint.check()
    return model


def _form_that_fits(walk: Walk) -> Form:
    """The question that people are asked, if policy, pool and plan go together."""
    walk.check()
    check_quotas(walk.plan.quotas, walk.strata[1])
    _ = walk.wave
    return walk.form


def _plan_advice(walk: Walk) -> Iterator[Finding]:
    plan = walk.plan
    needed = plan.benchmark + (plan.seed_budget or plan.budget) + plan.rounds * plan.budget
    if needed > len(walk.pool):
        yield Finding(
            "plan",
            "warn",
            f"it asks for {needed:,} items, and the pool holds {len(walk.pool):,}",
            "lower plan.budget, plan.rounds or plan.benchmark",
        )


def _look_at_server(
    config: CampaignConfig, policy: Policy | None, pool: Pool | None, form: Form | None, project: str
) -> list[Finding]:
    connect, show, found = config.connect, config.plan.show_predictions, list[Finding]()
    if isinstance(connect, LabelStudioConfig):
        remedy = f"make a token under Account & Settings, and `export {connect.token_env}=...`"
        told = f"{connect.kind} at {connect.url}, token found in {connect.token_env}"
        connector: Connector | None = _try(
            found, "connect", lambda: connect.open(show_predictions=show), lambda _: told, remedy
        )
    elif pool is None:
        return [Finding("connect", "skip", "the simulated reviewers answer from the pool", "mend the pool first")]
    else:
        connector = _try(found, "connect", lambda: config.open_connector(pool), repr, "mend `connect`")
    if connector is None or policy is None:
        return found
    # Without the pool it is not known whether texts or media are shown, and so neither which page and project.
    looked = connector.check(config.campaign, form or Form(policy=policy))
    connector.close()
    found += [finding for finding in looked if form or finding.check not in ("label config", "project")]
    if project and any(finding.check == "project" and finding.state == "skip" for finding in found):
        gone = f"the record tells of {project}, and the server does not know it"
        remedy = "restore the server's data or the token's rights; a run now would count the tasks there as lost"
        found.append(Finding("project", "fail", gone, remedy))
    return found
