"""Signals: evidence that keeps its promise, each habit found by its signal, and honest people left in peace."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import AnswerError
from hitl.metrics.multiplicity import holm
from hitl.workforce.signals import LEVEL, SIGNALS, Stream, propose
from hitl.workforce.signals.evidence import BLOCK, TILTS, Bet, possible, strongest
from hitl.workforce.signals.too_fast import rushed
from hitl.workforce.signals.typical import HALF, QUARTER, limit, typical

K, PEOPLE, TASKS = 4, 24, 1200
MIX = (0.55, 0.2, 0.15, 0.1)


def shift(seed: int = 0, tasks: int = TASKS, third: bool = False, **bad):
    """Three of six neighbours judge each task; `bad` are changes to the honest answers of some people, by name."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(K, tasks, p=MIX)
    desk = rng.integers(0, PEOPLE // 6, tasks)
    worker = (desk[:, None] * 6 + rng.permuted(np.tile(np.arange(6), (tasks, 1)), axis=1)[:, :3]).ravel()
    task = np.repeat(np.arange(tasks), 3)
    m = len(task)
    skill, tempting = rng.uniform(0.8, 0.95, PEOPLE), (truth + rng.integers(1, K, tasks)) % K
    label = np.where(rng.random(m) < skill[worker], truth[task],
                     np.where(rng.random(m) < 0.5, tempting[task], rng.integers(0, K, m)))  # fmt: skip
    predicted = np.where(rng.random(tasks) < 0.6, truth, (truth + rng.integers(1, K, tasks)) % K)
    seconds = rng.lognormal(2.3, 0.4, m) * np.where(worker == 7, 0.3, 1.0)  # one is fast, and as right as others
    shown = rng.random(tasks) < 0.7
    columns = {"task": task, "worker": worker, "label": label, "seconds": seconds, "truth": truth, "rng": rng,
               "predicted": predicted[task], "shown": shown[task]}  # fmt: skip
    for change in bad.values():
        change(columns)
    known = np.where(rng.random(tasks) < 0.1, truth, -1)
    stream = Stream.of(
        task, worker, columns["label"], workers=[f"p{at:02}" for at in range(PEOPLE)],
        labels=[f"l{at}" for at in range(K)],
        truth=known, seconds=columns["seconds"], predicted=columns["predicted"], shown=columns["shown"],
    )  # fmt: skip
    if third:
        label = stream.label.reshape(-1, 3)
        kept = np.ones((tasks, 3), dtype=bool)
        kept[(label[:, 0] == label[:, 1]) & (known < 0), 2] = False
        stream = stream.first(kept.ravel())
    return stream


def of(person, change):
    """A change to the label column on the rows of a person."""

    def apply(columns):
        rows = columns["worker"] == person
        columns["label"] = np.where(rows, change(columns), columns["label"])

    return apply


def at_random(columns):
    return columns["rng"].integers(0, K, len(columns["label"]))


def against(columns):
    return (columns["truth"][columns["task"]] + 1) % K


def lazily(columns):
    blind = columns["rng"].random(len(columns["label"])) < 0.85
    rows = columns["worker"] == 3
    columns["seconds"] = np.where(rows, columns["seconds"] / 4, columns["seconds"])
    return np.where(blind, 0, columns["label"])


def copied(columns):
    return np.where(columns["shown"], columns["predicted"], columns["label"])


def thinks_alike(columns):
    return columns["predicted"]


def together(columns):
    rng, task = columns["rng"], columns["task"]
    tasks = len(columns["truth"])
    said = np.where(rng.random(tasks) < 0.6, columns["truth"], rng.integers(0, K, tasks))
    pair = np.isin(columns["worker"], (12, 13))
    columns["label"] = np.where(pair, said[task], columns["label"])


def later(columns):
    start = columns["worker"] == 20
    turn = np.cumsum(start)
    return np.where(turn > 70, at_random(columns), columns["label"])


def flags(stream):
    found = propose(stream, SIGNALS, holm)
    return {
        (stream.workers[worker], found.signals[at].name) for at, worker in np.argwhere(found.flagged).tolist()
    }, found


HABITS = {
    "random": (of(1, at_random), "p01", "at_odds"),
    "adversarial": (of(2, against), "p02", "at_odds"),
    "lazy": (of(3, lazily), "p03", "one_answer"),
    "rushed": (of(3, lazily), "p03", "too_fast"),
    "copying": (of(5, copied), "p05", "copying"),
    "colluding": (together, "p12", "collusion"),
    "drifting": (of(20, later), "p20", "drift"),
}


@pytest.mark.parametrize("habit", HABITS)
def test_each_habit_is_found_by_its_signal_and_told_with_its_numbers(habit):
    change, person, signal = HABITS[habit]
    stream = shift(seed=3, tasks=TASKS * 2, bad=change)
    found, proposals = flags(stream)
    assert (person, signal) in found
    assert {who for who, _ in found} == ({"p12", "p13"} if habit == "colluding" else {person})
    evidence, worker = proposals.evidence[signal], stream.workers.index(person)
    told = SIGNALS[signal].told(stream, evidence, worker)
    assert f"{evidence.hits[worker]:,} of {evidence.answers[worker]:,}" in told or signal == "drift"
    if signal == "one_answer":
        assert stream.labels[evidence.about[worker]] == "l0"
    if signal == "collusion":
        assert stream.workers[evidence.about[worker]] == "p13"
        assert "p13" in told


@pytest.mark.parametrize("third", [False, True])
def test_honest_people_are_left_in_peace_however_their_tasks_were_asked(third):
    for seed in range(3):
        found, proposals = flags(shift(seed=seed, third=third))
        assert not found
        assert not proposals.few.all(axis=1).any()


def test_bad_work_shows_where_a_third_is_asked_only_on_disagreement():
    found, _ = flags(shift(seed=5, tasks=3 * TASKS, third=True, bad=of(1, at_random), lazy=of(3, lazily)))
    assert ("p01", "at_odds") in found
    assert {name for who, name in found if who == "p03"} & {"one_answer", "too_fast", "at_odds"}
    assert {who for who, _ in found} == {"p01", "p03"}


def test_who_is_fast_and_right_is_not_too_fast():
    stream = shift(tasks=2 * TASKS)
    mine = stream.worker == 7
    assert rushed(stream)[mine].mean() > 0.8
    assert SIGNALS["too_fast"].find(stream).log_e[7] < 1


def test_who_gives_the_models_answers_unseen_thinks_alike_and_does_not_copy():
    stream = shift(seed=3, tasks=2 * TASKS, bad=of(5, thinks_alike))
    others = shift(seed=3, tasks=2 * TASKS, bad=of(5, copied))
    alike, copying = (SIGNALS["copying"].find(one).log_e[5] for one in (stream, others))
    assert alike < np.log(100)
    assert copying > np.log(1e6)


def test_length_is_no_haste():
    """Long items take long and short ones do not: whoever gets short ones does not rush."""
    rng = np.random.default_rng(0)
    size = np.repeat([20.0, 400.0], 500)
    worker = np.where(size < 100, rng.integers(0, 2, 1000), rng.integers(2, 4, 1000))
    columns = {"seconds": size / 20 * rng.lognormal(0, 0.2, 1000)}
    stream = Stream.of(
        np.arange(1000), worker, np.zeros(1000, dtype=int), workers="abcd", labels="xy", size=size, **columns
    )
    blind = Stream.of(np.arange(1000), worker, np.zeros(1000, dtype=int), workers="abcd", labels="xy", **columns)
    assert rushed(stream).mean() < 0.01
    assert rushed(blind)[size < 100].mean() > 0.4


def test_a_reference_is_gold_or_what_most_others_say():
    task, worker = np.array([0, 0, 0, 1, 1, 2, 3, 3]), np.array([0, 1, 2, 0, 1, 0, 0, 1])
    label = np.array([0, 0, 1, 0, 1, 1, 0, 1])
    stream = Stream.of(task, worker, label, workers="abc", labels="xy", truth=np.array([-1, -1, -1, 1]))
    assert stream.reference.tolist() == [-1, -1, 0, 1, 0, -1, 1, 1]
    assert stream.alone.tolist() == [False] * 5 + [True, False, False]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, K - 1), min_size=12, max_size=12))
def test_nothing_hangs_on_how_people_and_tasks_are_numbered(labels):
    task, worker = np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4)
    plain = Stream.of(task, worker, np.array(labels), workers="abc", labels="wxyz")
    renamed = Stream.of(3 - task, 2 - worker, np.array(labels), workers="cba", labels="wxyz")
    assert (plain.reference == renamed.reference).all()
    for signal in SIGNALS.values():
        assert signal.find(plain).log_e == pytest.approx(signal.find(renamed).log_e[::-1])


def test_few_answers_name_nobody_and_are_told_as_too_few():
    stream = shift(tasks=16, bad=of(1, against))
    found = propose(stream, SIGNALS, holm)
    assert found.few.all()
    assert not found.flagged.any()


@pytest.mark.parametrize("truth", [None, np.full(3, -1)])
def test_nobody_to_compare_with_is_too_few(truth):
    stream = Stream.of(
        np.arange(3), np.zeros(3, dtype=int), np.zeros(3, dtype=int), workers="a", labels="xy", truth=truth
    )
    assert propose(stream, SIGNALS, holm).few.all()


def test_columns_that_do_not_fit_are_refused():
    zeros = np.zeros(3, dtype=int)
    with pytest.raises(AnswerError, match="same length"):
        Stream.of(zeros, zeros[:2], zeros, workers="a", labels="x")
    with pytest.raises(AnswerError, match="label codes"):
        Stream.of(zeros, zeros, zeros + 1, workers="a", labels="x")


def test_evidence_is_the_mean_of_likelihood_ratios():
    hit = np.array([True, False, True, True, True])
    bet = Bet(np.ones(5, dtype=bool), hit, np.full(5, 0.4))
    paths = []
    for tilt in TILTS:
        q = 0.4 + tilt * 0.6
        paths.append(np.cumprod(np.where(hit, q / 0.4, (1 - q) / 0.6)))
    assert strongest([bet], np.zeros(5, dtype=int), 1)[0] == pytest.approx(np.log(np.mean(paths, axis=0).max()))
    assert possible([bet], np.zeros(5, dtype=int), 1)[0] > strongest([bet], np.zeros(5, dtype=int), 1)[0]


def test_evidence_of_a_change_is_the_mean_over_its_beginnings():
    n = 3 * BLOCK
    hit = np.arange(n) >= BLOCK
    found = strongest([Bet(np.ones(n, dtype=bool), hit, np.full(n, 0.3))], np.zeros(n, dtype=int), 1, change=True)[0]
    ratios = [np.where(hit, 1 + tilt * 0.7 / 0.3, 1 - tilt) for tilt in TILTS]
    begun = [np.mean([r[b * BLOCK :].prod() for r in ratios]) / ((b + 1) * (b + 2)) for b in range(3)]
    assert found == pytest.approx(np.log(sum(begun) + 1 / 4))


@pytest.mark.parametrize("change", [False, True])
def test_alarms_on_those_who_keep_the_limit_stay_below_their_rate_at_any_time(change):
    """At the very limit, looked at after each of 300 answers: false with a chance of at most 1 in 20."""
    people, n = 500 if change else 2000, 300
    hit = np.random.default_rng(1).random(people * n) < 0.3
    bet = Bet(np.ones(people * n, dtype=bool), hit, np.full(people * n, 0.3))
    alarms = strongest([bet, bet], np.repeat(np.arange(people), n), people, change=change) >= np.log(20)
    assert alarms.mean() <= 0.05
    assert change or alarms.mean() > 0.0005


def test_the_usual_rate_is_not_moved_by_a_few():
    worker = np.repeat(np.arange(20), 50)
    hit = np.random.default_rng(0).random(1000) < 0.1
    one = np.zeros(1000, dtype=int)
    honest, spoilt = (typical(hit | (worker < bad), worker, one, 1, 20)[0] for bad in (0, 5))
    assert honest == pytest.approx(0.1, abs=0.03)
    assert spoilt - honest < 0.07  # the mean would be moved by 0.22
    assert typical(hit, worker, one, 2, 20)[1] == pytest.approx(hit.mean(), abs=0.01)


def test_limits_lie_between_the_usual_and_the_worst():
    assert limit(np.array([0.2])) == pytest.approx([0.6])
    assert limit(np.array([0.1]), 0.9, QUARTER) == pytest.approx([0.3])
    assert QUARTER < HALF


@pytest.mark.simulation
def test_false_alarms_over_many_campaigns_stay_below_the_level():
    named = np.zeros(len(SIGNALS))
    for seed in range(200):
        stream = shift(seed=1000 + seed, tasks=600, third=seed % 2 == 1)
        named += propose(stream, SIGNALS, holm).flagged.any(axis=1)
    assert named.max() / 200 <= LEVEL + 2 * (LEVEL / 200) ** 0.5
