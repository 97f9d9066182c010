"""What an endpoint may be, and where its key is."""

from __future__ import annotations

import pickle

import pytest

from hitl.errors import ConfigError
from hitl.models.judge.endpoint import Endpoint

URL = "https://zonk.invalid/v1"


@pytest.mark.parametrize(
    "url",
    [
        "zonk.invalid/v1",
        "ftp://zonk.invalid",
        "https://",
        "https://user:word@zonk.invalid/v1",
        "https://zonk.invalid/v1?key=x",
        "https://zonk.invalid/v1#x",
        "https://zo nk.invalid",
        "https://zonk.invalid:99999/v1",
        "https://[zonk",
        "",
    ],
)
def test_an_address_is_a_host_and_a_path_and_no_secret(url: str) -> None:
    with pytest.raises(ConfigError, match="url must read") as told:
        Endpoint(url, "m")
    assert "word" not in str(told.value).replace("password", "")


def test_a_key_does_not_travel_unencrypted() -> None:
    with pytest.raises(ConfigError, match="unencrypted"):
        Endpoint("http://zonk.invalid/v1", "m")
    assert Endpoint("http://zonk.invalid/v1", "m", key_env=None).key() is None
    assert Endpoint("http://[::1]:8000/v1/", "m").url == "http://[::1]:8000/v1"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("retries", -1),
        ("concurrency", 0),
        ("concurrency", 1.5),
        ("completion", 0),
        ("requests_per_minute", 0.0),
        ("tokens_per_minute", float("nan")),
        ("timeout", 0.0),
        ("timeout", float("inf")),
        ("price_in", -1.0),
        ("price_out", float("nan")),
    ],
)
def test_options_that_cannot_be_are_refused(option: str, value: float) -> None:
    with pytest.raises(ConfigError, match=option if "price" not in option else "prices"):
        Endpoint(URL, "m", **{option: value})


@pytest.mark.parametrize("key", [None, "", "  ", "two words", "zönk"])
def test_a_key_that_is_missing_or_broken_is_told_without_it(monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    if key is None:
        monkeypatch.delenv("ZONK_KEY", raising=False)
    else:
        monkeypatch.setenv("ZONK_KEY", key)
    with pytest.raises(ConfigError, match="ZONK_KEY holds no key") as told:
        Endpoint(URL, "m", key_env="ZONK_KEY").key()
    assert not (key or "").strip() or key not in str(told.value)


def test_a_key_is_in_nothing_that_is_shown_or_sent_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZONK_KEY", "sk-wub-5ec4e7")
    endpoint = Endpoint(URL, "m", key_env="ZONK_KEY")
    key = endpoint.key()
    assert key is not None
    assert key.get_secret_value() == "sk-wub-5ec4e7"
    assert "5ec4e7" not in f"{endpoint!r} {key!r} {key}"
    assert b"5ec4e7" not in pickle.dumps(endpoint)


def test_money_is_by_the_million() -> None:
    assert Endpoint(URL, "m", price_in=2.0, price_out=10.0).money(500_000, 100_000) == 2.0
