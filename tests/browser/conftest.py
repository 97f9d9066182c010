"""A browser as an annotator has it, and a Label Studio that serves media; both only where they are installed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from annotator import Annotator

from hitl.demo.installed import find_executable
from hitl.demo.people import sign_up
from hitl.demo.server import LabelStudioServer
from hitl.errors import ConfigError

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required"
)
WAIT = 60_000
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium: the one that `HITL_CHROMIUM` names, or one on the path."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install 'hitl[browser]'")
    told = os.environ.get("HITL_CHROMIUM")
    place = told or next(filter(None, map(shutil.which, NAMES)), None)
    if place is None or not Path(place).exists():
        pytest.skip(f"no Chromium at {told}" if told else "no Chromium on the path: install one, or set HITL_CHROMIUM")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=place, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the server may show."""
    folder = tmp_path_factory.mktemp("served") / "media"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory, media: Path) -> Iterator[LabelStudioServer]:
    """A running Label Studio that serves `media`, and calls hosts on loopback."""
    try:
        find_executable()
    except ConfigError as missing:
        pytest.skip(str(missing))
    folder = tmp_path_factory.mktemp("label-studio")
    with LabelStudioServer(folder, media=media, webhooks_to_loopback=True) as running:
        yield running


@pytest.fixture
def annotator(chromium: Any, studio: LabelStudioServer, tmp_path: Path) -> Iterator[Callable[[str], Annotator]]:
    """Signs somebody up and in, in a window of their own; pictures go to `HITL_SHOTS` or the test's folder."""
    contexts = []
    shots = Path(os.environ.get("HITL_SHOTS") or tmp_path / "shots")
    shots.mkdir(parents=True, exist_ok=True)

    def come(name: str) -> Annotator:
        account = sign_up(studio.url, studio.token, f"{name}@hitl.invalid", "long-enough-1")
        account.close()
        contexts.append(chromium.new_context(viewport={"width": 1400, "height": 1000}))
        contexts[-1].set_default_timeout(WAIT)
        person = Annotator(contexts[-1].new_page(), studio.url, shots)
        person.log_in(account.email, account.password)
        return person

    yield come
    for context in contexts:
        context.close()
