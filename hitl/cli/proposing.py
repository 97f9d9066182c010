"""The command that proposes action thresholds."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from hitl.cli.common import HERE, AsJson, ConfigPath, app, begun, tell
from hitl.console import bars, say, table
from hitl.errors import CampaignError, ConfigError
from hitl.history import CutRow, EstimateRow, ThresholdsRow


class By(StrEnum):
    """What thresholds may differ by."""

    region = "region"
    language = "language"


_WORDS = {
    "Items decided without a person": "automated",
    "Their share of views": "automated_by_views",
    "Right when limiting or removing": "precision@act",
    "Violations let through": "missed",
}


@app.command()
def thresholds(
    config: ConfigPath = HERE,
    precision: Annotated[
        float, typer.Option(help="Of what a label limits or removes, at least this share has it.", min=0.5, max=0.9999)
    ] = 0.95,
    missed: Annotated[
        float, typer.Option(help="Of what has a label, at most this share is let through.", min=0.0001, max=0.5)
    ] = 0.05,
    confidence: Annotated[float, typer.Option(help="With which both are to hold.", min=0.5, max=0.9999)] = 0.95,
    by: Annotated[By | None, typer.Option(help="Look at each region, or language, as far as its items go.")] = None,
    cost: Annotated[bool, typer.Option("--cost", help="Least cost by the policy instead of a promise.")] = False,
    review_cost: Annotated[
        float | None, typer.Option(help="With --cost: what a person's look at an item costs, in policy units.", min=0)
    ] = None,
    write: Annotated[Path | None, typer.Option(help="Write the policy with them here, as a new version.")] = None,
    as_json: AsJson = False,
) -> None:
    """Propose action thresholds that held-out items speak for; nothing is changed, and written only with --write."""
    from hitl.metrics.operating import Promise
    from hitl.rounds.thresholds import Wanted

    _check(by, cost, review_cost, write)
    wanted = Wanted(Promise(precision, missed, confidence), by.value if by else "", cost, review_cost)
    told, text = _found(config, wanted, proposing=write is not None)
    written = _written(write, text) if write and text else None
    tell(as_json, {**told, "written": written}, lambda console: _show(console, told, write, written))


def _check(by: By | None, cost: bool, review_cost: float | None, write: Path | None) -> None:
    if cost and by:
        raise typer.BadParameter("--cost looks at all regions at once; leave --by out")
    if review_cost is not None and not cost:
        raise typer.BadParameter("--review-cost goes with --cost")
    if write and by is By.language:
        raise typer.BadParameter("a policy has thresholds by region, not by language; leave --write out")
    if write and write.exists():
        raise ConfigError(f"{write} is there already; name a new file, so that no policy is written over")


def _found(config: Path, wanted: Any, *, proposing: bool) -> tuple[ThresholdsRow, str]:
    """What is proposed for the latest model, and the text of the policy, empty where nothing differs."""
    from hitl.rounds.judged import Measured
    from hitl.rounds.proposal import changed, proposal
    from hitl.rounds.thresholds import choose

    with bars() as progress:
        campaign = begun(config, progress)
        trained = campaign.ledger.models()
        if not trained:
            raise CampaignError(f"{config}: no model is trained yet; call `hitl run {config}` and answer its tasks")
        found = choose(Measured.of(campaign.walk, max(trained)), wanted)
    if found is None:
        raise CampaignError(
            f"{config}: no judged item that the model has not learned from; set `benchmark` in the plan of a campaign"
        )
    told, policy = found
    taken = {*campaign.ledger.policies(), campaign.walk.policy.version}
    return told, proposal(policy, told, taken) if proposing and changed(told) else ""


def _written(path: Path, text: str) -> str:
    from hitl.report import replace_file

    try:
        replace_file(path, text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}); name another file") from None
    return str(path)


def _show(console: Console, told: ThresholdsRow, wanted: Path | None, written: str | None) -> None:
    by = bool({row["where"] for row in told["cuts"]} - {""})
    heads = ["label", *([told["by"] or "region"] if by else []), "action", "present", "proposed"]
    heads += ["precision ≥", "missed ≤", "automated", "n", "" if told["chosen_by"] == "cost" else "promised"]
    console.print(table(heads, [_cells(row, by, told) for row in told["cuts"]]))
    for line in ["", *_reasons(told), *_sums(told), *_last(wanted, written, told)]:
        say(console, line)


def _cells(row: CutRow, by: bool, told: ThresholdsRow) -> list[str]:
    risk = row["risk"]
    bound = "–" if risk["value"] is None else f"{risk['low' if row['action'] != 'review' else 'high']:.3f}"
    acts = row["action"] != "review"
    mark = "" if told["chosen_by"] == "cost" else "yes" if row["promised"] else "pooled" if row["pooled"] else "no"
    where = [row["where"] or "(all)"] if by else []
    cells = [row["label"], *where, row["action"], _at(row["present"]), _at(row["proposed"])]
    return [*cells, *((bound, "") if acts else ("", bound)), _percent(row["share"]["value"]), f"{risk['n']:,}", mark]


def _reasons(told: ThresholdsRow) -> list[str]:
    """Why something is not promised, a line for the actions of a label that have the same reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in told["cuts"]:
        if row["why"] and not row["pooled"]:
            about = f"{row['label']}{' in ' + row['where'] if row['where'] else ''}"
            found.setdefault((about, row["why"]), []).append(row["action"])
    lines = [f"{about}, {' and '.join(actions)}: {why}." for (about, why), actions in found.items()]
    if any(row["pooled"] for row in told["cuts"]):
        lines.append("pooled: too few judged items; the threshold that is in force elsewhere, or was here, stands.")
    return [*lines, ""] if lines else []


def _sums(told: ThresholdsRow) -> list[str]:
    now, then, checked = ({one["name"]: one for one in told[side]} for side in ("present", "proposed", "checked"))
    risk = f"precision ≥ {told['precision']:g} and missed ≤ {told['missed']:g}"
    aim = f"{risk}, each at {told['confidence']:.0%}" if told["chosen_by"] == "promise" else "least cost by the policy"
    lines = [f"For model {told['model_id']}, by {told['items']:,} judged items of the {told['judged_on']}: {aim}."]
    for words, name in _WORDS.items():
        after = f"; the model before, with these, on the latest audit: {_span(checked[name])}" if checked else ""
        lines.append(f"{words}: {_span(now[name])} now, {_span(then[name])} as proposed{after}.")
    if told["savings"]:
        saved = told["savings"][-1]
        lines.append(f"Saving: {_span(saved, plain=True)} policy units an item ({saved['method']}).")
    return lines


def _last(wanted: Path | None, written: str | None, told: ThresholdsRow) -> list[str]:
    if written:
        return [f"Wrote {written}, a new version. Nothing is in force before the config names it as `policy`."]
    if wanted:
        return ["No threshold differs from the present ones, so nothing was written."]
    return ["Nothing is changed; --write FILE makes a policy of it."] if told["by"] != "language" else []


def _span(row: EstimateRow, *, plain: bool = False) -> str:
    value, low, high = row["value"], row["low"], row["high"]
    ends = [f"{end:.4g}" if plain else _percent(end) for end in (low, high) if end is not None]
    if value is None:
        return "not known"
    return f"{f'{value:.4g}' if plain else _percent(value)} [{', '.join(ends)}]"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}%"


def _at(value: float | None) -> str:
    return "never" if value is None else f"{value:g}"
