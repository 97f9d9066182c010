"""Commands that look and tell: doctor, tampering, match, export."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hitl.cli.common import HERE, AsJson, ConfigPath, app, begun, tell
from hitl.console import bars, findings, matches, say, tampered
from hitl.errors import CampaignError


@app.command()
def doctor(
    config: ConfigPath = HERE,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Lay record and server side by side, and mend what differs.")
    ] = False,
    look_only: Annotated[bool, typer.Option("--look-only", help="With --reconcile: tell, and mend nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check config, policy, pool, record, disk and server, and say what to do."""
    from hitl.doctor import examine, reconciled

    found = examine(config)
    if reconcile and not any(item.state == "fail" for item in found):
        with bars() as progress:
            found += reconciled(begun(config, progress).reconcile(mend=not look_only))
    bad = sum(item.state == "fail" for item in found)
    after = (
        f"{bad} to mend; then call `hitl doctor {config}` again." if bad else f"Nothing to mend: `hitl run {config}`."
    )

    def show(console: Console) -> None:
        console.print(findings(found))
        say(console, f"\n{after}")

    tell(as_json, [asdict(item) for item in found], show)
    if bad:
        raise typer.Exit(CampaignError.exit_code)


@app.command()
def tampering(config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Tell who changed or deleted whose work, the gravest first, from the record alone."""
    with bars() as progress:
        found = begun(config, progress).tampering()
    tell(as_json, found, lambda console: tampered(console, found))


@app.command()
def match(
    known: Annotated[Path, typer.Argument(help="The list of known hashes, CSV or JSONL.", metavar="LIST")],
    config: ConfigPath = HERE,
    within: Annotated[int, typer.Option(help="Bits apart at most, of pictures and near-copies of texts.")] = 31,
    as_json: AsJson = False,
) -> None:
    """Find the items of the pool that are on a list of known hashes, near copies and frames of clips included."""
    from hitl.config import CampaignConfig
    from hitl.hashes import HashList, Matching
    from hitl.hashes import match as look

    loaded, listed = CampaignConfig.load(config), HashList.load(known)
    with bars() as progress:
        pool = loaded.open_pool()
        found = look(pool, listed, loaded.media_of(pool), Matching(within=within), progress=progress)
    told = {"matches": found.table.to_pylist(), "unreadable": found.unreadable.to_pylist(), "left_out": found.left_out}
    tell(as_json, told, lambda console: matches(console, found.table, told["unreadable"], found.left_out))


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="The folder of a saved model, e.g. runs/NAME/models/ID.")],
    out: Annotated[Path, typer.Argument(help="Where to write; made when it is not there.")],
    as_json: AsJson = False,
) -> None:
    """Write a model as ONNX, and check that it gives the same probabilities."""
    from hitl.models import load_model
    from hitl.models.onnx import export as write

    with bars() as progress:
        progress("exporting", 0, None)
        made = write(load_model(model, device="cpu"), out)
    tell(as_json, made.told, lambda console: say(console, made.summary))
