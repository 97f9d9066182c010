"""The command line: init, run, status, pull, report, doctor, match, export."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import resources
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console

from hitl.console import bars, errors, findings, matches, rounds, say
from hitl.errors import CampaignError, ConfigError, HitlError
from hitl.types import Progress, silent

if TYPE_CHECKING:
    from hitl.history import History
    from hitl.rounds import Campaign

WAITING = 75

EXIT_CODES = """Exit codes: 0 done; 1 an error of another kind, or doctor found something to mend; 2 wrong usage;
65 the pool or an answer cannot be used; 69 the server or cluster is silent; 75 waiting for people: call again later;
77 the server refuses the token; 78 the config or the policy is wrong; 130 interrupted, call again to go on."""

app = typer.Typer(
    help=f"Human-in-the-loop training of moderation classifiers on Label Studio.\n\n{EXIT_CODES}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ConfigPath = Annotated[Path, typer.Argument(help="The campaign's file.", metavar="CONFIG")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else.")]
HERE = Path("hitl.yaml")
STARTERS = ("hitl.yaml", "policy.yaml")


def _version(wanted: bool) -> None:
    if wanted:
        from hitl import __version__

        typer.echo(f"hitl {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """What stands before every command."""


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
    _tell(as_json, {"written": written}, lambda console: say(console, text))


@app.command()
def run(
    config: ConfigPath = HERE,
    wait: Annotated[bool, typer.Option("--wait", help="Look again until people are done, instead of exit 75.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between looks with --wait.", min=1)] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Go on to where people must work (exit code 75), or to the end."""
    with bars() as progress:
        campaign = _open(config, progress)
        status = campaign.run(wait=every if wait else None)
        history = campaign.history()
    page = campaign.folder / "report.html"
    _tell(as_json, _standing(campaign, history), lambda console: _show(console, history, f"Report: {page}"))
    if status.state == "waiting":
        raise typer.Exit(WAITING)


@app.command()
def status(config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Tell where the campaign stands, from its record alone."""
    campaign = _recorded(config)
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
        _tell(as_json, told, lambda console: say(console, f"{_sentence(told['sentence'])}.\n→ {step}"))
        return
    history = campaign.history()
    _tell(as_json, _standing(campaign, history), lambda console: _show(console, history))


@app.command()
def pull(config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Mirror what people did until now, without going on."""
    with bars() as progress:
        campaign = _begun(config, progress)
        changed = campaign.pull()
        history = campaign.history()
    text = f"{changed:,} annotations are new or changed; {history['status']}."
    _tell(as_json, {"changed": changed, **_standing(campaign, history)}, lambda console: say(console, text))


@app.command()
def report(config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Write report.html and report.json anew from the record."""
    with bars() as progress:
        campaign = _begun(config, progress)
        page = campaign.report()
    _tell(as_json, campaign.history(), lambda console: say(console, f"Report: {page}"))


@app.command()
def doctor(config: ConfigPath = HERE, as_json: AsJson = False) -> None:
    """Check config, policy, pool, record, disk and server, and say what to do."""
    from hitl.doctor import examine

    found = examine(config)
    bad = sum(item.state == "fail" for item in found)
    after = (
        f"{bad} to mend; then call `hitl doctor {config}` again." if bad else f"Nothing to mend: `hitl run {config}`."
    )

    def show(console: Console) -> None:
        console.print(findings(found))
        say(console, f"\n{after}")

    _tell(as_json, [asdict(item) for item in found], show)
    if bad:
        raise typer.Exit(CampaignError.exit_code)


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
    _tell(as_json, told, lambda console: matches(console, found.table, told["unreadable"], found.left_out))


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
    _tell(as_json, made.told, lambda console: say(console, made.summary))


def _open(config: Path, progress: Progress = silent) -> Campaign:
    from hitl.config import CampaignConfig

    loaded = CampaignConfig.load(config)
    progress("opening the pool", 0, None)
    return loaded.open(progress)


def _recorded(config: Path, progress: Progress = silent) -> Campaign | None:
    """The campaign, if a round has begun; otherwise nothing is made by asking."""
    from hitl.config import CampaignConfig

    if not CampaignConfig.load(config).begun:
        return None
    campaign = _open(config, progress)
    return campaign if campaign.status.state != "empty" else None


def _begun(config: Path, progress: Progress) -> Campaign:
    campaign = _recorded(config, progress)
    if campaign is None:
        raise CampaignError(f"{config}: no round has begun; call `hitl run {config}` first")
    return campaign


def _standing(campaign: Campaign, history: History) -> dict[str, Any]:
    """Where a campaign stands, as `--json` prints it."""
    more = {"next_steps": history["next_steps"], "project": campaign.ledger.project, "folder": str(campaign.folder)}
    return {**asdict(campaign.status), **more}


def _tell(as_json: bool, values: Any, show: Callable[[Console], None]) -> None:
    if as_json:
        from hitl.report import render_json

        sys.stdout.write(render_json(values))
    else:
        show(Console(highlight=False))


def _show(console: Console, history: History, more: str = "") -> None:
    rounds(console, history)
    steps = [f"→ {step}" for step in history["next_steps"]]
    say(console, "\n".join(["", f"{_sentence(history['status'])}.", *steps, *([more] if more else [])]))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line; errors of ours end in one sentence and their exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that knows no ✓ shows a ? there; that is no reason to stop.
            stream.reconfigure(errors="replace")
    try:
        app(arguments)
    except HitlError as error:
        say(errors(), f"hitl: {error}", "red")
        sys.exit(error.exit_code)
    except SystemExit as left:
        if left.code == 130:
            say(errors(), "hitl: interrupted; nothing is lost, call again to go on")
        raise
    sys.exit(0)
