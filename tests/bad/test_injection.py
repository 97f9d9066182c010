"""Words that are code somewhere: they reach pages, terminals and tables as words."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from hitl.config import CampaignConfig
from hitl.console import say
from hitl.hashes import HashList
from hitl.hashes.known import Entry
from hitl.policy import Policy
from hitl.pool import Pool
from hitl.tasks import Form, instruction, render

TAG = "<img src=x onerror=alert(1)>"
SCRIPT = "</title></style><script>alert(1)</script>"
FORMULA = '=HYPERLINK("http://evil.example","x")'
TERMINAL = "\x1b]0;owned\x07\x1b[2J"
TURNED = "safe\u202eexe.txt"
HOSTILE = [
    TAG,
    SCRIPT,
    FORMULA,
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1",
    "|cmd",
    "' onclick='x",
    TERMINAL,
    TURNED,
    "{{ 7*7 }}",
    "$text",
    "]]>",
]
LABELS = ["<b>ok</b>", "=1+1", '"><script>alert(1)</script>', 'it\'s & "so"']
POLICY = {
    "name": SCRIPT,
    "version": 1,
    "labels": [
        {"name": LABELS[0], "violating": False, "definition": TAG},
        *({"name": name, "definition": SCRIPT, "examples": [TAG], "keywords": ["zonk"]} for name in LABELS[1:]),
    ],
    "regions": {TAG: {"labels": {LABELS[1]: {"definition": SCRIPT, "severity": 3}}}},
}


class Page(HTMLParser):
    """What a browser would see in a page: elements, attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def inert(html: str) -> Page:
    """The page, once nothing in it runs or loads."""
    page = Page(html)
    for tag, attributes in page.elements:
        assert tag not in {"script", "img", "iframe", "object", "embed", "form", "base", "link", "audio", "video"}, tag
        assert not [name for name in attributes if name.startswith("on") or name in ("srcdoc", "formaction")], (
            attributes
        )
        for name in ("href", "src", "xlink:href"):
            assert not str(attributes.get(name) or "#").lower().startswith(("javascript:", "data:", "http:", "//")), (
                attributes
            )
    assert not set("\x1b\x07\u202e") & set(html)
    return page


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A campaign all of whose names, ids and texts are hostile, after its seed round."""
    home = tmp_path_factory.mktemp("hostile")
    n = 4 * len(HOSTILE)
    items = {
        "id": [f"{HOSTILE[at % len(HOSTILE)]}{at}" for at in range(n)],
        "text": [f"{HOSTILE[at % len(HOSTILE)]} zonk wub {at}" for at in range(n)],
        "region": [(TAG, FORMULA, TURNED, TERMINAL)[at % 4] for at in range(n)],
        "language": [(SCRIPT, "en", FORMULA, TURNED)[at % 4] for at in range(n)],
        "truth": [LABELS[at % len(LABELS)] for at in range(n)],
    }
    pq.write_table(pa.table(items), home / "items.parquet")
    (home / "policy.yaml").write_text(yaml.safe_dump(POLICY))
    config = {
        "campaign": "<script>alert(1)<-script>",
        "policy": "policy.yaml",
        "pool": {"path": "items.parquet", "id": "id", "text": "text", "region": "region", "language": "language"},
        "plan": {"rounds": 0, "budget": 20, "benchmark": 12, "overlap": 0.5},
        "connect": {"kind": "memory", "truth": "truth"},
        "folder": "runs",
    }
    (home / "hitl.yaml").write_text(yaml.safe_dump(config))
    campaign = CampaignConfig.load(home / "hitl.yaml").open()
    campaign.run()
    return campaign, home


def test_the_report_runs_and_loads_nothing(told) -> None:
    html = (told[1] / "runs/report.html").read_text()
    page = inert(html)
    policies = [
        given["content"] for tag, given in page.elements if given.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    assert "default-src 'none'" in policies[0]
    assert "script-src" not in policies[0]
    assert "<script>alert(1)" in page.words


def test_the_report_as_data_keeps_every_word_and_is_ascii(told) -> None:
    body = (told[1] / "runs/report.json").read_bytes()
    assert body.isascii()
    assert not set(b"\x1b\x07") & set(body)
    assert json.loads(body)["rounds"]


def test_a_notebook_shows_words(told) -> None:
    campaign, home = told
    policy = Policy.load(home / "policy.yaml")
    for shown in (campaign, policy, campaign.walk.pool, *campaign.rounds):
        inert(shown._repr_html_())


def test_the_terminal_is_not_moved(told, command) -> None:
    config = told[1] / "hitl.yaml"
    for name in ("status", "report", "doctor", "pull"):
        called = command(name, config)
        assert not set("\x1b\x07\u202e\t") & set(called.out + called.err)


def test_what_is_said_shows_what_would_hide(capsys) -> None:
    from rich.console import Console

    say(Console(), f"{TERMINAL}{TURNED}[bold]")
    assert capsys.readouterr().out.strip() == "⟨U+001B⟩]0;owned⟨U+0007⟩⟨U+001B⟩[2Jsafe⟨U+202E⟩exe.txt[bold]"


def test_the_labelling_page_and_its_instruction_hold_words(told) -> None:
    from xml.etree import ElementTree

    policy = Policy.load(told[1] / "policy.yaml")
    form = Form(policy=policy)
    page = ElementTree.fromstring(render(form))
    assert [choice.get("value") for choice in page.iter("Choice")][: len(LABELS)] == LABELS
    for choice in page.iter("Choice"):
        inert(choice.get("html") or "")
    inert(instruction(form))


def test_rows_set_aside_are_ascii_and_whole(tmp_path: Path) -> None:
    items = pa.table({"id": ["i"] * len(HOSTILE), "text": HOSTILE})
    Pool.open(items, on_error="quarantine", quarantine_to=tmp_path / "aside.jsonl")
    body = (tmp_path / "aside.jsonl").read_bytes()
    assert body.isascii()
    assert not set(b"\x1b\x07") & set(body)
    assert [json.loads(line)["item"]["text"] for line in body.splitlines()] == HOSTILE[1:]


def test_a_list_of_hashes_holds_no_formula(tmp_path: Path) -> None:
    words = [FORMULA, "+1", "-1", "@x", "'=1", "''@x", "plain", "it's"]
    entries = [Entry("pdq", f"{at:064x}", word, word) for at, word in enumerate(words)]
    HashList.of(entries).save(tmp_path / "list.csv")
    cells = [
        cell.strip('"') for line in (tmp_path / "list.csv").read_text().splitlines()[1:] for cell in line.split(",")
    ]
    assert not [cell for cell in cells if cell[:1] in "=+-@\t" and cell]
    assert list(HashList.load(tmp_path / "list.csv").entries()) == entries
