"""What every scorer promises, and what each gives for cases worked out by hand."""

from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import ConfigError, DataError
from hitl.sampling.candidates import Candidates
from hitl.sampling.known import GRID, direction, know
from hitl.sampling.scorers import SCORERS, scorer
from hitl.sampling.sketch import TopM
from hitl.sampling.uniforms import draws
from hitl.sampling.view import example_view, one_label
from hitl.types import Known, PoolView

ONCE = ("labels", "multi_label", "violating", "known")  # all other fields are aligned by row
ROWS = [field.name for field in fields(PoolView) if field.name not in ONCE]
NEEDS = {
    "committee": ("committee", "set `heads` in the model's options"),
    "novelty": ("embeddings", "choose a model that embeds"),
    "neighbours": ("embeddings", "choose a model that embeds"),
    "density": ("known", "give `Known` the pool's mean direction"),
    "relabel": ("confidence", "give each settled answer's confidence"),
}
every_scorer = pytest.mark.parametrize("name", list(SCORERS))
both_kinds = pytest.mark.parametrize("multi_label", [False, True])


def rows_of(view, rows):
    parts = {name: getattr(view, name) for name in ROWS}
    aligned = {name: part[:, rows] if name == "committee" else part[rows] for name, part in parts.items()}
    return replace(view, **aligned)


def on_grid(x):
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    return np.rint(GRID * x / np.where(length > 0, length, 1)).astype(np.int16)


def equipped(view, seed=0, d=6):
    """The view with every optional part; rows that are alike in it stay alike."""
    rng = np.random.default_rng(seed)
    n, k = view.proba.shape
    alike = n > 1 and (view.proba == view.proba[0]).all()
    row = partial(np.repeat, repeats=n if alike else 1, axis=0)
    m = 1 if alike else n
    x = rng.standard_normal((m, d)) * rng.integers(0, 4, (m, 1)).clip(0, 1)  # a quarter has no embedding
    labelled = on_grid(rng.standard_normal((9, d)))
    known = know(labelled, rng.choice([0, 1, np.nan], (9, k)), view.violating, rng, limit=5)
    heads = rng.random((3, m, k)) if view.multi_label else rng.dirichlet(np.ones(k), (3, m))
    cuts = np.sort(rng.choice([0, 0.2, 0.5, 0.7, 1, np.inf], (m, k, 3)), axis=2)
    return replace(
        view,
        cuts=row(np.where(view.violating[:, None], cuts, np.inf)),
        embeddings=row(on_grid(x)),
        committee=heads.astype(np.float32).repeat(n if alike else 1, axis=1),
        known=replace(known, centre=direction(labelled.sum(axis=0))),
        settled=row(rng.choice([0, 1, np.nan], (m, k))),
        confidence=row(rng.random(m)),
    )


def make_view(n, k, multi_label, seed):
    rng = np.random.default_rng(seed)
    proba = rng.random((n, k)) if multi_label else rng.dirichlet(np.full(k, 0.4), n).reshape(n, k)
    view = example_view(proba, multi_label=multi_label, reach=rng.pareto(1.1, n), severity=3.0, act_at=0.7)
    return equipped(replace(view, keys=rng.integers(0, 2**63, n).astype(np.uint64), draw=rng.random(n)), seed)


def bare(view):
    return replace(view, **{field.name: None for field in fields(PoolView) if field.default is None})


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
    assert all(np.array_equal(getattr(view, field), part, equal_nan=True) for field, part in before.items())


@every_scorer
@both_kinds
@pytest.mark.parametrize("k", [1, 3, 11])
def test_batches_beyond_one_block_are_cut_anywhere(name, multi_label, k):
    n = 70_001
    view = make_view(n, k, multi_label, 5)
    values = SCORERS[name](view).values
    for start, stop in [(0, 1), (1, 40_002), (32_767, 32_769), (40_002, n), (n - 7, n)]:
        assert (SCORERS[name](rows_of(view, slice(start, stop))).values == values[start:stop]).all()


@every_scorer
@both_kinds
def test_layout_in_memory_does_not_matter_and_the_answer_is_a_new_array(name, multi_label):
    view = make_view(200, 4, multi_label, 1)
    first = SCORERS[name](view)
    assert first.name == name
    assert not any(np.shares_memory(first.values, getattr(view, field)) for field in ROWS)
    for layout in (
        np.asfortranarray,
        lambda part: np.repeat(part, 2, axis=-1)[..., ::2],
        lambda part: part[::-1][::-1],
    ):
        other = replace(view, **{name: layout(getattr(view, name)) for name in ROWS})
        assert (SCORERS[name](other).values == first.values).all()


@every_scorer
@both_kinds
def test_a_view_without_a_part_that_is_needed_says_what_to_do(name, multi_label):
    view = make_view(20, 3, multi_label, 1)
    part, remedy = NEEDS.get(name, (None, None))
    if part is None:
        assert np.isfinite(SCORERS[name](bare(view)).values).all()
    else:
        with pytest.raises(ConfigError, match=f"{name}: the view has no .*{remedy}"):
            SCORERS[name](replace(view, **{part: None}))


@pytest.mark.parametrize("name", ["novelty", "neighbours", "density"])
def test_embeddings_of_another_model_are_told(name):
    view = make_view(5, 3, False, 1)
    for embeddings in (view.embeddings[:, :4], view.embeddings[:3], view.embeddings[:, 0]):
        with pytest.raises(DataError, match=f"{name}: embeddings .* the same model"):
            SCORERS[name](replace(view, embeddings=embeddings))


@every_scorer
@both_kinds
@pytest.mark.parametrize("bad", [np.nan, 1.5, -0.5, np.inf])
def test_an_impossible_probability_is_told_with_its_place(name, multi_label, bad):
    view = make_view(5, 3, multi_label, 1)
    view.proba[2, 1] = bad
    with pytest.raises(DataError, match=r"1 of 5 items .* row 2 .*'l1'"):
        SCORERS[name](view)


@every_scorer
def test_an_impossible_probability_is_found_in_any_block(name):
    view = make_view(70_000, 2, True, 1)
    view.proba[69_999, 0] = np.nan
    with pytest.raises(DataError, match=r"1 of 70,000 items .* row 69999 .*'l0'"):
        SCORERS[name](view)


@every_scorer
def test_another_number_of_labels_is_told(name):
    view = make_view(5, 3, False, 1)
    with pytest.raises(DataError, match="labels of the policy"):
        SCORERS[name](replace(view, labels=("a", "b")))


@every_scorer
def test_ties_go_to_the_smaller_draw_wherever_it_stands(name):
    n = 200
    view = equipped(example_view(np.tile([0.6, 0.4], (n, 1))))
    values = SCORERS[name](view).values
    values = np.zeros(n) if name == "random" else values  # the one scorer that never ties
    assert len(set(values)) == 1
    top = TopM(5, 1)
    top.feed(Candidates(np.arange(n), view.keys, view.draw, np.zeros(n, dtype=np.int64), values))
    assert top.result().positions.tolist() == np.argsort(view.draw)[:5].tolist()


@every_scorer
def test_float32_rounding_is_no_mistake(name):
    view = equipped(example_view([[1 + 5e-7, -5e-7]]))
    assert 0 <= SCORERS[name](view).values[0] <= 1


@pytest.mark.parametrize(
    "name", ["margin", "likely_positive", "threshold_distance", "committee", "neighbours", "relabel"]
)
@given(k=st.integers(1, 4), seed=st.integers(0, 1000))
def test_of_many_labels_the_one_that_asks_loudest_counts(name, k, seed):
    view = make_view(12, k, True, seed)
    alone = [SCORERS[name](one_label(view, label)).values for label in range(k)]
    assert (np.max(alone, axis=0) == SCORERS[name](view).values).all()


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


def at(view, *cuts):
    return replace(view, cuts=np.tile(np.asarray(cuts, dtype=float)[:, None], (len(view), 1, 1)))


def test_threshold_distance_by_hand():
    never = np.inf
    view = example_view([[0.6, 0.4], [0.5, 0.5], [0.2, 0.8], [0.1, 0.9], [0, 1], [1, 0]])
    assert SCORERS["threshold_distance"](at(view, never, 0.8)).values == pytest.approx([0.5, 0.625, 1, 0.5, 0, 0])
    # the nearest of two thresholds, of two labels
    two = example_view([[0.5, 0.2]], multi_label=True)
    two = replace(two, cuts=np.array([[[0.6, never, 0.9], [0.1, 0.25, never]]]))
    assert SCORERS["threshold_distance"](two).values == pytest.approx(
        [max(0.5 / 0.6, 0.5 / 0.9, 0.8 / 0.9, 0.2 / 0.25)]
    )


def test_threshold_distance_at_its_limits():
    view = example_view([[1, 0], [0.75, 0.25], [0, 1]])
    assert SCORERS["threshold_distance"](at(view, np.inf, 0.0)).values.tolist() == [0, 0, 0]  # always taken
    assert SCORERS["threshold_distance"](at(view, np.inf, 1.0)).values.tolist() == [0, 0.25, 1]
    assert SCORERS["threshold_distance"](at(view, np.inf, np.inf)).values.tolist() == [0, 0, 0]


def test_threshold_distance_without_cuts_looks_at_where_the_policy_acts():
    view = example_view([[0.6, 0.4]], act_at=0.8)
    assert SCORERS["threshold_distance"](view).values == pytest.approx([0.5])


def test_committee_by_hand():
    sure, torn = [1, 0, 0], [0.5, 0.5, 0]
    heads = np.array([[sure, torn, sure], [[0, 1, 0], torn, torn]], dtype=np.float32)
    view = replace(example_view([torn] * 3), committee=heads)
    # two heads can differ by one bit at most; H(3/4, 1/4) - H(1/2, 1/2) / 2 = 0.811278 - 0.5
    assert SCORERS["committee"](view).values == pytest.approx([1, 0, 0.311278], abs=1e-6)
    three = replace(example_view([torn]), committee=np.eye(3, dtype=np.float32)[:, None, :])
    assert SCORERS["committee"](three).values == pytest.approx([1])


def test_committee_by_hand_multi_label():
    heads = np.array([[[1, 0.5], [0.2, 0.9]], [[0.5, 0.5], [0.2, 0.9]]], dtype=np.float32)
    view = replace(example_view([[0.75, 0.5], [0.2, 0.9]], multi_label=True), committee=heads)
    assert SCORERS["committee"](view).values == pytest.approx([0.311278, 0], abs=1e-6)


def test_a_head_alone_disagrees_with_nobody_and_no_head_is_told():
    view = example_view([[0.5, 0.5], [0.1, 0.9]])
    assert SCORERS["committee"](replace(view, committee=view.proba[None])).values.tolist() == [0, 0]
    for heads in (view.proba, view.proba[None][:0]):
        with pytest.raises(DataError, match="heads, items, labels"):
            SCORERS["committee"](replace(view, committee=heads))
    wrong = view.proba[None].copy()
    wrong[0, 1, 1] = np.nan
    with pytest.raises(DataError, match="NaN"):
        SCORERS["committee"](replace(view, committee=wrong))


NORTH, NORTHEAST, EAST, SOUTH, NOWHERE = rows = on_grid(np.array([[0, 1], [3, 4], [1, 0], [0, -1], [0, 0]]))


def placed(labelled=(), anchors=(), centre=None, violating=(False, True)):
    view = replace(example_view(np.tile([0.6, 0.4], (5, 1))), embeddings=rows, violating=np.array(violating))
    none = rows[:0]
    return replace(view, known=Known(np.array([*none, *labelled]).reshape(-1, 2).astype(np.int16), anchors, centre))


def test_the_scorers_of_space_by_hand():
    assert SCORERS["novelty"](placed([NORTH])).values == pytest.approx([0, 0.2, 1, 1, 0], abs=1e-3)
    assert SCORERS["novelty"](placed([NORTH, EAST])).values == pytest.approx([0, 0.2, 0, 1, 0], abs=1e-3)
    assert SCORERS["novelty"](placed()).values.tolist() == [1] * 5
    assert SCORERS["density"](placed(centre=NORTHEAST)).values == pytest.approx([0.8, 1, 0.6, 0, 0], abs=1e-3)
    anchors = (rows[[3]], rows[[2]])
    assert SCORERS["neighbours"](placed(anchors=anchors)).values == pytest.approx([0, 0.6, 1, 0, 0], abs=1e-3)
    both = placed(anchors=anchors, violating=(True, True))
    assert SCORERS["neighbours"](both).values == pytest.approx([0, 0.6, 1, 1, 0], abs=1e-3)
    assert SCORERS["neighbours"](placed(anchors=(rows[:0], rows[:0]))).values.tolist() == [0] * 5


def test_without_anything_known_all_is_novel_and_nothing_is_near():
    view = replace(placed(), known=None)
    assert SCORERS["novelty"](view).values.tolist() == [1] * 5
    assert SCORERS["neighbours"](view).values.tolist() == [0] * 5


def test_novelty_rises_on_an_emerging_cluster_and_falls_once_it_is_labelled():
    rng = np.random.default_rng(3)
    centres = rng.standard_normal((6, 32))
    kind = np.repeat(np.arange(6), 100)
    cloud = on_grid(centres[kind] + 0.2 * rng.standard_normal((600, 32)))
    view = replace(example_view(np.tile([0.6, 0.4], (600, 1))), embeddings=cloud)
    old, new = kind < 5, kind == 5

    def novelty_with(labelled):
        known = know(labelled, np.zeros((len(labelled), 2)), view.violating, rng, limit=40)
        return SCORERS["novelty"](replace(view, known=known)).values

    before = novelty_with(cloud[old])
    assert before[new].min() > before[old].max() + 0.2
    after = novelty_with(np.concatenate([cloud[old], cloud[new][:10]]))
    assert after[new].max() < 0.2


def test_relabel_by_hand():
    view = example_view([[0.2, 0.8], [0.8, 0.2], [0.2, 0.8], [0.5, 0.5]])
    settled = np.array([[0, 1], [0, 1], [0, 1], [np.nan, np.nan]])
    answered = replace(view, settled=settled, confidence=np.array([1, 1, 0.5, 0]))
    # the model agrees; contradicts; agrees with what people were not sure of; nothing is settled
    assert SCORERS["relabel"](answered).values == pytest.approx([0.2, 0.8, 0.6, 0])
    assert SCORERS["relabel"](view).values.tolist() == [0] * 4


def test_relabel_by_hand_multi_label():
    view = example_view([[0.9, 0.3], [0.9, 0.3], [0.9, 0.3]], multi_label=True)
    settled = np.array([[1, 0], [0, 0], [np.nan, 0]])
    answered = replace(view, settled=settled, confidence=np.array([1, 1, 0.5]))
    assert SCORERS["relabel"](answered).values == pytest.approx([0.3, 0.9, 1 - 0.5 * 0.7])


@pytest.mark.parametrize("confidence", [[np.nan, 1], [1.5, 1], [-0.5, 1], [1]])
def test_an_impossible_confidence_is_told(confidence):
    view = replace(example_view([[0.1, 0.9]] * 2), settled=np.array([[0.0, 1.0]] * 2), confidence=np.array(confidence))
    with pytest.raises(DataError, match="relabel"):
        SCORERS["relabel"](view)


def test_relabel_finds_the_mistakes_that_were_planted():
    rng = np.random.default_rng(1)
    proba = rng.dirichlet([0.3, 0.3, 0.3], 500)
    truth = np.array([rng.choice(3, p=row) for row in proba])
    given_ = np.where(np.arange(500) < 25, (truth + rng.integers(1, 3, 500)) % 3, truth)
    view = replace(example_view(proba), settled=np.eye(3)[given_], confidence=np.full(500, 0.9))
    worst = np.argsort(-SCORERS["relabel"](view).values)[:50]
    assert (worst < 25).sum() >= 15  # by chance 2.5


def test_random_is_the_views_draw():
    view = example_view(np.tile([0.6, 0.4], (3, 1)))
    assert (SCORERS["random"](view).values == draws(view.keys, 0)).all()


@pytest.mark.parametrize(("name", "hint"), [("margins", "did you mean margin"), ("zzz", "There are least_confidence")])
def test_an_unknown_scorer_is_told_with_the_nearest_names(name, hint):
    with pytest.raises(ConfigError, match=hint):
        scorer(name)
