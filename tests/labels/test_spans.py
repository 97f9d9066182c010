from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hitl.labels.spans import settled_spans
from hitl.types import Annotation, Answer, Resolution, Span, Spans

LABELS = ("fine", "rude", "cruel")
STEP = 0.25

stretches = st.tuples(st.integers(0, 30), st.integers(1, 10)).map(lambda pair: (pair[0], pair[0] + pair[1]))
marks = st.lists(st.lists(stretches, max_size=4), max_size=5)


def said(
    who: str,
    *spans: tuple[str, float, float],
    labels: tuple[str, ...] = ("rude",),
    task: str = "t1",
    at: int = 0,
    **more: object,
) -> Annotation:
    answer = Answer(labels, spans=tuple(Span(*span) for span in spans))
    return Annotation(f"{task}-{who}-{at}", task, who, answer, f"2025-01-01T10:00:{at:02}Z", 4.0, **more)  # type: ignore[arg-type]


def settled(item: str, *labels: str) -> Resolution:
    return Resolution(item, 0, labels, 0.9, "majority", "1")


def told(spans: Spans) -> list[tuple[int, int, float, float]]:
    columns = (spans.rows, spans.labels, spans.start, spans.stop)
    return [tuple(row) for row in zip(*(column.tolist() for column in columns), strict=True)]  # type: ignore[misc]


@given(marks)
def test_a_moment_is_within_a_stretch_when_half_of_the_people_marked_it(people: list[list[tuple[int, int]]]) -> None:
    annotations = [
        said(f"w{n}", *(("rude", start * STEP, stop * STEP) for start, stop in mine)) for n, mine in enumerate(people)
    ]
    found = told(settled_spans({"clip": annotations}, [settled("clip", "rude")], LABELS))
    for cell in range(42):
        middle = (cell + 0.5) * STEP
        share = sum(any(start <= cell < stop for start, stop in mine) for mine in people)
        within = any(start < middle < stop for _, _, start, stop in found)
        assert within == (bool(people) and 2 * share >= len(people) and share > 0)
    assert all(before[3] < after[2] for before, after in pairwise(found))


def test_rows_are_those_of_the_resolutions_and_columns_those_of_the_labels() -> None:
    annotations = {
        "a": [said("ana", ("rude", 1, 2), ("cruel", 3, 4), labels=("rude", "cruel"))],
        "b": [said("ana", ("rude", 5, 6))],
        "c": [said("ana", ("rude", 7, 8))],
    }
    open_ = Resolution("b", 0, None, 0.4, "majority", "1")
    spans = settled_spans(annotations, [settled("c", "rude"), open_, settled("a", "rude", "cruel")], LABELS)
    assert told(spans) == [(0, 1, 7.0, 8.0), (2, 1, 1.0, 2.0), (2, 2, 3.0, 4.0)]
    assert (spans.rows.dtype, spans.start.dtype) == (np.dtype(np.int64), np.dtype(np.float64))


def test_a_label_that_was_not_settled_has_no_stretch() -> None:
    annotations = {"a": [said("ana", ("rude", 1, 2)), said("bo", labels=("fine",)), said("cy", labels=("fine",))]}
    assert len(settled_spans(annotations, [settled("a", "fine"), settled("nobody", "rude")], LABELS)) == 0


def test_who_gave_the_label_and_marked_nothing_is_counted() -> None:
    annotations = {"a": [said("ana", ("rude", 1, 2)), said("bo"), said("cy")]}
    assert len(settled_spans(annotations, [settled("a", "rude")], LABELS)) == 0
    assert len(settled_spans({"a": annotations["a"][:2]}, [settled("a", "rude")], LABELS)) == 1


def test_the_last_word_of_each_person_counts_and_skips_outs_and_deleted_ones_do_not() -> None:
    annotations = [
        said("ana", ("rude", 1, 2)),
        said("ana", ("rude", 5, 6), task="t2", at=30),
        said("bo", ("rude", 5, 6), deleted=True),
        Annotation("s", "t1", "cy", None, "", 1.0, skipped=True),
        Annotation("u", "t1", "di", Answer(out="unsure"), "", 1.0),
    ]
    expected = [(0, 1, 5.0, 6.0)]
    for order in (annotations, annotations[::-1]):
        assert told(settled_spans({"a": order}, [settled("a", "rude")], LABELS)) == expected
