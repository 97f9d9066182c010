"""How values show themselves, in a terminal and in a notebook: short, with figures, and with all words escaped."""

import re

import numpy as np
import pyarrow as pa
import pytest

import hitl
from hitl import markup
from hitl.demo.stream import demo_policy, generate
from hitl.rounds import Metrics, Round, Status
from hitl.types import Comparison, Estimate, Pick, Predictions, Selection

HOSTILE = "<script>alert('x')</script><img src=x onerror=y>\"&"
GOOD = Estimate("macro_f1", 0.61, 0.55, 0.67, 200)
UNKNOWN = Estimate("recall", float("nan"), 0.0, 1.0, 0, "threat", method="no judged item has the label")


def tags(html):
    return set(re.findall(r"<(/?\w+)", html))


def harmless(html):
    """Whether nothing but the tags that we write are in it."""
    plain = {"table", "caption", "tr", "th", "td", "p", "b"}
    return tags(html) <= plain | {f"/{name}" for name in plain}


def hostile_round(comparison=None):
    picks = tuple(Pick(n, HOSTILE, "explore", 0.5, {HOSTILE: 0.4}, stratum=HOSTILE) for n in range(3))
    metrics = Metrics(
        (GOOD, Estimate("f1", 0.4, 0.2, 0.6, 30, HOSTILE), Estimate("recall@remove", 0, 0, 1, 3, HOSTILE))
    )
    return Round(1, "active", Selection(picks), metrics, Metrics(()), comparison, HOSTILE, 90)


def hostile_policy():
    text = "{name: p, version: 1, labels: [{name: ok, violating: false}, {name: spam}]}"
    policy = hitl.Policy.parse(text)
    spam = policy.label("spam").model_copy(update={"name": HOSTILE, "definition": HOSTILE})
    return policy.model_copy(update={"name": HOSTILE, "labels": (policy.label("ok"), spam)})


def hostile_pool():
    return hitl.Pool.open(pa.table({"text": [HOSTILE], "kind": [HOSTILE]}), name=HOSTILE, facets=("kind",))


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    pool = hitl.Pool.open(generate(400, seed=2), id="id", text="text", reach="reach", name=HOSTILE)
    plan = hitl.Plan(rounds=1, budget=10, benchmark=20, strata=())
    parts = {"policy": demo_policy(), "pool": pool, "model": hitl.TextLinear(buckets=1024), "plan": plan}
    truth = dict.fromkeys(pool.ids(np.arange(len(pool))), ("ok",))
    folder = tmp_path_factory.mktemp("shown")
    return hitl.Campaign("<i>spring", connector=hitl.MemoryConnector(truth), folder=folder, **parts)


@pytest.mark.parametrize(
    "value",
    [
        hostile_round(),
        hostile_round(Comparison("helped", GOOD, GOOD, GOOD)),
        hostile_round().metrics,
        hostile_round().selection,
        hostile_policy(),
        hostile_pool(),
        Status("waiting", HOSTILE, 1, 3, 2, (HOSTILE,)),
        Metrics(()),
        Selection(()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_notebook_shows_is_escaped_and_short(value):
    html = value._repr_html_()
    assert harmless(html), tags(html)
    assert len(html) < 6000


def test_a_campaign_shows_its_rounds(campaign):
    assert repr(campaign) == "Campaign('<i>spring', empty: no round has begun)"
    assert harmless(campaign._repr_html_())
    for _ in campaign:
        pass
    html = campaign._repr_html_()
    assert harmless(html)
    assert "&lt;i&gt;spring" in html
    assert "0 seed" in html
    assert "1 active" in html


def test_a_plan_tells_what_a_round_buys():
    told = repr(hitl.Plan(budget=50, audit=0.4))
    assert "20 audit, 2 random, 14 uncertain, 14 contested a round" in told
    assert len(told) < 160


def test_a_policy_names_its_actions_and_where_it_differs():
    html = demo_policy()._repr_html_()
    assert "review ≥ 0.3, limit ≥ 0.5, remove ≥ 0.8" in html
    assert ">ID, DE<" in html
    assert len(repr(demo_policy())) < 120


def test_predictions_are_told_without_their_numbers():
    proba = np.full((5000, 2), 0.5, dtype=np.float32)
    assert repr(Predictions(proba, ("ok", "bad"), "m-1")) == "Predictions(5,000 items × 2 labels, model 'm-1')"


def test_an_estimate_tells_its_interval_or_why_it_has_none():
    assert repr(GOOD) == str(GOOD) == "macro_f1 0.610 [0.550, 0.670] (n=200)"
    assert repr(UNKNOWN) == "recall[threat] unknown: no judged item has the label"
    assert repr(Estimate("violating_views", 77633.4, 19466.2, 186280.9, 60)) == (
        "violating_views 77,633 [19,466, 186,281] (n=60)"
    )


def test_a_comparison_tells_the_verdict_and_both_models():
    difference = Estimate("macro_f1", 0.0781, 0.018, 0.137, 250)
    old, new = Estimate("macro_f1", 0.391, 0.3, 0.6, 250), Estimate("macro_f1", 0.469, 0.4, 0.7, 250)
    told = repr(Comparison("helped", difference, old, new))
    assert told == "helped: macro_f1 +0.078 [+0.018, +0.137] (0.391 → 0.469, n=250)"
    assert repr(Comparison("no evidence", UNKNOWN, UNKNOWN, UNKNOWN)) == (
        "no evidence: recall[threat] unknown: no judged item has the label"
    )


def test_metrics_show_an_unknown_figure_as_such_and_the_rest_on_asking():
    at_action = Estimate("recall@remove", 0.2, 0.1, 0.4, 9, "threat")
    metrics = Metrics((GOOD, UNKNOWN, Estimate("recall", 0.5, 0.4, 0.6, 30, "hate"), at_action))
    assert repr(metrics) == (
        "macro_f1  0.610 [0.550, 0.670]  n=200\n\n"
        "label   recall\nthreat  –\nhate    0.500 [0.400, 0.600]\n\n"
        "1 more, by label at the action thresholds: ['recall@remove', 'threat'] and so on"
    )
    assert "nan" not in metrics._repr_html_()
    assert metrics["recall@remove", "threat"] is at_action


def test_figures_that_are_not_there_yet_say_so():
    assert "no item of this sample has been settled" in repr(Metrics(()))
    assert "no item of this sample has been settled" in Metrics(())._repr_html_()


def test_a_selection_counts_its_arms_by_stratum():
    picks = [Pick(n, f"i{n}", "audit", 0.1, inclusion=0.2, stratum="en" if n else "id") for n in range(3)]
    html = Selection((*picks, Pick(9, "i9", "explore", 0.9, stratum="en", stands_for=4)))._repr_html_()
    cells = re.findall(r"<t[dh][^>]*>([^<]*)", html)
    assert cells[:5] == ["arm", "picks", "en", "id", "near-copies folded in"]
    assert cells[5:] == ["audit", "3", "2", "1", "0", "explore", "1", "1", "0", "3"]


def test_a_round_says_how_it_compares():
    told = hostile_round(Comparison("helped", GOOD, GOOD, GOOD))
    assert repr(told) == "Round 1 (active): 3 asked, macro_f1 0.610 [0.550, 0.670] (n=200), helped"
    assert "Against the model before, helped" in told._repr_html_()


def test_long_words_are_cut():
    assert len(markup.table(["a"], [["x" * 5000]])) < 700
