"""A campaign that asks where in a video a label holds: what people marked reaches what the model learns from."""

import pyarrow as pa
import pytest

import hitl
from hitl.errors import ConfigError
from hitl.rounds.learn import training_set
from hitl.types import Answer, Span
from hitl.workforce.simulated import Reviewer

POLICY = hitl.Policy.parse("{name: clips, version: 1, labels: [{name: fine, violating: false}, {name: brawl}]}")


def clips(count=12):
    rows = [
        {"id": f"c{n}", "text": f"{'brawl' if n % 2 else 'walk'} number {n}", "media": f"c{n}.mp4", "modality": "video"}
        for n in range(count)
    ]
    return hitl.Pool.open(pa.Table.from_pylist(rows), text="text", media="media", modality="modality")


@pytest.fixture
def campaign(tmp_path):
    truth = {f"c{n}": ("brawl",) if n % 2 else ("fine",) for n in range(12)}
    sure = [Reviewer(who, accuracy=1.0, skip_rate=0.0, unsure_rate=0.0) for who in ("ana", "bo")]
    plan = hitl.Plan(rounds=0, seed_budget=8, benchmark=4, benchmark_people=1, overlap=0)
    return hitl.Campaign(
        "clips", policy=POLICY, pool=clips(), model=hitl.TextLinear(), plan=plan, form="timeline", folder=tmp_path,
        connector=hitl.MemoryConnector(truth, sure, auto=False),
    )  # fmt: skip


def test_stretches_of_time_reach_the_training_set(campaign):
    assert campaign.walk.form.name == "timeline"
    assert campaign.run().state == "waiting"
    connector = campaign.walk.connector
    connector.work()
    campaign.pull()
    benchmark = campaign.walk.benchmark_items()
    tasks = {task.key: task for task in campaign.ledger.tasks()}
    marked = next(
        one for one in campaign.ledger.annotations()
        if one.answer.labels == ("brawl",) and tasks[one.task_key].item_id not in benchmark
    )  # fmt: skip
    connector.edit(marked.id, Answer(("brawl",), spans=(Span("brawl", 1.5, 4.0),)))
    while campaign.run().state == "waiting":
        connector.work()
    targets = training_set(campaign.walk, 0)
    spans = targets.spans
    [row] = spans.rows
    assert campaign.walk.pool.ids(targets.positions)[row] == tasks[marked.task_key].item_id
    assert [(spans.labels[0], spans.start[0], spans.stop[0])] == [(1, 1.5, 4.0)]


def test_a_question_that_does_not_go_with_the_content_is_refused(tmp_path):
    campaign = hitl.Campaign(
        "texts", policy=POLICY, pool=hitl.Pool.open(pa.table({"text": ["a walk", "a brawl"]})), model=hitl.TextLinear(),
        plan=hitl.Plan(rounds=0, benchmark=0), form="timeline", folder=tmp_path, connector=hitl.MemoryConnector({}),
    )  # fmt: skip
    with pytest.raises(ConfigError, match="timeline"):
        campaign.run()
