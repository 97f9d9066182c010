"""Ledger and server side by side: the record is right about what is asked, the server about what was answered."""

from contextlib import suppress
from dataclasses import replace

from hitl.types import Answer


def waiting(stand, answers=30):
    campaign = stand.campaign(auto=False)
    assert campaign.run().state == "waiting"
    campaign.walk.connector.work(limit=answers)
    return campaign


def test_where_nothing_happened_nothing_differs(stand):
    campaign = waiting(stand)
    assert campaign.reconcile() == ()
    assert len(campaign.ledger.annotations()) == 30


def test_answers_that_a_pull_has_not_seen_are_mirrored(stand):
    campaign = waiting(stand)
    campaign.pull()
    [first, second, *_] = campaign.ledger.annotations()
    campaign.walk.connector.edit(first.id, Answer(out="unsure"))
    campaign.walk.connector.delete(second.id)
    assert campaign.reconcile() == ()
    now = {annotation.id: annotation for annotation in campaign.ledger.annotations()}
    assert now[first.id].answer == Answer(out="unsure")
    assert now[second.id].deleted


def test_a_deleted_task_is_told_and_not_made_again(stand):
    campaign = waiting(stand)
    campaign.pull()
    key = campaign.ledger.annotations()[0].task_key
    campaign.walk.connector.delete_task(key)
    [told] = campaign.reconcile()
    assert (told.kind, told.about, told.mended) == ("missing", key, False)
    assert "deleted" in told.detail
    assert campaign.ledger.lost_tasks() == {key}
    assert key not in {task.key for task in campaign.walk.connector.tasks}
    assert [told.about for told in campaign.reconcile()] == [key]


def test_a_task_that_never_arrived_is_sent(stand, monkeypatch):
    campaign = stand.campaign(auto=False)
    connector = campaign.walk.connector
    push = type(connector).push

    def torn(tasks, progress):
        push(connector, tasks[:-3], progress)
        raise SystemExit(9)

    with monkeypatch.context() as broken:
        broken.setattr(connector, "push", torn)
        with suppress(SystemExit):
            campaign.run()
    looked = campaign.reconcile(mend=False)
    assert [(told.kind, told.mended) for told in looked] == [("missing", False)] * 3
    mended = campaign.reconcile()
    assert mended == tuple(replace(told, mended=True) for told in looked)
    assert campaign.reconcile() == ()
    assert len(connector.tasks) == len(campaign.ledger.tasks())
    assert campaign.run().state == "waiting"
