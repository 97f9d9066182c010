"""What `hitl doctor` looks at: config, policy, pool, model, compute, record, disk, plan, server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import numpy as np

from hitl.compute import Compute, here
from hitl.compute.shards import Shards
from hitl.config import CampaignConfig, LabelStudioConfig, secret
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
from hitl.types import Difference, Finding, silent

Made = TypeVar("Made")

MEDIA_TRIED = 24
"""How many items' media are tried."""

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
        walk = Walk(
            config.campaign,
            policy,
            pool,
            model,
            config.plan,
            connector,
            ledger,
            config.where,
            silent,
            compute,
            config.form,
        )
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
        remedy = f"set what is missing; a token is made under Account & Settings, `export {connect.token_env}=...`"
        told = f"{connect.kind} at {connect.url}, token found in {connect.token_env}"
        connector: Connector | None = _try(
            found, "connect", lambda: connect.open(config.at("."), show_predictions=show), lambda _: told, remedy
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
    if isinstance(connect, LabelStudioConfig) and pool is not None and pool.columns.media is not None:
        found.append(_look_at_media(connect, config.at("."), pool, project))
    if project and any(finding.check == "project" and finding.state == "skip" for finding in found):
        gone = f"the record tells of {project}, and the server does not know it"
        remedy = "restore the server's data or the token's rights; a run now would count the tasks there as lost"
        found.append(Finding("project", "fail", gone, remedy))
    return found


def _look_at_media(connect: LabelStudioConfig, base: Path, pool: Pool, project: str) -> Finding:
    """Whether the server can show the media of some items, evenly spaced over the pool."""
    from hitl.connectors.studio.http import Http

    some = np.unique(np.linspace(0, len(pool) - 1, min(MEDIA_TRIED, len(pool)), dtype=np.int64))
    references = [str(one) for one in pool.rows(some, ["media"])["media"].to_pylist() if one]
    number = project.rstrip("/").rpartition("/")[2]
    http = Http(connect.url, secret(connect.token_env, "the Label Studio token"))
    try:
        return connect.open_media(base).look(http, int(number) if number.isdigit() else None, references)
    finally:
        http.close()


_DIFFERS = {
    "missing": "tasks are not there",
    "doubled": "tasks are there more than once",
    "foreign": "tasks are not ours",
    "altered": "tasks show something else than what was sent",
    "unpredicted": "tasks lost their place in the order",
    "closed": "tasks are asked of fewer people than wanted",
    "settings": "settings were changed",
}
"""Differences between record and server in words."""

NAMED = 5


def reconciled(differences: Sequence[Difference]) -> list[Finding]:
    """What lay otherwise on the server than on record, one finding a kind, and what is left to do about it."""
    found: list[Finding] = []
    for kind, told in _DIFFERS.items():
        for mended in (True, False):
            mine = [one for one in differences if one.kind == kind and one.mended == mended]
            if mine:
                named = "; ".join(f"{one.about}: {one.detail}" for one in mine[:NAMED])
                more = f"; and {len(mine) - NAMED:,} more" if len(mine) > NAMED else ""
                head = f"{len(mine):,} {told}{', mended' if mended else ''}"
                remedy = "" if mended else "look at them in the project; what is nobody's work, `--reconcile` mends"
                found.append(Finding("reconcile", "ok" if mended else "warn", f"{head} ({named}{more})", remedy))
    return found or [Finding("reconcile", "ok", "the server holds what the record says, and nothing else")]
