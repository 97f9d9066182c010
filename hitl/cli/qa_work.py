"""What is done about errors: corrective actions and calibration sessions, under `hitl qa`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from hitl.cli.common import HERE, AsJson, ConfigPath, begun, tell
from hitl.cli.qa import Actor, Rate, Reason, SampleName, Where, parts, qa
from hitl.console import bars, say, table
from hitl.history.qa import ActionRow, SessionRow
from hitl.report.text import change, estimate

action = typer.Typer(help="Corrective actions.", no_args_is_help=True, rich_markup_mode=None)
session = typer.Typer(help="Calibration sessions.", no_args_is_help=True, rich_markup_mode=None)
qa.add_typer(action, name="action")
qa.add_typer(session, name="session")

Evidence = Annotated[str, typer.Option(help="What it rests on, such as a document's name.")]
Number = Annotated[str, typer.Argument(help="Such as a1 or s1.", metavar="ID")]


class Phase(StrEnum):
    """When a session's answers were given."""

    before = "before"
    after = "after"


@action.command("open")
def open_(
    config: ConfigPath = HERE,
    title: Annotated[str, typer.Option(help="What is to be done.")] = "",
    owner: Annotated[str, typer.Option(help="Who does it: a pseudonym or a role.")] = "",
    target: Annotated[float, typer.Option(help="What the rate should come down to.", min=0, max=1)] = 0.0,
    due: Annotated[str, typer.Option(help="By which day, such as 2026-04-30.")] = "",
    rate: Annotated[Rate, typer.Option(help="Which errors it is about.")] = Rate.all,
    where: Where = None,
    cause: Annotated[str, typer.Option(help="Which cause it is about.")] = "",
    actor: Actor = "",
    reason: Reason = "",
    evidence: Evidence = "",
    as_json: AsJson = False,
) -> None:
    """Open a corrective action; the rate as it stands is kept as its baseline."""
    from hitl.rounds.qa_actions import Opening, open_action

    wanted = Opening(
        title=title, owner=owner, target=target, due=due, metric=rate.value, where=parts(where), cause=cause,
        actor=actor, reason=reason, evidence=evidence,
    )  # fmt: skip
    with bars() as progress:
        campaign = begun(config, progress)
        made = open_action(campaign.walk, wanted)
    _one(campaign, made.id, as_json)


@action.command()
def done(
    number: Number, config: ConfigPath = HERE, actor: Actor = "", reason: Reason = "", evidence: Evidence = "",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say that an action was carried out; from now on its effect is measured."""
    _move(config, number, "done", actor, reason, evidence, as_json)


@action.command()
def verify(
    number: Number, config: ConfigPath = HERE, actor: Actor = "", reason: Reason = "", evidence: Evidence = "",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Confirm that it helped; somebody else than who carried it out, with the figures in view."""
    _move(config, number, "verified", actor, reason, evidence, as_json)


@action.command()
def reopen(
    number: Number, config: ConfigPath = HERE, actor: Actor = "", reason: Reason = "", evidence: Evidence = "",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Open it again: it was not done, did not last, or was dropped too soon."""
    _move(config, number, "open", actor, reason, evidence, as_json)


@action.command()
def drop(
    number: Number, config: ConfigPath = HERE, actor: Actor = "", reason: Reason = "", evidence: Evidence = "",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Let an open action go."""
    _move(config, number, "dropped", actor, reason, evidence, as_json)


@qa.command()
def actions(config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Tell every corrective action, with its effect since it was done."""
    from hitl.rounds.qa_actions import action_rows
    from hitl.rounds.qa_record import programme

    with bars() as progress:
        campaign = begun(config, progress)
        rows = action_rows(campaign.walk, programme(campaign.walk).looked, campaign.clock().isoformat())
    tell(as_json, rows, lambda console: _actions(console, rows))


@session.command("open")
def open_session(
    config: ConfigPath = HERE,
    title: Annotated[str, typer.Option(help="What it is called.")] = "",
    key: Annotated[
        Path | None, typer.Option(help="Items and what is right: a .csv or .jsonl with item, labels.")
    ] = None,
    name: SampleName = "",
    size: Annotated[int, typer.Option(help="Items of the sample, those decided wrongly first.", min=1)] = 30,
    actor: Actor = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Open a session with a key: a file, or the verdicts of a sample."""
    from hitl.rounds import qa_sessions

    with bars() as progress:
        walk = begun(config, progress).walk
        told = qa_sessions.key_of_file(walk, key) if key else qa_sessions.key_of_sample(walk, name, size)
        row = qa_sessions.session_row(walk, qa_sessions.open_session(walk, title, told, actor=actor, reason=reason))
    tell(as_json, row, lambda console: _sessions(console, [row]))


@session.command()
def sheet(
    number: Number,
    to: Annotated[Path, typer.Argument(help="The .csv or .jsonl file to write.", metavar="FILE")],
    config: ConfigPath = HERE,
    as_json: AsJson = False,
) -> None:
    """Write a session's items without the key, the same for everybody."""
    from hitl.rounds.qa_sessions import SHEET, session_sheet
    from hitl.rounds.qa_sheets import write_rows

    with bars() as progress:
        rows = session_sheet(begun(config, progress).walk, number)
    write_rows(rows, SHEET, to)
    told = f"Wrote {len(rows):,} items to {to}; a copy for each person, then `hitl qa session answers`."
    tell(as_json, {"file": str(to), "items": len(rows)}, lambda console: say(console, told))


@session.command()
def answers(
    number: Number,
    file: Annotated[Path, typer.Argument(help="A filled-in sheet.", metavar="FILE")],
    config: ConfigPath = HERE,
    phase: Annotated[Phase, typer.Option(help="Before the items were talked over, or after.")] = Phase.before,
    actor: Actor = "",
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Bring in what people answered in a session."""
    from hitl.rounds.qa_sessions import answer_session

    with bars() as progress:
        walk = begun(config, progress).walk
        count = answer_session(walk, number, phase.value, file, actor=actor, reason=reason)
    tell(as_json, {"answers": count}, lambda console: say(console, f"Put {count:,} answers on record."))


@session.command()
def close(
    number: Number, config: ConfigPath = HERE, actor: Actor = "", reason: Reason = "", as_json: AsJson = False
) -> None:
    """End a session."""
    from hitl.rounds.qa_sessions import close_session, session_row

    with bars() as progress:
        walk = begun(config, progress).walk
        row = session_row(walk, close_session(walk, number, actor=actor, reason=reason))
    tell(as_json, row, lambda console: _sessions(console, [row]))


@qa.command()
def sessions(config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Tell every calibration session: agreement and right answers before and after, and what was missed most."""
    from hitl.rounds.qa_sessions import session_rows

    with bars() as progress:
        rows = session_rows(begun(config, progress).walk)
    tell(as_json, rows, lambda console: _sessions(console, rows))


def _move(config: Path, number: str, to: str, actor: str, reason: str, evidence: str, as_json: bool) -> None:
    from hitl.rounds.qa_actions import move_action

    with bars() as progress:
        campaign = begun(config, progress)
        move_action(campaign.walk, number, to, actor=actor, reason=reason, evidence=evidence)
    _one(campaign, number, as_json)


def _one(campaign: Any, number: str, as_json: bool) -> None:
    from hitl.rounds.qa_actions import action_rows
    from hitl.rounds.qa_record import programme

    rows = action_rows(campaign.walk, programme(campaign.walk).looked, campaign.clock().isoformat())
    row = next(one for one in rows if one["action"] == number)
    tell(as_json, row, lambda console: _actions(console, [row]))


def _actions(console: Console, rows: list[ActionRow]) -> None:
    if not rows:
        say(console, "No corrective action is on record: `hitl qa action open` begins one.")
        return
    head = ["id", "what", "owner", "state", "due", "about", "baseline", "target", "change since"]
    told = [
        [
            row["action"],
            row["title"],
            row["owner"],
            f"{row['state']}, overdue" if row["overdue"] else row["state"],
            row["due"],
            " ".join([row["metric"], *(f"{name}={value}" for name, value in row["where"].items())]),
            estimate(row["baseline"]),
            f"{row['target']:.2f}",
            f"{change(row['effect']['difference'])} {row['effect']['verdict']}" if row["effect"] else "",
        ]
        for row in rows
    ]
    console.print(table(head, told))


def _sessions(console: Console, rows: list[SessionRow]) -> None:
    if not rows:
        say(console, "No calibration session is on record: `hitl qa session open` begins one.")
        return
    head = ["id", "title", "items", "people", "alpha before", "after", "change", "right before", "after"]
    told = []
    for row in rows:
        before, after = row["before"], row["after"]
        people = max(side["people"] if side else 0 for side in (before, after))
        alphas, rights = (
            [estimate(side[name]) if side else "" for side in (before, after)] for name in ("alpha", "right")
        )
        told.append(
            [row["session"], row["title"], str(row["items"]), str(people), *alphas, change(row["alpha"]), *rights]
        )
    console.print(table(head, told))
    for row in rows:
        last = row["after"] or row["before"]
        missed = [f"{one['clause']} {estimate(one['left_out'])}" for one in (last["missed"][:3] if last else ())]
        if missed:
            say(console, f"{row['session']}, left out most: {'; '.join(missed)}")
