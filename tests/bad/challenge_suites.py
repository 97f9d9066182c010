"""Challenge suites of a campaign's file: settings that are wrong, and tables that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import campaigns
from bad import Bad

from hitl.config import CampaignConfig
from hitl.errors import ConfigError, DataError, HitlError, PoolError

GOOD = {"path": "cases.csv", "text": "case", "expected": "gold", "functionality": "kind"}
TABLE = "case,gold,kind,about\nzonk,bad,slur,A\nplim,ok,joke,B\n"


def opened(path: Path) -> object:
    return CampaignConfig.load(path).open()


def suite(
    kind: str,
    changes: dict[str, Any],
    *words: str,
    content: str = TABLE,
    call: Callable[[Path], object] = opened,
    error: type[HitlError] = ConfigError,
) -> Bad:
    def make(folder: Path) -> Path:
        (folder / "cases.csv").write_text(content)
        given = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
        return campaigns.place(folder, {"challenges": [given]})

    return Bad(f"challenge: {kind}", make, call, error, words)


CASES = [
    suite("a key misspelt", {"functionalty": "kind"}, "hitl.yaml", "functionalty: no such key", call=campaigns.load),
    suite("no functionality", {"functionality": None}, "challenges.0.functionality", "is missing", call=campaigns.load),
    suite("no path", {"path": " "}, "challenges.0.path", "give a path", call=campaigns.load),
    suite("a map that is a list", {"map": ["bad"]}, "challenges.0.map", "dictionary", call=campaigns.load),
    suite("a table that is not there", {"path": "no.csv"}, "no.csv", "check the path", error=PoolError),
    suite("a column misspelt", {"expected": "gould"}, "cases.csv", "expected='gould'", "'gold'"),
    suite("a group that is no column", {"groups": ["abuot"]}, "cases.csv", "groups[0]='abuot'", "'about'"),
    suite("no content", {"text": None}, "cases.csv", "name the column that holds the content"),
    suite("a label that the policy lacks", {"map": {"bad": "worse"}}, "cases.csv", "'worse'", "`map`", "ok, bad"),
    suite("an expected value that is no label", {"map": {"ok": "ok"}}, "cases.csv", "'awful'", "`map`",
          content=TABLE.replace(",bad,", ",awful,")),
    suite("a case without an expected label", {}, "cases.csv", "row 0", "expected", "fill it in",
          content=TABLE.replace(",bad,", ",,"), error=DataError),
    suite("a table without cases", {}, "cases.csv", "no case", "one row for each", content="case,gold,kind,about\n",
          error=DataError),
]  # fmt: skip
