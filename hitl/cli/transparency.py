"""The command that writes the table for a regulator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hitl.cli.common import HERE, AsJson, ConfigPath, app, begun, tell
from hitl.console import bars, say
from hitl.history import LogRow, TransparencyTable

FILES = ("transparency.csv", "transparency.json")


@app.command()
def transparency(
    config: ConfigPath = HERE,
    decisions: Annotated[
        Path | None, typer.Option(help="A log of decisions and appeals, CSV or JSONL; see docs/transparency.md.")
    ] = None,
    to: Annotated[
        list[Path] | None,
        typer.Option(help="A .csv or .json file to write; both in the campaign's folder if left out."),
    ] = None,
    period: Annotated[
        int | None, typer.Option(help="Only the model that was in force in this round; all if left out.", min=0)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count what each model decides by itself, how right it is, and what became of appeals, for a regulator."""
    from hitl.report.transparency_files import write_table
    from hitl.rounds.transparency import transparency as tabulate

    with bars() as progress:
        campaign = begun(config, progress)
        table = tabulate(campaign.walk, campaign.clock().isoformat(timespec="seconds"), decisions, period)
    wanted = to or ([] if as_json else [campaign.folder / name for name in FILES])
    written = [str(write_table(table, path)) for path in wanted]
    tell(as_json, table, lambda console: _show(console, table, written))


def _show(console: Console, table: TransparencyTable, written: list[str]) -> None:
    models = len({row["model"] for row in table["rows"] if row["model"]})
    lines = [f"{len(table['rows']):,} values of {models:,} models, from {table['begin']} to {table['end']}."]
    lines += _read(table["log"]) if table["log"] else ["Appeals: not recorded here; give a log with --decisions."]
    say(console, "\n".join([*lines, f"Wrote {' and '.join(written)}."]))


def _read(log: LogRow) -> list[str]:
    lines = [f"{log['file']}: {log['used']:,} of {log['rows']:,} decisions are counted."]
    if not log["appeals_recorded"]:
        lines.append("It has no columns about appeals, so those stay empty.")
    for aside in log["set_aside"]:
        shown = ", ".join(f"{row:,}" for row in aside["first"])
        more = ", …" if aside["rows"] > len(aside["first"]) else ""
        lines.append(f"Set aside: {aside['rows']:,} rows ({shown}{more}) — {aside['reason']}.")
    return lines
