"""An endpoint that behaves badly, over a real connection: waited for, given up, refused, and never believed blindly."""

from __future__ import annotations

import gzip
import json
import traceback
from typing import Any

import pytest

from hitl.errors import EndpointDown, KeyRefused, ModelError
from hitl.models.judge.chat import LARGEST, PATIENCE, Chat, Unanswered
from hitl.models.judge.endpoint import Endpoint, Message
from hitl.models.judge.prompt import answer_schema, message

SCHEMA = answer_schema(("fine", "rude"))
CONTENT = "zonk wub nobody should read this in a log"
ASK = (Message("system", "judge"), Message("user", message(CONTENT, 999)))


@pytest.fixture
def chat(served: Any, thought: Any):
    made = []

    def make(**options: Any) -> Chat:
        options = {"key_env": "ZONK_KEY", "price_in": 1.0, "price_out": 4.0} | options
        made.append(Chat(Endpoint(served.url, options.pop("model", "zonk-1b"), **options), thought.clock))
        return made[-1]

    yield make
    for one in made:
        one.close()


def failure(chat: Chat, kind: type[Exception], match: str) -> str:
    """The error that it ends in, in words, which hold neither key nor content."""
    with pytest.raises(kind, match=match) as told:
        chat.complete(ASK, SCHEMA)
    shown = "".join(traceback.format_exception(told.value))
    assert "5ec4e7" not in shown
    assert "nobody should read" not in shown
    assert told.value.__cause__ is None
    return str(told.value)


def test_it_asks_as_the_field_does(chat: Any, served: Any, serve: Any) -> None:
    reply = chat().complete(ASK, SCHEMA)
    assert json.loads(reply.text)["labels"]
    (asked,) = served.asked
    assert asked.body["max_tokens"] == 1_000
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["Authorization"] == f"Bearer {serve.KEY}"
    assert asked.body["model"] == "zonk-1b"
    assert asked.body["temperature"] == 0
    assert asked.body["seed"] == 0
    assert asked.body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert asked.content == CONTENT


def test_without_a_key_none_is_sent(chat: Any, served: Any) -> None:
    chat(key_env=None).complete(ASK, SCHEMA)
    assert "Authorization" not in served.asked[0].headers


def test_cost_is_counted_from_usage(chat: Any) -> None:
    asking = chat()
    asking.complete(ASK, SCHEMA)
    asking.complete(ASK, SCHEMA)
    cost = asking.tally.cost
    assert (cost.requests, cost.retries, cost.prompt_tokens, cost.completion_tokens) == (2, 0, 200, 40)
    assert cost.money == pytest.approx((200 * 1 + 40 * 4) / 1e6)
    assert cost.estimated == 0


@pytest.mark.parametrize(
    "usage",
    [None, {}, {"prompt_tokens": -5, "completion_tokens": 1}, {"prompt_tokens": "9", "completion_tokens": 1}, [1]],
)
def test_usage_that_cannot_be_is_reckoned(chat: Any, served: Any, serve: Any, usage: Any) -> None:
    served.behave = lambda number, asked: serve.said("wub " * 30, usage=usage)
    asking = chat()
    asking.complete(ASK, SCHEMA)
    assert asking.tally.cost.estimated == 1
    assert 20 < asking.tally.cost.completion_tokens < 80
    assert asking.tally.cost.money > 0


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_what_may_pass_is_tried_again_with_growing_pauses(
    chat: Any, served: Any, serve: Any, thought: Any, status: int
) -> None:
    served.behave = lambda number, asked: serve.failed(status) if number < 3 else serve.said("ok")
    asking = chat()
    assert asking.complete(ASK, SCHEMA).text == "ok"
    assert (asking.tally.cost.requests, asking.tally.cost.retries) == (4, 3)
    assert 0.25 <= thought.slept[0] <= 0.5
    assert sum(thought.slept) == pytest.approx(thought.at)
    assert thought.at >= 0.25 + 0.5 + 1.0


@pytest.mark.parametrize(
    "body", [b"", b"<html>hello</html>", b'{"choices": []}', b'{"choices": [{"message": 3}]}', b"[" * 9999]
)
def test_a_body_that_is_no_completion_is_tried_again(chat: Any, served: Any, serve: Any, body: bytes) -> None:
    served.behave = lambda number, asked: serve.said("ok") if number else serve.Answer(body)
    assert chat().complete(ASK, SCHEMA).text == "ok"
    served.behave = lambda number, asked: serve.Answer(body)
    assert "no chat completion" in failure(chat(retries=1), EndpointDown, "2 times in a row")


def test_a_connection_that_breaks_is_made_again(chat: Any, served: Any, serve: Any) -> None:
    bad = [serve.Answer(drop=True), serve.Answer(b'{"choices', missing=500), serve.Answer(b"", status=204)]
    served.behave = lambda number, asked: bad[number] if number < len(bad) else serve.said("ok")
    assert chat().complete(ASK, SCHEMA).text == "ok"
    assert len(served.asked) == 4


def test_a_slow_server_and_a_dripping_one_are_given_up(served: Any, serve: Any, thought: Any) -> None:
    from hitl.models.judge.waiting import Clock

    endpoint = Endpoint(served.url, "zonk-1b", key_env=None, timeout=0.15, retries=0)
    served.behave = lambda number, asked: serve.Answer(b"{}", wait=0.6)
    failure(Chat(endpoint), EndpointDown, "no answer within 0.15 seconds")
    served.behave = lambda number, asked: serve.Answer(b"x" * 400, drip=0.02)
    failure(Chat(endpoint, Clock(sleep=thought.sleep)), EndpointDown, "no whole answer within 0.15 seconds")


def test_nobody_there(chat: Any, thought: Any) -> None:
    gone = Chat(Endpoint("http://127.0.0.1:9/v1", "zonk-1b", key_env=None, retries=2), thought.clock)
    told = failure(gone, EndpointDown, "3 times in a row")
    assert "call again" in told
    assert EndpointDown.exit_code == 69


@pytest.mark.parametrize("header", ["7", "7.5"])
def test_retry_after_is_honoured(chat: Any, served: Any, serve: Any, thought: Any, header: str) -> None:
    served.behave = lambda number, asked: serve.said("ok") if number else serve.failed(429, retry_after=header)
    chat().complete(ASK, SCHEMA)
    assert thought.at == pytest.approx(float(header))


def test_a_wait_beyond_patience_is_told_and_not_slept(chat: Any, served: Any, serve: Any, thought: Any) -> None:
    served.behave = lambda number, asked: serve.failed(429, retry_after=str(int(PATIENCE) + 1))
    failure(chat(), EndpointDown, "601 seconds")
    assert not thought.slept


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_ends_at_once(chat: Any, served: Any, serve: Any, status: int) -> None:
    served.behave = lambda number, asked: serve.failed(status, "invalid_api_key")
    told = failure(chat(), KeyRefused, f"{status} invalid_api_key")
    assert "ZONK_KEY" in told
    assert len(served.asked) == 1
    assert KeyRefused.exit_code == 77


@pytest.mark.parametrize(("status", "code"), [(429, "insufficient_quota"), (402, "")])
def test_a_used_up_quota_ends_at_once(chat: Any, served: Any, serve: Any, status: int, code: str) -> None:
    served.behave = lambda number, asked: serve.failed(status, code)
    failure(chat(), KeyRefused, "quota")
    assert len(served.asked) == 1


@pytest.mark.parametrize("status", [400, 404, 405, 422])
def test_a_refused_request_ends_at_once_with_a_remedy(chat: Any, served: Any, serve: Any, status: int) -> None:
    served.behave = lambda number, asked: serve.failed(status, "model_not_found")
    told = failure(chat(), ModelError, f"{status} model_not_found")
    assert "zonk-1b" in told
    assert "/v1" in told
    assert len(served.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_refused_so_that_key_and_content_stay(chat: Any, served: Any, serve: Any, status: int) -> None:
    there = f"https://elsewhere.invalid/x?{serve.KEY}"
    served.behave = lambda number, asked: serve.Answer(b"", status, {"Location": there})
    failure(chat(), ModelError, r"points to https://elsewhere\.invalid, ")
    assert len(served.asked) == 1
    for broken in ("https://[zonk", "https://" + "x" * 999, "/here"):
        served.behave = lambda number, asked, broken=broken: serve.Answer(b"", status, {"Location": broken})
        failure(chat(), ModelError, r"points to an(other path| address)")


def test_another_model_is_not_believed(chat: Any, served: Any, serve: Any) -> None:
    served.behave = lambda number, asked: serve.said("ok", model="wub-7b-2026")
    told = failure(chat(), ModelError, "'wub-7b-2026'")
    assert "served_as" in told
    assert chat(served_as=["wub-7b-2026"]).complete(ASK, SCHEMA).text == "ok"
    served.behave = lambda number, asked: serve.said("ok", model=None)
    failure(chat(), ModelError, "no name")


def test_a_server_cannot_have_the_key_or_content_told_or_kept(chat: Any, served: Any, serve: Any) -> None:
    for name in (serve.KEY, CONTENT):
        served.behave = lambda number, asked, name=name: serve.said("ok", model=name)
        failure(chat(), ModelError, "answered as no name")
        served.behave = lambda number, asked, name=name: serve.failed(400, name)
        failure(chat(), ModelError, r"\(400 invalid_request_error\)")
    served.behave = lambda number, asked: serve.said(f"you sent {serve.KEY}")
    assert chat().complete(ASK, SCHEMA).text == "you sent [key]"


def test_a_huge_body_is_not_read_to_its_end(chat: Any, served: Any, serve: Any) -> None:
    served.behave = lambda number, asked: serve.Answer(b"x" * (3 * LARGEST))
    failure(chat(), Unanswered, "more than 1,048,576 bytes")
    assert len(served.asked) == 1


def test_a_compressed_body_is_not_unpacked(chat: Any, served: Any, serve: Any) -> None:
    bomb = gzip.compress(b"x" * 50_000_000)
    served.behave = lambda number, asked: serve.Answer(bomb, headers={"Content-Encoding": "gzip"})
    failure(chat(), ModelError, "compresses")
    assert served.asked[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (400, "content_filter", ""),
        (400, "context_length_exceeded", ""),
        (400, "", "This model's maximum context length is 2048 tokens, lower max_tokens"),
        (413, "", ""),
    ],
)
def test_what_concerns_one_item_is_told_of_that_item(
    chat: Any, served: Any, serve: Any, status: int, code: str, words: str
) -> None:
    served.behave = lambda number, asked: serve.failed(status, code, words)
    failure(chat(), Unanswered, str(status))
    assert len(served.asked) == 1


def test_a_refusal_and_an_unfinished_answer_are_no_answers_and_are_paid_for(chat: Any, served: Any, serve: Any) -> None:
    asking = chat()
    for changes, problem in (
        ({"finish_reason": "content_filter", "message": {"content": None}}, "declined"),
        ({"finish_reason": "stop", "message": {"content": None, "refusal": "no"}}, "declined"),
        ({"finish_reason": "length", "message": {"content": '{"labels'}}, "not finished"),
    ):
        served.behave = lambda number, asked, changes=changes: serve.said("", choices=[changes])
        failure(asking, Unanswered, problem)
    assert asking.tally.cost.completion_tokens == 60


@pytest.mark.parametrize("words", ["response_format is not supported", "Unknown fields: response_format, seed"])
def test_parts_that_an_endpoint_does_not_know_are_left_out_from_then_on(
    chat: Any, served: Any, serve: Any, words: str
) -> None:
    def behave(number: int, asked: Any) -> Any:
        return serve.failed(400, "", words) if any(part in words for part in asked.body) else serve.said("ok")

    served.behave = behave
    asking = chat()
    assert [asking.complete(ASK, SCHEMA).text for _ in range(3)] == ["ok"] * 3
    assert len(served.asked) == 4
    assert "response_format" not in served.asked[-1].body
    assert served.asked[-1].body["temperature"] == 0


def test_an_endpoint_that_knows_nothing_ends(chat: Any, served: Any, serve: Any) -> None:
    served.behave = lambda number, asked: serve.failed(400, "", "response_format seed max_tokens temperature")
    failure(chat(), ModelError, "temperature 0")
    assert len(served.asked) == 2


def test_requests_and_tokens_keep_to_their_rates(chat: Any, thought: Any) -> None:
    slow = chat(requests_per_minute=30)
    for _ in range(4):
        slow.complete(ASK, SCHEMA)
    assert thought.at == pytest.approx(6.0)
    thought.at = 0.0
    dear = chat(tokens_per_minute=1_200)
    for _ in range(11):
        dear.complete(ASK, SCHEMA)
    # What was booked and not used is given back: ten answers of 120 tokens take a minute, the last booking aside.
    assert 50 <= thought.at <= 60 + (1_000 / 4 + 50) / 20


def test_it_shows_no_key(chat: Any) -> None:
    assert repr(chat()).startswith("Chat('zonk-1b' at ")
    assert "5ec4e7" not in repr(vars(chat()))
