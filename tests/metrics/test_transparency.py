"""Automated decisions: counted without a rest, estimated without bias, and told as too few where they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, precision_score, recall_score

from hitl.metrics.intervals import FEWEST
from hitl.metrics.transparency import Appeals, DecisionCounts, decision_figures, decisions_at, reversal_rate
from hitl.policy import Policy
from hitl.policy.parts import ACTIONS

SHARES = ("accuracy", "error_rate", "precision", "wrong_actions", "recall", "missed", "unseen", "false_positive_rate")
OPPOSITES = {"accuracy": "error_rate", "precision": "wrong_actions", "recall": "missed"}
POLICY = Policy.parse("""
name: abuse
version: 1
labels:
  - {name: ok, violating: false}
  - {name: insult, actions: {review: 0.3, limit: 0.6}}
  - {name: threat, actions: {review: 0.2, limit: 0.5, remove: 0.8}}
  - {name: spam}
regions:
  ID: {labels: {threat: {actions: {review: 0.1, remove: 0.4}}}}
""")


def by_name(sample, inside=None, label=""):
    return {figure.name: figure for about, figure in decision_figures(sample, inside) if about == label}


def truth_of(pool, inside):
    """The shares in the whole pool, from truth and probabilities alone; the policy removes from 0.6 on."""
    acts, bad = (pool.proba[inside][:, 1:] >= 0.6).any(axis=1), pool.truth[inside] > 0
    return {
        "accuracy": np.mean(acts == bad), "error_rate": np.mean(acts != bad), "precision": bad[acts].mean(),
        "wrong_actions": 1 - bad[acts].mean(), "recall": acts[bad].mean(), "missed": 1 - acts[bad].mean(),
        "unseen": 1 - acts[bad].mean(), "false_positive_rate": acts[~bad].mean(),
    }  # fmt: skip


@pytest.mark.parametrize("part", [None, 2], ids=["all", "a third of the pool"])
def test_intervals_cover_and_estimates_are_not_biased(plant, part) -> None:
    pool = plant(11, [0.7, 0.2, 0.1], worth=2.2)
    language = np.random.default_rng(5).integers(3, size=len(pool.truth))
    chosen = np.ones(len(language), dtype=bool) if part is None else language == part
    truth, rng = truth_of(pool, chosen), np.random.default_rng(2)
    covered, values = {name: [] for name in SHARES}, {name: [] for name in SHARES}
    for _ in range(150):
        rows, inclusion = pool.draw(rng, 500, pool.risk)
        told = by_name(pool.sample(rows, inclusion), chosen[rows])
        for name in SHARES:
            covered[name].append(told[name].low <= truth[name] <= told[name].high)
            values[name].append(told[name].value)
    for name in SHARES:
        assert np.mean(covered[name]) >= 0.90, name
        assert np.mean(values[name]) == pytest.approx(truth[name], abs=4 * np.std(values[name]) / 150**0.5 + 0.01), name


def test_the_whole_pool_judged_is_the_truth_itself(plant) -> None:
    pool = plant(3, [0.6, 0.4])
    everywhere = np.ones(len(pool.truth), dtype=bool)
    told = by_name(pool.everything())
    assert told["audited"].value == len(pool.truth)
    for name, value in truth_of(pool, everywhere).items():
        assert told[name].value == pytest.approx(value, abs=1e-12)
        assert told[name].low == pytest.approx(told[name].high, abs=1e-6)


def test_as_scikit_learn_weighs_them(plant) -> None:
    pool = plant(4, [0.7, 0.3])
    sample = pool.sample(*pool.draw(np.random.default_rng(0), 400, pool.risk))
    acts, bad = (sample.proba[:, 1:] >= 0.6).any(axis=1), sample.violates > 0
    told = by_name(sample)
    for name, score in (("accuracy", accuracy_score), ("precision", precision_score), ("recall", recall_score)):
        assert told[name].value == pytest.approx(score(bad, acts, sample_weight=sample.weights))


def test_a_share_and_its_opposite_are_one_figure(plant) -> None:
    pool = plant(4, [0.7, 0.3])
    told = by_name(pool.sample(*pool.draw(np.random.default_rng(1), 300, pool.risk)))
    for one, other in OPPOSITES.items():
        assert told[one].value + told[other].value == pytest.approx(1)
        assert told[one].low + told[other].high == pytest.approx(1)
        assert told[one].n == told[other].n


def test_parts_of_the_pool_add_up(plant) -> None:
    pool = plant(6, [0.8, 0.2])
    rows, inclusion = pool.draw(np.random.default_rng(1), 300, pool.risk)
    sample, language = pool.sample(rows, inclusion), rows % 3
    parts = [by_name(sample, language == at) for at in range(3)]
    whole = by_name(sample)
    assert sum(part["audited"].value for part in parts) == whole["audited"].value
    shares = [sample.weights[language == at].sum() / sample.weights.sum() for at in range(3)]
    mixed = sum(part["accuracy"].value * share for part, share in zip(parts, shares, strict=True))
    assert mixed == pytest.approx(whole["accuracy"].value)


def test_few_items_are_too_few_to_tell(plant) -> None:
    pool = plant(6, [0.8, 0.2])
    rows = np.flatnonzero(pool.truth == 1)[: FEWEST - 1]
    some = np.concatenate([rows, np.flatnonzero(pool.truth == 0)[:40]])
    told = by_name(pool.sample(some, np.full(len(some), 0.01)))
    assert told["recall"].n == FEWEST - 1
    assert np.isnan(told["recall"].value)
    assert told["recall"].method.startswith(f"too few: {FEWEST - 1} items")
    assert 0 <= told["recall"].low < told["recall"].high <= 1
    assert not np.isnan(told["false_positive_rate"].value)
    nobody = by_name(pool.sample(some, np.full(len(some), 0.01)), np.zeros(len(some), dtype=bool))
    assert nobody["audited"].value == 0
    assert all(np.isnan(nobody[name].value) and nobody[name].n == 0 for name in SHARES)


def test_where_the_policy_never_acts_nothing_is_right_or_wrong(plant) -> None:
    pool = plant(6, [0.8, 0.2])
    never = replace(pool.sample(np.arange(90), np.full(90, 0.1)), remove_at=np.full((90, 2), np.inf))
    told = by_name(never)
    assert told["audited"].value == 90
    assert all(np.isnan(told[name].value) and "never acts" in told[name].method for name in SHARES)


def test_open_items_are_left_out(plant) -> None:
    pool = plant(6, [0.8, 0.2])
    sample = pool.sample(np.arange(100), np.full(100, 0.1))
    y = sample.y.copy()
    y[:30] = np.nan
    left, kept = by_name(replace(sample, y=y)), by_name(pool.sample(np.arange(30, 100), np.full(70, 0.1)))
    assert left["audited"].value == 70
    for name in SHARES:
        assert left[name].value == pytest.approx(kept[name].value, nan_ok=True)


def drawn(rng: np.random.Generator, n: int):
    proba = rng.dirichlet(np.ones(4), size=n).astype(np.float32)
    regions, languages, reach = rng.integers(2, size=n), rng.integers(3, size=n), rng.integers(1000, size=n)
    costs = POLICY.costs(["", "ID"])
    decided = decisions_at(proba, costs.review_at[regions], costs.limit_at[regions], costs.remove_at[regions])
    return proba, regions, languages, reach.astype(float), decided


def test_decisions_are_the_policy_s() -> None:
    proba, regions, languages, reach, decided = drawn(np.random.default_rng(0), 500)
    assert decided.max(axis=1).tolist() == POLICY.decide(proba, ["", "ID"], regions).tolist()
    counts = DecisionCounts.of(decided, languages, 3, reach, POLICY.violating)
    for language in range(3):
        for column, label in enumerate(["", *POLICY.names]):
            for code, _ in enumerate(ACTIONS):
                mine = decided.max(axis=1) if not label else decided[:, POLICY.names.index(label)]
                these = (mine == code) & (languages == language)
                assert counts.items[language, column, code] == these.sum()
                assert counts.views[language, column, code] == reach[these].sum()
    assert (counts.items.sum(axis=(0, 2)) == 500).all()


@given(cuts=st.lists(st.integers(0, 60), max_size=5), seed=st.integers(0, 99))
def test_blocks_add_up_however_they_are_cut(cuts, seed) -> None:
    _, _, languages, reach, decided = drawn(np.random.default_rng(seed), 60)
    whole = DecisionCounts.of(decided, languages, 3, reach, POLICY.violating)
    merged = DecisionCounts.none(3, 4)
    for part in np.split(np.random.default_rng(seed).permutation(60), sorted(cuts)):
        merged.merge(DecisionCounts.of(decided[part], languages[part], 3, reach[part], POLICY.violating))
    assert (merged.items == whole.items).all()
    assert (merged.views == whole.views).all()


@given(decided=st.integers(1, 400), share=st.floats(0, 1))
def test_the_reversal_rate_has_the_exact_interval(decided, share) -> None:
    turned = round(decided * share)
    told, exact = reversal_rate(turned, decided), binomtest(turned, decided).proportion_ci(0.95, "exact")
    assert (told.value, told.n) == (turned / decided, decided)
    assert (told.low, told.high) == pytest.approx((exact.low, exact.high), abs=1e-9)


@given(ends=arrays.arrays(np.int64, 4, elements=st.integers(0, 50)), open_=st.integers(0, 9))
def test_appeals_add_up(ends, open_) -> None:
    upheld, partly, turned, omitted = ends.tolist()
    hours = np.arange(upheld + partly + turned, dtype=float)
    told = {e.name: e for e in Appeals(sum(ends.tolist()) + open_, *ends.tolist(), hours=hours).figures()}
    assert told["appeals"].value == told["appeals_decided"].value + open_
    assert told["appeals_decided"].value == upheld + partly + turned + omitted
    if len(hours):
        assert told["reversal_rate"].value == pytest.approx((partly + turned) / (upheld + partly + turned))
        assert told["appeal_hours"].value == np.median(hours)
    else:
        assert np.isnan(told["reversal_rate"].value)
        assert told["appeal_hours"].method == "no appeal was decided on"
