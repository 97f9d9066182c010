"""The command that tells what work takes, how it flows and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hitl.cli.common import HERE, AsJson, ConfigPath, app, begun, sentence, tell
from hitl.console import bars, say, table
from hitl.history import BacklogRow, EstimateRow, OpsGroup, OpsRow

_TITLES = {
    "worker": "By person",
    "team": "By team",
    "vendor": "By vendor",
    "language": "By language",
    "queue": "By queue",
}


@app.command()
def ops(
    config: ConfigPath = HERE,
    hours: Annotated[
        float | None,
        typer.Option(help="Hours within which a task is to have its answers; the plan's if left out.", min=0.01),
    ] = None,
    due: Annotated[str, typer.Option(help="A date by which the backlog is to be gone, e.g. 2026-12-31.")] = "",
    days: Annotated[int, typer.Option(help="How many days back pace is looked at.", min=2, max=366)] = 14,
    shifts: Annotated[
        Path | None, typer.Option(help="A table of shifts, CSV: worker, start, end. Without it no occupancy is told.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what work takes, when what waits will be done, and what labels cost; for planning, no ranking of people."""
    from hitl.rounds.ops import Planning
    from hitl.rounds.ops import ops as look
    from hitl.rounds.shifts import read_shifts

    plan = Planning(sla_hours=hours, due=due, days=days, shifts=read_shifts(shifts) if shifts else None)
    with bars() as progress:
        campaign = begun(config, progress)
        found = look(campaign.walk, campaign.ledger.annotations(), campaign.clock().isoformat(timespec="seconds"), plan)
    tell(as_json, found, lambda console: _show(console, found))


def _show(console: Console, found: OpsRow | None) -> None:
    if found is None:
        say(console, "Nobody was asked yet, so there is no work to tell of.\n→ call `hitl run`")
        return
    for by in ("all", *_TITLES):
        mine = [row for row in found["groups"] if row["by"] == by]
        if mine and (by == "all" or len(mine) > 1):
            console.print(_work(mine, _TITLES.get(by, "")))
    if any(row["turnaround"] for row in found["groups"]):
        console.print(_turnaround([row for row in found["groups"] if row["turnaround"]]))
    console.print(_backlog(found["backlog"]))
    say(console, "\n".join(_notes(found)))


def _work(rows: list[OpsGroup], title: str) -> object:
    occupied = any(row["occupancy"] for row in rows)
    headers = ["", "answers", "seconds: mean", "median", "p90", "an hour", "skipped", "unsure", "escalated"]
    lines = []
    for row in rows:
        told = {one["name"]: one for one in row["figures"]}
        times = [_figure(told[name]) for name in ("seconds_mean", "seconds_median", "seconds_p90", "answers_an_hour")]
        shares = [_percent(told[name]) for name in ("skipped", "unsure", "escalated")]
        more = [_percent(row["occupancy"])] if occupied else []
        lines.append([row["name"] or "all", f"{row['answers']:,}", *times, *shares, *more])
    return table([*headers, *(["occupancy"] if occupied else [])], lines, title)


def _turnaround(rows: list[OpsGroup]) -> object:
    lines = [
        [row["name"] or "all", *(_hours(one) for one in row["turnaround"][:2]), _percent(row["turnaround"][2])]
        for row in rows
    ]
    return table(["", "turnaround in hours: median", "p90", "in time"], lines, "From asking to the last answer")


def _backlog(rows: list[BacklogRow]) -> object:
    headers = [
        "",
        "tasks",
        "answers wanted",
        "done a day",
        "asked a day",
        "days to clear",
        "needed a day",
        "hours a person",
    ]
    lines = []
    for row in rows:
        target = row["target"]
        needed = [_figure(target["answers_a_day"]), _figure(target["hours_a_person"])] if target else ["–", "–"]
        clears = "does not clear" if row["clears"] is False else _figure(row["days_to_clear"])
        pace = [_figure(row["done_a_day"]), _figure(row["asked_a_day"])]
        lines.append([row["name"] or "all", f"{row['tasks']:,}", f"{row['answers']:,}", *pace, clears, *needed])
    return table(headers, lines, "What waits")


def _notes(found: OpsRow) -> list[str]:
    first = found["groups"][0]
    worked = f"{first['people']:,} people, {first['hours']:.1f} productive hours"
    lines = [f"{worked}; {found['whole_days']} whole days of work in the last {found['days']}."]
    if first["away"]:
        lines.append(f"{first['away']:,} pieces of work are counted as 15 minutes: nobody works at one so long.")
    price = found["cost_a_label"] if found["cost_a_label"]["value"] is not None else found["hours_a_label"]
    lines.append(f"{sentence(price['name'].replace('_', ' '))}: {_known(price, 4)}.")
    for row in found["gains"]:
        cost = row["cost_a_point"] if row["cost_a_point"]["value"] is not None else row["hours_a_point"]
        when = "All rounds since the seed" if row["round"] is None else f"Round {row['round']}"
        told = f"{cost['name'].replace('_', ' ')} of {row['gain']['name']}: {_known(cost)}"
        lines.append(f"{when}, {row['hours']:.1f} hours: {told}.")
    if found["no_occupancy"]:
        lines.append(f"Occupancy: {found['no_occupancy']}; give one with --shifts.")
    elif found["outside_shifts"]:
        lines.append(f"{found['outside_shifts']:,} pieces of work were sent outside of their person's shifts.")
    unknown = next((row["days_to_clear"] for row in found["backlog"][:1] if row["clears"] is None), None)
    return [*lines, *([f"When it clears is not known: {unknown['method']}."] if unknown else [])]


def _known(row: EstimateRow, digits: int = 2) -> str:
    return _figure(row, digits=digits) if row["value"] is not None else f"not known ({row['method']})"


def _hours(row: EstimateRow) -> str:
    return _figure(row, 1 / 3600)


def _percent(row: EstimateRow | None) -> str:
    return "–" if row is None or row["value"] is None else _figure(row, 100, 0) + " %"


def _figure(row: EstimateRow, scale: float = 1.0, digits: int = 1) -> str:
    value, low, high = (row[key] for key in ("value", "low", "high"))
    if value is None:
        return "–"
    ends = ["?" if end is None else f"{end * scale:,.{digits}f}" for end in (low, high)]
    return f"{value * scale:,.{digits}f} [{ends[0]}, {ends[1]}]"
