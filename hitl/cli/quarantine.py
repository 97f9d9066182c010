"""Commands that set a person's answers aside, give them back, and tell what is set aside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from hitl.cli.common import HERE, AsJson, ConfigPath, app, begun, tell
from hitl.console import bars, say, table
from hitl.history import ComparisonRow, QuarantineFinding, QuarantineRow, SetAsideRow

if TYPE_CHECKING:
    from hitl.rounds.walk import Walk


class _Begins(TyperGroup):
    """`hitl quarantine WORKER` reads as `hitl quarantine begin WORKER`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put in the command that is left out."""
        left_out = args and args[0] not in self.commands and not args[0].startswith("-")
        return super().parse_args(ctx, ["begin", *args] if left_out else args)


quarantine = typer.Typer(
    cls=_Begins,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Set somebody's answers aside from a time on: `hitl quarantine WORKER --since ... --reason ... --actor ...`.",
)
app.add_typer(quarantine, name="quarantine")

Who = Annotated[str, typer.Argument(help="The pseudonym.", metavar="WORKER")]
Actor = Annotated[str, typer.Option(help="Who decides: a named person.")]
Reason = Annotated[str, typer.Option(help="Why.")]
Evidence = Annotated[str, typer.Option(help="On what.")]


@quarantine.command()
def begin(
    worker: Who,
    since: Annotated[str, typer.Option(help="From when on: 2026-03-02, or 2026-03-02T09:30:00Z; UTC.")],
    reason: Reason,
    actor: Actor,
    config: ConfigPath = HERE,
    until: Annotated[str, typer.Option(help="Up to, but without, this time; no end if left out.")] = "",
    evidence: Evidence = "",
    as_json: AsJson = False,
) -> None:
    """Set somebody's answers aside; their items are asked of others, and no label or model is made of them."""
    from hitl.rounds.quarantine import quarantine as set_aside
    from hitl.workforce.grounds import Grounds

    with bars() as progress:
        campaign = begun(config, progress)
        made = set_aside(campaign.walk, worker, since, Grounds(actor, reason, evidence), until)
        told = _told(campaign.walk)
    head = f"{worker} is set aside {made.span} (quarantine {made.number})."
    after = [f"→ `hitl run {config}` lets others in, and the next round learns without; `hitl rescore` does at once."]
    tell(as_json, told, lambda console: say(console, "\n".join([head, *_effect(told["set_aside"]), *after])))


@quarantine.command()
def lift(
    worker: Who,
    reason: Reason,
    actor: Actor,
    config: ConfigPath = HERE,
    only: Annotated[int | None, typer.Option(help="The number of one quarantine; all if left out.")] = None,
    evidence: Evidence = "",
    as_json: AsJson = False,
) -> None:
    """Give back what was set aside: everything is again what it would be had it not been."""
    from hitl.rounds.quarantine import lift as give_back
    from hitl.workforce.grounds import Grounds

    with bars() as progress:
        campaign = begun(config, progress)
        lifted = give_back(campaign.walk, worker, Grounds(actor, reason, evidence), only)
        told = _told(campaign.walk)
    which = ", ".join(str(one.number) for one in lifted)
    lines = [f"{worker} counts again: quarantine {which} is lifted.", *_effect(told["set_aside"])]
    tell(as_json, told, lambda console: say(console, "\n".join(lines)))


@quarantine.command("list")
def list_(config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Tell what was set aside, by whom and why, and what that changes."""
    with bars() as progress:
        told = _told(begun(config, progress).walk)
    tell(as_json, told, lambda console: _show(console, told, config))


def _told(walk: Walk) -> dict[str, Any]:
    from hitl.rounds.quarantine import set_aside_now
    from hitl.rounds.rulings import told_quarantines

    outputs = walk.ledger.outputs("examine")
    found = {number: output["quarantine"] for number, output in outputs.items() if "quarantine" in output}
    last = max(found, default=None)
    return {
        "quarantines": told_quarantines(walk),
        "set_aside": set_aside_now(walk),
        "round": last,
        "model": None if last is None else found[last],
    }


def _show(console: Console, told: dict[str, Any], config: Path) -> None:
    rows: list[QuarantineRow] = told["quarantines"]
    if not rows:
        say(console, f"Nothing was ever set aside.\n→ to set aside: `hitl quarantine WORKER {config} --since DATE …`")
        return
    head = ["no.", "worker", "from", "until", "answers", "items", "by", "why", "lifted"]
    console.print(table(head, [_cells(row) for row in rows]))
    lines = [*_effect(told["set_aside"]), *_model(told["round"], told["model"])]
    say(console, "\n".join(["", *lines]))


def _cells(row: QuarantineRow) -> list[str]:
    lifted = row["lifted"]
    return [
        str(row["number"]),
        row["worker"],
        _minute(row["since"]),
        _minute(row["until"]) if row["until"] else "–",
        f"{row['answers']:,}",
        f"{row['items']:,}",
        row["actor"],
        row["reason"],
        f"{_minute(lifted['at'])}, {lifted['actor']}: {lifted['reason']}" if lifted else "",
    ]


def _minute(at: str) -> str:
    return at[:16].replace("T", " ")


def _effect(row: SetAsideRow | None) -> list[str]:
    if row is None:
        return ["Nothing is set aside now: every answer counts."]
    lines = [
        f"Set aside now: {row['answers']:,} answers on {row['items']:,} items.",
        f"Items with another label by that: {row['changed']:,}, of which {row['unresolved']:,} have none any more.",
    ]
    if row["elsewhere"]:
        lines.append(f"Of them, {row['elsewhere']:,} were answered by others alone, who are weighed anew.")
    if row["waiting"]:
        lines.append(f"Tasks that wait for somebody else: {row['waiting']:,}.")
    return lines


def _model(number: int | None, found: QuarantineFinding | None) -> list[str]:
    if found is None:
        return ["No model was trained since; the next round compares it with one that learns from all answers."]
    compared: ComparisonRow | None = found["comparison"]
    if compared is None:
        return [f"The model of round {number} would have learned the same from all answers."]
    by = compared["difference"]
    if by["value"] is None:
        return [f"The model of round {number}: what setting aside did to it is not known ({by['method']})."]
    difference = f"{by['name']} {by['value']:+.3f} [{by['low'] or 0:+.3f}, {by['high'] or 0:+.3f}]"
    against = f"The model of round {number} against one that learned from all answers, on the benchmark"
    return [f"{against}: {difference}, {compared['verdict']}."]
