"""Commands that walk a campaign: init, run, status, pull, rescore, report, serve."""

from __future__ import annotations

from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from hitl.cli.common import HERE, AsJson, ConfigPath, app, begun, opened, recorded, sentence, tell
from hitl.console import bars, errors, rounds, say
from hitl.errors import ConfigError

if TYPE_CHECKING:
    from hitl.history import History
    from hitl.rounds import Campaign

WAITING = 75
STARTERS = ("hitl.yaml", "policy.yaml")


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write; made when it is not there.")] = Path("."),
    as_json: AsJson = False,
) -> None:
    """Write a commented config and policy to start from."""
    targets = [folder / name for name in STARTERS]
    for target in targets:
        if target.exists():
            raise ConfigError(f"{target} is there already; move it away, or edit it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target in targets:
            target.write_bytes(resources.files("hitl.templates").joinpath(target.name).read_bytes())
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written to ({error.strerror}); name another folder") from None
    written = [str(target) for target in targets]
    text = f"Wrote {' and '.join(written)}.\nNext: edit both, then `hitl doctor {targets[0]}`."
    tell(as_json, {"written": written}, lambda console: say(console, text))


@app.command()
def run(
    config: ConfigPath = HERE,
    wait: Annotated[bool, typer.Option("--wait", help="Look again until people are done, instead of exit 75.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between looks with --wait.", min=1, max=86_400)] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Go on to where people must work (exit code 75), or to the end."""
    with bars() as progress:
        campaign = opened(config, progress)
        status = campaign.run(wait=every if wait else None)
        history = campaign.brief()
    page = campaign.folder / "report.html"
    tell(as_json, _standing(campaign, history), lambda console: _show(console, history, f"Report: {page}"))
    if status.state == "waiting":
        raise typer.Exit(WAITING)


@app.command()
def status(config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Tell where the campaign stands, from its record alone."""
    campaign = recorded(config)
    if campaign is None:
        step = f"call `hitl run {config}`"
        told: dict[str, Any] = {
            "state": "empty",
            "sentence": "no round has begun",
            "round": 0,
            "tasks": 0,
            "tasks_done": 0,
        }
        told |= {"next_steps": [step], "project": "", "folder": ""}
        tell(as_json, told, lambda console: say(console, f"{sentence(told['sentence'])}.\n→ {step}"))
        return
    history = campaign.brief()
    tell(as_json, _standing(campaign, history), lambda console: _show(console, history))


@app.command()
def pull(config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Mirror what people did until now, without going on."""
    with bars() as progress:
        campaign = begun(config, progress)
        changed = campaign.pull()
        history = campaign.brief()
    text = f"{changed:,} annotations are new or changed; {history['status']}."
    tell(as_json, {"changed": changed, **_standing(campaign, history)}, lambda console: say(console, text))


@app.command()
def rescore(config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Learn from the answers so far, and serve the open tasks in the order of that model."""
    with bars() as progress:
        campaign = begun(config, progress)
        told = campaign.rescore()
    text = f"{told.tasks:,} open tasks are in a new order, by model {told.model_id}, which learned from {told.labels:,}"
    tell(as_json, asdict(told), lambda console: say(console, f"{text} labels."))


@app.command()
def report(config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Write report.html and report.json anew from the record."""
    with bars() as progress:
        campaign = begun(config, progress)
        page = campaign.report()
    tell(as_json, campaign.history(), lambda console: say(console, f"Report: {page}"))


@app.command()
def serve(
    config: ConfigPath = HERE,
    host: Annotated[str, typer.Option(help="Where to listen; other machines need HITL_SERVE_SECRET.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen at; 0 for any that is free.", min=0, max=65535)] = 9090,
    every: Annotated[float, typer.Option(help="Seconds between looks without a hint.", min=1, max=86_400)] = 30.0,
    url: Annotated[str | None, typer.Option(help="Where Label Studio reaches it, if not at host and port.")] = None,
) -> None:
    """Answer Label Studio with the newest model, and begin the next round when people are done."""
    from hitl.config import CampaignConfig
    from hitl.serve import Serving
    from hitl.serve import serve as answer

    code = answer(CampaignConfig.load(config), Serving(host=host, port=port, every=every, url=url), errors())
    raise typer.Exit(code)


def _standing(campaign: Campaign, history: History) -> dict[str, Any]:
    """Where a campaign stands, as `--json` prints it."""
    more = {"next_steps": history["next_steps"], "project": campaign.ledger.project, "folder": str(campaign.folder)}
    return {**asdict(campaign.status), **more}


def _show(console: Console, history: History, more: str = "") -> None:
    rounds(console, history)
    steps = [f"→ {step}" for step in history["next_steps"]]
    say(console, "\n".join(["", f"{sentence(history['status'])}.", *steps, *([more] if more else [])]))
