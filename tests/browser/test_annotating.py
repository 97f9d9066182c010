"""An annotator in a browser: sees each kind of content, labels by hotkeys, skips, edits; then all of it is pulled."""

from __future__ import annotations

from dataclasses import replace

import pytest
from annotator import Annotator
from contents import KINDS, SECONDS, SHOW, Kind, ask, assert_blurred, image, sees_picture
from pydantic import SecretStr

from hitl.connectors.label_studio import LabelStudio
from hitl.connectors.studio.storage import LocalMedia, S3Media
from hitl.connectors.studio.storage.s3 import Keys
from hitl.ledger import Ledger
from hitl.types import Answer

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ANSWERS = {
    "1": Answer(("fine",)),
    "2": Answer(("rude",)),
    "3": Answer(("cruel",)),
    "u": Answer(out="unsure"),
    "e": Answer(out="escalate"),
    "n": Answer(out="no_policy"),
}
KEYS = ("1", "2", "3", "u", "1", "2", "3", "e", "n")
SKIPPED = 4


def plain(answer: Answer | None) -> Answer | None:
    """Without what was drawn."""
    return answer and replace(answer, spans=())


def look_and_answer(person: Annotator, kind: Kind, key: str, shot: str) -> None:
    """Fill a page in; where its content is blurred, nothing of it is to be made out before one wants to."""
    if kind.form.blurred:
        assert_blurred(person.page, True)
        if shot:
            person.shoot(f"{shot}-blurred")
        person.press(SHOW)
        assert_blurred(person.page, False)
    person.press(key)
    if shot:
        person.page.wait_for_timeout(300)
        person.shoot(f"{shot}-answered")


@pytest.mark.parametrize("name", KINDS)
def test_what_an_annotator_does_in_the_page_is_what_is_pulled(name, studio, media, annotator, tmp_path):
    kind, campaign = KINDS[name], f"browser {name}"
    (media / name).mkdir()
    connector = LabelStudio(studio.url, studio.token, media=LocalMedia(media / name, document_root=str(media.parent)))
    tasks = ask(connector, campaign, kind, media / name, len(KEYS) + 2)
    ledger = Ledger(tmp_path / "ledger.db", campaign)
    with ledger.transaction() as writer:
        writer.add_tasks(tasks)

    def pull() -> None:
        with ledger.transaction() as writer:
            writer.mirror(connector.pull(ledger.cursor))

    person = annotator(f"{name}-person")
    person.enter(connector.url_of_project)
    *before, last = tasks
    keys, expected, marked = iter(KEYS), dict[str, Answer | None](), dict[str, float]()
    for place, task in enumerate(before):
        kind.sees(person.page, task.position)
        if place == SKIPPED:
            person.skip()
            expected[task.key] = None
        else:
            key = next(keys)
            look_and_answer(person, kind, key, f"{name}-{place + 1}" if place < 2 else "")
            if kind.form.marked and key == "2":
                marked[task.key] = person.mark("Shift+2")
                assert_blurred(person.page, False)
                person.shoot(f"{name}-{place + 1}-marked")
            person.submit()
            expected[task.key] = ANSWERS[key]
    kind.sees(person.page, last.position)
    pull()
    assert {one.task_key: plain(one.answer) for one in ledger.annotations()} == expected

    person.back()
    kind.sees(person.page, before[-1].position)
    if kind.form.blurred:
        assert_blurred(person.page, True)
    person.press("1")
    person.shoot(f"{name}-edited")
    person.update()
    person.forth()
    kind.sees(person.page, last.position)
    look_and_answer(person, kind, "3", f"{name}-last")
    person.submit(then_next=False)
    expected |= {before[-1].key: ANSWERS["1"], last.key: ANSWERS["3"]}
    pull()

    assert person.served == [task.key for task in tasks]
    found = {one.task_key: one for one in ledger.annotations()}
    assert {key: plain(one.answer) for key, one in found.items()} == expected
    assert {key: one.revision for key, one in found.items()} == dict.fromkeys(expected, 1) | {before[-1].key: 2}
    assert [one.task_key for one in found.values() if one.skipped] == [before[SKIPPED].key]
    assert all(one.seconds > 0 and not one.problem for one in found.values())
    spans = {key: one.answer.spans for key, one in found.items() if one.answer and one.answer.spans}
    assert spans.keys() == marked.keys()
    for key, (span,) in spans.items():
        assert (span.label, 0 < span.start < span.stop <= SECONDS) == ("rude", True)
        assert span.stop == pytest.approx(marked[key], abs=0.15)


def test_a_picture_in_a_bucket_is_shown(studio, annotator, tmp_path):
    boto3, moto = pytest.importorskip("boto3"), pytest.importorskip("moto.server")
    store = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    store.start()
    try:
        where = "http://{}:{}".format(*store.get_host_and_port())
        mine = {"aws_access_key_id": "AKIAZONK", "aws_secret_access_key": "zonk", "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=where, **mine)
        client.create_bucket(Bucket="pictures")
        keys = Keys(SecretStr("AKIAZONK"), SecretStr("zonk"))
        kind, names = KINDS["image"], [image(number, tmp_path)["media"] for number in range(2)]
        for presign, name in zip((True, False), names, strict=True):
            client.upload_file(str(tmp_path / name), "pictures", key := f"in/picture {presign} #&%.png")
            storage = S3Media("pictures", "in/", where, keys=keys, presign=presign)
            connector = LabelStudio(studio.url, studio.token, media=storage)
            bucket = replace(kind, make=lambda number, folder, key=key: {"media": key.removeprefix("in/")})
            ask(connector, f"browser bucket {presign}", bucket, tmp_path, 1)
            person = annotator(f"bucket-{presign}-person".lower())
            person.enter(connector.url_of_project)
            sees_picture(person.page, names.index(name))
            connector.close()
    finally:
        store.stop()
