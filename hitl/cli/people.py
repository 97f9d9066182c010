"""Commands about the people: who there is and where they stand, moving them, rosters, and what is held of one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from hitl.cli.common import HERE, AsJson, ConfigPath, app, opened, tell
from hitl.console import bars, say, table
from hitl.errors import CampaignError, ConfigError, WorkforceError
from hitl.history import EstimateRow
from hitl.history.workforce import MoveRow, StandingRow
from hitl.types import Progress

if TYPE_CHECKING:
    from hitl.labels.worth import Confusion
    from hitl.rounds import Campaign

people = typer.Typer(rich_markup_mode=None, help="Where people stand, and what their record says; alone, the list.")
app.add_typer(people, name="people")


class To(StrEnum):
    """Where somebody may stand."""

    applied = "applied"
    onboarding = "onboarding"
    active = "active"
    watch = "watch"
    suspended = "suspended"
    offboarded = "offboarded"
    blacklisted = "blacklisted"


Who = Annotated[str, typer.Argument(help="The pseudonym, as `hitl people list` tells it.", metavar="WORKER")]
Actor = Annotated[str, typer.Option(help="Who decides: a named person.")]
Ruling = Annotated[str, typer.Option(help="The ruling that a move back, or a blacklisting, rests on.")]
Evidence = Annotated[str, typer.Option(help="On what.")]


@people.callback(invoke_without_command=True)
def _alone(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_()


@people.command("list")
def list_(
    config: ConfigPath = HERE,
    at_least: Annotated[float, typer.Option(help="Share of known items to answer rightly.", min=0.01, max=0.999)] = 0.8,
    confidence: Annotated[float, typer.Option(help="With which an exam is to show it.", min=0.5, max=0.9999)] = 0.95,
    false_alarms: Annotated[
        float, typer.Option(help="Share of good people who may ever be flagged.", min=0.000001, max=0.5)
    ] = 0.01,
    as_json: AsJson = False,
) -> None:
    """Tell who there is, where they stand, and what their answers to known items propose; nothing is decided."""
    from hitl.rounds.workforce import Asked, standings

    with bars() as progress:
        found = standings(_known(config, progress).walk, Asked(at_least, confidence, false_alarms))
    tell(as_json, found, lambda console: _show(console, found, config))


@people.command()
def move(
    worker: Who,
    status: Annotated[To, typer.Argument(help="Where they stand from now on.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    actor: Actor,
    config: ConfigPath = HERE,
    evidence: Evidence = "",
    ruling: Ruling = "",
    as_json: AsJson = False,
) -> None:
    """Decide where somebody stands; goes on record with who decided it and why, and is never taken off."""
    from hitl.rounds.workforce import decisions
    from hitl.rounds.workforce import move as decide
    from hitl.workforce.grounds import Grounds
    from hitl.workforce.lifecycle import STOPPED

    with bars() as progress:
        ledger = _known(config, progress).ledger
        moved = decide(ledger, worker, status.value, Grounds(actor, reason, evidence), ruling)
    last = decisions(moved)[-1]
    lines = [f"{worker} is {last['after']} now, and was {last['before'] or 'not on the roster'}."]
    if last["after"] in STOPPED:
        lines.append("→ take them off the server: `hitl` cannot; see docs/people.md")
    tell(as_json, {"worker": worker, **last}, lambda console: say(console, "\n".join(lines)))


@people.command()
def history(worker: Who, config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Tell every decision about where somebody stands: when, by whom, why."""
    from hitl.rounds.workforce import decisions, workers

    with bars() as progress:
        known = workers(_known(config, progress).ledger)
    if worker not in known:
        raise WorkforceError(
            f"nobody called {worker!r} is on the roster or has answered; `hitl people list` tells who there is"
        )
    found = decisions(known[worker])
    tell(as_json, found, lambda console: _show_moves(console, worker, found))


@people.command()
def confusion(worker: Who, config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Tell how somebody errs: how often they answer each label where each is right, with 95 % bounds."""
    from hitl.rounds.confusions import confusions, matrix_rows

    with bars() as progress:
        found = confusions(_known(config, progress).walk)
    if worker not in found:
        raise WorkforceError(
            f"nothing is known of how {worker!r} errs: nobody of that name has given a label that counts, or the "
            "plan's resolver has no confusion matrices; `hitl people list` tells who there is"
        )
    matrices = found[worker]
    tell(as_json, matrix_rows(matrices), lambda console: _show_matrices(console, matrices))


@people.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="The roster, CSV: worker,status,languages,skills,vendor,team.")],
    actor: Actor,
    config: ConfigPath = HERE,
    reason: Annotated[str, typer.Option(help="Why; the file's name if left out.")] = "",
    ruling: Ruling = "",
    as_json: AsJson = False,
) -> None:
    """Bring in a roster: new people, and where others now stand; all of it, or nothing where a line is wrong."""
    from hitl.rounds.workforce import bring_in
    from hitl.types import Move
    from hitl.workforce.grounds import Grounds
    from hitl.workforce.roster import read_roster

    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            listed = read_roster(lines, str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file}: cannot be read ({type(error).__name__}); check the file, it must be UTF-8"
        ) from None
    with bars() as progress:
        ledger = opened(config, progress).ledger
        events = bring_in(ledger, listed, Grounds(actor, reason or f"roster {file.name}"), str(file), ruling)
    moved = sum(isinstance(event, Move) for event in events)
    told = {"listed": len(listed), "moved": moved, "described": len(events) - moved}
    text = f"{file}: {len(listed):,} people; {moved:,} stand elsewhere now, {told['described']:,} are described anew."
    tell(as_json, told, lambda console: say(console, text))


@people.command()
def export(
    config: ConfigPath = HERE,
    to: Annotated[Path, typer.Option(help="The .csv file to write.")] = Path("roster.csv"),
    as_json: AsJson = False,
) -> None:
    """Write the roster as CSV, with those who have answered and are not on it; `hitl people import` reads it."""
    from hitl.report import replace_file
    from hitl.rounds.workforce import workers
    from hitl.workforce.roster import render_roster

    with bars() as progress:
        known = workers(_known(config, progress).ledger)
    try:
        replace_file(to, render_roster(known.values()))
    except OSError as error:
        raise ConfigError(f"{to}: cannot be written ({error.strerror}); name another file") from None
    told = {"written": str(to), "people": len(known)}
    tell(as_json, told, lambda console: say(console, f"Wrote {to}: {len(known):,} people, by pseudonym."))


@people.command()
def data(worker: Who, config: ConfigPath = HERE) -> None:
    """Print everything on record that names somebody, as JSON; read it before it is handed out."""
    from hitl.rounds.personal import data as collect

    with bars() as progress:
        found = collect(_known(config, progress).walk, worker)
    tell(True, found, lambda console: None)


@people.command()
def erase(
    worker: Who,
    actor: Actor,
    config: ConfigPath = HERE,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make somebody's data nobody's, for good: a random pseudonym in place of theirs, and no notes; answers stay."""
    from hitl.rounds.personal import erase as forget

    if not yes:
        typer.confirm(f"Erase who {worker} is from the record? Nothing brings it back.", abort=True, err=True)
    with bars() as progress:
        campaign = _known(config, progress)
        clean = forget(campaign.walk, worker, actor)
        campaign.report()
    lines = ["Erased, and the report is written anew. Label Studio has its own copy: see docs/people.md."]
    if not clean:
        lines.append("The database may hold old pages yet: stop what reads it and call VACUUM, or wait for it to.")
    tell(as_json, {"erased": True, "vacuumed": clean}, lambda console: say(console, "\n".join(lines)))


def _known(config: Path, progress: Progress) -> Campaign:
    """The campaign, if anything is on record: a round, or a roster before the first."""
    from hitl.config import CampaignConfig

    if not CampaignConfig.load(config).begun:
        raise CampaignError(f"{config}: nobody is on record; call `hitl people import`, or `hitl run {config}` first")
    return opened(config, progress)


def _show(console: Console, found: list[StandingRow], config: Path) -> None:
    if not found:
        say(console, f"Nobody has answered, and nobody is on the roster.\n→ call `hitl people import FILE {config}`")
        return
    head = ["worker", "status", "answers", "known", "right", "audit", "flag", "reads", "for"]
    console.print(table(head, [_cells(row) for row in found]))
    proposed = [f"{row['worker']} → {row['proposal']}: {row['why']}." for row in found if row["proposal"]]
    if proposed:
        more = "A named person decides: `hitl people move WORKER STATUS --reason … --actor …`."
        say(console, "\n".join(["", "The record proposes:", *proposed, more]))


def _cells(row: StandingRow) -> list[str]:
    right, flagged = row["accuracy"], row["gold"]["flagged"]
    return [
        row["worker"],
        row["status"] or "–",
        f"{row['answers']:,}",
        f"{right['n']:,}",
        _share(right),
        f"{row['audit_rate']:.0%}",
        f"at {flagged:,}" if flagged else "",
        " ".join(row["languages"]),
        "/".join(name for name in (row["vendor"], row["team"]) if name),
    ]


def _share(row: EstimateRow) -> str:
    if row["value"] is None:
        return "–"
    ends = ", ".join(f"{end:.0%}" for end in (row["low"], row["high"]) if end is not None)
    # Spaces that do not break: a figure stands in one line with its interval.
    return f"{row['value']:.0%} [{ends}]".replace(" ", "\u00a0")


def _show_matrices(console: Console, matrices: tuple[Confusion, ...]) -> None:
    for one in matrices:
        rows = [
            [name, *(_bounded(one, truth, answer) for answer in range(len(one.labels)))]
            for truth, name in enumerate(one.labels)
        ]
        console.print(table(["is, and they answer", *one.labels], rows, one.about))


def _bounded(one: Confusion, truth: int, answer: int) -> str:
    value, low, high = (float(part[truth, answer]) for part in (one.value, one.low, one.high))
    return f"{value:.0%} [{low:.0%}, {high:.0%}]".replace(" ", "\u00a0")


def _show_moves(console: Console, worker: str, found: list[MoveRow]) -> None:
    if not found:
        say(console, f"Nothing was decided about {worker} yet.\n→ call `hitl people move {worker} STATUS`")
        return
    head = ["when (UTC)", "from", "to", "by", "why", "on", "ruling"]
    rows = [
        [
            row["at"][:16].replace("T", " "),
            row["before"],
            row["after"],
            row["actor"],
            row["reason"],
            row["evidence"],
            row["ruling"],
        ]
        for row in found
    ]
    console.print(table(head, rows))
