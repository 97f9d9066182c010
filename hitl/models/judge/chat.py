"""The conversation with an endpoint: one request with its retries, its limits, and every way in which it may fail."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from hitl.errors import EndpointDown, KeyRefused, ModelError
from hitl.models.judge.cost import Cost, Tally, tokens_of
from hitl.models.judge.endpoint import Demands, Endpoint, Message
from hitl.models.judge.waiting import WALL, Bucket, Clock, pause, retry_after

LARGEST = 1 << 20
"""Bytes of an answer that are read."""

PATIENCE = 600.0
"""Seconds that a server may ask us to wait."""

NAP = 1.0
"""Seconds between two looks at whether waiting is still wanted."""

_AGAIN = {408, 409, 425, 429}
_OPTIONAL = ("response_format", "seed", "max_tokens")
_ITEM = {"content_filter", "content_policy_violation", "context_length_exceeded", "string_above_max_length"}
_TOO_LONG = (b"context length", b"context size", b"context window")
_WORD = re.compile(r"[\w./:@+-]{1,80}", re.ASCII)


class Unanswered(Exception):  # noqa: N818 - is told as the item's problem
    """The endpoint has no answer for this item, and asking again would not help."""


class Stopped(Exception):  # noqa: N818 - never leaves the room
    """Another request failed for good, so that this one is not worth waiting for."""


class _Passing(Exception):  # noqa: N818
    """A failure that may pass; `wait` are the seconds that the server asks for."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


@dataclass(frozen=True)
class Reply:
    """What the model said, and the tokens that it was charged for."""

    text: str
    cost: Cost


class Chat:
    """Asks one endpoint, from any number of threads; `tally` counts what all of it cost, failures among it.

    `complete` raises `EndpointDown`, `KeyRefused` or `ModelError` for what concerns every item, and `Unanswered` for
    what concerns this one alone. No message holds the key, content, or more than a code word of what a server says.
    Redirects are not followed: the key and the content are for the named host.
    """

    def __init__(self, endpoint: Endpoint, clock: Clock = WALL) -> None:
        self.endpoint, self.tally, self._clock = endpoint, Tally(), clock
        self._key, self._demands = endpoint.key(), Demands()
        self._requests = Bucket(endpoint.requests_per_minute, clock)
        self._tokens = Bucket(endpoint.tokens_per_minute, clock)
        # A proxy from the environment is for hosts outside.
        self._client = httpx.Client(
            timeout=httpx.Timeout(endpoint.timeout, connect=min(10.0, endpoint.timeout)),
            follow_redirects=False,
            trust_env=not endpoint.local,
        )

    def __repr__(self) -> str:
        return f"Chat({self.endpoint.model!r} at {self.endpoint.url!r})"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def complete(
        self, messages: Sequence[Message], schema: dict[str, Any], stop: threading.Event | None = None
    ) -> Reply:
        """The model's reply, at temperature 0, in the form of `schema` where the endpoint can hold it to one.

        Raises `Stopped` instead of trying on when `stop` is set.
        """
        told = [{"role": message.role, "content": message.content} for message in messages]
        tokens, key = sum(tokens_of(message.content) for message in messages), json.dumps(told)
        wanted = {
            "seed": self.endpoint.seed,
            "max_tokens": self.endpoint.completion,
            "response_format": _held_to(schema),
        }
        attempt = 0
        while stop is None or not stop.is_set():
            asked = self._demands.without(wanted)
            body = {"model": self.endpoint.model, "messages": told, "temperature": 0, "stream": False, **asked}
            booked = tokens + self.endpoint.completion // 4
            self._sleep(max(self._requests.book(), self._tokens.book(booked)), stop)
            try:
                answer = self._once(body, tokens, booked, again=attempt > 0)
                if answer is not None:
                    return answer
            except _Passing as failure:
                self._sleep(self._after(failure, attempt, key), stop)
                attempt += 1
        raise Stopped

    def _sleep(self, seconds: float, stop: threading.Event | None) -> None:
        """Wait in naps, so that it ends soon when the run does; raises `Stopped`."""
        while seconds > 0:
            if stop is not None and stop.is_set():
                raise Stopped
            self._clock.sleep(min(NAP, seconds))
            seconds -= NAP

    def _after(self, failure: _Passing, attempt: int, key: str) -> float:
        """Seconds to wait after a failure; raises `EndpointDown` when patience is at its end."""
        where = self.endpoint.url
        if attempt >= self.endpoint.retries:
            raise EndpointDown(
                f"{where}: {failure}, {attempt + 1} times in a row; is it running and reachable? What was answered is "
                "kept: call again"
            ) from None
        if failure.wait is not None and failure.wait > PATIENCE:
            raise EndpointDown(
                f"{where}: {failure}, and asks for {failure.wait:,.0f} seconds of waiting; what was answered is kept: "
                "call again after that"
            ) from None
        return max(pause(attempt, key), failure.wait or 0.0)

    def _once(self, body: dict[str, Any], prompt: int, booked: int, *, again: bool) -> Reply | None:
        """One try; None when the endpoint refused a part of the request that can be left out."""
        self.tally.add(Cost(requests=1, retries=int(again)))
        status, headers, content = self._send(body)
        if not 200 <= status < 300:
            self._refused(status, headers, content, [name for name in _OPTIONAL if name in body])
            return None
        told = parsed(content)
        reply = self._read(told, prompt)
        self.tally.add(reply.cost)
        self._tokens.book(reply.cost.prompt_tokens + reply.cost.completion_tokens - booked)
        self._check(told)
        return reply

    def _send(self, body: dict[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        url, started = f"{self.endpoint.url}/chat/completions", self._clock.now()
        try:
            with self._client.stream("POST", url, content=json.dumps(body), headers=headers) as answer:
                read = bytearray()
                for piece in answer.iter_raw():
                    read += piece
                    if len(read) > LARGEST:
                        raise Unanswered(f"the endpoint's answer has more than {LARGEST:,} bytes")
                    if self._clock.now() - started > self.endpoint.timeout:
                        raise _Passing(f"no whole answer within {self.endpoint.timeout:g} seconds")
                if answer.headers.get("content-encoding", "identity") != "identity":
                    raise ModelError(
                        f"{self.endpoint.url}: compresses answers unasked; let it, or its proxy, not do so"
                    )
                return answer.status_code, answer.headers, bytes(read)
        except httpx.TimeoutException:
            raise _Passing(f"no answer within {self.endpoint.timeout:g} seconds") from None
        except httpx.HTTPError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise ModelError(
                    f"{self.endpoint.url}: its certificate cannot be verified; install the issuing authority "
                    "(SSL_CERT_FILE)"
                ) from None
            raise _Passing(f"no answer ({type(error).__name__})") from None

    def _read(self, told: dict[str, Any], prompt: int) -> Reply:
        """The reply in a completion; raises `_Passing` where the body is none."""
        try:
            text = told["choices"][0]["message"].get("content") or ""
        except (KeyError, IndexError, TypeError, AttributeError):
            text = None
        if not isinstance(text, str):
            raise _Passing("what came is no chat completion (does the url end in /v1?)")
        if self._key is not None:
            text = text.replace(self._key.get_secret_value(), "[key]")
        return Reply(text, self._cost(told.get("usage"), prompt, tokens_of(text)))

    def _cost(self, usage: Any, prompt: int, completion: int) -> Cost:
        counted = [
            usage.get(f"{part}_tokens") if isinstance(usage, dict) else None for part in ("prompt", "completion")
        ]
        known = all(isinstance(count, int) and 0 <= count < 1 << 31 for count in counted)
        spent: list[Any] = counted if known else [prompt, completion]
        return Cost(
            prompt_tokens=spent[0],
            completion_tokens=spent[1],
            estimated=int(not known),
            money=self.endpoint.money(*spent),
        )

    def _tellable(self, word: str) -> bool:
        """Whether a server's word is a name, and not a sentence or the key."""
        secret = self._key is not None and self._key.get_secret_value() in word
        return _WORD.fullmatch(word) is not None and not secret

    def _check(self, told: dict[str, Any]) -> None:
        """Raise when a completion is not the pinned model's, or not whole."""
        served, choice = told.get("model"), told["choices"][0]
        if served not in (self.endpoint.model, *self.endpoint.served_as):
            named = repr(served) if isinstance(served, str) and self._tellable(served) else "no name"
            raise ModelError(
                f"{self.endpoint.url}: was asked for the model {self.endpoint.model!r} and answered as {named}; pin "
                "the name that it answers with as the model, or allow it with served_as"
            )
        if choice.get("finish_reason") == "content_filter" or choice["message"].get("refusal"):
            raise Unanswered("the endpoint declined to judge it")
        if choice.get("finish_reason") == "length":
            raise Unanswered(f"the answer was not finished within {self.endpoint.completion:,} tokens")

    def _refused(self, status: int, headers: httpx.Headers, content: bytes, optional: list[str]) -> None:
        """Raise what a status means; return where a part of the request that can be left out was refused."""
        url, codes = self.endpoint.url, list(filter(self._tellable, code_words(content)))
        told = f"{status} {', '.join(codes)}".strip()
        if status == 402 or "insufficient_quota" in codes:
            raise KeyRefused(f"{url}: the quota of this key is used up ({told}); raise it, or wait for the next period")
        if status in _AGAIN or status >= 500:
            raise _Passing(f"answers {told}", retry_after(headers.get("retry-after")))
        if 300 <= status < 400:
            raise ModelError(
                f"{url}: points to {_host(headers.get('location', ''))}, and key and content stay with the named host; "
                "if that address is right, give it as url"
            )
        if status in (401, 403):
            named = self.endpoint.key_env or "nothing: key_env is null"
            raise KeyRefused(f"{url}: refuses the key ({told}), which comes from {named}; check it and its rights")
        if status == 413 or _ITEM & set(codes) or any(words in content for words in _TOO_LONG):
            raise Unanswered(f"the endpoint refused it ({told})")
        found = [name for name in optional if name.encode() in content]
        if status in (400, 422) and found:
            self._demands.refuse(found)
            return
        remedy = (
            f"check that url (with /v1, usually) and model {self.endpoint.model!r} are right, and that the model can "
            "be asked at temperature 0"
        )
        raise ModelError(f"{url}: refuses the request ({told}); {remedy}")


def _host(location: str) -> str:
    """Scheme and host of an address, without what may be secret in it."""
    try:
        there = urlsplit(location)
        told = f"{there.scheme}://{there.hostname}" if there.hostname else "another path"
    except ValueError:
        told = ""
    return told if told.isprintable() and 0 < len(told) < 200 else "an address that cannot be read"


def _held_to(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "judgement", "strict": True, "schema": schema}}


def parsed(content: bytes) -> dict[str, Any]:
    """A body as a JSON object, empty where it is none."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        told = None
    return told if isinstance(told, dict) else {}


def code_words(content: bytes) -> list[str]:
    """What stands where an error has its code words; its sentences, which may quote the request, are left out."""
    told = parsed(content)
    error = told.get("error", told)
    found = [error.get(part) for part in ("code", "type", "param")] if isinstance(error, dict) else []
    return list(dict.fromkeys(word for word in found if isinstance(word, str)))
