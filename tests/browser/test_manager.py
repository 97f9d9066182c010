"""The data manager in a browser, through which annotators come in."""

from __future__ import annotations

import pytest
from contents import KINDS, ask

from hitl.connectors.label_studio import LabelStudio
from hitl.connectors.studio.storage import LocalMedia
from hitl.types import Tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_data_manager_shows_no_media_and_nobodys_answers(studio, media, annotator):
    kind, folder = KINDS["image"], media / "manager"
    folder.mkdir()
    connector = LabelStudio(studio.url, studio.token, media=LocalMedia(folder, document_root=str(media.parent)))
    ask(connector, "browser manager", kind, folder, 3)
    first, second = annotator("manager-first"), annotator("manager-second")
    first.enter(connector.url_of_project)
    first.press("3")
    first.submit()
    connector.sort([Tab("English", language="en")])
    asked: list[str] = []
    second.page.on("request", lambda request: asked.append(request.url))
    for view in (None, *connector._http.read("/api/dm/views/", {"project": connector.project_id})):
        second.page.goto(f"{connector.url_of_project}data" + (f"?tab={view['id']}" if view else ""))
        second.page.get_by_text("en", exact=True).first.wait_for()
        second.page.wait_for_load_state("networkidle")
        second.shoot(f"manager-{view['data']['title'] if view else 'first'}")
        assert not second.page.locator("img[src*='local-files'], img[src*='resolve']").count()
        words = second.page.inner_text(".lsf-dm-content, .dm-content, #label-studio-dm, .app-wrapper, body")
        assert not {"cruel", "hitl_key", "model-1", "manager-first@hitl.invalid"} & set(words.split())
    assert not [url for url in asked if "local-files" in url or "/resolve" in url]
    connector.close()
