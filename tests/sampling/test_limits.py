"""Quotas and caps: against every batch that could have been taken."""

from collections import Counter
from itertools import combinations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hitl.sampling.limits import Cap, least, take_within
from hitl.sampling.plan import Plan


@st.composite
def tasks(draw, capped=True):
    """A few rows in some order, with strata, needs that fit into the batch, and caps."""
    n, want = draw(st.integers(0, 7)), draw(st.integers(0, 6))
    codes = st.lists(st.integers(0, 2), min_size=n, max_size=n)
    need = np.array(draw(st.lists(st.integers(0, 3), min_size=3, max_size=3)))
    assume(need.sum() <= want)
    held = st.dictionaries(st.integers(0, 2), st.integers(0, 3)).map(Counter)
    caps = draw(st.lists(st.builds(Cap, st.integers(1, 3), codes, held), max_size=2)) if capped else []
    order = np.array(draw(st.permutations(range(n))), dtype=np.int64)
    return order, np.array(draw(codes), dtype=np.int64), want, need, caps


def count(strata, rows):
    return np.bincount(strata[list(rows)], minlength=3)


def fits(caps, rows):
    return all(
        cap.held[code] + count <= cap.most
        for cap in caps
        for code, count in Counter(cap.codes[row] for row in rows).items()
    )


@settings(max_examples=400)
@given(tasks())
def test_caps_hold_and_nothing_more_would_fit(task):
    order, strata, want, need, caps = task
    before = [Counter(cap.held) for cap in caps]
    taken = take_within(order, strata, want, need, caps).tolist()
    assert taken == sorted(set(taken))
    assert set(taken) <= set(order.tolist())
    assert len(taken) <= want
    assert all(cap.held == held for cap, held in zip(caps, before, strict=True))
    assert all(
        cap.held[code] + number <= max(cap.most, cap.held[code])
        for cap in caps
        for code, number in Counter(cap.codes[row] for row in taken).items()
    )
    if len(taken) < want:
        assert not any(fits(caps, [*taken, row]) for row in order.tolist() if row not in taken)


@settings(max_examples=400)
@given(tasks(capped=False))
def test_without_caps_it_is_the_first_of_all_batches_that_meet_the_quotas(task):
    order, strata, want, need, _ = task
    due = np.minimum(need, count(strata, order))
    size = min(want, len(order))
    # combinations come in the order of wanting, so the first that meets the quotas is the best
    best = next(rows for rows in combinations(order.tolist(), size) if (count(strata, rows) >= due).all())
    assert take_within(order, strata, want, need).tolist() == sorted(best)


@settings(max_examples=400)
@given(tasks())
def test_without_quotas_it_is_the_greedy_prefix_within_the_caps(task):
    order, strata, want, _, caps = task
    greedy = []
    for row in order.tolist():
        if len(greedy) < want and fits(caps, [*greedy, row]):
            greedy.append(row)
    assert take_within(order, strata, want, np.zeros(3, dtype=np.int64), caps).tolist() == sorted(greedy)


@settings(max_examples=400)
@given(tasks())
def test_caps_that_never_bind_change_nothing(task):
    order, strata, want, need, caps = task
    loose = [Cap(len(order) + 3, cap.codes, cap.held) for cap in caps]
    assert (take_within(order, strata, want, need, loose) == take_within(order, strata, want, need)).all()


def test_a_quota_that_a_cap_forbids_gives_its_places_to_the_others():
    strata, authors = np.array([0, 0, 0, 1, 1, 1]), [1, 2, 3, 9, 9, 9]
    taken = take_within(np.arange(6), strata, 4, np.array([0, 3]), [Cap(1, authors)])
    assert taken.tolist() == [0, 1, 2, 3]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.integers(0, 60))
def test_the_least_is_the_share_rounded_up_where_that_fits(shares, want):
    assume(sum(shares) > 0)
    shares = [share / max(sum(shares), 1) for share in shares]
    names = [f"s{code}" for code in range(len(shares))]
    need = least(Plan(quotas=dict(zip(names, shares, strict=True))), [*names, "other"], want)
    assert need[-1] == 0
    assert need.sum() <= want
    exact = np.array([*shares, 0.0]) * want
    assert (np.abs(need - exact) < 1 + 1e-6).all()
    if np.ceil(exact).sum() <= want:
        assert (need >= exact - 1e-6).all()
