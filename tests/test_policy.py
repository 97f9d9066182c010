"""The policy: read strictly, resolved by region, and compared between versions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import ConfigError, PolicyError
from hitl.policy import ACTIONS, Policy
from hitl.reading import parse_yaml

BASE = """
name: abuse
version: 1
labels:
  - {name: ok, violating: false}
  - {name: insult, definition: mean words, severity: 2, actions: {review: 0.3, limit: 0.6, remove: 0.9}}
  - {name: threat, definition: harm, severity: 9, wrong_action_cost: 4, actions: {remove: 0.8}, keywords: [zorb]}
regions:
  ID: {labels: {insult: {severity: 5, actions: {remove: 0.7}}}}
"""


def version_2(changes="", labels=""):
    return Policy.parse(
        BASE.replace("version: 1", "version: 2").replace("mean words", changes or "mean words") + labels
    )


def test_a_region_changes_what_it_says_and_nothing_else():
    policy = Policy.parse(BASE)
    here, there = policy.resolve(""), policy.resolve("ID")
    assert (there.label("insult").severity, there.label("insult").actions.remove) == (5, 0.7)
    assert there.label("insult").actions.limit is None
    assert there.label("insult").definition == "mean words"
    assert there.label("threat") == here.label("threat") == policy.label("threat")
    assert policy.resolve("nowhere") == here


def test_costs_are_the_regions_costs():
    costs = Policy.parse(BASE).costs(("", "ID"))
    np.testing.assert_array_equal(costs.severity, [[0, 2, 9], [0, 5, 9]])
    np.testing.assert_array_equal(costs.remove_at, [[np.inf, 0.9, 0.8], [np.inf, 0.7, 0.8]])
    np.testing.assert_array_equal(costs.act_at, [[np.inf, 0.6, 0.8], [np.inf, 0.7, 0.8]])


def test_cuts_are_the_thresholds_in_the_order_of_the_actions():
    cuts = Policy.parse(BASE).costs(("", "ID")).cuts
    never = np.inf
    here = [[never] * 3, [0.3, 0.6, 0.9], [never, never, 0.8]]
    there = [[never] * 3, [never, never, 0.7], [never, never, 0.8]]
    assert ACTIONS[1:] == ("review", "limit", "remove")
    assert cuts.tolist() == [here, there]


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 3, st.integers(0, 1)), max_size=20))
def test_the_strictest_action_is_decided(rows):
    policy = Policy.parse(BASE)
    proba = np.array([row[:3] for row in rows], dtype=np.float32).reshape(-1, 3)
    codes = np.array([row[3] for row in rows], dtype=np.int64)
    decided = policy.decide(proba, ("", "ID"), codes)
    for row, code, action in zip(proba, codes, decided, strict=True):
        wanted = [0]
        for name, p in zip(policy.names, row, strict=True):
            actions = policy.resolve(("", "ID")[code]).label(name).actions
            wanted += [ACTIONS.index(a) for a, at in actions if at is not None and float(p) >= at]
        assert action == max(wanted)


def test_yaml_and_back():
    policy = Policy.parse(BASE)
    assert Policy.parse(policy.to_yaml()) == policy
    assert policy.to_yaml() == Policy.parse(policy.to_yaml()).to_yaml()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: p\nversion: 1\nlabels: [{name: a}, {name: a}]", "read alike: a, a"),
        ("name: p\nversion: 1\nlabels: [{name: a}]", "two labels or more"),
        ("name: p\nversion: 1\nlabels: [{name: a}, {name: b}]", "violating: false"),
        (
            "name: p\nversion: 1\nlabels: [{name: a, violating: false}, {name: b, violating: false}]",
            "no label violates",
        ),
        ("name: p\nversion: 1\nmulti_label: true\nlabels: [{name: unsure}]", "kept for an answer"),
        ("name: p\nversion: 1\nmulti_label: true\nlabels: [{name: a, severty: 3}]", "labels.0.severty: no such key"),
        ("name: p\nversion: 1\nmulti_label: true\nlabels: [{name: a, actions: {review: 0.9, remove: 0.1}}]", "rise"),
        ("name: p\nversion: 1\nmulti_label: true\nlabels: [{name: a, severity: -1}]", "labels.0.severity"),
        (
            "name: p\nversion: 1\nmulti_label: true\nlabels: [{name: a}]\nregions: {X: {labels: {b: {}}}}",
            "no label is called 'b'",
        ),
        ("name: p\nversion: 1\nlabels: [{name: a, violating: false, severity: 3}, {name: b}]", "has no severity"),
    ],
)
def test_a_contradiction_is_told_with_its_place(text, says):
    with pytest.raises(PolicyError, match=says) as caught:
        Policy.parse(text, "my-policy.yaml")
    assert str(caught.value).startswith("my-policy.yaml: ")


def test_costs_and_thresholds_make_nothing_stale():
    changed = Policy.parse(BASE.replace("version: 1", "version: 2").replace("severity: 9", "severity: 90"))
    assert Policy.parse(BASE).diff(changed).stale == {}


def test_a_new_definition_makes_its_label_stale_and_no_other():
    diff = Policy.parse(BASE).diff(version_2("cruel words"))
    assert diff.stale == {"insult": ("*",)}
    assert (diff.added, diff.removed, diff.changed) == ((), (), ("insult",))


def test_a_regional_definition_is_stale_there_only():
    new = BASE.replace("version: 1", "version: 2").replace("severity: 5", "severity: 5, definition: other words")
    diff = Policy.parse(BASE).diff(Policy.parse(new))
    assert diff.is_stale("insult", "ID")
    assert not diff.is_stale("insult", "DE")


def test_a_new_harm_makes_nothing_wrong_stale():
    new = BASE.replace("version: 1", "version: 2").replace("regions:", "  - {name: scam}\nregions:")
    diff = Policy.parse(BASE).diff(Policy.parse(new))
    assert diff.added == ("scam",)
    assert dict(diff.stale) == {"ok": ("*",)}


MOVED = """
name: abuse
version: 2
labels:
  - {name: ok, violating: false}
  - {name: mean, definition: mean words, severity: 2}
  - {name: threat_now, definition: harm, severity: 9}
  - {name: threat_later, definition: harm, severity: 9}
migration: {from_version: 1, labels: {insult: mean, threat: [threat_now, threat_later]}}
"""


def test_renamed_labels_carry_over_and_split_ones_are_asked_again():
    old, new = Policy.parse(BASE.split("regions:")[0]), Policy.parse(MOVED)
    assert new.migrate(("insult",), "", old) == ("mean",)
    assert new.migrate(("threat",), "", old) is None
    assert new.migrate(("ok",), "", old) == ("ok",)
    assert new.migrate(("mean",), "", new) == ("mean",)


def test_merged_labels_read_as_one():
    old = Policy.parse("name: p\nversion: 1\nmulti_label: true\nlabels: [{name: a}, {name: b}, {name: c}]")
    new = Policy.parse(
        "name: p\nversion: 2\nmulti_label: true\nlabels: [{name: ab}, {name: c}]\n"
        "migration: {from_version: 1, labels: {a: ab, b: ab}}"
    )
    assert new.migrate(("a", "b", "c"), "", old) == ("ab", "c")
    assert new.migrate((), "", old) == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\na: 2", "line 2: the key 'a' stands twice"),
        ("a: [1", "not YAML"),
        ("- 1", "`key: value` lines, found a list"),
        ("a: {b: 1, b: 2}", "line 1: the key 'b' stands twice"),
    ],
)
def test_yaml_is_read_strictly(text, says):
    with pytest.raises(ConfigError, match=says):
        parse_yaml(text, "f.yaml")


def test_words_stay_words_and_numbers_numbers():
    assert parse_yaml("a: no\nb: NO\nc: 1e-5\nd: .5\ne: true\nf: 1.5\ng: 12\nh: on") == {
        "a": "no", "b": "NO", "c": 1e-5, "d": 0.5, "e": True, "f": 1.5, "g": 12, "h": "on",
    }  # fmt: skip
