"""People on a Label Studio: accounts of their own, who work through its API as a browser would."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx

from hitl.connectors.studio.http import Gone, Http
from hitl.errors import NotAllowed, ServerRefused, ServerUnreachable
from hitl.tasks import Form, encode
from hitl.workforce.simulated import Response

_NAMESPACE = uuid.UUID("5b0f6f3e-2d4c-5a57-9d0b-6c1f2f1f7a10")
_CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(frozen=True)
class Waiting:
    """A task as a person finds it; `people` are the users who answered or skipped it, `skips` how many skipped."""

    id: int
    data: Mapping[str, Any]
    overlap: int
    people: tuple[int, ...]
    skips: int

    @property
    def key(self) -> str:
        """Our key of the task."""
        return str(self.data.get("hitl_key", ""))


@dataclass(frozen=True)
class Account:
    """One person's account; `token` is a legacy token.

    Calls raise `ServerUnreachable`, `NotAllowed` or `ServerRefused`.
    """

    email: str
    password: str = field(repr=False)
    token: str = field(repr=False)
    user_id: int
    url: str

    def tasks(self, project: int) -> list[Waiting]:
        """All tasks of a project in the order of their import, in one request."""
        include = "id,data,overlap,annotators,cancelled_annotations"
        params = {"project": project, "page_size": 10_000_000, "include": include, "fields": "all"}
        return [_waiting(row) for row in self._http.read("/api/tasks", params)["tasks"]]

    def next_task(self, project: int) -> Waiting | None:
        """What the server serves this person next (it is then locked for them), None when nothing is left."""
        try:
            row = self._http.write("POST", "/api/dm/actions", {}, {"id": "next_task", "project": project})
        except Gone:
            return None
        return _waiting(row)

    def submit(self, task: Waiting, results: list[dict[str, Any]], seconds: float) -> bool:
        """Answer a task; sent again, it stays one answer. False when it was there already."""
        return self._annotate(task, {"result": results, "lead_time": seconds})

    def skip(self, task: Waiting, seconds: float = 0.0) -> bool:
        """Skip a task: it goes to somebody else. False when it was skipped or answered already."""
        return self._annotate(task, {"result": [], "lead_time": seconds, "was_cancelled": True})

    def respond(self, task: Waiting, form: Form, response: Response) -> bool:
        """Answer or skip, as decided."""
        if response.answer is None:
            return self.skip(task, response.seconds)
        return self.submit(task, encode(form, response.answer), response.seconds)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @cached_property
    def _http(self) -> Http:
        return Http(self.url, self.token)

    def _annotate(self, task: Waiting, body: dict[str, Any]) -> bool:
        unique = str(uuid.uuid5(_NAMESPACE, f"{task.key or task.id}:{self.email}"))
        try:
            self._http.rewrite("POST", f"/api/tasks/{task.id}/annotations/", {**body, "unique_id": unique})
            return True
        except ServerRefused as refused:
            if " 409" in str(refused):
                return False
            raise


def sign_up(url: str, admin_token: str, email: str, password: str) -> Account:
    """Make a person's account through the invite link, or log into the one that is there; about a second.

    Raises `NotAllowed` when the account is there with another password.
    """
    admin = Http(url, admin_token)
    try:
        invite = str(admin.read("/api/invite")["invite_url"])
    finally:
        admin.close()
    path = invite if invite.startswith("/") else "/" + invite.split("/", 3)[-1]
    try:
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as browser:
            for page in (path, "/user/login/"):
                form = {"email": email, "password": password, "csrfmiddlewaretoken": _csrf(browser, page)}
                # A redirect is a welcome; the same page again is a complaint, here that the account exists.
                if browser.post(page, data=form, headers={"Referer": url + page}).is_redirect:
                    token = str(browser.get("/api/current-user/token").json()["token"])
                    who = browser.get("/api/current-user/whoami").json()
                    return Account(email, password, token, int(who["id"]), url)
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise ServerUnreachable(f"{url}: signing up did not work ({type(error).__name__}); try again") from None
    raise NotAllowed(f"{url}: neither signing up nor logging in works for {email}; has it another password?")


def work(
    account: Account,
    project: int,
    form: Form,
    decide: Callable[[Waiting], Response | None],
    limit: int | None = None,
) -> int:
    """Let a person go through the project's tasks in their order; how many they answered or skipped.

    `decide` says what they do with a task, None that it is not theirs. What they did before is left as it is.
    """
    done = 0
    for task, response in _decided(account.tasks(project), account.user_id, decide):
        if done == limit:
            break
        done += account.respond(task, form, response)
    return done


def _decided(
    tasks: list[Waiting], user: int, decide: Callable[[Waiting], Response | None]
) -> Iterator[tuple[Waiting, Response]]:
    for task in tasks:
        response = None if user in task.people else decide(task)
        if response is not None:
            yield task, response


def _waiting(row: Mapping[str, Any]) -> Waiting:
    people = [person["id"] if isinstance(person, dict) else int(person) for person in row.get("annotators") or ()]
    return Waiting(
        id=int(row["id"]),
        data=row["data"],
        overlap=int(row.get("overlap") or 1),
        people=tuple(dict.fromkeys(people)),
        skips=int(row.get("cancelled_annotations") or 0),
    )


def _csrf(browser: httpx.Client, page: str) -> str:
    found = _CSRF.search(browser.get(page).text)
    if found is None:
        raise ServerUnreachable(f"the page {page.split('?')[0]} of the server has no form; is it a Label Studio?")
    return found.group(1)
