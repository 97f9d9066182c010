"""What every scorer promises, and what each gives for cases worked out by hand."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import ConfigError, DataError
from hitl.sampling.candidates import Candidates
from hitl.sampling.scorers import SCORERS, scorer
from hitl.sampling.sketch import TopM
from hitl.sampling.uniforms import draws
from hitl.sampling.view import example_view
from hitl.types import PoolView

ROWS = [field.name for field in fields(PoolView) if field.name not in ("labels", "multi_label", "violating")]
every_scorer = pytest.mark.parametrize("name", list(SCORERS))
both_kinds = pytest.mark.parametrize("multi_label", [False, True])


def rows_of(view, rows):
    return replace(view, **{name: getattr(view, name)[rows] for name in ROWS})


def make_view(n, k, multi_label, seed):
    rng = np.random.default_rng(seed)
    proba = rng.random((n, k)) if multi_label else rng.dirichlet(np.full(k, 0.4), n).reshape(n, k)
    view = example_view(proba, multi_label=multi_label, reach=rng.pareto(1.1, n), severity=3.0, act_at=0.7)
    return replace(view, keys=rng.integers(0, 2**63, n).astype(np.uint64), draw=rng.random(n))


@every_scorer
@both_kinds
@given(n=st.integers(0, 30), k=st.integers(1, 5), seed=st.integers(0, 1000))
def test_a_score_belongs_to_its_row_alone(name, multi_label, n, k, seed):
    view = make_view(n, k, multi_label, seed)
    before = {field: getattr(view, field).copy() for field in ROWS}
    values = SCORERS[name](view).values
    assert values.shape == (n,)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    if name != "impact":
        assert (values <= 1).all()
    order = np.random.default_rng(seed).permutation(n)
    assert (SCORERS[name](rows_of(view, order)).values == values[order]).all()
    halves = [SCORERS[name](rows_of(view, np.arange(n)[part])).values for part in (slice(0, n // 3), slice(n // 3, n))]
    assert (np.concatenate(halves) == values).all()
    assert all((getattr(view, field) == values).all() for field, values in before.items())


@every_scorer
@both_kinds
def test_layout_in_memory_does_not_matter_and_the_answer_is_a_new_array(name, multi_label):
    view = make_view(200, 4, multi_label, 1)
    other = replace(view, proba=np.asfortranarray(view.proba))
    first, second = SCORERS[name](view), SCORERS[name](other)
    assert (first.values == second.values).all()
    assert first.name == name
    assert not any(np.shares_memory(first.values, getattr(view, field)) for field in ROWS)


@every_scorer
@both_kinds
@pytest.mark.parametrize("bad", [np.nan, 1.5, -0.5, np.inf])
def test_an_impossible_probability_is_told_with_its_place(name, multi_label, bad):
    view = make_view(5, 3, multi_label, 1)
    view.proba[2, 1] = bad
    with pytest.raises(DataError, match=r"1 of 5 items .* row 2 .*'l1'"):
        SCORERS[name](view)


@every_scorer
def test_another_number_of_labels_is_told(name):
    view = make_view(5, 3, False, 1)
    with pytest.raises(DataError, match="labels of the policy"):
        SCORERS[name](replace(view, labels=("a", "b")))


@every_scorer
def test_ties_go_to_the_smaller_draw_wherever_it_stands(name):
    n = 200
    view = example_view(np.tile([0.6, 0.4], (n, 1)))
    values = SCORERS[name](view).values
    values = np.zeros(n) if name == "random" else values  # the one scorer that never ties
    assert len(set(values)) == 1
    top = TopM(5, 1)
    top.feed(Candidates(np.arange(n), view.keys, view.draw, np.zeros(n, dtype=np.int64), values))
    assert top.result().positions.tolist() == np.argsort(view.draw)[:5].tolist()


@every_scorer
def test_float32_rounding_is_no_mistake(name):
    view = example_view([[1 + 5e-7, -5e-7]])
    assert 0 <= SCORERS[name](view).values[0] <= 1


def test_the_uncertainty_scorers_by_hand():
    view = example_view([[0.5, 0.3, 0.2], [1, 0, 0], [1 / 3, 1 / 3, 1 / 3]])
    expected = {
        "least_confidence": [0.75, 0, 1],  # (1 - 0.5) × 3/2
        "margin": [0.8, 0, 1],
        "entropy": [0.937230, 0, 1],  # 1.485475 bits of log2 3 = 1.584963
        "likely_positive": [0.3, 0, 1 / 3],
    }
    for name, values in expected.items():
        assert SCORERS[name](view).values == pytest.approx(values, abs=1e-6)


def test_the_uncertainty_scorers_by_hand_multi_label():
    view = example_view([[0.5, 0.9], [1, 0], [0.5, 0.5]], multi_label=True)
    expected = {
        "least_confidence": [(1 - 0.5 * 0.9) / 0.75, 0, 1],
        "margin": [1, 0, 1],
        "entropy": [(1 + 0.468996) / 2, 0, 1],
        "likely_positive": [0.9, 1, 0.5],
    }
    for name, values in expected.items():
        assert SCORERS[name](view).values == pytest.approx(values, abs=1e-6)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.8, 1.0])
def test_one_label_of_its_own_asks_the_same_question_of_every_uncertainty(p):
    view = example_view([[p]], multi_label=True)
    assert SCORERS["least_confidence"](view).values == pytest.approx(1 - abs(2 * p - 1), abs=1e-6)
    assert SCORERS["margin"](view).values == pytest.approx(1 - abs(2 * p - 1), abs=1e-6)


def test_impact_by_hand_single_label():
    view = example_view([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.3, 0.7, 0.0]], reach=[10, 10, 0], benign_cost=2)
    view.severity[:] = [0, 1, 9]
    view.act_at[:] = [np.inf, 0.75, 0.4]
    # stays up: 10 × (1 × 0.3 + 9 × 0.2); acted on: 10 × 2 × P(benign) = 20 × 0.1; nobody sees the third
    assert SCORERS["impact"](view).values == pytest.approx([21, 2, 0], abs=1e-5)


def test_impact_by_hand_multi_label():
    view = example_view([[0.5, 0.2], [0.9, 0.2], [0.9, 0.95]], multi_label=True, reach=10)
    view.severity[:] = [1, 9]
    view.benign_cost[:] = [2, 5]
    view.act_at[:] = [0.8, 0.8]
    # 10 × (0.5 + 9 × 0.2); 10 × 2 × (1 - 0.9); both call for action: 10 × 5 × (1 - 0.95)
    assert SCORERS["impact"](view).values == pytest.approx([23, 2, 2.5], abs=1e-4)


def test_impact_acts_exactly_where_the_policy_does():
    view = example_view([[0.5, 0.5]], severity=3, act_at=0.5)
    assert SCORERS["impact"](view).values == pytest.approx([0.5])
    assert SCORERS["impact"](replace(view, act_at=np.array([[np.inf, np.nextafter(0.5, 1)]]))).values == [1.5]


def test_random_is_the_views_draw():
    view = example_view(np.tile([0.6, 0.4], (3, 1)))
    assert (SCORERS["random"](view).values == draws(view.keys, 0)).all()


@pytest.mark.parametrize(("name", "hint"), [("margins", "did you mean margin"), ("zzz", "There are least_confidence")])
def test_an_unknown_scorer_is_told_with_the_nearest_names(name, hint):
    with pytest.raises(ConfigError, match=hint):
        scorer(name)
