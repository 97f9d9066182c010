"""What the second looks come to, under `hitl qa`: scorecards, causes, control charts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hitl.cli.common import HERE, AsJson, ConfigPath, begun, tell
from hitl.cli.qa import Rate, Where, now_of, parts, qa
from hitl.console import bars, say, table
from hitl.history import EstimateRow
from hitl.history.qa import CardRow, ChartRow, QaRow
from hitl.report.text import decimal, known, percent


class By(StrEnum):
    """What scorecards are by."""

    decider = "decider"
    kind = "kind"
    vendor = "vendor"
    team = "team"
    language = "language"
    clause = "clause"


class Unit(StrEnum):
    """The periods of a control chart."""

    day = "day"
    week = "week"
    month = "month"


@qa.command()
def pareto(config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Tell which causes make most of the errors, and where a cause makes more of them than elsewhere."""
    row = _row(config)
    told = {"causes": row["causes"], "roots": row["roots"], "without_cause": row["without_cause"]} if row else {}

    def show(console: Console) -> None:
        if not row or not row["causes"]:
            say(
                console, "No cause is known yet: `hitl qa errors --to FILE`, fill the causes in, `hitl qa causes FILE`."
            )
            return
        bars_ = [
            [bar["cause"], f"{bar['n']:,}", *_figures(bar["share"]), percent(bar["cumulative"])]
            for bar in row["causes"]
        ]
        console.print(table(["cause", "errors", "share", "interval", "so far"], bars_))
        stand = [one for one in row["roots"] if one["stands"]]
        for one in stand:
            here, there = (percent(one[side]["value"]) for side in ("here", "elsewhere"))
            say(
                console, f"{one['dimension']} {one['group']}: {one['cause']} is {here} of the errors, {there} elsewhere"
            )
        if not stand:
            say(console, "No part of the decisions has another mix of causes than the rest, as far as the errors tell.")

    tell(as_json, told, show)


@qa.command()
def scorecards(
    config: ConfigPath = HERE,
    by: Annotated[By, typer.Option(help="Whose cards.")] = By.decider,
    as_json: AsJson = False,
) -> None:
    """Tell how often decisions were wrong, as found and drawn to what their kind has in common; nobody is ranked."""
    row = _row(config)
    found = row["cards"][by.value] if row else []
    tell(as_json, found, lambda console: _cards(console, found, by.value))


@qa.command()
def chart(
    config: ConfigPath = HERE,
    rate: Annotated[Rate, typer.Option(help="Which errors.")] = Rate.all,
    where: Where = None,
    period: Annotated[Unit, typer.Option(help="By when the decisions were taken.")] = Unit.month,
    target: Annotated[
        float | None, typer.Option(help="Hold periods against this share.", min=0.0001, max=0.9999)
    ] = None,
    laney: Annotated[bool, typer.Option("--laney", help="Take the spread between periods as normal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw a control chart of an error rate: which periods lie beyond what chance makes of a steady process."""
    from hitl.rounds.qa import chart as make
    from hitl.rounds.qa_record import programme

    with bars() as progress:
        looked = programme(begun(config, progress).walk).looked
        row = make(
            looked,
            name=rate.value,
            where=parts(where),
            period=period.value,
            target=target,
            method="laney" if laney else "exact",
        )
    tell(as_json, row, lambda console: _chart(console, row))


def _row(config: Path) -> QaRow | None:
    from hitl.rounds.qa import qa as tabulate

    with bars() as progress:
        campaign = begun(config, progress)
        return tabulate(campaign.walk, now_of(campaign))


def _figures(row: EstimateRow) -> tuple[str, str]:
    """A share and its interval in two cells."""
    low, high = (percent(row[end], like=row["value"]) for end in ("low", "high"))
    return (percent(row["value"]) if known(row["value"]) else "–"), f"[{low}, {high}]"


def _cards(console: Console, found: list[CardRow], by: str) -> None:
    if not found:
        say(console, "Nothing was looked at again yet: `hitl qa sample`, `hitl qa sheet`, then `hitl qa verdicts`.")
        return
    head = [by, "looked at", "errors", "interval", "drawn to its kind", "interval", "critical", "interval"]
    rows = [
        [one["group"], f"{one['n']:,}", *_figures(one["raw"][0]), *_figures(one["shrunk"][0]), *_figures(one["raw"][1])]
        for one in found
    ]
    console.print(table(head, rows))
    say(
        console,
        "\nIn the order of their names. A rate of fewer than five decisions is not told: read it drawn to its kind.",
    )


def _chart(console: Console, row: ChartRow) -> None:
    if not row["points"]:
        say(console, "No such decision was looked at again yet.")
        return
    rows = [
        [
            one["period"],
            f"{one['n']:,}",
            percent(one["value"]),
            percent(one["low"]),
            percent(one["high"]),
            one["signal"],
        ]
        for one in row["points"]
    ]
    console.print(table(["period", "looked at", "rate", "from", "to", "signal"], rows))
    spread = (
        f" Periods differ {decimal(row['dispersion'], 1)} times as much as chance makes." if row["dispersion"] else ""
    )
    say(console, f"\n{row['rate'].replace('_', ' ').capitalize()}; limits: {row['method']}.{spread}")
