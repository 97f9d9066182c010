"""Hotkeys in a browser: each is heard on every task, whatever keys the editors of media have of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from contents import KINDS, SHOW, ask, assert_blurred

from hitl.connectors.label_studio import LabelStudio
from hitl.connectors.studio.storage import LocalMedia
from hitl.policy import OUTS, Label, Policy
from hitl.tasks import Form

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LETTERS, OUT_KEYS = "123456789qwrtasdfgzxcbyiopjklm", "uen"


@pytest.mark.parametrize("name", ["text", "image", "video"])
def test_every_key_ticks_its_label_on_every_task(name, studio, media, annotator):
    labels = tuple(Label(name=f"label {n}", violating=n > 0) for n in range(len(LETTERS)))
    policy = Policy(name="many", version="1", labels=labels)
    kind = replace(KINDS[name], form=Form(policy=policy, modality=KINDS[name].form.modality))
    (media / f"keys {name}").mkdir()
    storage = LocalMedia(media / f"keys {name}", document_root=str(media.parent))
    connector = LabelStudio(studio.url, studio.token, media=storage)
    tasks = ask(connector, f"browser keys {name}", kind, media / f"keys {name}", 3)
    person = annotator(f"keys-{name}-person")
    person.enter(connector.url_of_project)
    page = person.page
    for task in tasks:
        kind.sees(page, task.position)
        if kind.form.blurred:
            person.press(SHOW)
            assert_blurred(page, False)
        for key, choice in zip([*LETTERS, *OUT_KEYS], [*policy.names, *OUTS], strict=True):
            person.press(key)
            page.locator(f'.hitl-answer input[name="{choice}"]:checked').wait_for(state="attached", timeout=5000)
        if kind.form.blurred:
            person.press(SHOW)
            assert_blurred(page, True)
        if task is not tasks[-1]:
            person.submit()
    connector.close()
