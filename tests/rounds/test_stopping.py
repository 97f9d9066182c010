"""When to stop, from the rounds' own figures: what is told, what is left out, and that it rests on the right labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hitl.history import estimate_row
from hitl.metrics.learning_curve import fit_curve
from hitl.metrics.remaining import decision_costs
from hitl.rounds import stopping as told_by
from hitl.rounds.judged import judged
from hitl.rounds.stopping import audited_cost, left_over, steadiness, stopping
from hitl.types import Estimate

BENCHMARK = 150


def figure(value: float, error: float = 0.02, name: str = "macro_f1") -> Any:
    return estimate_row(Estimate(name, value, value - 1.96 * error, value + 1.96 * error, BENCHMARK))


def compared(difference: float, error: float) -> Any:
    return {
        "verdict": "no evidence", "difference": figure(difference, error), "old": figure(0.5), "new": figure(0.5)
    }  # fmt: skip


def row(at: int, **changes: Any) -> Any:
    learned = 100 * (at + 1)
    base = {
        "round": at, "state": "done", "policy_version": "1", "training_items": learned, "seconds_total": 1500.0,
        "labels_so_far": learned + BENCHMARK, "benchmark": [figure(0.85 - 4 * learned**-0.5)], "comparison": None,
        "since_seed": None, "stability": None, "cost": None,
    }  # fmt: skip
    return base | changes


def tell(rows, target=None):
    return stopping(rows, "macro_f1", target, np.random.default_rng(0))


def test_the_curve_is_over_what_was_learned_and_labels_are_all_that_were_bought() -> None:
    rows = [row(at) for at in range(6)]
    told = tell(rows, 0.7)
    learned, value = (np.array(part) for part in zip(*[(r["training_items"], r["benchmark"][0]["value"]) for r in rows],
                                                     strict=True))  # fmt: skip
    curve = fit_curve(learned.astype(float), value, np.full(6, 0.02), np.random.default_rng(0))
    assert told["needed"][0]["labels"] == pytest.approx(curve.needed(0.7).value + BENCHMARK, rel=1e-4)
    assert told["plateau"]["value"] == pytest.approx(curve.plateau().value, rel=1e-4)
    assert told["curve"][0]["labels"] == 100 + BENCHMARK
    assert told["curve"][-1]["labels"] == 2 * rows[-1]["labels_so_far"]
    assert all(point["low"] <= point["value"] <= point["high"] for point in told["curve"])
    assert [one["share"] for one in told["needed"]] == [None, 0.9, 0.95, 0.99]
    assert [one["share"] for one in tell(rows)["needed"]] == [0.9, 0.95, 0.99]


def test_what_no_curve_reaches_is_none() -> None:
    flat = [row(at, benchmark=[figure(0.5, 0.005)]) for at in range(8)]
    assert tell(flat, 0.95)["needed"][0]["labels"] is None
    assert tell(flat, 0.95)["needed"][0]["high"] is None


def test_the_next_round_is_like_the_last_and_its_price_stands_beside_its_gain() -> None:
    rows = [row(at, seconds_total=1500.0, cost=7.5) for at in range(5)]
    told = tell(rows)
    assert told["next_round"]["labels"] == 100
    gain = told["next_round"]["gain"]
    assert 0 <= gain["low"] <= gain["value"] <= gain["high"]
    assert "100 more labels" in told["worth"]
    assert (
        "about 25 minutes of people's time (15.0 seconds a label) and a cost of 7.50 (0.075 a label)" in told["worth"]
    )
    rows[-1].update(cost=None, seconds_total=80.0)
    assert "about 80 seconds of people's time (0.8 seconds a label) for as many." in tell(rows)["worth"]
    rows[-1]["training_items"] = rows[-2]["training_items"]
    rows.insert(0, row(0, training_items=50))
    assert tell(rows)["next_round"] is None
    assert tell(rows)["worth"] == ""


def test_paired_differences_tell_how_errors_hang_together() -> None:
    def gain(error: float) -> float:
        rows = [row(at, comparison=compared(0.01, error) if at else None) for at in range(6)]
        found = tell(rows)["next_round"]["gain"]
        return found["high"] - found["low"]

    assert gain(0.008) < gain(0.028)
    correlated = [row(at, comparison=compared(0.01, 0.02 * (2 * 0.4) ** 0.5) if at else None) for at in range(6)]
    assert "errors correlated 0.60" in tell(correlated)["method"]
    assert f"errors correlated {told_by.CORRELATION:.2f}" in tell([row(at) for at in range(6)])["method"]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row(0)],
        [row(at) for at in range(3)],
        [row(at, benchmark=[]) for at in range(9)],
        [row(at, benchmark=[figure(0.5, name="accuracy")]) for at in range(9)],
        [*[row(at) for at in range(3)], row(3, state="waiting", benchmark=[])],
        [row(at, policy_version="1" if at < 4 else "2") for at in range(7)],
    ],
    ids=["none", "one", "three", "no benchmark", "another figure", "one waits", "another policy"],
)
def test_too_few_rounds_are_told(rows) -> None:
    told = tell(rows, 0.8)
    assert told["why"].startswith("too few rounds")
    assert (told["curve"], told["needed"], told["next_round"], told["worth"]) == ([], [], None, "")
    assert told["target"] == 0.8


def test_steady_needs_three_comparisons_under_the_present_policy() -> None:
    def rows(*kappas, **changes):
        return [
            row(at, stability={"kappa": figure(kappa), "changed": figure(0.1), "by_label": []}, **changes)
            for at, kappa in enumerate(kappas)
        ]

    assert tell(rows(0.995, 0.995))["steady"] is None
    assert tell(rows(0.5, 0.995, 0.995, 0.995))["steady"] is True
    assert tell(rows(0.995, 0.995, 0.9))["steady"] is False
    assert tell([*rows(0.995, 0.995), *rows(0.995, policy_version="2")])["steady"] is None


def test_nothing_is_left_over_without_a_scan() -> None:
    assert left_over({}, {}) is None
    told = left_over({"expected_cost": 12.5, "eligible": 70}, {"cost_left": figure(9.0)})
    assert told == {"eligible": 70, "expected": 12.5, "audited": figure(9.0)}


def test_models_of_a_campaign_are_compared_on_the_same_items(finished, monkeypatch) -> None:
    walk = finished[0].walk
    first, second = walk.fitted(0), walk.fitted(1)
    assert steadiness(walk, 0, first, None) is None
    alike = steadiness(walk, 1, first, first)
    assert (alike["kappa"]["value"], alike["changed"]["value"]) == (1.0, 0.0)
    told = steadiness(walk, 1, second, first)
    assert told == steadiness(walk, 1, second, first)
    assert told["kappa"]["value"] < 1
    assert [one["label"] for one in told["by_label"]] == list(walk.policy.names)
    assert told["changed"]["n"] == (walk.wave <= 1).sum()
    monkeypatch.setattr(told_by, "SAMPLE", 50)
    assert steadiness(walk, 1, second, first)["changed"]["n"] == 50


def test_the_audits_cost_is_of_its_own_items(finished) -> None:
    walk = finished[0].walk
    drawn = {pick.item_id: pick.inclusion for pick in walk.ledger.picks(1) if pick.arm == "audit"}
    audit = judged(walk, 1, drawn, walk.fitted(0))
    told = audited_cost(walk, audit)
    assert told["name"] == "cost_left"
    assert told["n"] == len(audit.sample)
    settled = [r for r in walk.ledger.resolutions(1) if r.labels is not None and r.item_id in drawn]
    regions = [walk.regions[1][walk.regions[0][walk.positions([r.item_id])[0]]] for r in settled]
    costs = walk.policy.costs(regions)
    paid = decision_costs(audit.sample, costs.severity, costs.benign_cost)[0]
    assert told["value"] == pytest.approx(float(audit.sample.weights @ paid))
    assert told["low"] <= told["value"] <= told["high"]
    assert audited_cost(walk, None) is None


def test_a_campaign_tells_what_its_arms_found_and_what_is_left(finished) -> None:
    campaign = finished[0]
    history = campaign.history()
    for told in history["rounds"]:
        assert {arm: found["picks"] for arm, found in told["yields"].items()} == told["arms"]
        assert sum(found["resolved"] for found in told["yields"].values()) == told["resolved"]
        assert all(found["positives"] <= found["resolved"] for found in told["yields"].values())
        assert (told["left"] is None) == (told["round"] == 0)
    violating = {label["name"] for label in history["labels"] if label["violating"]}
    seed = {r.item_id: r for r in campaign.ledger.resolutions(0)}
    benchmark = [seed[pick.item_id] for pick in campaign.ledger.picks(0) if pick.arm == "benchmark"]
    positives = sum(bool(violating & set(resolution.labels or ())) for resolution in benchmark)
    assert history["rounds"][0]["yields"]["benchmark"]["positives"] == positives
    assert history["stopping"]["why"].startswith("too few rounds: ")
    assert history == campaign.history() | {"generated": history["generated"]}
