from __future__ import annotations

import numpy as np
import pytest

from hitl.errors import AnswerError
from hitl.labels import AnswerTable


def test_words_become_codes_and_back() -> None:
    triples = [("t2", "bo", "spam"), ("t1", "ana", "ok"), ("t2", "ana", "ok")]
    table = AnswerTable.of(triples)
    words = zip(table.task, table.worker, table.label, strict=True)
    assert [(table.tasks[t], table.workers[w], table.labels[k]) for t, w, k in words] == triples
    assert table.people.tolist() == [1, 2]


def test_a_vocabulary_keeps_its_order_and_its_idle_words() -> None:
    table = AnswerTable.of([("t1", "ana", "ok")], tasks=["t9", "t1"], labels=["spam", "ok", "other"])
    assert table.tasks == ("t9", "t1")
    assert (table.task.tolist(), table.label.tolist()) == ([1], [1])
    assert table.people.tolist() == [0, 1]


def test_no_rows_at_all() -> None:
    table = AnswerTable.of([], tasks=["t1"])
    assert (len(table), table.people.tolist(), len(table.latest())) == (0, [0], 0)


def test_latest_keeps_the_last_word_of_each_person() -> None:
    table = AnswerTable.of([("t", "ana", "x"), ("t", "bo", "x"), ("u", "ana", "x"), ("t", "ana", "y")])
    last = table.latest()
    assert list(zip(last.task, last.worker, last.label, strict=True)) == [(0, 1, 0), (1, 0, 0), (0, 0, 1)]


def test_a_word_outside_the_vocabulary_is_named() -> None:
    with pytest.raises(AnswerError, match=r"label 'spem' is not in the vocabulary \(1 such\)"):
        AnswerTable.of([("t", "ana", "spem")], labels=["spam"])


def test_columns_of_unlike_length_are_refused() -> None:
    codes = np.zeros(2, dtype=np.int64)
    with pytest.raises(AnswerError, match=r"\[2, 2, 1\] rows"):
        AnswerTable(codes, codes, codes[:1], ("t",), ("w",), ("x",))


def test_a_code_outside_its_vocabulary_is_named() -> None:
    codes = np.zeros(2, dtype=np.int64)
    with pytest.raises(AnswerError, match=r"row 1: label code 3 is outside the vocabulary of 1"):
        AnswerTable(codes, codes, np.array([0, 3]), ("t",), ("w",), ("x",))
