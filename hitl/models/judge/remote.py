"""A judge behind an endpoint: many questions at once, each asked a second time where the answer cannot be read."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from hitl.models.judge.answers import Judgement, read_answer
from hitl.models.judge.chat import Chat, Stopped, Unanswered
from hitl.models.judge.cost import Cost, tokens_of
from hitl.models.judge.endpoint import Message
from hitl.models.judge.prompt import Form, answer_schema, message
from hitl.models.judge.question import Answered, Question

RATIONALE_TOKENS = 150
"""Tokens that an answer is reckoned to have before any was seen."""

_QUOTED = 4_000


class RemoteJudge:
    """Judges by asking an endpoint; an answer that cannot be read is asked for once more, with its problem named."""

    form: Form = "json"

    def __init__(self, chat: Chat, labels: tuple[str, ...], *, multi_label: bool, longest: int) -> None:
        self._chat, self._labels, self._multi_label, self._longest = chat, labels, multi_label, longest
        self._schema = answer_schema(labels)

    @property
    def cost(self) -> Cost:
        """What it cost so far."""
        return self._chat.tally.cost

    def price(self, question: Question) -> float:
        """About what a question will cost, by its bytes."""
        prompt = tokens_of(question.system) + tokens_of(question.content[: self._longest])
        return self._chat.endpoint.money(prompt, RATIONALE_TOKENS)

    def ask(self, questions: Sequence[Question], answered: Answered) -> None:
        """Judge all, `concurrency` at once; a failure that concerns all of them stops the others and is raised."""
        stop = threading.Event()

        def one(number: int) -> None:
            try:
                answered(number, self._judge(questions[number], stop))
            except Stopped:
                return
            except BaseException:
                stop.set()
                raise

        with ThreadPoolExecutor(self._chat.endpoint.concurrency) as threads:
            running = [threads.submit(one, number) for number in range(len(questions))]
            try:
                for done in as_completed(running):
                    done.result()
            except BaseException:
                stop.set()
                threads.shutdown(wait=True, cancel_futures=True)
                raise

    def _judge(self, question: Question, stop: threading.Event) -> Judgement:
        asked: list[Message] = [
            Message("system", question.system),
            Message("user", message(question.content, self._longest)),
        ]
        try:
            reply = self._chat.complete(asked, self._schema, stop).text
            found = self._read(reply)
            if found.problem:
                again = f"That cannot be read: {found.problem}. Answer again, with the JSON object and nothing else."
                asked += [Message("assistant", reply[:_QUOTED]), Message("user", again)]
                found = self._read(self._chat.complete(asked, self._schema, stop).text)
        except Unanswered as unanswered:
            return Judgement(problem=str(unanswered))
        return found

    def _read(self, reply: str) -> Judgement:
        return read_answer(reply, self._labels, multi_label=self._multi_label)
