"""Files: whole or not at all, and JSON that any reader takes."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from hitl.errors import ConfigError
from hitl.report import render_html, render_json, write


def test_both_files_are_written_and_nothing_else(campaigns: ModuleType, tmp_path: Path) -> None:
    history = campaigns.sample(2)
    path = write(history, tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "report.html"
    assert path.read_text(encoding="utf-8") == render_html(history)
    assert sorted(file.name for file in path.parent.iterdir()) == ["report.html", "report.json"]


def test_json_holds_the_whole_history(campaigns: ModuleType) -> None:
    history = campaigns.sample()
    written = render_json(history)
    assert json.loads(written) == history
    assert written.isascii()


def test_numbers_that_are_not_finite_become_null(campaigns: ModuleType) -> None:
    history = campaigns.sample(1)
    history["rounds"][0]["picks"][0]["parts"] = {"margin": float("nan"), "impact": float("inf")}
    parts = json.loads(render_json(history))["rounds"][0]["picks"][0]["parts"]
    assert parts == {"margin": None, "impact": None}


def test_an_older_report_survives_a_failure(
    campaigns: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(campaigns.sample(1), tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(ConfigError, match=r"cannot be written here \(No space left on device\)"):
        write(campaigns.sample(2), tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_named(campaigns: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"file.*choose another folder"):
        write(campaigns.empty(), tmp_path / "file")
