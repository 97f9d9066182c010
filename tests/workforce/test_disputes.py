"""A verdict is contested by one, ruled by another, once; the last ruling that overturned it says what is right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import WorkforceError
from hitl.workforce.disputes import OPENED, RULED, advance, fold, overturned, unruled


def opened(number, item="i-1", claimant="ana", claimed=("ok",), decided=("spam",), kind="review", **more):
    detail = {"kind": kind, "item": item, "claimant": claimant, "reason": "quoted", "actor": claimant, "by": ["sue"]}
    detail |= {"claimed": None if claimed is None else list(claimed), "decided": list(decided), **more}
    return {"number": number, "at": f"2026-03-02T00:00:{number:02}", "kind": OPENED, "detail": detail}


def ruled(number, dispute, outcome="overturned", labels=("ok",), actor="lea", **more):
    given = None if outcome == "upheld" else list(labels)
    detail = {"dispute": dispute, "outcome": outcome, "labels": given, "actor": actor, "reason": "read it", **more}
    return {"number": number, "at": f"2026-03-02T00:00:{number:02}", "kind": RULED, "detail": detail}


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ([ruled(1, 7)], "there is no dispute 7"),
        ([opened(1), ruled(2, 1), ruled(3, 1)], "was ruled on .* by lea \\(overturned\\)"),
        ([opened(1), ruled(2, 1, "upheld"), ruled(3, 1)], "was ruled on .* by lea \\(upheld\\)"),
        ([opened(1), ruled(2, 1, actor="ana")], "ana's own claim"),
        ([opened(1), ruled(2, 1, actor="sue")], "sue's own verdict"),
        ([opened(1), ruled(2, 1, labels=("spam",))], "names other labels"),
        ([opened(1), {**ruled(2, 1), "detail": {**ruled(2, 1)["detail"], "labels": None}}], "says what is right"),
        ([opened(1), opened(2)], "contested already, in dispute 1"),
        ([opened(1, claimed=("spam",))], "nothing to contest"),
        ([opened(1, claimant=" ")], "whose claim"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_says_why(events, told):
    before = {one.number: one for one in fold(events[:-1])}
    with pytest.raises(WorkforceError, match=told):
        advance(before, events[-1])


def test_after_a_ruling_the_same_may_be_contested_anew_and_the_last_word_counts():
    events = [opened(1), ruled(2, 1), opened(3, claimant="bo", claimed=("spam",), decided=("ok",))]
    assert overturned(fold(events))["i-1"].labels == ("ok",)
    assert overturned(fold([*events, ruled(4, 3, "upheld")]))["i-1"].labels == ("ok",)
    assert overturned(fold([*events, ruled(4, 3, labels=("spam",))]))["i-1"].labels == ("spam",)


def test_an_earlier_dispute_that_is_ruled_later_has_the_last_word():
    events = [opened(1), opened(2, claimant="bo", claimed=("hate",)), ruled(3, 2, labels=("hate",)), ruled(4, 1)]
    assert overturned(fold(events))["i-1"].labels == ("ok",)


def test_an_author_may_claim_no_label_in_particular():
    [one] = fold([opened(1, kind="decision", claimed=None, by=())])
    assert one.claimed is None
    assert overturned(fold([opened(1, kind="decision", claimed=None, by=()), ruled(2, 1, labels=())])) == {
        "i-1": fold([opened(1, kind="decision", claimed=None), ruled(2, 1, labels=())])[0].ruling
    }


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["open", "uphold", "overturn"])), max_size=25))
def test_every_dispute_is_open_or_was_ruled_once(steps):
    events, standing, overturns = [], {}, {}
    for number, (item, step) in enumerate(steps, 1):
        if step == "open" and item not in standing:
            standing[item] = number
            event = opened(number, item)
        elif step != "open" and item in standing:
            overturns |= {item: number} if step == "overturn" else {}
            event = ruled(number, standing.pop(item), "upheld" if step == "uphold" else "overturned")
        else:
            continue
        advance({one.number: one for one in fold(events)}, event)
        events.append(event)
    found = fold(events)
    assert {one.item for one in unruled(found)} == standing.keys()
    assert {item: int(ruling.at[-2:]) for item, ruling in overturned(found).items()} == overturns
