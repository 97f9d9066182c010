"""A user's labelled file becomes a policy and a truth."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hitl.demo.labelled import policy_from_labels
from hitl.errors import DataError
from hitl.tasks import Form


@pytest.mark.parametrize(
    ("counts", "benign"),
    [
        ({"neither": 42, "offensive": 190, "hate": 14}, "neither"),
        ({"noHate": 95, "hate": 11, "relation": 2}, "noHate"),
        ({"not_abusive": 34, "abusive": 6}, "not_abusive"),
        ({"non-hateful": 11, "hateful": 25}, "non-hateful"),
        ({"NOT_BAD": 5, "BAD": 5}, "NOT_BAD"),
        ({"False": 12, "True": 3}, "False"),
        ({"0": 3, "1": 9}, "0"),
        ({"clickbait": 16, "news": 16}, "news"),
        ({"spam": 3, "ham": 30}, "ham"),
        ({"notice": 3, "noise": 30}, "noise"),
    ],
)
def test_the_harmless_label_is_found_by_name_else_by_frequency(counts, benign):
    policy, names = policy_from_labels(counts)
    assert [label.name for label in policy.labels if not label.violating] == [names[benign]]


def test_the_rarer_the_more_severe_and_the_earlier_something_is_done():
    policy, _ = policy_from_labels({"ok": 9000, "often": 900, "seldom": 90, "once": 9})
    often, seldom, once = (policy.label(name) for name in ("often", "seldom", "once"))
    assert often.severity < seldom.severity < once.severity <= 20
    assert often.actions.remove > seldom.actions.remove > once.actions.remove


@given(st.dictionaries(st.text(max_size=80), st.integers(0, 10**9), min_size=2, max_size=12))
@example({"": 0, "$ 0": 0})
def test_any_values_make_a_policy_that_a_page_can_show(counts):
    policy, names = policy_from_labels(counts)
    assert set(names) == set(counts)
    assert sorted(names.values()) == sorted(policy.names)
    assert Form(policy=policy).choices


@pytest.mark.parametrize("counts", [{}, {"only": 3}, {str(i): 1 for i in range(500)}])
def test_a_column_that_is_no_label_column_is_refused(counts):
    with pytest.raises(DataError, match=f"{len(counts)} different values"):
        policy_from_labels(counts)
