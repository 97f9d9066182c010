"""The password of a URL: in no message, repr, log or traceback, whichever way it was given."""

import logging
import traceback

import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from hitl.errors import ConfigError, HitlError, LedgerError
from hitl.ledger import Ledger

SECRET = "s3cret-pass"
URLS = [
    f"postgresql+psycopg://me:{SECRET}@127.0.0.1:1/db",
    f"postgresql+psycopg://127.0.0.1:1/db?user=me&password={SECRET}",
    f"postgresql+psycopg://127.0.0.1:1/db?sslpassword={SECRET}",
    f"postgresql+nodriver://me:{SECRET}@127.0.0.1/db",
    f"mysql://me:{SECRET}@127.0.0.1/db",
    f"nonsense://me:{SECRET}@127.0.0.1:port/db",
    f"postgresql+psycopg://me:{SECRET}@[::1/db",
]


def told(error):
    """All that anybody might print of an error: chained ones, and what they hold."""
    seen, parts = error, []
    while seen is not None:
        parts += [str(seen), repr(seen), repr(vars(seen)), repr(seen.args)]
        seen = seen.__cause__ or seen.__context__
    return "\n".join([*parts, *traceback.format_exception(error)])


@pytest.mark.parametrize("url", URLS)
def test_a_url_that_cannot_be_opened(url, caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(HitlError) as caught:
        Ledger(SecretStr(url), "trial")
    assert SECRET not in told(caught.value)
    assert SECRET not in caplog.text
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    assert not [frame.name for frame in frames if "/hitl/" in frame.filename and SECRET in str(frame.locals)]
    assert [frame.name for frame in frames if "/hitl/" in frame.filename]


def test_a_driver_that_is_missing_names_the_extra(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r"hitl\[postgres\]") as caught:
        Ledger(URLS[0], "trial")
    assert SECRET not in told(caught.value)


def test_what_an_open_ledger_shows(on_postgres, caplog):
    caplog.set_level(logging.DEBUG)
    ledger = Ledger(SecretStr(on_postgres), "trial")
    password = make_url(on_postgres).password
    shown = [repr(ledger), ledger.place, repr(ledger._engine), str(ledger._engine.url), repr(ledger._engine.url)]
    shown += [repr(vars(ledger)), ledger._engine.url.render_as_string(hide_password=False), repr(ledger._engine.pool)]
    with pytest.raises(LedgerError) as caught, ledger.transaction() as writer:
        writer.begin_round(2**40, seed=1, config={"words": "of an item"}, policy_version="1")
    assert "of an item" not in told(caught.value)
    ledger.close()
    assert password
    assert password not in "\n".join([*shown, told(caught.value), caplog.text])
    assert ledger.place.startswith("ledger postgresql://127.0.0.1")


def test_a_wrong_password_is_told_as_such(on_postgres):
    url = make_url(on_postgres).set(password=SECRET)
    with pytest.raises(LedgerError, match="refuses the user") as caught:
        Ledger(SecretStr(url.render_as_string(hide_password=False)), "trial")
    assert SECRET not in told(caught.value)
