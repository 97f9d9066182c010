"""What every resolver must do, whatever its method."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.labels import ORDINAL, RESOLVERS, AnswerTable, Resolver
from hitl.labels.table import UNRESOLVED, Settled
from hitl.labels.worth import confusion_bounds

pytestmark = pytest.mark.parametrize("resolver", list(RESOLVERS.values()), ids=list(RESOLVERS))


def random_table(seed: int, tasks: int = 40, workers: int = 6, labels: int = 3, rows: int = 150) -> AnswerTable:
    rng = np.random.default_rng(seed)
    truth = rng.integers(labels, size=tasks)
    task = rng.integers(tasks, size=rows)
    label = np.where(rng.random(rows) < 0.8, truth[task], rng.integers(labels, size=rows))
    return AnswerTable(
        task,
        rng.integers(workers, size=rows),
        label,
        tuple(f"t{i:02}" for i in range(tasks)),
        tuple(f"w{i}" for i in range(workers)),
        tuple(f"l{i}" for i in range(labels)),
    )


def assert_same(one: Settled, two: Settled) -> None:
    for part in fields(Settled):
        np.testing.assert_array_equal(getattr(one, part.name), getattr(two, part.name))


def test_the_same_table_gives_the_same_answer(resolver: Resolver) -> None:
    one, two = resolver(random_table(1)), resolver(random_table(1))
    assert_same(one, two)


def test_no_bit_hangs_on_the_order_of_the_rows(resolver: Resolver) -> None:
    table = random_table(3)
    rows = np.random.default_rng(4).permutation(len(table))
    mixed = replace(table, task=table.task[rows], worker=table.worker[rows], label=table.label[rows])
    assert_same(resolver(table), resolver(mixed))


def test_a_known_label_is_held_and_teaches(resolver: Resolver) -> None:
    """Two say x of everything and one says y; of six tasks y is known to be the truth."""
    said = [(f"t{i}", who, word) for i in range(6) for who, word in (("ana", "x"), ("bo", "x"), ("cy", "y"))]
    table = AnswerTable.of(said, tasks=[f"t{i}" for i in range(7)])
    settled = resolver(replace(table, truth=np.array([1, 1, 1, 1, 1, 1, 0])))
    assert settled.labels.tolist() == [1] * 6 + [0]
    np.testing.assert_array_equal(settled.confidence, 1.0)
    np.testing.assert_array_equal(settled.accuracy, [0.0, 0.0, 1.0])
    np.testing.assert_array_equal(settled.doubt, 0.0)


def test_what_is_said_of_people_is_finite_and_bounded(resolver: Resolver) -> None:
    settled = resolver(random_table(5, rows=60))
    assert (settled.doubt >= -1e-12).all()
    assert (settled.doubt <= settled.judged / 4 + 1e-9).all()
    if settled.confusion is None:
        assert settled.support is None
        return
    assert settled.support is not None
    assert settled.support.shape == settled.confusion.shape
    low, high = confusion_bounds(settled.confusion, settled.support)
    assert (low <= settled.confusion + 1e-12).all()
    assert (high >= settled.confusion - 1e-12).all()
    assert ((low >= 0) & (high <= 1)).all()


def test_the_table_is_left_as_it_was(resolver: Resolver) -> None:
    table, twin = random_table(2), random_table(2)
    for column in (table.task, table.worker, table.label):
        column.setflags(write=False)
    resolver(table)
    for part in fields(table):
        np.testing.assert_array_equal(getattr(table, part.name), getattr(twin, part.name))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_order_does_not_matter(resolver: Resolver, seed: int) -> None:
    table = random_table(seed)
    rng = np.random.default_rng(seed + 1)
    rows = rng.permutation(len(table))
    new_task, new_worker, new_label = (rng.permutation(n) for n in (40, 6, 3))
    # A scale may be read from its other end, and in no other order.
    new_label = np.array([2, 1, 0]) if resolver in [RESOLVERS[name] for name in ORDINAL] else new_label
    shuffled = AnswerTable(
        new_task[table.task[rows]],
        new_worker[table.worker[rows]],
        new_label[table.label[rows]],
        table.tasks,
        table.workers,
        table.labels,
    )
    before, after = resolver(table), resolver(shuffled)
    expected = np.where(before.labels == UNRESOLVED, UNRESOLVED, new_label[before.labels])
    np.testing.assert_array_equal(after.labels[new_task], expected)
    np.testing.assert_allclose(after.confidence[new_task], before.confidence, atol=1e-6)
    np.testing.assert_allclose(after.posterior[new_task][:, new_label], before.posterior, atol=1e-6)
    np.testing.assert_allclose(after.correct[new_worker], before.correct, atol=1e-6)
    np.testing.assert_array_equal(after.judged[new_worker], before.judged)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(0, 60))
def test_beliefs_are_probabilities(resolver: Resolver, seed: int, rows: int) -> None:
    table = random_table(seed, rows=rows)
    settled = resolver(table)
    answered = np.isin(np.arange(40), table.task)
    np.testing.assert_allclose(settled.posterior.sum(axis=1), 1.0, atol=1e-9)
    assert (settled.labels[~answered] == UNRESOLVED).all()
    assert (settled.confidence[~answered] == 0).all()
    resolved = settled.labels != UNRESOLVED
    np.testing.assert_array_equal(settled.posterior.argmax(axis=1)[resolved], settled.labels[resolved])
    accuracy = settled.accuracy[settled.judged > 0]
    assert ((accuracy >= 0) & (accuracy <= 1)).all()
    if settled.confusion is not None:
        np.testing.assert_allclose(settled.confusion.sum(axis=2), 1.0)


@pytest.mark.parametrize("sizes", [(0, 0, 0), (3, 0, 2), (0, 2, 2), (3, 2, 0), (3, 2, 2)])
def test_nothing_answered(resolver: Resolver, sizes: tuple[int, int, int]) -> None:
    t, w, k = sizes
    none = np.zeros(0, dtype=np.int64)
    names = [tuple(f"{kind}{i}" for i in range(size)) for kind, size in zip("twl", sizes, strict=True)]
    settled = resolver(AnswerTable(none, none, none, *names))
    assert settled.labels.tolist() == [UNRESOLVED] * t
    assert settled.confidence.tolist() == [0.0] * t
    assert settled.posterior.shape == (t, k)
    assert np.isnan(settled.accuracy).tolist() == [True] * w


def test_a_tie_is_unresolved(resolver: Resolver) -> None:
    table = AnswerTable.of([("a", "ana", "x"), ("a", "bo", "y"), ("b", "ana", "y"), ("b", "bo", "x")])
    settled = resolver(table)
    assert settled.labels.tolist() == [UNRESOLVED] * 2
    np.testing.assert_allclose(settled.confidence, 0.5)
    assert settled.tied.all()
    clear = resolver(AnswerTable.of([("a", "ana", "x"), ("a", "bo", "x")], tasks=["a", "b"], labels=["x", "y", "z"]))
    assert not clear.tied.any()


def test_one_class(resolver: Resolver) -> None:
    settled = resolver(AnswerTable.of([("a", "ana", "x"), ("b", "bo", "x")]))
    assert settled.labels.tolist() == [0, 0]
    np.testing.assert_allclose(settled.confidence, 1.0)


def test_one_worker_is_believed_and_not_judged(resolver: Resolver) -> None:
    triples = [(f"t{i:02}", "ana", "xyz"[i % 3]) for i in range(12)]
    settled = resolver(AnswerTable.of(triples))
    assert settled.labels.tolist() == [i % 3 for i in range(12)]
    assert settled.judged.tolist() == [0]
    assert np.isnan(settled.accuracy).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), workers=st.integers(2, 6))
def test_what_all_say_is_so(resolver: Resolver, seed: int, workers: int) -> None:
    truth = np.random.default_rng(seed).integers(4, size=30)
    task, worker = (part.ravel() for part in np.meshgrid(np.arange(30), np.arange(workers)))
    names = tuple(f"t{i}" for i in range(30)), tuple(f"w{i}" for i in range(workers)), tuple("abcd")
    settled = resolver(AnswerTable(task, worker, truth[task], *names))
    np.testing.assert_array_equal(settled.labels, truth)
    assert (settled.accuracy > 0.95).all()


def test_a_worker_may_answer_twice(resolver: Resolver) -> None:
    table = AnswerTable.of(
        [("a", "ana", "x"), ("a", "ana", "x"), ("a", "bo", "y"), ("b", "bo", "y"), ("b", "ana", "y")]
    )
    assert resolver(table).judged.tolist() == [3, 2]
    once = resolver(replace(table.latest()))
    assert once.judged.tolist() == [2, 2]
