"""Routing rules: the first that fits decides, the default ones do what `needs_third` says, mistakes are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hitl.errors import ConfigError
from hitl.labels.voices import disagree, is_answer, needs_third, out_of
from hitl.types import Annotation, Answer, Task
from hitl.workforce.cases import Case, Cases
from hitl.workforce.routing import (
    ACCEPTED,
    Route,
    check_routes,
    default_routes,
    leading,
    route,
    route_all,
    seconds_of,
    served,
)

NAMES = ("ok", "rude", "threat")
ALL_ELSE = Route(to="accept", name="all else")

some = st.sampled_from
cases = st.builds(
    Case,
    labels=st.lists(some(NAMES), unique=True, max_size=2).map(tuple),
    severity=some([0.0, 2.0, 8.0, 9.5]),
    answers=st.integers(0, 4),
    asked=st.integers(1, 3),
    disagreement=st.booleans(),
    labelled=st.booleans(),
    resolved=st.booleans(),
    confidence=some([0.0, 0.3, 0.5, 0.9, 1.0]),
    outs=st.lists(some(("unsure", "escalate", "no_policy")), unique=True, max_size=2).map(tuple),
    region=some(["", "DE", "ID"]),
    language=some(["", "de", "id"]),
    arm=some(["audit", "random"]),
    reach=some([1.0, 1e3, 1e6]),
    flags=some([0.0, 3.0]),
    reviewed=st.booleans(),
)


def maybe(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | values


@st.composite
def rules(draw: st.DrawFn) -> Route:
    """Rules of few values each, so that one often covers another."""
    after = draw(some(["reviewers", "reviewers", "senior"]))
    to = draw(some(["legal", "accept"] if after == "senior" else ["another", "senior", "legal", "accept"]))
    given_ = {
        "severity_from": draw(maybe(some([2.0, 8.0]))),
        "labels": draw(some([(), ("threat",), ("rude", "threat")])),
        "outs": draw(some([(), ("escalate",), ("escalate", "unsure")])),
        "disagreement": draw(maybe(st.booleans())),
        "resolved": draw(maybe(st.booleans())),
        "confidence_below": draw(maybe(some([0.5, 0.9]))),
        "regions": draw(some([(), ("DE",), ("DE", "ID")])),
        "reach_from": draw(maybe(some([1e3, 1e6]))),
        "flags_from": draw(maybe(some([1.0]))),
    }
    kept = draw(st.sets(some(sorted(given_)), max_size=3))
    most = {"most": draw(st.integers(2, 4))} if to == "another" else {}
    return Route(to=to, after=after, **{name: given_[name] for name in kept if given_[name] is not None}, **most)


def plainly(rule: Route, case: Case) -> bool:
    """Whether a rule applies, read off its fields one by one."""
    tests = [
        (rule.after == "senior") == case.reviewed,
        rule.severity_from is None or case.severity >= rule.severity_from,
        not rule.labels or bool({*rule.labels} & {*case.labels}),
        not rule.outs or bool({*rule.outs} & {*case.outs}),
        rule.disagreement in (None, case.disagreement),
        rule.labelled in (None, case.labelled),
        rule.resolved in (None, case.resolved),
        rule.confidence_below is None or case.confidence < rule.confidence_below,
        not rule.regions or case.region in rule.regions,
        not rule.languages or case.language in rule.languages,
        rule.reach_from is None or case.reach >= rule.reach_from,
        rule.flags_from is None or case.flags >= rule.flags_from,
        not rule.arms or case.arm in rule.arms,
        rule.to != "another" or case.asked <= case.answers < rule.most,
    ]
    return all(tests)


@given(st.lists(cases, min_size=1, max_size=8), st.lists(rules(), max_size=5))
def test_the_first_rule_that_fits_decides_and_one_case_is_as_one_of_many(some_cases, some_rules):
    found = route_all(Cases.of(some_cases, NAMES), some_rules).tolist()
    for case, number in zip(some_cases, found, strict=True):
        fitting = [at for at, rule in enumerate(some_rules) if plainly(rule, case)]
        assert number == (fitting[0] if fitting else ACCEPTED)
        decided = route(case, some_rules, NAMES)
        assert decided.rule == (some_rules[number] if fitting else None)
        assert decided.to == (some_rules[number].to if fitting else "accept")
        assert decided.why


@given(rules(), rules(), st.lists(cases, min_size=1, max_size=30))
def test_a_rule_that_is_told_to_be_never_reached_never_fires(first, second, some_cases):
    try:
        check_routes([first, second, ALL_ELSE])
    except ConfigError as error:
        if str(error).startswith("routes: rule 2 (") and "never reached" in str(error):
            assert 1 not in route_all(Cases.of(some_cases, NAMES), [first, second, ALL_ELSE])


said = st.lists(
    st.builds(
        lambda labels, out, skipped: (labels if not out else (), out, skipped),
        some([("ok",), ("rude",)]), some(["", "", "unsure", "escalate"]), some([False, False, False, True]),
    ),
    max_size=5,
)  # fmt: skip


@given(said, st.integers(1, 3), st.booleans(), st.booleans(), st.booleans())
def test_the_default_rules_ask_on_as_ever(told, asked, resolved, third, review):
    """Against `needs_third`, and what was said of lone answers and of seniors before there were rules."""
    task = Task("t", 0, "i", 0, "classify", "1", "", {}, overlap=asked)
    heard = [
        Annotation(f"a{at}", "t", f"w{at}", None if skip else Answer(labels, out), "", 1.0, skipped=skip)
        for at, (labels, out, skip) in enumerate(told)
    ]
    answers = [one for one in heard if is_answer(one)]
    case = Case(
        answers=len(answers), asked=asked, disagreement=disagree(answers), resolved=resolved,
        labelled=not all(map(out_of, answers)), outs=tuple({out_of(one) for one in heard} & {"unsure", "escalate"}),
    )  # fmt: skip
    decided = route(case, default_routes(third_opinion=third, review=review), NAMES)
    alone = asked == 1 and len(answers) == 1 and not resolved
    another = third and (bool(needs_third(heard, [task])) or alone)
    escalated = not resolved or any(out_of(one) == "escalate" for one in heard)
    assert decided.to == ("another" if another else "senior" if review and escalated else "accept")


def test_a_decision_says_why():
    conditions = {"severity_from": 8, "labels": ("threat",), "outs": ("escalate",), "confidence_below": 0.5}
    rule = Route(to="legal", **conditions, reach_from=1000)
    case = Case(labels=("rude", "threat"), severity=9, outs=("escalate",), confidence=0.25, reach=50_000)
    words = ["severity 9, from 8", "threat named", "somebody answered escalate", "confidence 0.25, below 0.5"]
    assert route(case, [rule], NAMES).why == ", ".join([*words, "reach 50,000 views, from 1,000"])
    told = ["severity from 8", "threat named", "somebody answered escalate", "confidence below 0.5"]
    assert rule.told == ", ".join([*told, "reach from 1,000 views"])


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        (
            [Route(to="accept"), Route(to="senior", severity_from=8)],
            r"rule 2 .* never reached: rule 1 \(everything else\)",
        ),
        ([Route(to="legal", labels=("thread",)), ALL_ELSE], "no label is called 'thread'; there are ok, rude, threat"),
        ([Route(to="senior", arms=("adit",)), ALL_ELSE], "no arm is called 'adit'"),
        ([Route(to="senior", severity_from=8)], "the last rule must say what happens to all else"),
        ([Route(to="another")], "the last rule must say"),
        (
            [Route(to="senior", severity_from=3), Route(to="legal", severity_from=8), ALL_ELSE],
            "rule 2 .* never reached",
        ),
        ([Route(to="senior", name="x", resolved=False), Route(to="legal", name="x")], "two rules are called 'x'"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(routes, message):
    with pytest.raises(ConfigError, match=message):
        check_routes(routes, NAMES, ["audit", "random"])


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"to": "senior", "within": "4 hours"}, "is no time; write minutes, hours or days"),
        ({"to": "senior", "within": "0h"}, "is no time"),
        ({"to": "another", "after": "senior"}, "after a senior an item goes to `legal`"),
        ({"to": "accept", "within": "4h"}, "nobody is asked"),
        ({"to": "senior", "most": 4}, "leave it out"),
        ({"to": "boss"}, "'accept', 'another', 'senior' or 'legal'"),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(given_, message):
    with pytest.raises(ValidationError, match=message):
        Route(**given_)


def test_a_later_opinion_stays_reachable_behind_another_that_ends():
    """`another` ends at `most` people, so that a rule behind it is reached."""
    routes = [Route(to="another", disagreement=True), Route(to="senior", name="still", disagreement=True), ALL_ELSE]
    check_routes(routes)
    fired = route_all(Cases.of([Case(answers=n, asked=n, disagreement=True) for n in (2, 3)], NAMES), routes)
    assert fired.tolist() == [0, 1]


def test_what_was_let_go_is_not_asked_of_another():
    assert route(Case(answers=1, asked=2, disagreement=True), [Route(to="another")], NAMES).rule is None


@given(st.lists(st.tuples(some(["urgent", "normal", "low"]), st.floats(0, 0.999)), min_size=1, max_size=12))
def test_classes_come_before_stakes_and_stakes_within_them(told):
    routes = [Route(to="senior", priority=name, name=name) for name in ("urgent", "normal", "low")]
    fired = [routes[("urgent", "normal", "low").index(name)] for name, _ in told]
    stakes = np.array([stake for _, stake in told])
    priorities = served(routes, fired, stakes)
    assert ((priorities >= 0) & (priorities < 1)).all()
    rank = {"urgent": 2, "normal": 1, "low": 0}
    order = sorted(range(len(told)), key=lambda at: priorities[at])
    assert [rank[told[at][0]] for at in order] == sorted(rank[name] for name, _ in told)
    same = served([routes[0], ALL_ELSE], [routes[0]] * len(told), stakes)
    assert same.tolist() == stakes.tolist()


def test_rules_with_a_deadline_that_stand_first_do_not_wait():
    urgent, later = Route(to="legal", severity_from=9, within="1h"), Route(to="senior", severity_from=5)
    hanging = Route(to="senior", resolved=False, within="1h")
    assert leading([urgent, later, urgent, ALL_ELSE]) == (urgent,)
    assert leading([hanging, urgent, ALL_ELSE]) == ()
    assert leading(default_routes(third_opinion=True, review=True)) == ()


def test_times_are_read():
    assert [seconds_of(span) for span in ("30m", "4h", "2d")] == [1800, 14_400, 172_800]
