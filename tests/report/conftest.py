"""The invented campaigns of `sample_history.py`, and a reader of pages that knows what is open and what is hidden."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

VOID = {"meta", "br", "img", "link", "input", "line", "circle"}


@dataclass
class Page(HTMLParser):
    """An HTML page, read: its tags with attributes, its text by whether a closed `<details>` hides it."""

    source: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    shown: str = ""
    hidden: str = ""
    style: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.feed(str(self.source))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert tag in self.open, f"</{tag}> closes nothing"
        while self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            self.style += data
        elif "details" in self.open and "summary" not in self.open:
            self.hidden += data
        else:
            self.shown += data

    def attributes(self, name: str) -> list[str]:
        return [attrs[name] or "" for _, attrs in self.tags if name in attrs]

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="session")
def campaigns() -> ModuleType:
    path = Path(__file__).with_name("sample_history.py")
    spec = importlib.util.spec_from_file_location("sample_history", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def page() -> type[Page]:
    return Page
