"""What tests share: a real Label Studio, started once for the whole session, and the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings

from hitl.cli import main
from hitl.demo.installed import find_executable
from hitl.demo.server import LabelStudioServer
from hitl.errors import ConfigError

# A loaded machine is slow; that is no defect of what is tested.
settings.register_profile("hitl", deadline=None)
settings.load_profile("hitl")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "server" in getattr(item, "fixturenames", ()):
            item.add_marker("server")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioServer]:
    """A running Label Studio with an empty database; it has `url` and `token`. Take a campaign name of your own."""
    try:
        find_executable()
    except ConfigError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    with LabelStudioServer(tmp_path_factory.mktemp("label-studio")) as running:
        yield running


@dataclass(frozen=True)
class Called:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Called]:
    """Call the command line as a user does, in this process: `command("run", "hitl.yaml")`."""

    def call(*arguments: object) -> Called:
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        return Called(left.value.code, *capsys.readouterr())

    return call
