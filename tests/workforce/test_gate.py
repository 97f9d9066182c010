"""The gate, the monitor and audit rates: against others' and exact figures, and simulated people."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom
from statsmodels.stats.proportion import proportion_confint

from hitl.errors import ConfigError
from hitl.workforce.audits import audit_rate
from hitl.workforce.gate import bounds, gate, monitor

few = settings(max_examples=30)
counts = st.integers(0, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_bounds_are_those_of_statsmodels():
    for right, n in ((1, 7), (3, 7), (2, 20), (19, 20), (150, 200)):
        theirs = proportion_confint(right, n, alpha=0.05, method="jeffreys")
        assert bounds(right, n, 0.975) == pytest.approx(theirs, abs=1e-9)
    assert (bounds(0, 9, 0.95)[0], bounds(9, 9, 0.95)[1]) == (0, 1)


@few
@given(counts)
def test_the_gate_is_the_posterior_probability_of_being_good_enough(seen):
    right, n = seen
    good = beta(right + 0.5, n - right + 0.5).sf(0.8)
    proposal = gate(right, n, at_least=0.8, confidence=0.95).proposal
    if right and abs(good - 0.95) > 1e-9 and abs(good - 0.05) > 1e-9:
        at_all = right < n  # all right: the upper bound is 1, whatever the posterior says
        assert proposal == ("active" if good >= 0.95 else "refuse" if good < 0.05 and at_all else "stay")


@few
@given(counts, st.sampled_from([0.6, 0.8, 0.95]))
def test_what_is_still_needed_is_just_enough(seen, at_least):
    right, n = seen
    needed = gate(right, n, at_least).needed
    assert gate(right + needed, n + needed, at_least).proposal == "active"
    assert needed == 0 or gate(right + needed - 1, n + needed - 1, at_least).proposal != "active"


def test_somebody_just_not_good_enough_is_seldom_let_in():
    """Exactly, over all outcomes: 5 % on average over exams, and never twice that from 15 questions on."""
    rates = []
    for n in range(15, 101, 5):
        fewest = next(x for x in range(n + 1) if gate(x, n, 0.8, 0.95).proposal == "active")
        rates.append(binom(n, 0.8).sf(fewest - 1))
    assert max(rates) < 0.1
    assert np.mean(rates) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize(
    "wrong",
    [lambda: gate(3, 2), lambda: gate(1, 2, 1.0), lambda: gate(1, 2, 0.8, 0), lambda: monitor(np.ones(1, bool), 0.0)],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ConfigError):
        wrong()


def by_hand(right, at_least, levels=24):
    """The e-value as it is defined: every start and every accuracy of its own, and the stake on starts to come."""
    total = 1 / (len(right) + 1)
    for k in range(1, len(right) + 1):
        for j in range(levels):
            q = at_least * (j + 0.5) / levels
            ratios = [q / at_least if one else (1 - q) / (1 - at_least) for one in right[k - 1 :]]
            total += np.prod(ratios) / levels / (k * (k + 1))
    return total


@few
@given(st.lists(st.booleans(), max_size=14))
def test_the_evidence_is_the_mixture_that_it_says(right):
    assert monitor(np.array(right, dtype=bool)).evidence == pytest.approx(by_hand(right, 0.8), rel=1e-9)


def test_the_evidence_is_a_fair_bet():
    """Over all histories of somebody exactly good enough its mean stays 1; of somebody better it falls."""
    n = 10
    histories = (np.arange(2**n)[:, None] >> np.arange(n)) & 1 > 0
    evidence = np.array([monitor(one, at_least=0.7).evidence for one in histories])
    means = [(p ** histories.sum(1) * (1 - p) ** (~histories).sum(1)) @ evidence for p in (0.7, 0.8, 0.95)]
    assert means[0] == pytest.approx(1, abs=1e-9)
    assert means[0] > means[1] > means[2]


@few
@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 60))
def test_a_flag_stays_and_needs_nothing_that_came_later(right, cut):
    whole, part = monitor(np.array(right)), monitor(np.array(right[:cut]))
    assert part.flagged is None or whole.flagged == part.flagged
    assert (whole.n, whole.misses) == (len(right), right.count(False))
    if whole.flagged:
        assert 1 <= whole.since <= whole.flagged <= whole.n


def test_a_drift_after_a_good_start_is_found_and_dated():
    rng = np.random.default_rng(4)
    right = np.concatenate([rng.random(300) < 0.95, rng.random(80) < 0.4])
    seen = monitor(right)
    assert 300 < seen.flagged < 340
    assert abs(seen.since - 301) <= 5


def test_extremes_do_not_overflow():
    assert monitor(np.zeros(3000, bool)).flagged == 5
    assert monitor(np.ones(3000, bool)).evidence < 1
    assert monitor(np.zeros(0, bool)).evidence == 1


def test_false_alarms_and_delays_in_small():
    """200 people just good enough, 200 gold items each: at most 5 % flagged, three standard errors aside."""
    rng = np.random.default_rng(7)
    flagged = [monitor(rng.random(200) < 0.8, false_alarms=0.05).flagged is not None for _ in range(200)]
    assert np.mean(flagged) <= 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5
    guessing = [monitor(rng.random(100) < 0.5).flagged or 101 for _ in range(60)]
    assert np.median(guessing) < 40


@pytest.mark.simulation
def test_false_alarms_over_long_careers():
    """4,000 people of exactly the accuracy asked for, 1,000 gold items each, looked at after every one."""
    for at_least in (0.6, 0.8, 0.95):
        for rate in (0.01, 0.05):
            rng = np.random.default_rng([int(100 * at_least), int(100 * rate)])
            flagged = np.mean(
                [monitor(rng.random(1000) < at_least, at_least, rate).flagged is not None for _ in range(4000)]
            )
            print(f"at least {at_least}: asked {rate}, flagged {flagged:.4f}")
            assert flagged <= rate + 3 * (rate * (1 - rate) / 4000) ** 0.5


@few
@given(counts, st.sampled_from(["", "applied", "onboarding", "active", "watch", "suspended"]))
def test_audit_rates_keep_their_bounds_and_follow_the_risk(seen, status):
    right, n = seen
    rate = audit_rate(status, right, n)
    assert 0.02 <= rate <= 0.5
    assert audit_rate(status, right + 1, n + 1) <= rate + 1e-12
    assert audit_rate(status, right, n + 1) >= rate - 1e-12 or rate == audit_rate(status, 0, 0)
    assert audit_rate("watch", right, n) >= audit_rate("active", right, n)


def test_audit_bounds_are_checked():
    with pytest.raises(ConfigError, match="in that order"):
        audit_rate("active", 1, 2, base=0.9, most=0.5)
