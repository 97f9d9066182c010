"""Tasks and annotations that tests of the record write."""

from dataclasses import replace

from hitl.types import Annotation, Answer, Task


def task(key, number=0, overlap=1, **changes):
    made = Task(key, number, f"item-{key}", 3, "classify", "1", "DE", {"hitl_key": key}, 0.4, overlap)
    return replace(made, **changes)


def said(identity, key, labels=("spam",), **changes):
    made = Annotation(identity, key, "w-1", Answer(labels, "", "note"), "2026-01-01T00:00:00Z", 4.5)
    return replace(made, **changes)
