"""The counters of tasks leave out what is set aside: at once, at every pull, and no longer once it is lifted."""

from datetime import UTC, datetime

import pytest
from ledger_rows import said, task

from hitl.types import Pull
from hitl.workforce.quarantine import LIFTED, QUARANTINED

WHY = {"actor": "lea", "reason": "answers at random", "evidence": ""}


@pytest.fixture
def ledger(place, opened):
    made = opened(place, clock=lambda: datetime(2027, 1, 1, tzinfo=UTC))
    with made.transaction() as writer:
        writer.add_tasks([task("a"), task("b"), task("c", 1, overlap=2)])
        writer.mirror(
            Pull((said("1", "a", worker="dee"), said("2", "b", worker="ana"), said("3", "c", worker="ana")), "")
        )
    return made


def decide(ledger, kind, **detail):
    with ledger.transaction() as writer:
        writer.event(kind, {**detail, **WHY})
        return writer.recount("dee")


def test_what_is_set_aside_counts_for_nobody_until_it_is_lifted(ledger):
    assert ledger.unanswered() == ["c"]
    assert decide(ledger, QUARANTINED, worker="dee", since="2020-01-01") == {"a"}
    assert ledger.unanswered() == ["a", "c"]
    with ledger.transaction() as writer:
        writer.mirror(Pull((said("4", "c", worker="dee"),), ""))
        [event] = writer.events(QUARANTINED)
    assert ledger.unanswered() == ["a", "c"]
    assert decide(ledger, LIFTED, quarantine=event["number"]) == {"a", "c"}
    assert ledger.unanswered() == []
    assert [one.id for one in ledger.annotations(workers=["dee"])] == ["1", "4"]


def test_an_answer_that_its_author_changes_in_quarantine_counts_no_more(ledger):
    decide(ledger, QUARANTINED, worker="dee", since="2026-06-01")
    assert ledger.unanswered() == ["c"]
    with ledger.transaction() as writer:
        writer.mirror(Pull((said("1", "a", ("ok",), worker="dee"),), ""))
    assert ledger.unanswered() == ["a", "c"]
