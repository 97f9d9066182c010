"""The main job: a real Label Studio, simulated people who work there, and a classifier that learns from them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hitl.config import CampaignConfig
from hitl.console import bars, errors, rounds, say
from hitl.demo.server import LabelStudioServer
from hitl.demo.shift import hire, work_until_done
from hitl.demo.stage import TOKEN, OwnData, set_stage
from hitl.errors import ConfigError, HitlError
from hitl.rounds import Campaign

Chosen = typer.Option


def demo(
    data: Annotated[Path | None, Chosen(help="A labelled file of your own: parquet, CSV or JSONL.")] = None,
    text: Annotated[str | None, Chosen(help="Its column with the text.")] = None,
    label: Annotated[str | None, Chosen(help="Its column with the label, which the reviewers answer from.")] = None,
    reach: Annotated[str | None, Chosen(help="Its column with the views, if it has one.")] = None,
    strategy: Annotated[str, Chosen(help="active, or random to compare with.")] = "active",
    folder: Annotated[Path, Chosen(help="Where everything is kept.")] = Path("demo-run"),
    serve: Annotated[bool, Chosen("--serve", help="Only open the demo's Label Studio, until Ctrl-C.")] = False,
) -> None:
    """Run the demo; stopped anywhere and called again, it goes on."""
    if data is not None and not (text and label):
        raise ConfigError("DATA needs TEXT and LABEL, the names of its columns")
    own = OwnData(data, text, label, reach) if data and text and label else None
    server = LabelStudioServer(folder / "server")
    console = Console()
    if serve:
        _serve(server, console)
        return
    with bars() as progress, server:
        progress("starting Label Studio", 0, None)
        stage = set_stage(folder, server.url, own, strategy)
        os.environ[TOKEN] = server.token
        hands = hire(server, folder / "server", progress)
        campaign = CampaignConfig.load(stage.config).open(progress)
        work_until_done(campaign, hands, stage, progress)
        login = f"{server.email} / {server.password}"
    _tell(console, campaign, login)


def _tell(console: Console, campaign: Campaign, login: str) -> None:
    rounds(console, campaign.history(), title=f"Campaign {campaign.walk.campaign}: {campaign.status.sentence}")
    project = campaign.ledger.project.rstrip("/").rsplit("/", 1)[-1]
    told = (
        f"\nReport:        {campaign.folder / 'report.html'}"
        f"\nLabel Studio:  `make serve` opens it again; then project {project} at the address that it prints"
        f"\nLog in with:   {login}"
        f"\nThe record:    hitl status {campaign.folder / 'hitl.yaml'}"
    )
    say(console, told)


def _serve(server: LabelStudioServer, console: Console) -> None:
    import signal

    with bars() as progress:
        server.start(progress)
    with server:
        told = f"Label Studio: {server.url}\nLog in with:  {server.email} / {server.password}\nCtrl-C stops it."
        say(console, told)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    try:
        typer.run(demo)
    except HitlError as error:
        say(errors(), f"hitl demo: {error}", "red")
        sys.exit(error.exit_code)
