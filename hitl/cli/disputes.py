"""Commands that contest a verdict, rule on it, and tell what was contested."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from hitl.cli.common import HERE, AsJson, ConfigPath, app, begun, tell
from hitl.console import bars, say, table
from hitl.history import DisputeRow, EstimateRow, OverturnRow

dispute = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Contest a verdict, rule on it, and tell what was contested."
)
app.add_typer(dispute, name="dispute")

FEW = 10
"""A rate of fewer rulings is shown as a count, and tells nothing."""


class About(StrEnum):
    """What may be contested."""

    gold = "gold"
    review = "review"
    decision = "decision"


class Ends(StrEnum):
    """How a dispute ends."""

    upheld = "upheld"
    overturned = "overturned"


Labels = Annotated[list[str] | None, typer.Option(help="A label that is right; once each, `(none)` for no label.")]


@dispute.command("open")
def open_(
    item: Annotated[str, typer.Argument(help="The item, by its id.", metavar="ITEM")],
    about: Annotated[About, typer.Option(help="A gold label, a senior's word, or a decision that its author appeals.")],
    by: Annotated[str, typer.Option(help="Whose claim it is: a worker's pseudonym, or the author's.")],
    claim: Annotated[str, typer.Option(help="Why the verdict is wrong.")],
    config: ConfigPath = HERE,
    label: Labels = None,
    decided: Annotated[
        list[str] | None, typer.Option(help="Of an appeal: what was decided, if not by people here; once each label.")
    ] = None,
    evidence: Annotated[str, typer.Option(help="On what.")] = "",
    actor: Annotated[str, typer.Option(help="Who puts it on record; the claimant if left out.")] = "",
    as_json: AsJson = False,
) -> None:
    """Contest a verdict on an item; without --label a worker claims what they answered."""
    from hitl.rounds.disputes import Claim, open_dispute
    from hitl.workforce.grounds import Grounds

    with bars() as progress:
        campaign = begun(config, progress)
        wanted = Claim(about.value, item, by, _labels(label), _labels(decided))
        made = open_dispute(campaign.walk, wanted, Grounds(actor or by, claim, evidence))
        told = next(row for row in _rows(campaign) if row["number"] == made.number)
    lines = [
        f"Dispute {made.number} is open: item {item} is {_named(told['decided'])}, and {_claimed(told)} is claimed.",
        f"→ somebody else rules: `hitl dispute rule {made.number} upheld|overturned {config} --actor … --reason …`",
    ]
    tell(as_json, told, lambda console: say(console, "\n".join(lines)))


@dispute.command()
def rule(
    number: Annotated[int, typer.Argument(help="The dispute, as `hitl dispute list` numbers it.")],
    outcome: Annotated[Ends, typer.Argument(help="Whether the verdict stands.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    actor: Annotated[str, typer.Option(help="Who rules: a named person, neither the claimant nor whose word it was.")],
    config: ConfigPath = HERE,
    label: Labels = None,
    evidence: Annotated[str, typer.Option(help="On what.")] = "",
    as_json: AsJson = False,
) -> None:
    """Rule on a dispute; an overturned verdict is corrected from now on, and every score that rests on it."""
    from hitl.rounds.disputes import rule as decide
    from hitl.workforce.grounds import Grounds

    with bars() as progress:
        campaign = begun(config, progress)
        grounds = Grounds(actor, reason, evidence)
        ruled = decide(campaign.walk, number, outcome.value, grounds, _labels(label))
        told = next(row for row in _rows(campaign) if row["number"] == number)
    right = list(ruled.ruling.labels or ()) if ruled.ruling else []
    stands = f"item {ruled.item} stays {_named(told['decided'])}"
    text = stands if outcome is Ends.upheld else f"item {ruled.item} is {_named(right)} from now on"
    tell(as_json, told, lambda console: say(console, f"Dispute {number} is {outcome.value}: {text}."))


@dispute.command("list")
def list_(
    config: ConfigPath = HERE,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that nobody has ruled on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what is contested, for how long, what was ruled, and how often a verdict was overturned."""
    from hitl.rounds.disputes import disputes
    from hitl.rounds.rulings import overturn_rates

    with bars() as progress:
        campaign = begun(config, progress)
        rates = overturn_rates(disputes(campaign.walk))
        rows = [row for row in _rows(campaign) if not (open_only and row["ruling"])]
    told = {"disputes": rows, "overturned": rates}
    tell(as_json, told, lambda console: _show(console, rows, rates, config, open_only))


def _rows(campaign: Any) -> list[DisputeRow]:
    from hitl.rounds.rulings import told_disputes

    return told_disputes(campaign.walk, campaign.clock().isoformat(timespec="seconds"))


def _labels(given: list[str] | None) -> tuple[str, ...] | None:
    from hitl.policy import NONE

    return None if not given else () if given == [NONE] else tuple(given)


def _show(console: Console, rows: list[DisputeRow], rates: OverturnRow, config: Path, open_only: bool) -> None:
    if not rows:
        what = "No dispute is open." if open_only else "Nothing was ever contested."
        say(console, f"{what}\n→ to contest a verdict: `hitl dispute open ITEM {config} --about … --by … --claim …`")
        return
    head = ["no.", "about", "item", "by", "decided", "claimed", "days", "ruling"]
    console.print(table(head, [_cells(row) for row in rows]))
    waiting = sum(row["ruling"] is None for row in rows)
    lines = ["", f"Open: {waiting:,}. Overturned: {_rate(rates['all'])}."]
    parts = (("By kind", rates["kinds"]), ("By label", rates["labels"]), ("By language", rates["languages"]))
    for title, found in parts:
        if len(found) > 1:
            lines.append(f"{title}: {'; '.join(' '.join((row['label'], _rate(row))) for row in found)}.")
    say(console, "\n".join(lines))


def _cells(row: DisputeRow) -> list[str]:
    ruling = row["ruling"]
    ruled = "" if ruling is None else f"{ruling['outcome']} by {ruling['actor']}: {ruling['reason']}"
    age = "–" if row["age"] is None else f"{row['age']:.1f}"
    by = row["claimant"] or "the author"
    return [str(row["number"]), row["kind"], row["item"], by, _named(row["decided"]), _claimed(row), age, ruled]


def _claimed(row: DisputeRow) -> str:
    return "another label" if row["claimed"] is None else _named(row["claimed"])


def _named(labels: list[str]) -> str:
    return ", ".join(labels) or "without a label"


def _rate(row: EstimateRow) -> str:
    value, low, high = (row[name] or 0.0 for name in ("value", "low", "high"))
    if not row["n"]:
        return "nothing was ruled yet"
    count = f"{round(value * row['n']):,} of {row['n']:,}"
    return f"{count} (too few to tell a rate)" if row["n"] < FEW else f"{count}, {value:.0%} [{low:.0%}, {high:.0%}]"
