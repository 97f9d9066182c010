"""Trying links as a browser would: the first bytes of each, several at a time, none for long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass

import httpx

from hitl.connectors.studio.http import Http
from hitl.connectors.studio.storage.shown import HEAD, kind_of, wrong
from hitl.errors import MediaError, NotAllowed, ServerUnreachable
from hitl.media.folder import shown
from hitl.types import Finding

AT_ONCE = 8
TRIES = 3
SECONDS = 10.0
MOST_SECONDS = 600.0
PAUSE = 0.3

RANGE = {"Range": f"bytes=0-{HEAD - 1}", "Accept-Encoding": "identity", "Accept": "*/*"}
"""Asks for no more than the first bytes; a server that sends more is not listened to."""


class Busy(ServerUnreachable):
    """A place of media does not answer, or not now."""


@dataclass(frozen=True)
class Tried:
    """What came back for a link: status, type, first bytes, where a redirect leads, whose pages may read it."""

    status: int
    type: str
    head: bytes
    location: str
    readers: str


def as_user(http: Http, link: str) -> Tried:
    """Ask Label Studio for a link's first bytes as the token's user. Raises `Busy`, or `NotAllowed` for the token."""
    tried = read(http._client.stream("GET", link, headers=RANGE, timeout=SECONDS), http.url)
    if tried.status == 401:
        raise NotAllowed(f"{http.url} does not take the token; make a new one under Account & Settings")
    return tried


def read(asked: AbstractContextManager[httpx.Response], place: str) -> Tried:
    """The head of an answer; the rest is not read. Raises `Busy` when there is none, or it is 429 or 5xx."""
    head, until = b"", time.monotonic() + SECONDS
    try:
        with asked as answer:
            for part in answer.iter_raw(HEAD):
                head += part
                if len(head) >= HEAD or time.monotonic() > until:
                    break
            status, headers = answer.status_code, answer.headers
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Busy(f"{place} does not answer ({type(error).__name__}); try again when it is in order") from None
    if status == 429 or status >= 500:
        raise Busy(f"{place} answers {status}; try again when it is in order")
    told = (headers.get(name, "") for name in ("location", "access-control-allow-origin"))
    return Tried(status, headers.get("content-type", ""), head[:HEAD], *told)


def try_all(references: Iterable[str], look: Callable[[str], str]) -> dict[str, str]:
    """References that `look` finds something wrong with, or raises `MediaError` for, and what; each looked at once.

    What is `Busy` is tried again. Raises `Busy` when nothing at all is answered: then it is not the references
    that are broken. O(references) requests, a few at a time.
    """
    found: dict[str, str] = {}
    distinct = list(dict.fromkeys(references))
    until = time.monotonic() + MOST_SECONDS
    with ThreadPoolExecutor(AT_ONCE) as at_work:
        for start in range(0, len(distinct), 2 * AT_ONCE):
            some = distinct[start : start + 2 * AT_ONCE]
            looked = list(at_work.map(lambda reference: _patiently(look, reference), some))
            if all(busy for _, busy in looked):
                raise Busy(looked[0][0])
            if time.monotonic() > until:
                raise Busy(
                    f"trying {len(distinct):,} links takes over {MOST_SECONDS:.0f} s; call again when it is idle"
                )
            found |= {reference: why for reference, (why, _) in zip(some, looked, strict=True) if why}
    return found


def _patiently(look: Callable[[str], str], reference: str) -> tuple[str, bool]:
    """What is wrong with a reference, and whether that is because a place is busy."""
    why = ""
    for attempt in range(TRIES):
        time.sleep(PAUSE * (2**attempt - 1))
        try:
            told = look(reference)
            return told and f"{shown(reference)}: {told}", False
        except MediaError as error:
            return str(error), False
        except Busy as busy:
            why = str(busy)
    return why, True


def verdict(name: str, tried: Tried, missing: str) -> str:
    """What is wrong with what came back for a file of this name, "" when nothing; `missing` is said where it is not."""
    if tried.status in (200, 206):
        return wrong(kind_of(name), tried.head, tried.type)
    if tried.status == 416:
        return wrong(kind_of(name), b"")
    if tried.status in (404, 424):
        return f"{missing} ({tried.status})"
    if 300 <= tried.status < 400:
        return f"is pointed elsewhere ({tried.status}); is a proxy in between, or the region another?"
    return f"is refused ({tried.status}); is it there, and may the token's user, or the keys, read it?"


def any_project(http: Http, project: int | None) -> int | None:
    """This project or, as the server validates storages for a project only, any; None when there is none yet."""
    listed = (
        []
        if project is not None
        else http.row("/api/projects/", {"include": "id", "page_size": 1}, each=("results",))["results"]
    )
    return next((int(row["id"]) for row in listed), project)


def told(place: str, references: Sequence[str], bad: Mapping[str, str], what: str) -> Finding:
    """The finding about a place that serves media, after a sample of `what` was tried."""
    looked = f"{place}, {len(references):,} {what} tried"
    if not bad:
        return Finding("media", "ok", looked)
    detail = f"{looked}, {len(bad):,} broken: {next(iter(bad.values()))}"
    if len(bad) == len(set(references)):
        return Finding("media", "fail", detail, "mend `connect.media`, or the references: no item can be asked")
    return Finding("media", "warn", detail, "mend them: these items are not asked")
