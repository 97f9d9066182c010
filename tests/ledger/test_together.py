"""Several runs and notebooks at once: nothing lost, nothing twice, nobody waits for ever."""

import multiprocessing
import os
import signal
import threading

import pytest
from ledger_rows import said, task
from sqlalchemy import create_engine, text

from hitl.errors import LedgerError
from hitl.ledger import Ledger
from hitl.types import Pull

FORK = multiprocessing.get_context("fork")
WRITERS, TURNS = 4, 12


def together(work, *arguments):
    """Do it in several processes at once; each must end well."""
    started = FORK.Barrier(len(arguments))

    def one(argument):
        started.wait()
        work(*argument)

    processes = [FORK.Process(target=one, args=(argument,)) for argument in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def _open(place, campaign):
    Ledger(place, campaign).close()


def test_an_empty_database_may_be_opened_by_many_at_once(place, opened):
    together(_open, *((place, f"trial {number % 2}") for number in range(6)))
    assert {opened(place, f"trial {number}").counts()["tasks"] for number in range(2)} == {0}


def _work(place, campaign, who):
    ledger = Ledger(place, campaign)
    for turn in range(TURNS):
        with ledger.transaction() as writer:
            writer.add_tasks([task(f"{who}-{turn}", turn)])
            writer.event("turn", {"who": who, "turn": turn})
        with ledger.transaction() as writer:
            mine = said(f"{who}-{turn}", f"{who}-{turn}", worker=who)
            shared = said(f"shared-{who}-{turn}", "shared", answer=None, skipped=True, worker=who)
            writer.mirror(Pull((mine, shared), f"{who}-{turn}"))
            writer.intend("overlap", {"shared": 2})
        assert len(ledger.annotations(turn)) >= 1
    ledger.close()


def test_many_writers_of_two_campaigns_lose_nothing(place, opened):
    campaigns = ("one", "two")
    for name in campaigns:
        with opened(place, name).transaction() as writer:
            writer.add_tasks([task("shared", 99)])
    together(_work, *((place, campaigns[number % 2], f"w{number}") for number in range(WRITERS)))
    for name in campaigns:
        ledger = opened(place, name)
        tasks = 1 + WRITERS // 2 * TURNS
        assert ledger.counts() == {"rounds": 0, "tasks": tasks, "annotations": 2 * (tasks - 1)}
        assert len(ledger.tasks()) == tasks
        events = ledger.events()
        assert [event["number"] for event in events] == list(range(1, len(events) + 1))
        assert len(ledger.events("turn")) == tasks - 1
        overview = ledger.overview()
        assert sum(counted.answers for counted in overview.values()) == tasks - 1
        assert (overview[99].skips, overview[99].waiting) == (WRITERS // 2, 1)
        assert ledger.unanswered() == ["shared"]


def _begin(place, results):
    ledger = Ledger(place, "trial")
    try:
        with ledger.transaction() as writer:
            writer.begin_round(0, seed=1, config={}, policy_version="1")
            writer.complete(0, "select", {}, 0.1)
        results.put("begun")
    except LedgerError as error:
        results.put(str(error))


def test_a_round_begins_once(place, opened):
    opened(place)
    results = FORK.SimpleQueue()
    together(_begin, *((place, results) for _ in range(3)))
    said_by = sorted(results.get() for _ in range(3))
    assert said_by.count("begun") == 1
    assert sum("another run wrote the same at the same time" in one for one in said_by) == 2
    assert len(opened(place).rounds()) == 1


def test_what_another_run_intends_meanwhile_is_not_taken_for_done(place, opened):
    one, two = opened(place), opened(place)
    with one.transaction() as writer:
        writer.intend("overlap", {"a": 2})
    sent = one.intents("overlap")
    with two.transaction() as writer:
        writer.intend("overlap", {"b": 3})
    with one.transaction() as writer:
        writer.done("overlap", sent)
    assert one.intents("overlap") == {"b": 3}
    with two.transaction() as writer:
        writer.intend("overlap", {"a": 2})
    assert one.intents("overlap") == {"a": 2, "b": 3}


def test_writers_of_one_campaign_wait_and_of_another_do_not(on_postgres, opened):
    one, two, other = (opened(on_postgres, name) for name in ("one", "one", "other"))
    waited = threading.Event()

    def later():
        with two.transaction() as writer:
            waited.set()
            writer.set_project("two")

    with one.transaction() as writer:
        writer.set_project("one")
        thread = threading.Thread(target=later)
        thread.start()
        with other.transaction() as elsewhere:
            elsewhere.set_project("other")
        assert not waited.wait(0.3)
        assert one.project == ""
    thread.join()
    assert (one.project, other.project) == ("two", "other")


def test_one_run_at_a_time_on_a_server(on_postgres, opened):
    one, two, other = (opened(on_postgres, name) for name in ("one", "one", "other"))
    with one.alone():
        with pytest.raises(LedgerError, match="another run of 'one' is at it"), two.alone():
            pass
        with other.alone(), one.transaction() as writer:
            writer.set_project("x")
    with two.alone():
        assert two.project == "x"


def _hold(place, ready):
    with Ledger(place, "one").alone():
        ready.set()
        signal.pause()


def test_a_killed_run_lets_go(on_postgres, opened):
    ready = FORK.Event()
    process = FORK.Process(target=_hold, args=(on_postgres, ready))
    process.start()
    assert ready.wait(60)
    ledger = opened(on_postgres, "one")
    with pytest.raises(LedgerError, match="at it"), ledger.alone():
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    for _ in range(600):
        try:
            with ledger.alone():
                return
        except LedgerError:
            continue
    raise AssertionError("the lock outlived its holder")


def _cut(place):
    """Break every other connection to the server, as a restart would."""
    engine = create_engine(place)
    with engine.begin() as connection:
        who = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'hitl'"
        )
        connection.execute(text(who))
    engine.dispose()


def _write_and_lose(ledger, place):
    with ledger.transaction() as writer:
        writer.add_tasks([task("lost")])
        _cut(place)
        writer.add_tasks([task("lost, too")])


def test_a_lost_connection_is_told_and_calling_again_works(on_postgres, opened):
    ledger = opened(on_postgres)
    with ledger.transaction() as writer:
        writer.add_tasks([task("kept")])
    with pytest.raises(LedgerError, match="went away; what was recorded is there"):
        _write_and_lose(ledger, on_postgres)
    with ledger.transaction() as writer:
        writer.add_tasks([task("again")])
    assert {t.key for t in ledger.tasks()} == {"kept", "again"}
    _cut(on_postgres)
    assert len(ledger.tasks()) == 2
