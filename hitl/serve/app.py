"""What is answered over HTTP: Label Studio's ML-backend protocol and its webhooks, to those who know the secret."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from hitl.errors import HitlError
from hitl.serve.auth import Keys, host_of

HINT_BYTES = 1 << 20
"""The largest body of a webhook or set-up."""

PREDICT_BYTES = 32 << 20
"""The largest body of a request for predictions: tasks come with their annotations."""

BODY_SECONDS = 30.0

_log = logging.getLogger("hitl.serve")


class Thinks(Protocol):
    """What predictions come from."""

    @property
    def version(self) -> str:
        """The name of the model that would predict now."""

    def predict(self, tasks: Sequence[Any]) -> Sequence[Any]:
        """A prediction for each task, in their order."""


def make_app(opinions: Thinks, hint: Callable[[], None], keys: Keys, hosts: frozenset[str]) -> ASGIApp:
    """The application: `/health` for everybody, the rest for those who know the secret, at the names `hosts` alone.

    `hint` is called for each webhook and must return at once. No answer and no log line holds content or a traceback.
    """
    routes = [
        Route("/health", _health),
        Route("/", _health),
        Route("/setup", _setup, methods=["POST"]),
        Route("/versions", _versions),
        Route("/predict", _predict, methods=["POST"]),
        Route("/webhook", _webhook, methods=["POST"]),
        Route("/train", _webhook, methods=["POST"]),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refused, HitlError: _unable})
    app.state.opinions, app.state.hint = opinions, hint
    return _Guard(app, keys, hosts)


class _Guard:
    """Turns away strangers before anything of theirs is read, and keeps what went wrong in here."""

    def __init__(self, app: ASGIApp, keys: Keys, hosts: frozenset[str]) -> None:
        self._app, self._keys, self._hosts = app, keys, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        refused = self._refusal(scope)
        if refused is not None:
            await refused(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except ClientDisconnect:
            pass
        except Exception as error:  # the answer is sent already, and says nothing of it
            _log.error("%s failed: %s at %s", scope["path"], type(error).__name__, _place(error))

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if host_of(headers.get("host", "")) not in self._hosts:
            return _error(400, "this server does not go by that name; name it with --url")
        path = scope["path"]
        if path == "/health" or self._keys.admit(headers.get("authorization", ""), hint=path == "/webhook"):
            return None
        return _error(401, "the secret is missing or wrong", {"WWW-Authenticate": 'Basic realm="hitl"'})


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "UP", "model_class": "hitl"})


async def _setup(request: Request) -> Response:
    # The body brings a token of the project's owner: it is not looked at, and goes no further.
    await _json(request, HINT_BYTES)
    return JSONResponse({"model_version": await run_in_threadpool(lambda: request.app.state.opinions.version)})


async def _versions(request: Request) -> Response:
    return JSONResponse({"versions": [await run_in_threadpool(lambda: request.app.state.opinions.version)]})


async def _predict(request: Request) -> Response:
    body = await _json(request, PREDICT_BYTES)
    tasks = body.get("tasks")
    if not isinstance(tasks, list):
        raise HTTPException(400, "no list of `tasks`")
    return JSONResponse({"results": await run_in_threadpool(request.app.state.opinions.predict, tasks)})


async def _webhook(request: Request) -> Response:
    await _json(request, HINT_BYTES)
    request.app.state.hint()
    return JSONResponse({"status": "ok"})


async def _json(request: Request, most: int) -> dict[str, Any]:
    """The body as a JSON object; raises `HTTPException` for what is too large, too slow, or something else."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send application/json")
    read = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                read += part
                if len(read) > most:
                    raise HTTPException(413, f"more than {most:,} bytes")
    except TimeoutError:
        raise HTTPException(408, f"the body did not arrive in {BODY_SECONDS:.0f} s") from None
    try:
        body = json.loads(read, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is no JSON") from None
    if not isinstance(body, dict):
        raise HTTPException(400, "the body is no JSON object")
    return body


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


async def _refused(request: Request, error: Exception) -> Response:
    status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "failed")
    return _error(status, detail)


async def _unable(request: Request, error: Exception) -> Response:
    _log.warning("%s cannot be answered now: %s", request.url.path, type(error).__name__)
    return _error(503, "the model cannot be read now; ask again")


def _error(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": detail}, status, headers)


def _place(error: BaseException) -> str:
    """File and line where it was raised."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return "?" if at is None else f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}"
