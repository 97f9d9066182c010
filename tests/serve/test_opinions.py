"""What is predicted: by the newest model, for each task in its place, as the campaign itself would have it."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hitl
from hitl.errors import ModelError
from hitl.media import MediaFolder
from hitl.models import load_model
from hitl.serve.opinions import BLOCK, MOST_TASKS, Opinions
from hitl.tasks import parse, prediction

ANY = st.none() | st.integers() | st.text(max_size=9) | st.lists(st.integers(), max_size=2)
TASK = ANY | st.fixed_dictionaries({"data": ANY | st.dictionaries(st.sampled_from(["text", "hitl_key", "x"]), ANY)})


@pytest.fixture(scope="session")
def opinions(walked):
    return Opinions(walked.walk)


def sent(task):
    return {"id": 1, "data": dict(task.data), "annotations": [], "predictions": []}


def test_without_a_model_predictions_are_empty_and_under_the_name_of_the_push(make):
    campaign = make()
    campaign.run()
    opinions = Opinions(campaign.walk)
    tasks = campaign.ledger.tasks()[:3]
    told = opinions.predict([sent(task) for task in tasks])
    assert opinions.version == "seed-1"
    assert told == [{"result": [], "score": 1 - task.priority, "model_version": "seed-1"} for task in tasks]


def test_a_task_of_the_campaign_is_predicted_as_the_campaign_does(walked, opinions):
    tasks = walked.ledger.tasks(1)
    told = opinions.predict([sent(task) for task in reversed(tasks)])
    assert [one["score"] for one in told] == [1 - task.priority for task in reversed(tasks)]
    wanted = [prediction(walked.walk.form, task.predicted) for task in reversed(tasks)]
    assert [one["result"] for one in told] == wanted
    assert len({one["score"] for one in told}) > 1
    assert {one["model_version"] for one in told} == {walked.ledger.model(0)["model_id"]} == {opinions.version}
    assert all(parse(walked.walk.form, one["result"])[0] for one in told)


def test_another_text_is_read_from_its_data_and_the_doubtful_come_first(walked, opinions, posts):
    texts = posts.texts(np.arange(40))
    told = opinions.predict([{"data": {"text": text}} for text in texts])
    row = walked.ledger.model(0)
    proba = np.sort(load_model(walked.folder / row["folder"]).predict_texts(texts).proba.astype(float), axis=1)
    assert np.allclose([one["score"] for one in told], proba[:, -1] - proba[:, -2], atol=1e-6)


def test_what_cannot_be_read_leaves_the_others_as_they_are(walked, opinions):
    good = sent(walked.ledger.tasks(1)[0])
    bad = [None, {}, {"data": None}, {"data": {"text": 7}}, {"data": {"text": " "}}, {"data": {"other": "zonk"}}]
    told = opinions.predict([good, *bad, good])
    assert told[0] == told[-1] == opinions.predict([good])[0]
    assert [one["result"] for one in told[1:-1]] == [[]] * len(bad)
    assert len(told) == len(bad) + 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(TASK, max_size=6))
def test_anything_gets_an_answer_of_its_length_that_is_json(opinions, tasks):
    told = opinions.predict(tasks)
    assert len(told) == len(tasks)
    for one in json.loads(json.dumps(told, allow_nan=False)):
        assert set(one) == {"result", "score", "model_version"}
        assert 0 <= one["score"] <= 1


@pytest.mark.parametrize("text", ["\ud800 zonk", "zonk\x00blip", "z" * 200_000])
def test_odd_texts_are_read(text, opinions):
    assert opinions.predict([{"data": {"text": text}}])[0]["result"]


def test_a_new_model_is_followed_at_once(make):
    campaign = make(auto=True, rounds=1)
    opinions, names = Opinions(campaign.walk), []
    for _ in campaign:
        names += [opinions.version, opinions.predict([{"data": {"text": "zonk"}}])[0]["model_version"]]
    models = [campaign.ledger.model(number)["model_id"] for number in (0, 1)]
    assert names == [models[0]] * 2 + [models[1]] * 2
    assert models[0] != models[1]


def test_priorities_that_change_are_followed(make):
    campaign = make(rounds=0)
    campaign.run()
    task = campaign.ledger.tasks()[0]
    with campaign.ledger.transaction() as writer:
        writer.reprioritise([replace(task, priority=0.125)])
    assert Opinions(campaign.walk).predict([sent(task)])[0]["score"] == 0.875


def test_one_request_is_bounded_in_number(opinions):
    told = opinions.predict([{"data": {}}] * (MOST_TASKS + 3))
    assert len(told) == MOST_TASKS + 3
    assert told[-3:] == [[]] * 3
    assert all(told[:-3])


def test_one_request_is_bounded_in_time(walked):
    told = Opinions(walked.walk, seconds=0.0).predict([{"data": {"text": "zonk"}}] * (BLOCK + 1))
    assert told == [[]] * (BLOCK + 1)


def test_callers_at_once_get_what_each_alone_would(walked):
    opinions = Opinions(walked.walk)
    tasks = [sent(task) for task in walked.ledger.tasks(1)]
    told: list[object] = []
    callers = [threading.Thread(target=lambda: told.append(opinions.predict(tasks))) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert told == [Opinions(walked.walk).predict(tasks)] * 4


def test_a_model_that_was_changed_is_an_error_not_an_opinion(make):
    campaign = make(auto=True, rounds=0)
    campaign.run()
    row = campaign.ledger.model(0)
    card = campaign.folder / row["folder"] / "card.json"
    card.write_text(card.read_text().replace(row["model_id"], "text_linear-000000000000"))
    with pytest.raises(ModelError):
        Opinions(campaign.walk).predict([{"data": {"text": "zonk"}}])


def test_pictures_are_read_from_the_media_folder_alone(tmp_path):
    from PIL import Image
    from tiny import tiny_image_encoder

    rng = np.random.default_rng(0)
    folder = tmp_path / "media"
    folder.mkdir()
    for at in range(12):
        Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(folder / f"{at}.png")
    (folder / "broken.png").write_bytes(b"zonk")
    (tmp_path / "secret.png").write_bytes((folder / "0.png").read_bytes())
    pool = hitl.Pool.open(pa.table({"media": [f"{at}.png" for at in range(12)]}), media="media")
    model = hitl.ImageClassifier(str(tiny_image_encoder(tmp_path / "encoder")), root=str(folder), device="cpu")
    policy = hitl.Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: bad}]}")
    desk = hitl.MemoryConnector(lambda task: ("bad",) if task.position % 2 else ("ok",))
    plan = hitl.Plan(rounds=0, budget=8, benchmark=2)
    campaign = hitl.Campaign(
        "pictures", policy=policy, pool=pool, model=model, plan=plan, connector=desk, folder=tmp_path / "run"
    )
    campaign.run()
    opinions = Opinions(campaign.walk, MediaFolder(folder))
    pictures = ["0.png", "/data/local-files/?d=1.png", "../secret.png", "broken.png", "https://host.invalid/0.png", ""]
    told = opinions.predict([{"data": {"media": picture}} for picture in pictures])
    assert [bool(one["result"]) for one in told] == [True, True, False, False, False, False]
