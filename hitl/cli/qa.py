"""Quality of decisions: `hitl qa` draws them, has them looked at again, blind, and tells how often they were wrong."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from hitl.cli.common import HERE, AsJson, ConfigPath, app, begun, tell
from hitl.console import bars, say, table
from hitl.history.qa import QaSampleRow

qa = typer.Typer(
    help="Draw decisions of people, vendors, rules and models, look at them again, blind, and tell how often they err.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(qa, name="qa")

Actor = Annotated[str, typer.Option(help="Who answers for it: a pseudonym or a role.")]
Reason = Annotated[str, typer.Option(help="Why; it stands on record.")]
SampleName = Annotated[str, typer.Option("--sample", help="Such as qa-2; the newest if left out.")]
Where = Annotated[
    list[str] | None, typer.Option("--where", help="A part of the decisions, such as vendor=acme; several narrow it.")
]


class Rate(StrEnum):
    """Which errors are counted."""

    all = "error_rate"
    critical = "critical_error_rate"
    noncritical = "noncritical_error_rate"


@qa.command()
def sample(
    config: ConfigPath = HERE,
    actor: Actor = "",
    reason: Reason = "",
    size: Annotated[int, typer.Option(help="Decisions to look at.", min=1)] = 200,
    log: Annotated[
        list[Path] | None, typer.Option(help="A log of decisions, CSV or JSONL; several may be given.")
    ] = None,
    only_logs: Annotated[bool, typer.Option("--only-logs", help="Leave the campaign's own decisions out.")] = False,
    since: Annotated[str, typer.Option(help="Decided from then on, ISO 8601; since the last draw if left out.")] = "",
    until: Annotated[str, typer.Option(help="Decided until then, ISO 8601; until now if left out.")] = "",
    to: Annotated[Path | None, typer.Option(help="Write the blind sheet here, .csv or .jsonl.")] = None,
    as_json: AsJson = False,
) -> None:
    """Draw decisions by chance, with known odds, from people, vendors, rules and models together."""
    from hitl.rounds.qa import sample_row
    from hitl.rounds.qa_draw import Wanted, draw
    from hitl.rounds.qa_record import programme

    wanted = Wanted(
        size=size, actor=actor, reason=reason, logs=tuple(log or ()), own=not only_logs, since=since, until=until
    )
    with bars() as progress:
        campaign = begun(config, progress)
        drawn = draw(campaign.walk, wanted, now_of(campaign))
        row = sample_row(programme(campaign.walk), drawn)
        written = str(_sheet(campaign.walk, drawn.name, to)[0]) if to else None
    aside = {name: told["set_aside"] for name, told in drawn.detail["sources"].items() if told["set_aside"]}
    tell(as_json, {**row, "set_aside": aside, "sheet": written}, lambda console: _sampled(console, row, aside, written))


@qa.command()
def sheet(
    to: Annotated[Path, typer.Argument(help="The .csv or .jsonl file to write.", metavar="FILE")],
    config: ConfigPath = HERE,
    name: SampleName = "",
    as_json: AsJson = False,
) -> None:
    """Write the items of a sample that nobody looked at yet, to be judged without knowing who decided, or what."""
    with bars() as progress:
        written, rows = _sheet(begun(config, progress).walk, name, to)
    told = f"Wrote {rows:,} items to {written}; fill in labels and reviewer, then `hitl qa verdicts {written}`."
    tell(as_json, {"file": str(written), "items": rows}, lambda console: say(console, told))


@qa.command()
def ask(
    config: ConfigPath = HERE, actor: Actor = "", reason: Reason = "", name: SampleName = "", as_json: AsJson = False
) -> None:
    """Ask seniors in the review queue, blind, about those items of a sample that people were asked about before."""
    with bars() as progress:
        asked, left = begun(config, progress).ask_again(name, actor=actor, reason=reason)
    told = f"Asked seniors about {asked:,} items; what they say is read with `hitl pull`."
    more = f" {left:,} items that nobody was asked about are left for `hitl qa sheet`." if left else ""
    tell(as_json, {"asked": asked, "left": left}, lambda console: say(console, told + more))


@qa.command()
def verdicts(
    file: Annotated[Path, typer.Argument(help="A filled-in sheet, .csv or .jsonl.", metavar="FILE")],
    config: ConfigPath = HERE,
    actor: Actor = "",
    reason: Reason = "",
    reviewer: Annotated[str, typer.Option(help="Who looked, where the sheet does not say: a pseudonym.")] = "",
    as_json: AsJson = False,
) -> None:
    """Bring in what a second look said."""
    from hitl.rounds.qa_sheets import record_verdicts

    with bars() as progress:
        walk = begun(config, progress).walk
        count = record_verdicts(walk, file, actor=actor, reason=reason, reviewer=reviewer)
    tell(as_json, {"verdicts": count}, lambda console: say(console, f"Put {count:,} verdicts on record."))


@qa.command()
def errors(
    config: ConfigPath = HERE,
    to: Annotated[Path | None, typer.Option(help="Write them here, .csv or .jsonl, to fill in the causes.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell every error found, with who decided: now that the verdict stands, its cause can be looked for."""
    from hitl.rounds.qa_record import programme
    from hitl.rounds.qa_sheets import ERRORS, error_sheet, write_rows

    with bars() as progress:
        rows = error_sheet(programme(begun(config, progress).walk))
    if to:
        write_rows(rows, ERRORS, to)
    shown = ("decision", "item", "by", "decided", "right", "error", "cause")

    def show(console: Console) -> None:
        if rows and not to:
            console.print(table(shown, [[row[name] for name in shown] for row in rows]))
        after = f" Wrote them to {to}; fill in the causes, then `hitl qa causes {to}`." if to else ""
        say(console, f"{len(rows):,} errors, {sum(not row['cause'] for row in rows):,} without a cause.{after}")

    tell(as_json, rows, show)


@qa.command()
def causes(
    file: Annotated[Path, typer.Argument(help="A sheet of errors with causes filled in.", metavar="FILE")],
    config: ConfigPath = HERE,
    actor: Actor = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Bring in why errors happened: policy unclear, training, tool, model or context."""
    from hitl.rounds.qa_sheets import record_causes

    with bars() as progress:
        count = record_causes(begun(config, progress).walk, file, actor=actor, reason=reason)
    tell(as_json, {"causes": count}, lambda console: say(console, f"Put the causes of {count:,} errors on record."))


def parts(where: list[str] | None) -> dict[str, str]:
    """`vendor=acme` as dimension → value."""
    pairs = [one.partition("=") for one in where or ()]
    wrong = [name for name, equals, value in pairs if not equals or not value]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r}: write a part as dimension=value, such as vendor=acme")
    return {name: value for name, _, value in pairs}


def _sheet(walk: Any, name: str, to: Path) -> tuple[Path, int]:
    from hitl.rounds.qa_record import programme
    from hitl.rounds.qa_sheets import SHEET, blind_sheet, write_rows

    held = programme(walk)
    rows = blind_sheet(walk, held.sample(name), held.verdicts)
    return write_rows(rows, SHEET, to), len(rows)


def now_of(campaign: Any) -> str:
    """The time, as the record has it."""
    return str(campaign.clock().isoformat(timespec="seconds"))


def _sampled(console: Console, row: QaSampleRow, aside: Any, written: str | None) -> None:
    strata = [[one["name"], f"{one['decisions']:,}", f"{one['drawn']:,}"] for one in row["strata"]]
    console.print(table(["stratum", "decisions", "drawn"], strata))
    say(console, f"\n{row['sample']}: {row['drawn']:,} of {row['decisions']:,} decisions are drawn.")
    for name, told in aside.items():
        for one in told:
            say(console, f"{name}: set aside {one['rows']:,} rows — {one['reason']}.")
    where = f"Wrote the blind sheet to {written}." if written else "Next: `hitl qa sheet FILE`, or `hitl qa ask`."
    say(console, where)
