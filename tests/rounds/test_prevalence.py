"""How much of the pool violates the policy, in a campaign whose truth is known; and who of a draw was settled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hitl.history import read_estimate
from hitl.rounds.judged import Measured, judged
from hitl.rounds.prevalence import prevalence


@pytest.fixture(scope="module")
def done(tmp_path_factory, stream, new_stand):
    stand = new_stand(tmp_path_factory.mktemp("prevalence"), stream)
    plan = stand.plan.model_copy(update={"replay": None, "audit": 0.5, "budget": 40, "strata": ("language",)})
    campaign = replace(stand, plan=plan).campaign()
    list(campaign)
    return campaign


@pytest.fixture(scope="module")
def told(done):
    return [row["findings"]["prevalence"] for row in done.history()["rounds"]]


def the(found, name, label="", part="combined"):
    return next(read_estimate(row) for row in found[part] if (row["name"], row["label"]) == (name, label))


def truth(campaign):
    codes, names = campaign.walk.pool.codes("truth")
    bad = np.array([name != "ok" for name in names])[codes]
    return bad, campaign.walk.pool.reach


def test_the_truth_lies_in_the_intervals(done, told) -> None:
    bad, reach = truth(done)
    for found in told:
        for name, is_so in {
            "prevalence": bad.mean(),
            "prevalence_by_views": reach[bad].sum() / reach.sum(),
            "violating_items": bad.sum(),
            "violative_view_rate": 1e4 * reach[bad].sum() / reach.sum(),
        }.items():
            one = the(found, name)
            assert one.low <= is_so <= one.high, (name, one)


def test_all_draws_together_tell_more_than_one(told) -> None:
    last = told[-1]
    assert last["rounds"] == [0, 1, 2]
    widths = [the(found, "prevalence").high - the(found, "prevalence").low for found in told]
    assert widths[-1] < widths[0]
    here = the(last, "prevalence", part="here")
    assert widths[-1] < here.high - here.low


def test_no_estimate_is_below_what_was_found(done, told) -> None:
    bad, _ = truth(done)
    asked = done.walk.positions(pick.item_id for number in range(2) for pick in done.walk.ledger.picks(number))
    one = the(told[2], "violating_items")
    assert one.low >= 0.8 * bad[asked].sum()  # people err now and then
    assert (told[2]["items"], told[2]["draw"], told[0]["draw"]) == (len(bad), "audit", "benchmark")


def test_the_naive_figure_stands_beside_it(done, told) -> None:
    bad, _ = truth(done)
    assert told[1]["naive"]["name"] == "picked_share"
    assert told[1]["naive"]["value"] > bad.mean()


def test_responses_count_the_whole_draw(told) -> None:
    for found in told:
        assert sum(row["drawn"] for row in found["responses"]) >= 20
        for row in found["responses"]:
            assert row["stratum"]
            assert row["rate"]["value"] == row["settled"] / row["drawn"]


def test_every_model_is_judged_with_the_same_weights(done) -> None:
    at = Measured.of(done.walk, 2)
    assert at.benchmark is not None
    assert at.before is not None
    np.testing.assert_array_equal(at.benchmark.sample.weights, at.before.sample.weights)
    np.testing.assert_array_equal(at.benchmark.positions, at.before.positions)


def test_unsettled_items_hand_their_weight_on(done) -> None:
    """Items that were drawn and never asked stand for a draw that was not all answered."""
    at = Measured.of(done.walk, 2)
    asked = set(done.walk.ledger.asked_items())
    ids = done.walk.pool.ids(np.arange(len(done.walk.pool)))
    silent = dict.fromkeys([item for item in ids if item not in asked][:10], 0.05)
    found = judged(done.walk, 2, at.drawn | silent, at.old, at.old)
    assert len(found.drawn) == len(at.drawn) + 10
    assert found.responses.settled.sum() == len(found.sample)
    assert found.sample.weights.sum() == pytest.approx((1 / found.responses.inclusion).sum())


def test_nothing_drawn_and_nothing_picked_is_nothing_to_tell(done) -> None:
    at = Measured.of(done.walk, 0)
    object.__setattr__(at, "benchmark", None)
    assert prevalence(at) is not None  # the seed's picks are there
    assert prevalence(at)["combined"] == []
