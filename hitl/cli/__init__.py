"""The command line.

init, run, status, pull, rescore, report, serve, doctor, tampering, match, export, thresholds, transparency, ops,
people, quarantine, dispute, qa.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

from hitl.cli import (
    campaigns,
    disputes,
    looking,
    ops,
    people,
    proposing,
    qa,
    qa_figures,
    qa_work,
    quarantine,
    transparency,
)
from hitl.cli.common import app
from hitl.console import errors, say
from hitl.errors import HitlError

__all__ = [
    "app",
    "campaigns",
    "disputes",
    "looking",
    "main",
    "ops",
    "people",
    "proposing",
    "qa",
    "qa_figures",
    "qa_work",
    "quarantine",
    "transparency",
]


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
