"""What the commands share: the application, their arguments, opening a campaign, and telling what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from hitl.errors import CampaignError
from hitl.types import Progress, silent

if TYPE_CHECKING:
    from hitl.rounds import Campaign

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


def opened(config: Path, progress: Progress = silent) -> Campaign:
    """The campaign of a file, with its pool open."""
    from hitl.config import CampaignConfig

    loaded = CampaignConfig.load(config)
    progress("opening the pool", 0, None)
    return loaded.open(progress)


def recorded(config: Path, progress: Progress = silent) -> Campaign | None:
    """The campaign, if a round has begun; otherwise nothing is made by asking."""
    from hitl.config import CampaignConfig

    if not CampaignConfig.load(config).begun:
        return None
    campaign = opened(config, progress)
    return campaign if campaign.status.state != "empty" else None


def begun(config: Path, progress: Progress) -> Campaign:
    """The campaign; raises `CampaignError` where no round has begun."""
    campaign = recorded(config, progress)
    if campaign is None:
        raise CampaignError(f"{config}: no round has begun; call `hitl run {config}` first")
    return campaign


def tell(as_json: bool, values: Any, show: Callable[[Console], None]) -> None:
    """Say what came of a command: as JSON for programs, or as it is shown to people."""
    if as_json:
        from hitl.report import render_json

        sys.stdout.write(render_json(values))
    else:
        show(Console(highlight=False))


def sentence(words: str) -> str:
    """Words with a capital letter in front."""
    return words[:1].upper() + words[1:]
