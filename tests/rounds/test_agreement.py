"""The finding on agreement: which answers and items it rests on, and that its parts are those of the coefficients."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import krippendorff
import numpy as np
import pyarrow as pa
import pytest

import hitl
from hitl.rounds.agreement import ENOUGH, LEAST, LEAST_SHARED, agreed, agreement, round_alpha
from hitl.rounds.judged import Measured
from hitl.rounds.walk import Walk
from hitl.types import Annotation, Answer, Pick, Task

POLICY = """
name: p
version: 1
labels:
  - {name: ok, violating: false}
  - {name: rude, severity: 1}
  - {name: threat, severity: 9}
"""


def item(*said, arm="benchmark", at=0, planned=2, language="en", inclusion=None, stars=()):
    """One item as `ana says rude, bo says ok` in the order of their answers; planned to be asked of so many people."""
    return SimpleNamespace(
        said=[one.split() for one in said], arm=arm, round=at, planned=planned, language=language,
        inclusion=inclusion, stars=stars,
    )  # fmt: skip


def asked(items, policy=POLICY, events=()):
    """A campaign of which only the pool, the policy and the record of these items are there."""
    pool = hitl.Pool.open(pa.table({"text": [f"text {at}" for at in range(len(items) + 1)]}), text="text")
    ids = pool.ids(np.arange(len(items)))
    tasks, picks, annotations, intended = [], [], [], []
    for at, one in enumerate(items):
        key = f"{at:016x}"
        data, overlap = {"language": one.language}, max(len(one.said), one.planned)
        tasks.append(Task(key, one.round, ids[at], at, "classify", "1", "", data, overlap=overlap))
        picks.append((one.round, Pick(at, ids[at], one.arm, 0.5, inclusion=one.inclusion)))
        intended += [(key, people, "") for people in range(one.planned + 1, overlap + 1)]
        for place, (worker, *words) in enumerate(one.said):
            out = words[0] if words[:1] == ["unsure"] else ""
            ratings = (("tone", one.stars[place]),) if one.stars else ()
            answer = Answer(() if out or words == ["none"] else tuple(words), out, ratings=ratings)
            annotations.append(Annotation(f"{at}-{place}", key, worker, answer, f"2026-01-01T00:00:{place:02}Z", 3.0))
    rounds = {task.key: task.round for task in tasks}
    ledger = SimpleNamespace(
        tasks=lambda number=None, **_: [task for task in tasks if number in (None, task.round)],
        picks=lambda number: [pick for at, pick in picks if at == number],
        annotations=lambda number=None, **_: [a for a in annotations if number in (None, rounds[a.task_key])],
        intended=lambda kind: intended,
        events=lambda *kinds: list(events),
    )
    plan, policy = hitl.Plan(), hitl.Policy.parse(policy)
    return Walk("staged", policy, pool, hitl.TextLinear(), plan, None, ledger, Path(), None, None)


def told(items, number=0, homes=None, **more):
    return agreement(asked(items, **more), number, np.random.default_rng(0), homes or {})


def value(figures, name):
    return next(one["value"] for one in figures if one["name"] == name)


SAME, APART = ("ana ok", "bo ok"), ("ana ok", "bo rude")


def test_opinions_that_disagreement_or_doubt_called_for_are_left_out():
    """With the third opinions 30 of 40 items would be two thirds agreed, and the doubted ones would count, too."""
    third = [item(*APART, "cem rude") for _ in range(10)]
    doubted = [item("ana rude", "cem ok", planned=1) for _ in range(7)]
    alone = [item("ana rude", planned=1) for _ in range(5)]
    found = told([*[item(*SAME) for _ in range(30)], *third, *doubted, *alone])
    assert (found["here"]["items"], found["here"]["answers"], found["here"]["people"]) == (40, 80, 2)
    assert value(found["here"]["figures"], "observed_agreement") == 0.75
    assert found["further"] == 17


def test_the_alpha_of_a_round_is_of_the_same_answers():
    items = [*[item("ana rude", "bo rude") for _ in range(9)], *[item(*SAME) for _ in range(21)],
             *[item(*APART, "cem rude", "dee rude") for _ in range(10)]]  # fmt: skip
    walk = asked(items)
    found = agreement(walk, 0, np.random.default_rng(0), {})
    assert round_alpha(walk, 0, np.random.default_rng(0)).value == value(found["here"]["figures"], "krippendorff_alpha")


def test_who_gave_no_label_is_missing_and_nobody_takes_their_place():
    found = told([*[item(*SAME) for _ in range(12)], item("ana unsure", "bo ok", "cem rude")])
    assert (found["here"]["items"], found["further"]) == (12, 1)


def test_probability_samples_of_all_rounds_speak_for_the_pool_by_their_weights():
    benchmark = [item(*SAME, inclusion=0.1) for _ in range(60)]
    hard = [item(*APART, arm="audit", at=1, inclusion=0.5) for _ in range(30)]
    easy = [item(*SAME, arm="audit", at=1, inclusion=0.1) for _ in range(10)]
    picked = [item(*APART, arm="contested", at=1) for _ in range(20)]
    found = told([*benchmark, *hard, *easy, *picked], number=1)
    chance, here = found["chance"], found["here"]
    assert chance["arms"] == {"audit": 40, "benchmark": 60}
    assert chance["rounds"] == [0, 1]
    # The audit counts by its 40 items; within it the easy ones stand for 100 items, the hard ones for 60.
    assert value(chance["figures"], "observed_agreement") == pytest.approx((60 + 40 * 100 / 160) / 100)
    assert value(here["figures"], "observed_agreement") == pytest.approx(10 / 60)
    assert (here["items"], here["rounds"], found["all_items"]) == (60, [1], 120)
    assert (found["basis"], found["basis_items"]) == ("chance", 100)
    assert agreement(asked([*benchmark, *hard]), 0, np.random.default_rng(0), {})["all_items"] == 60  # as it was then


def test_without_enough_of_them_labels_rest_on_all_items():
    found = told([*[item(*SAME) for _ in range(ENOUGH - 1)], *[item(*APART, arm="random") for _ in range(9)]])
    assert (found["basis"], found["basis_items"]) == ("all", ENOUGH + 8)
    assert value(found["labels"][0]["figures"], "specific_agreement") == pytest.approx(98 / (98 + 9))


def test_labels_and_severity_are_told_and_few_are_not():
    pairs = ["ok ok"] * 40 + ["rude rude"] * 12 + ["ok rude"] * 6 + ["threat ok"] * 2 + ["threat threat"] * 2
    found = told([item(f"ana {one}", f"bo {other}") for one, other in map(str.split, pairs)])
    ok, rude, threat = found["labels"]
    assert [one["items"] for one in (ok, rude, threat)] == [48, 18, 4]
    assert value(rude["figures"], "specific_agreement") == pytest.approx(24 / 30)
    grades = {"ok": 0, "rude": 1, "threat": 2}
    said = np.array([[grades[word] for word in pair.split()] for pair in pairs]).T
    binary = krippendorff.alpha(reliability_data=(said == 1).astype(int), level_of_measurement="nominal")
    assert value(rude["figures"], "krippendorff_alpha") == pytest.approx(binary)
    assert value(threat["figures"], "specific_agreement") is None
    assert "too few: 4 items were given it, 5 are needed" in [one["method"] for one in threat["figures"]]
    assert value(threat["figures"], "gwet_ac1") > 0.9
    [severity] = found["scales"]
    assert severity["label"] == "severity"
    assert severity["value"] == pytest.approx(krippendorff.alpha(said, level_of_measurement="ordinal"))


def test_stars_of_a_rubric_are_ordinal():
    policy = POLICY + "rubric: [{name: tone, question: 'How?', scale: 4}]"
    chance = np.random.default_rng(1)
    given = np.clip(chance.integers(1, 5, size=60) + chance.integers(-1, 2, size=(2, 60)), 1, 4)
    found = told([item(*SAME, stars=tuple(map(int, pair))) for pair in given.T], policy=policy)
    tone = next(one for one in found["scales"] if one["label"] == "tone")
    assert tone["value"] == pytest.approx(krippendorff.alpha(given, level_of_measurement="ordinal"))


def test_languages_homes_and_pairs_of_people():
    inside = [item("ana ok", "bo ok", language="de"), item("ana rude", "bo rude")]
    across = [item("ana ok", "cem rude"), item("bo rude", "cem rude", language="de"), item("bo rude", "cem ok")]
    few = [item("cem ok", "dee rude", language="fr")] * 3
    homes = {"vendor": {"ana": "Acme", "bo": "Acme", "dee": "Zeta"}, "team": {}}
    found = told([*inside * 15, *across * 12, *few], homes=homes)
    assert [(one["name"], one["items"]) for one in found["languages"]] == [("de", 27), ("en", 39), ("fr", 3)]
    assert value(found["languages"][2]["figures"], "observed_agreement") is None
    acme, zeta = found["homes"]
    assert (acme["name"], acme["by"], acme["items"]) == ("Acme", "vendor", 30)
    assert value(acme["figures"], "observed_agreement") == 1
    assert (acme["others"]["n"], zeta["others"]["n"]) == (36, 3)
    assert acme["others"]["value"] == pytest.approx((1 / 3 - 5 / 9) / (1 - 5 / 9))
    assert zeta["others"]["value"] is None
    assert f"{LEAST} are needed" in zeta["others"]["method"]
    assert [(one["first"], one["second"], one["items"]) for one in found["pairs"]] == [
        ("ana", "bo", 30),
        ("bo", "cem", 24),
    ]
    assert (found["pairs_of"], found["pairs_few"], found["pairs_least"]) == (4, 2, LEAST_SHARED)


def test_a_policy_of_several_labels_is_told_label_by_label():
    policy = POLICY.replace("version: 1", "version: 1\nmulti_label: true")
    pairs = [("rude threat", "rude")] * 8 + [("none", "none")] * 30 + [("rude", "rude")] * 12
    found = told([item(f"ana {one}", f"bo {other}") for one, other in pairs], policy=policy)
    assert {one["name"] for one in found["here"]["figures"]} == {"observed_agreement", "krippendorff_alpha"}
    assert value(found["here"]["figures"], "observed_agreement") == pytest.approx(42 / 50)
    rude = next(one for one in found["labels"] if one["label"] == "rude")
    assert value(rude["figures"], "specific_agreement") == 1


def test_nobody_judged_with_another():
    assert told([item("ana ok", planned=1), item("bo ok", planned=1)]) is None
    assert told([]) is None


def test_it_is_part_of_a_campaigns_record(finished):
    campaign, rounds = finished
    found = [row["findings"]["agreement"] for row in campaign.history()["rounds"]]
    assert len(found) == len(rounds)
    assert json.loads(json.dumps(found)) == found
    assert found[0]["chance"]["arms"] == {"benchmark": found[0]["chance"]["items"]}
    assert found[0]["chance"]["items"] > 30  # two people judge each of forty, and few are unsure
    again = agreed(Measured.of(campaign.walk, len(rounds) - 1))
    assert again == found[-1]
