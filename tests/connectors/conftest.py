"""What the tests of connectors share: people with accounts, and campaigns on the server of the whole session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from on_studio import FORM

from hitl.connectors.label_studio import LabelStudio
from hitl.connectors.studio import http as ls_http
from hitl.connectors.studio.http import Http
from hitl.demo.people import Account, sign_up
from hitl.demo.server import LabelStudioServer
from hitl.tasks import Form

PEOPLE = 3
NUMBERS = count()


@pytest.fixture(scope="session")
def accounts(server: LabelStudioServer) -> Iterator[list[Account]]:
    """People who work on the server, one after the other in all tests."""
    people = [sign_up(server.url, server.token, f"person-{n}@hitl.invalid", f"pass-word-{n}!") for n in range(PEOPLE)]
    yield people
    for account in people:
        account.close()


@pytest.fixture
def people(accounts: list[Account]) -> list[Account]:
    """Two of them."""
    return accounts[:2]


@pytest.fixture
def campaign() -> str:
    return f"ls {next(NUMBERS)}"


@pytest.fixture
def connect(server: LabelStudioServer, campaign: str) -> Iterator[Callable[..., LabelStudio]]:
    opened: list[LabelStudio] = []

    def make(form: Form = FORM, **options: object) -> LabelStudio:
        opened.append(LabelStudio(server.url, server.token, **options))  # type: ignore[arg-type]
        opened[-1].open(campaign, form, form.policy)
        return opened[-1]

    yield make
    for connector in opened:
        connector.close()


@pytest.fixture
def admin(server: LabelStudioServer) -> Iterator[Http]:
    http = Http(server.url, server.token)
    yield http
    http.close()


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for a dead line is not what these tests are about."""
    monkeypatch.setattr(ls_http, "READ_TRIES", 2)
    monkeypatch.setattr("hitl.connectors.studio.pushing.CHUNK_TASKS", 5)
