"""A person who works in the browser."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Annotator:
    """A person at a page; `served` are the keys of the tasks that the server gave them, in order."""

    page: Any
    url: str
    shots: Path
    served: list[str] = field(default_factory=list)

    def log_in(self, email: str, password: str) -> None:
        """Through the page, as people do."""
        self.page.goto(f"{self.url}/user/login/")
        self.page.fill("input[name=email]", email)
        self.page.fill("input[name=password]", password)
        self.page.click("button[type=submit]")
        self.page.wait_for_url(re.compile(rf"{re.escape(self.url)}/(projects/?)?$"))
        self.page.on("response", self._note)

    def enter(self, project: str) -> None:
        """By the button that people are told to use."""
        self.page.goto(project)
        with self.page.expect_response(_next_task):
            self.page.get_by_text("Label All Tasks").first.click()
        self.page.get_by_test_id("bottombar-submit-button").wait_for()

    def press(self, *keys: str) -> None:
        """Type hotkeys."""
        for key in keys:
            self.page.keyboard.press(key)

    def mark(self, key: str) -> float:
        """Choose a label by its hotkey and draw a stretch on the timeline; where in the clip, in seconds, it ends."""
        self.press(key)
        place = self.page.locator(".lsf-timeline-frames").bounding_box()
        height = place["y"] + place["height"] * 0.5
        self.page.mouse.move(place["x"] + 260, height)
        self.page.mouse.down()
        for across in (300, 360, 420):
            self.page.mouse.move(place["x"] + across, height, steps=4)
        self.page.mouse.up()
        self.page.wait_for_timeout(500)
        return float(self.page.evaluate("document.querySelector('video').currentTime"))

    def submit(self, then_next: bool = True) -> dict[str, Any]:
        """Send what is filled in; what the page sent."""
        return self._send("bottombar-submit-button", "POST", then_next)

    def skip(self, then_next: bool = True) -> dict[str, Any]:
        """Leave the task to somebody else."""
        return self._send("bottombar-skip-button", "POST", then_next)

    def update(self) -> dict[str, Any]:
        """Send an answer that was given before, changed."""
        return self._send("bottombar-update-button", "PATCH", False)

    def back(self) -> None:
        """To the task before this one."""
        with self.page.expect_response(lambda answer: re.search(r"/api/tasks/\d+", answer.url) is not None):
            self.page.get_by_test_id("prev-task").click()
        self.page.get_by_test_id("bottombar-update-button").wait_for()

    def forth(self) -> None:
        """To the task that waits after one that was gone back to."""
        self.page.get_by_test_id("next-task").click()
        self.page.get_by_test_id("bottombar-submit-button").wait_for()

    def shoot(self, name: str) -> Path:
        """A picture of the page as it is."""
        path = self.shots / f"{name}.png"
        self.page.screenshot(path=path)
        return path

    def _send(self, button: str, method: str, then_next: bool) -> dict[str, Any]:
        def sent(answer: Any) -> bool:
            return "/annotations" in answer.url and answer.request.method == method

        with self.page.expect_response(sent) as got:
            if then_next:
                with self.page.expect_response(_next_task):
                    self.page.get_by_test_id(button).click()
            else:
                self.page.get_by_test_id(button).click()
        assert got.value.ok, got.value.status
        assert "ConfigurationError" not in self.page.content()
        return dict(got.value.request.post_data_json)

    def _note(self, answer: Any) -> None:
        if _next_task(answer) and answer.ok:
            self.served.append(answer.json()["data"]["hitl_key"])


def _next_task(answer: Any) -> bool:
    return "/api/dm/actions" in answer.url and "id=next_task" in answer.url
