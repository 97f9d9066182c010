"""Corrective actions and calibration sessions: what is allowed, what is refused, and that nothing is lost."""

from __future__ import annotations

from itertools import product

import pytest

from hitl.errors import WorkforceError
from hitl.workforce.qa import actions, sessions

OPENING = {"title": "Teach quotations", "owner": "trainer", "metric": "error_rate", "target": 0.05, "due": "2026-04-01"}
PATHS = {
    "open": ["open"], "done": ["open", "done"], "verified": ["open", "done", "verified"],
    "dropped": ["open", "dropped"],
}  # fmt: skip


def event(kind, number, **detail):
    detail = {"actor": f"person {number}", "reason": "it is so", **detail}
    return {"number": number, "at": f"2026-03-{number:02d}T00:00:00+00:00", "kind": kind, "detail": detail}


def moved(*states):
    return [
        event(actions.KIND, at, action="a1", to=to, **(OPENING if at == 1 else {}))
        for at, to in enumerate(states, start=1)
    ]


@pytest.mark.parametrize(("state", "to"), list(product(PATHS, actions.STATES)))
def test_an_action_goes_where_it_may_and_nowhere_else(state, to):
    steps = [*PATHS[state], to]
    if to in actions.ALLOWED[state]:
        found = actions.fold(moved(*steps))["a1"]
        assert found.state == to
        assert [step.to for step in found.steps] == steps
        assert found.opened == "2026-03-01T00:00:00+00:00"
        assert bool(found.done) == (to in ("done", "verified"))
    else:
        with pytest.raises(WorkforceError, match=f"is {state} and cannot become {to}"):
            actions.fold(moved(*steps))


def test_who_did_it_does_not_verify_it():
    begun = moved("open", "done")
    with pytest.raises(WorkforceError, match="somebody else must verify"):
        actions.fold([*begun, event(actions.KIND, 3, action="a1", to="verified", actor="person 2")])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"owner": " "}, "no owner"), ({"due": "soon"}, "no day"), ({"target": 7}, "no share"),
        ({"actor": ""}, "actor"), ({"reason": ""}, "reason"),
    ],
)  # fmt: skip
def test_an_action_says_all_that_it_must(change, words):
    with pytest.raises(WorkforceError, match=words):
        actions.fold([event(actions.KIND, 1, action="a1", to="open", **(OPENING | change))])


def test_what_is_not_there_does_not_move():
    with pytest.raises(WorkforceError, match="open it first"):
        actions.fold([event(actions.KIND, 1, action="a9", to="done")])


def opened(**more):
    return event(sessions.OPENED, 1, session="s1", title="March", key={"i1": ["hate"], "i2": []}, **more)


def test_a_later_answer_replaces_an_earlier_one_of_the_same_phase_alone():
    def said(number, phase, labels):
        return event(sessions.ANSWERED, number, session="s1", phase=phase, answers=[["i1", "w-1", labels]])

    found = sessions.fold([opened(), said(2, "before", []), said(3, "after", ["hate"]), said(4, "before", ["scam"])])[
        "s1"
    ]
    assert found.said == {
        "before": {("i1", "w-1"): frozenset({"scam"})}, "after": {("i1", "w-1"): frozenset({"hate"})},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ([event(sessions.ANSWERED, 2, session="s1", phase="before", answers=[["i9", "w-1", []]])], "no item 'i9'"),
        ([event(sessions.ANSWERED, 2, session="s1", phase="then", answers=[])], "no phase"),
        ([event(sessions.CLOSED, 2, session="s1"), event(sessions.CLOSED, 3, session="s1")], "was closed"),
        ([event(sessions.CLOSED, 2, session="s2")], "no session s2"),
        ([{**opened(), "number": 2}], "there already"),
    ],
)  # fmt: skip
def test_a_session_refuses(after, words):
    with pytest.raises(WorkforceError, match=words):
        sessions.fold([opened(), *after])
