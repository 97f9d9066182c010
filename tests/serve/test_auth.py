"""Who is let in: the secret opens all, its hint the webhook alone, and nothing else does."""

from __future__ import annotations

import base64
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from hitl.errors import ConfigError
from hitl.serve.auth import FILE, USER, VARIABLE, Keys, find_keys, host_of, is_loopback

SECRET = "a secret of the tests"
KEYS = Keys(SecretStr(SECRET))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_the_secret_opens_every_door_by_either_way_of_saying_it():
    for said in (f"Bearer {SECRET}", f"bearer {SECRET}", basic(USER, SECRET)):
        assert KEYS.admit(said, hint=False)
        assert KEYS.admit(said, hint=True)


def test_the_hint_opens_the_webhook_alone_and_does_not_hold_the_secret():
    hint = KEYS.hint.get_secret_value()
    assert KEYS.admit(f"Bearer {hint}", hint=True)
    assert not KEYS.admit(f"Bearer {hint}", hint=False)
    assert not KEYS.admit(basic(USER, hint), hint=False)
    assert SECRET not in hint
    assert hint != Keys(SecretStr(SECRET + "!")).hint.get_secret_value()


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: "Basic " + base64.b64encode(raw).decode()))
def test_nothing_else_opens_anything(said):
    assert not KEYS.admit(said, hint=True)


@pytest.mark.parametrize("said", [basic("other", SECRET), f"Basic {SECRET}", "Bearer", "", f"Token {SECRET}"])
def test_a_wrong_user_or_scheme_is_not_let_in(said):
    assert not KEYS.admit(said, hint=True)


def test_a_secret_is_made_once_and_kept_from_others(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    made = find_keys(tmp_path / "run", public=False)
    assert stat.S_IMODE((tmp_path / "run" / FILE).stat().st_mode) == 0o600
    assert find_keys(tmp_path / "run", public=False) == made
    assert len(made.secret.get_secret_value()) >= 40
    (tmp_path / "run" / FILE).chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        find_keys(tmp_path / "run", public=False)


def test_an_address_that_others_reach_wants_a_secret_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ConfigError, match=VARIABLE):
        find_keys(tmp_path, public=True)
    monkeypatch.setenv(VARIABLE, SECRET.replace(" ", "-"))
    assert find_keys(tmp_path, public=True).secret.get_secret_value() == SECRET.replace(" ", "-")
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("weak", ["short", "with blanks in it all", "ümlaut-and-more-of-it"])
def test_a_weak_secret_is_refused_and_not_repeated(weak, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, weak)
    with pytest.raises(ConfigError) as refused:
        find_keys(tmp_path, public=False)
    assert weak not in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_known(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", "localhost.example.org"])
def test_what_others_may_reach_is_not_loopback(host):
    assert not is_loopback(host)


@given(st.text(max_size=40))
def test_a_host_is_a_name_or_nothing(header):
    assert not set(host_of(header)) & set(" /@\r\n\t\\?#")
