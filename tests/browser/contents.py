"""What an annotator is shown, kind by kind, and how one knows that they see it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from clips import write_clip

from hitl.connectors.label_studio import LabelStudio
from hitl.policy import Label, Policy
from hitl.tasks import Asking, Form, make_tasks
from hitl.types import Pick, Task

LABELS = (
    Label(name="fine", violating=False, definition="Nothing here needs a moderator."),
    Label(name="rude", definition="Unkind to somebody, without a threat."),
    Label(name="cruel", definition="Meant to hurt somebody.", severity=4),
)
POLICY = Policy(name="kindness", version="1", labels=LABELS)
SHOW = "Shift+H"
HEIGHT, WIDTH = 240, 320
FPS, SECONDS = 10, 3


def squares(shift: int, width: int = WIDTH) -> np.ndarray:
    """A pattern with sharp edges, of which a blurred picture keeps nothing."""
    rows, columns = np.indices((HEIGHT, width))
    bright = ((rows // 12 + columns // 12 + shift) % 2 * 255).astype(np.uint8)
    return np.repeat(bright[:, :, None], 3, axis=2)


def text(number: int, folder: Path) -> dict[str, str]:
    return {"text": f"zonk number {number}, a b\u202ec \u0645\u0631\u062d\u0628\u0627 \u96ea & <b>no markup</b>"}


def conversation(number: int, folder: Path) -> dict[str, str]:
    turns = [("Ana", f"zonk number {number}"), ("Bo", "\u0645\u0631\u062d\u0628\u0627"), ("Ana", "<i>fine</i>")]
    return {"text": json.dumps([{"author": author, "text": said} for author, said in turns])}


def image(number: int, folder: Path) -> dict[str, str]:
    from PIL import Image

    name = f"zonk number {number} #&?%.png"
    Image.fromarray(squares(number, WIDTH + number)).save(folder / name)
    return {"media": name}


def video(number: int, folder: Path) -> dict[str, str]:
    name = f"zonk number {number}.webm"
    write_clip(folder / name, [squares(at // 5) for at in range(FPS * SECONDS)], FPS, codec="libvpx")
    return {"media": name, "moments": "0:01, 0:02"}


def sees_words(page: Any, number: int) -> None:
    page.get_by_text(re.compile(rf"zonk number {number}\b")).first.wait_for()
    assert "\u202e" not in page.inner_text(".hitl-item")
    assert not page.get_by_text("no markup").locator("xpath=self::b").count()


def sees_picture(page: Any, number: int) -> None:
    # The page shows a copy under a name of its own: each picture is known by its width.
    loaded = f"one => one.complete && one.naturalWidth == {WIDTH + number}"
    page.wait_for_function(f"() => [...document.querySelectorAll('img')].some({loaded})")


def sees_clip(page: Any, number: int) -> None:
    named = f"decodeURIComponent(one.currentSrc).includes('zonk number {number}.')"
    loaded = f"one => {named} && one.readyState >= 2 && one.videoWidth == {WIDTH}"
    page.wait_for_function(f"() => [...document.querySelectorAll('video')].some({loaded})")


@dataclass(frozen=True)
class Kind:
    """A kind of content: how it is made, what people are asked, and how one knows that they see it."""

    form: Form
    make: Callable[[int, Path], dict[str, str]]
    sees: Callable[[Any, int], None]


KINDS = {
    "text": Kind(Form(policy=POLICY), text, sees_words),
    "conversation": Kind(Form(policy=POLICY, modality="conversation"), conversation, sees_words),
    "image": Kind(Form(policy=POLICY, modality="image"), image, sees_picture),
    "video": Kind(Form(policy=POLICY, modality="video", name="timeline"), video, sees_clip),
}


def ask(connector: LabelStudio, name: str, kind: Kind, folder: Path, number: int) -> list[Task]:
    """Put items there of which a later one is more important; the tasks in the order they are to be served in."""
    connector.open(name, kind.form, kind.form.policy)
    picks = [Pick(n, f"item-{n}", "explore", (n + 1) / (number + 1)) for n in range(number)]
    rows = [{"language": "en", "region": "", **kind.make(n, folder)} for n in range(number)]
    asking = Asking(campaign=name, round=1, form=kind.form, model_id="model-1")
    tasks = make_tasks(asking, picks, rows, [{"fine": 0.2, "rude": 0.7, "cruel": 0.1}] * number)
    assert connector.broken(tasks) == {}
    connector.push(tasks)
    return list(reversed(tasks))


def contrast(page: Any) -> float:
    """How much light and dark differ in the middle of what is shown."""
    from io import BytesIO

    from PIL import Image

    place = page.locator(".hitl-content .lsf-object:visible").bounding_box()
    middle = {
        "x": place["x"] + place["width"] * 0.4,
        "y": place["y"] + place["height"] * 0.3,
        "width": place["width"] * 0.2,
        "height": place["height"] * 0.2,
    }
    return float(np.asarray(Image.open(BytesIO(page.screenshot(clip=middle))).convert("L")).std())


def assert_blurred(page: Any, blurred: bool) -> None:
    """Nothing is made out in what is blurred; a page takes its time."""
    for _ in range(20):
        page.wait_for_timeout(100)
        found = contrast(page)
        if found < 20 if blurred else found > 60:
            return
    raise AssertionError(f"{'not blurred' if blurred else 'blurred'}: contrast {found:.0f}")
