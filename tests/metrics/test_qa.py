"""Quality of decisions: exact properties, published numbers, and planted truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from hitl.errors import DataError
from hitl.labels import AnswerTable
from hitl.metrics.counts import proportion
from hitl.metrics.qa.allocation import allocate, risk
from hitl.metrics.qa.causes import pareto, roots
from hitl.metrics.qa.change import change, p_of
from hitl.metrics.qa.charts import ALPHA, p_chart
from hitl.metrics.qa.errors import kind_of
from hitl.metrics.qa.scorecards import RATES, Checked, rate, scorecards
from hitl.metrics.qa.sessions import changes, standing
from hitl.metrics.qa.shrinking import shrink
from hitl.sampling.candidates import Candidates
from hitl.sampling.sketch import FlooredDraw

LABELS = st.sets(st.sampled_from(["hate", "scam", "threat"]))
SLOW = settings(deadline=None, max_examples=60)


@given(named=LABELS, found=LABELS, whole=st.booleans())
def test_an_error_is_missed_overreach_or_the_wrong_clause(named, found, whole):
    kind = kind_of(bool(named), named, found, whole=whole)
    assert (kind == "missed") == (not named and bool(found))
    assert (kind == "overreach") == (bool(named) and not found)
    right = named == found if whole else named <= found and bool(named) == bool(found)
    assert (kind == "right") == right


def test_a_decision_that_named_no_clause_is_judged_by_whether_it_acted():
    assert kind_of(True, [], ["hate"], whole=True) == "right"
    assert kind_of(True, [], [], whole=True) == "overreach"


@SLOW
@given(
    size=st.integers(0, 400),
    rooms=st.lists(st.tuples(st.integers(0, 200), st.floats(0, 1e6)), min_size=1, max_size=8),
    least=st.integers(0, 6),
)
def test_an_allocation_spends_what_there_is_and_leaves_no_stratum_out(size, rooms, least):
    decisions, stake = (np.array(column) for column in zip(*rooms, strict=True))
    given_ = allocate(size, decisions, stake.astype(float), least=least)
    assert given_.sum() == min(size, decisions.sum())
    assert (given_ <= decisions).all()
    if size >= np.minimum(decisions, least).sum():
        assert (given_ >= np.minimum(decisions, least)).all()


def test_with_power_one_an_allocation_is_proportional():
    stake = np.array([1.0, 2, 3, 4])
    assert allocate(1000, np.full(4, 10_000), stake, power=1.0, least=0).tolist() == [100, 200, 300, 400]


def test_risk_is_even_where_nothing_is_believed():
    assert np.ptp(risk(np.full(5, np.nan), np.ones(5), 0.2)) == 0
    with pytest.raises(DataError, match="no share"):
        risk(np.zeros(2), np.ones(2), 1.5)


def test_the_change_of_two_shares_is_newcombes_published_interval():
    # Newcombe (1998, Statistics in Medicine 17:873), table II, example (a), method 10
    found = change(proportion(48, 80), proportion(56, 70))
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)
    back = change(proportion(56, 70), proportion(48, 80))
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))
    assert p_of(found) == pytest.approx(p_of(back))
    assert p_of(found) < 0.05
    assert np.isnan(change(proportion(0, 0), proportion(1, 2)).value)


def test_a_census_is_exact_and_a_small_group_is_not_told():
    rng = np.random.default_rng(4)
    wrong, critical = rng.random((2, 60)) < np.array([[0.4], [0.5]])
    critical &= wrong
    checked = Checked(np.ones(60), wrong, critical)
    groups = np.repeat([0, 1], [57, 3])
    cards = scorecards(checked, groups, ["many", "few"], ["human", "human"])
    for name, found, mine in zip(RATES, cards[0].raw, (wrong, critical, wrong & ~critical), strict=True):
        assert found.name == name
        assert found.value == found.low == found.high == pytest.approx(mine[:57].mean())
    assert [card.group for card in cards] == ["many", "few"]
    one = Checked(np.full(3, 0.1), np.ones(3, dtype=bool), np.zeros(3, dtype=bool))
    assert np.isnan(rate(one).value)
    assert "too few" in rate(one).method
    with pytest.raises(DataError, match="critical"):
        Checked(np.ones(1), np.zeros(1, dtype=bool), np.ones(1, dtype=bool))


def test_weights_undo_an_uneven_draw():
    wrong = np.r_[np.ones(50, dtype=bool), np.zeros(50, dtype=bool)]
    found = rate(Checked(np.r_[np.full(50, 0.5), np.full(50, 0.05)], wrong, np.zeros(100, dtype=bool)))
    assert found.value == pytest.approx(100 / 1100)


def test_shrinking_lies_between_a_group_and_its_kind_and_trusts_the_large():
    events, sizes = np.array([3.0, 200, 20, 22, 18]), np.array([4.0, 1000, 200, 200, 200])
    found = shrink(events, sizes)
    raw = events / sizes
    assert found.mean < found.value[0] < raw[0]
    assert found.value[1] == pytest.approx(raw[1], abs=0.01)
    assert ((found.low < found.value) & (found.value < found.high)).all()
    assert found.high[0] - found.low[0] > found.high[1] - found.low[1]
    with pytest.raises(DataError):
        shrink(np.array([2.0]), np.array([1.0]))


def planted(rng, groups=16):
    """Shares of groups, most of them small, around 8 %."""
    truth = rng.beta(4, 46, groups)
    sizes = rng.integers(4, 60, groups).astype(float)
    return truth, rng.binomial(sizes.astype(int), truth).astype(float), sizes


def test_shrinking_errs_less_than_the_raw_shares():
    raw, drawn, held, n = 0.0, 0.0, 0, 0
    rng = np.random.default_rng(2)
    for _ in range(12):
        truth, events, sizes = planted(rng)
        found = shrink(events, sizes)
        raw += float(((events / sizes - truth) ** 2).sum())
        drawn += float(((found.value - truth) ** 2).sum())
        held += int(((found.low <= truth) & (truth <= found.high)).sum())
        n += len(truth)
    assert drawn < 0.6 * raw
    assert 0.9 <= held / n <= 0.99


@pytest.mark.parametrize("size", [7, 30, 200, 1500])
@pytest.mark.parametrize("target", [0.01, 0.1, 0.4])
def test_a_steady_process_seldom_signals_by_its_exact_limits(size, target):
    counts = np.arange(size + 1)
    chart = p_chart(counts.astype(float), np.full(size + 1, float(size)), target=target)
    # each count a period of its own: its signal must be that of a limit, not of a run
    beyond = (chart.value > chart.high + 1e-9) | (chart.value < chart.low - 1e-9)
    assert binom.pmf(counts, size, target)[beyond].sum() <= ALPHA
    assert chart.high[0] < 1 or binom.pmf(size, size, target) > ALPHA / 2


def test_a_chart_sees_a_shift_and_a_slow_run():
    sizes = np.full(12, 200.0)
    steady = np.array([20, 18, 22, 21, 19, 20, 23, 17, 20, 21, 19, 20.0])
    assert set(p_chart(steady, sizes).signals) == {""}
    jumped = steady.copy()
    jumped[8] = 48
    assert p_chart(jumped, sizes).signals[8] == "above"
    crept = np.r_[steady[:4], np.full(8, 26.0)]
    signals = p_chart(crept, sizes, target=0.1).signals
    assert "above" not in signals
    assert signals[-1] == "run above"


def test_laney_takes_spread_between_periods_as_normal():
    rng = np.random.default_rng(8)
    sizes = np.full(40, 4000.0)
    events = rng.binomial(4000, rng.beta(20, 180, 40)).astype(float)
    exact, laney = p_chart(events, sizes), p_chart(events, sizes, method="laney")
    assert exact.dispersion > 3
    assert sum(map(bool, exact.signals)) > 10
    assert sum(map(bool, laney.signals)) <= 1
    even = p_chart(rng.binomial(4000, 0.1, 40).astype(float), sizes)
    assert 0.6 < even.dispersion < 1.5


def test_a_chart_of_nothing_or_one_period_has_no_signal():
    assert p_chart(np.zeros(0), np.zeros(0)).signals == ()
    one = p_chart(np.array([3.0]), np.array([30.0]))
    assert one.signals == ("",)
    assert (one.low[0], one.high[0]) == (0.0, 1.0)
    with pytest.raises(DataError, match="no share"):
        p_chart(np.array([3.0]), np.array([30.0]), target=0.0)


def test_a_pareto_counts_an_error_as_often_as_its_odds_say():
    cause = np.array([0, 0, 1, 2, -1])
    bars = pareto(np.array([1.0, 1.0, 0.25, 1.0, 0.1]), cause, ["tool", "training", "model"])
    assert [(bar.cause, bar.n) for bar in bars] == [("training", 1), ("tool", 2), ("model", 1)]
    assert [bar.share.value for bar in bars] == pytest.approx([4 / 7, 2 / 7, 1 / 7])
    assert bars[-1].cumulative == pytest.approx(1.0)
    assert pareto(np.ones(2), np.array([-1, -1]), ["tool"]) == []


def test_a_root_cause_stands_where_it_was_planted_and_nowhere_else():
    rng = np.random.default_rng(3)
    vendor = rng.integers(0, 3, 300)
    language = rng.integers(0, 4, 300)
    cause = np.where(rng.random(300) < np.where(vendor == 1, 0.8, 0.2), 0, 1 + rng.integers(0, 2, 300))
    slices = {"vendor": (vendor, ["a", "b", "c"]), "language": (language, ["de", "en", "id", "ja"])}
    found = roots(np.full(300, 0.5), cause, ["training", "tool", "model"], slices)
    assert (found[0].dimension, found[0].group) == ("vendor", "b")
    assert next(one for one in found if (one.group, one.cause) == ("b", "training")).difference.low > 0
    assert not any(one.stands for one in found if one.dimension == "language")


def answers(rng, right, people=4, items=60):
    """Answers of people who are right with a share, and otherwise leave the clause out that is hard."""
    key = {f"i{at}": frozenset(("hate",) if at % 3 == 0 else ("scam",) if at % 3 == 1 else ()) for at in range(items)}
    rows = []
    for item, truth in key.items():
        for who in range(people):
            missed = "scam" in truth and rng.random() > right
            rows.append((item, f"w{who}", "" if missed else "|".join(truth)))
    return AnswerTable.of(rows), key


def test_a_session_tells_agreement_and_the_clause_that_is_missed():
    rng = np.random.default_rng(5)
    before, after = (standing(*answers(rng, right), np.random.default_rng(0)) for right in (0.5, 1.0))
    assert after.alpha.value == 1.0
    assert after.right.value == 1.0
    assert before.missed[0].clause == "scam"
    assert before.missed[0].left_out.value == pytest.approx(0.5, abs=0.12)
    assert before.missed[1].left_out.value == 0.0
    agreement, right = changes(before, after)
    assert agreement.low > 0
    assert right.low > 0
    assert set(before.by_person) == {"w0", "w1", "w2", "w3"}


def drawn_and_judged(rng, size):
    """A population of decisions with planted errors, of which some are drawn by a wish that knows a little of them."""
    n, deciders = 2400, 8
    who = rng.integers(0, deciders, n)
    chance = np.linspace(0.03, 0.25, deciders)[who]
    wrong = rng.random(n) < chance
    wish = np.sqrt(np.clip(0.1 + 0.3 * wrong + 0.1 * rng.standard_normal(n), 0.01, 1))
    draw = FlooredDraw(size, 0.5)
    nothing = np.zeros(n)
    draw.feed(
        Candidates(np.arange(n), np.arange(n, dtype=np.uint64), nothing, np.zeros(n, dtype=np.int64), nothing),
        wish, rng.random(n),
    )  # fmt: skip
    found = draw.result()
    rows = found.items.positions
    return who, wrong, rows, Checked(found.inclusion, wrong[rows], np.zeros(len(rows), dtype=bool))


@pytest.mark.simulation
def test_the_intervals_of_scorecards_hold_what_they_say():
    rng = np.random.default_rng(11)
    raw, shrunk, whole, n = 0, 0, 0, 0
    for _ in range(150):
        who, wrong, rows, checked = drawn_and_judged(rng, 400)
        told = rate(checked)
        whole += told.low <= wrong.mean() <= told.high
        for card in scorecards(checked, who[rows], [f"w{at}" for at in range(8)], ["human"] * 8):
            truth = wrong[who == int(card.group[1:])].mean()
            raw += card.raw[0].low <= truth <= card.raw[0].high
            shrunk += card.shrunk[0].low <= truth <= card.shrunk[0].high
            n += 1
    assert whole / 150 >= 0.91
    assert raw / n >= 0.93
    assert shrunk / n >= 0.92


@pytest.mark.simulation
def test_control_charts_keep_their_false_alarm_rate():
    rng = np.random.default_rng(12)
    limits, runs, n = 0, 0, 0
    for _ in range(600):
        sizes = rng.integers(20, 300, 15)
        events = rng.binomial(sizes, 0.08).astype(float)
        signals = p_chart(events, sizes.astype(float)).signals
        limits += sum(one in ("above", "below") for one in signals)
        runs += sum(one.startswith("run") for one in signals)
        n += len(signals)
    assert limits / n <= 1.6 * ALPHA
    assert runs / n <= 2.5 * ALPHA
