"""The command line and its environment: wrong words end in the right code, with the word that was meant."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from campaigns import place

STUDIO = {"kind": "label_studio", "url": "http://127.0.0.1:9", "token_env": "HITL_BAD_TOKEN"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["runn"], 2, "Did you mean 'run'"),
        (["run", "--jsn"], 2, "--json"),
        (["run", "--every", "soon"], 2, "valid number"),
        (["run", "--every", "nan"], 2, "or equal to 86400"),
        (["run", "--every", "inf"], 2, "or equal to 86400"),
        (["run", "--every", "-5"], 2, "greater than or equal to 1"),
        (["run", "one.yaml", "two.yaml"], 2, "unexpected extra argument"),
        (["match"], 2, "LIST"),
        (["match", "no.csv"], 78, "no.csv: there is no such file"),
        (["match", "items.parquet"], 78, ".csv or .jsonl"),
        (["export", "nowhere", "out"], 1, "holds no saved model"),
        (["status", "nowhere.yaml"], 78, "hitl init"),
        (["status", "."], 78, "name the file itself"),
        (["status", "policy.yaml"], 78, "no such key"),
        (["status", "z" * 5000], 78, "File name too long"),
        (["status", "\x1b[2J.yaml"], 78, "⟨U+001B⟩[2J.yaml"),
        (["status", "\u202e.yaml"], 78, "⟨U+202E⟩.yaml"),
        (["init", "items.parquet"], 78, "name another folder"),
        (["serve", "--port", "99999"], 2, "65535"),
        (["pull"], 1, "no round has begun"),
        (["report"], 1, "call `hitl run hitl.yaml` first"),
    ],
)
def test_arguments(arguments: list[str], code: int, words: str, tmp_path: Path, command, monkeypatch) -> None:
    place(tmp_path, {})
    monkeypatch.chdir(tmp_path)
    called = command(*arguments)
    assert (called.code, called.out) == (code, "")
    assert words in called.err
    assert "Traceback" not in called.err
    assert not set("\x1b\u202e") & set(called.err)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (None, "HITL_BAD_TOKEN"),
        ("", "HITL_BAD_TOKEN"),
        ("swordfish\nHost: elsewhere", "holds blanks"),
        ("sword fish", "holds blanks"),
        ("swordfish\u200b", "holds blanks"),
        ("swordfish\x07", "holds blanks"),
        ("schwertfisch-é", "holds blanks"),
    ],
)
def test_tokens(token: str | None, words: str, tmp_path: Path, command, monkeypatch) -> None:
    config = place(tmp_path, {"connect": STUDIO})
    monkeypatch.delenv("HITL_BAD_TOKEN", raising=False)
    if token is not None:
        monkeypatch.setenv("HITL_BAD_TOKEN", token)
    called = command("run", config)
    assert called.code == 78
    assert words in called.err
    assert "fish" not in called.err


@pytest.mark.parametrize(
    "url",
    [
        "swordfish",
        "://swordfish",
        "nosuch://u:swordfish@host/db",
        "mysql://u:swordfish@127.0.0.1:9/db",
        "postgresql+psycopg://u:swordfish@127.0.0.1:9/db",
        "postgresql+nosuch://u:swordfish@127.0.0.1:9/db",
        "postgresql+psycopg://u:swordfish@127.0.0.1:port/db",
        "postgresql+psycopg://u:swordfish@[::1/db",
        "postgresql+psycopg://127.0.0.1:9/db?password=swordfish",
    ],
)
def test_addresses_of_a_record(url: str, tmp_path: Path, command, monkeypatch) -> None:
    config = place(tmp_path, {"ledger_env": "HITL_BAD_LEDGER"})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HITL_BAD_LEDGER", url)
    for name in ("run", "status", "doctor"):
        called = command(name, config)
        assert called.code in (1, 69, 78), called
        assert "swordfish" not in called.out + called.err
        assert "Traceback" not in called.err
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"swordfish" in path.read_bytes()]


def test_a_secret_in_the_file_is_not_repeated(tmp_path: Path, command) -> None:
    config = place(tmp_path, {"connect": {**STUDIO, "token": "swordfish"}})
    assert "swordfish" in yaml.safe_load(config.read_text())["connect"]["token"]
    for name in ("run", "status", "doctor", "pull", "report"):
        called = command(name, config)
        assert called.code in (1, 78)
        assert "swordfish" not in called.out + called.err
