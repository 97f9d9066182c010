"""A new order in mid-round: by a model of the answers so far, and of nothing else does the record change."""

import pytest

from hitl.errors import CampaignError, ServerUnreachable


def half_done(campaign, answers=40):
    """A campaign whose seed round waits, with some of its answers given."""
    assert campaign.run().state == "waiting"
    campaign.walk.connector.work(limit=answers)
    campaign.pull()
    return campaign


def open_keys(campaign):
    return set(campaign.ledger.unanswered())


def finish(campaign):
    while campaign.run().state == "waiting":
        campaign.walk.connector.work()
    return campaign


def record(campaign):
    """All that a round's figures rest on."""
    ledger = campaign.ledger
    numbers, samples = [row["round"] for row in ledger.rounds()], ("benchmark", "audit")
    return (
        [ledger.picks(n) for n in numbers],
        [ledger.resolutions(n) for n in numbers],
        [ledger.model(n)["model_id"] for n in numbers],
        [repr(estimate) for n in numbers for sample in samples for estimate in ledger.metrics(n, sample)],
    )


def test_open_tasks_get_the_opinion_of_a_model_of_the_answers_so_far(stand):
    campaign = half_done(stand.campaign(auto=False))
    before, waiting = {task.key: task for task in campaign.ledger.tasks()}, open_keys(campaign)
    assert waiting
    told = campaign.rescore()
    assert told.tasks == len(waiting)
    assert told.labels > 0
    after = {task.key: task for task in campaign.ledger.tasks()}
    for key, task in after.items():
        if key in waiting:
            assert task.model_id == told.model_id
            assert set(task.predicted) == set(campaign.walk.policy.names)
            assert 0 <= task.priority <= 1
        else:
            assert task == before[key]
    assert [before[key].priority for key in waiting] != [after[key].priority for key in waiting]
    assert [event["detail"]["model"] for event in campaign.ledger.events("rescored")] == [told.model_id]


def test_people_are_served_by_the_new_order(stand):
    campaign = half_done(stand.campaign(auto=False))
    campaign.rescore()
    waiting = open_keys(campaign)
    wanted = sorted((task for task in campaign.ledger.tasks() if task.key in waiting), key=lambda task: -task.priority)
    seen = {annotation.id for annotation in campaign.ledger.annotations()}
    campaign.walk.connector.work(limit=1)
    campaign.pull()
    new = [annotation.task_key for annotation in campaign.ledger.annotations() if annotation.id not in seen]
    assert new == [wanted[0].key]


def test_a_campaign_that_was_rescored_ends_with_the_same_figures(stand):
    left_alone = finish(stand.campaign("alone", auto=False))
    rescored = half_done(stand.campaign("rescored", auto=False))
    rescored.rescore()
    assert record(finish(rescored)) == record(left_alone)


def test_an_order_that_was_not_brought_over_is_brought_by_the_next_run(stand, monkeypatch):
    campaign = half_done(stand.campaign(auto=False))
    connector = campaign.walk.connector

    def down(tasks, progress):
        raise ServerUnreachable("down; try again")

    with monkeypatch.context() as broken:
        broken.setattr(connector, "refresh", down)
        with pytest.raises(ServerUnreachable):
            campaign.rescore()
    ordered = {task.key: task.priority for task in campaign.ledger.tasks()}
    assert campaign.ledger.intents("refresh")
    assert campaign.run().state == "waiting"
    assert not campaign.ledger.intents("refresh")
    assert {task.key: task.priority for task in connector.tasks} == ordered


def test_rescoring_again_follows_the_answers(stand):
    campaign = half_done(stand.campaign(auto=False))
    first = campaign.rescore()
    assert campaign.rescore().model_id == first.model_id
    campaign.walk.connector.work(limit=20)
    campaign.pull()
    assert campaign.rescore().model_id != first.model_id


def test_there_must_be_something_to_order_and_something_to_learn_from(stand):
    campaign = stand.campaign(auto=False)
    with pytest.raises(CampaignError, match="no round"):
        campaign.rescore()
    campaign.run()
    with pytest.raises(CampaignError, match="no item has been settled"):
        campaign.rescore()
    with pytest.raises(CampaignError, match="nothing to order"):
        finish(campaign).rescore()
