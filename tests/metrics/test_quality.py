from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import DataError
from hitl.history import estimate_row
from hitl.metrics.quality import confusion, macro_f1, measure
from hitl.metrics.ranking import average_precision, ranking_influence
from hitl.metrics.sample import LabelledSample
from hitl.policy import Policy
from hitl.types import Estimate, Resolution

ONE = Policy.parse(
    """
    name: one
    version: 1
    labels:
      - {name: ok, violating: false}
      - {name: spam, actions: {review: 0.4, remove: 0.8}}
      - {name: threat, actions: {limit: 0.5}}
    regions:
      ID: {labels: {spam: {actions: {review: 0.1, remove: 0.2}}}}
    """
)
MANY = Policy.parse("{name: many, version: 1, multi_label: true, labels: [{name: x}, {name: y}, {name: z}]}")


def resolved(*labels: tuple[str, ...] | None) -> list[Resolution]:
    return [Resolution(f"i{i}", i, said, 1.0, "majority", "1") for i, said in enumerate(labels)]


def random_sample(seed: int, policy: Policy = ONE, n: int = 120) -> LabelledSample:
    rng = np.random.default_rng(seed)
    k = len(policy.names)
    proba = rng.dirichlet(np.ones(k), size=n) if not policy.multi_label else rng.random((n, k))
    proba = proba.round(2)
    said = [
        (policy.names[rng.integers(k)],)
        if not policy.multi_label
        else tuple(name for name in policy.names if rng.random() < 0.3)
        for _ in range(n)
    ]
    return LabelledSample.of(
        policy, resolved(*said), proba, inclusion=rng.uniform(0.05, 1, n), reach=rng.exponential(size=n)
    )


def told(sample: LabelledSample) -> dict[tuple[str, str], Estimate]:
    return {(e.name, e.label): e for e in measure(sample, np.random.default_rng(0), replicates=50)}


@pytest.mark.parametrize("policy", [ONE, MANY], ids=["single", "multi"])
@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_scikit_learn(policy: Policy, seed: int) -> None:
    from sklearn import metrics

    sample = random_sample(seed, policy)
    found = told(sample)
    y, said, weights = sample.truth.astype(int), sample.predicted.astype(int), sample.weights
    assert found["accuracy", ""].value == pytest.approx(metrics.accuracy_score(y, said, sample_weight=weights))
    each = metrics.precision_recall_fscore_support(y, said, sample_weight=weights)
    for column, label in enumerate(policy.names):
        for name, values in zip(("precision", "recall", "f1"), each, strict=False):
            assert found[name, label].value == pytest.approx(values[column])
        expected = metrics.average_precision_score(y[:, column], sample.proba[:, column], sample_weight=weights)
        assert found["average_precision", label].value == pytest.approx(expected)
    assert found["macro_f1", ""].value == pytest.approx(each[2].mean())
    mean = metrics.average_precision_score(y, sample.proba, sample_weight=weights)
    assert found["average_precision", ""].value == pytest.approx(mean)
    squares = (
        ((y - sample.proba) ** 2).mean(axis=1) if policy.multi_label else ((y - sample.proba) ** 2).sum(axis=1) / 2
    )
    assert found["brier", ""].value == pytest.approx(np.average(squares, weights=weights))


def test_thresholds_are_those_of_the_region() -> None:
    proba = np.array([[0.1, 0.85, 0.05], [0.7, 0.25, 0.05], [0.7, 0.25, 0.05], [0.2, 0.2, 0.6], [0.9, 0.1, 0.0]])
    said = resolved(("spam",), ("spam",), ("spam",), ("ok",), ("threat",))
    found = told(LabelledSample.of(ONE, said * 5, np.tile(proba, (5, 1)), regions=["", "ID", "", "", ""] * 5))
    assert found["precision@remove", "spam"].value == 1.0
    assert found["recall@remove", "spam"].value == pytest.approx(2 / 3)
    assert found["recall@review", "spam"].value == pytest.approx(2 / 3)
    assert found["precision@act", ""].value == pytest.approx(2 / 3)
    assert found["recall@act", ""].value == pytest.approx(2 / 4)
    assert found["precision@limit", "threat"].value == 0.0
    assert ("precision@limit", "spam") not in found
    assert ("precision@act", "spam") not in found


def test_any_violating_label_makes_an_action_right() -> None:
    found = told(LabelledSample.of(ONE, resolved(*[("threat",)] * 5), np.tile([0.0, 0.9, 0.1], (5, 1))))
    assert found["precision@act", ""].value == 1.0
    assert found["precision@remove", "spam"].value == 0.0


@pytest.mark.parametrize("policy", [ONE, MANY], ids=["single", "multi"])
def test_every_figure_lies_in_its_interval(policy: Policy) -> None:
    for seed in range(5):
        for estimate in told(random_sample(seed, policy, n=25)).values():
            if np.isfinite(estimate.value):
                assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1, estimate
            assert estimate.method


def test_open_items_are_masked() -> None:
    sample = random_sample(1)
    open_ = replace(
        sample,
        y=np.vstack([sample.y, np.full((1, 3), np.nan)]),
        **{
            name: np.concatenate([getattr(sample, name), getattr(sample, name)[:1]])
            for name in ("proba", "weights", "reach", "review_at", "limit_at", "remove_at")
        },
    )
    for key, estimate in told(sample).items():
        again = told(open_)[key]
        assert (again.value, again.n) == pytest.approx((estimate.value, estimate.n))


def test_unknown_cells_of_several_labels_are_masked_alone() -> None:
    sample = random_sample(2, MANY)
    y = sample.y.copy()
    y[:40, 2] = np.nan
    found, known = told(replace(sample, y=y)), told(sample)
    assert found["f1", "x"].value == known["f1", "x"].value
    assert found["prevalence", "z"].n == 80
    assert found["accuracy", ""].n == 80


@pytest.mark.parametrize("policy", [ONE, MANY], ids=["single", "multi"])
def test_nothing_known_is_said_and_not_computed(policy: Policy) -> None:
    for labels in ([], [None, None]):
        sample = LabelledSample.of(policy, resolved(*labels), np.full((len(labels), 3), 0.2))
        for estimate in told(sample).values():
            assert np.isnan(estimate.value)
            assert (estimate.low, estimate.high, estimate.n) == (0, 1, 0)
            assert estimate.method


def test_means_are_over_labels_that_five_items_have() -> None:
    said = resolved(*[("ok",)] * 30, *[("spam",)] * 5, *[("threat",)] * 4)
    found = told(LabelledSample.of(ONE, said, np.tile([0.8, 0.2, 0.0], (39, 1))))
    assert found["macro_f1", ""].value == pytest.approx(found["f1", "ok"].value / 2)
    for name in ("macro_f1", "average_precision"):
        assert "mean over the 2 labels of 3 that at least 5 items have" in found[name, ""].method
    assert np.isnan(found["average_precision", "threat"].value)
    assert found["average_precision", "threat"].method == "too few: 4 items with the label, 5 are needed"


def test_one_label_of_several_makes_no_mean() -> None:
    proba = np.tile([0.8, 0.2, 0.0], (30, 1))
    found = told(LabelledSample.of(ONE, resolved(*[("ok",)] * 30), proba))
    assert found["f1", "ok"].value == 1.0
    assert np.isnan(found["macro_f1", ""].value)
    assert found["macro_f1", ""].method == "too few: 1 of 3 labels have the 5 items that are needed"
    assert np.isnan(found["f1", "threat"].value)
    assert found["recall", "threat"].method == "no judged item deserves it"
    assert found["prevalence", ""].high == pytest.approx(1 - 0.05 ** (1 / 30), abs=0.02)
    assert found["accuracy", ""].low < 0.95


@pytest.mark.parametrize(("items", "is_told"), [(4, False), (5, True)])
def test_too_few_items_leave_the_interval_alone(items: int, is_told: bool) -> None:
    said = resolved(*[("spam",)] * items, *[("ok",)] * 30)
    sample = LabelledSample.of(ONE, said, np.tile([0.1, 0.9, 0.0], (30 + items, 1)))
    recall, f1 = (told(sample)[name, "spam"] for name in ("recall", "f1"))
    assert np.isfinite(recall.value) == np.isfinite(f1.value) == is_told
    assert recall.method.startswith("Hájek" if is_told else f"too few: {items} items bear on it")
    assert 0.1 < recall.low < recall.high == 1.0


def test_weights_count_as_copies() -> None:
    """Twice the weight moves a figure as a second copy would."""
    sample = random_sample(4, n=300)
    twice = np.repeat(np.arange(300), 1 + (np.arange(300) < 100))
    heavy = replace(sample, weights=1.0 + (np.arange(300) < 100), finite=False)
    copies = replace(
        sample,
        y=sample.y[twice],
        weights=np.ones(400),
        finite=False,
        **{name: getattr(sample, name)[twice] for name in ("proba", "reach", "review_at", "limit_at", "remove_at")},
    )
    one, two = told(heavy), told(copies)
    assert np.isfinite(one["precision@remove", ""].value)
    for key in one:
        assert one[key].value == pytest.approx(two[key].value, nan_ok=True), key


def test_a_census_has_no_uncertainty() -> None:
    census = replace(random_sample(5), weights=np.ones(120))
    found = told(census)
    assert found["accuracy", ""].low == pytest.approx(found["accuracy", ""].high)
    assert found["macro_f1", ""].low == pytest.approx(found["macro_f1", ""].high)
    stream = told(replace(census, finite=False))
    assert stream["accuracy", ""].high - stream["accuracy", ""].low > 0.1


def test_confusion_is_weighted() -> None:
    proba = np.array([[0.9, 0.1, 0.0], [0.3, 0.7, 0.0], [0.9, 0.1, 0.0]])
    said = resolved(("ok",), ("ok",), None)
    table = confusion(LabelledSample.of(ONE, said, proba, inclusion=np.array([0.5, 0.25, 0.1])))
    assert table == {"labels": ["ok", "spam", "threat"], "matrix": [[2, 4, 0], [0, 0, 0], [0, 0, 0]], "n": 2}
    assert confusion(random_sample(0, MANY)) is None


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 9999), ties=st.booleans())
def test_influence_on_ranking_is_its_derivative(seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    truth, scores, weights = rng.random(30) < 0.3, rng.random(30), rng.uniform(0.5, 3, 30)
    truth[0] = True
    scores = scores.round(1) if ties else scores
    step = 1e-6
    nudged = average_precision(truth, scores, weights * (1 + step * np.eye(30)))
    slope = (nudged - average_precision(truth, scores, weights[None])) / step
    np.testing.assert_allclose(ranking_influence(truth, scores, weights), slope, atol=1e-5)


def test_the_same_seed_gives_the_same_figures() -> None:
    sample = random_sample(6)
    once, again = (list(map(estimate_row, measure(sample, np.random.default_rng(1)))) for _ in range(2))
    assert once == again


def test_inputs_are_left_as_they_were() -> None:
    sample, twin = random_sample(7), random_sample(7)
    measure(sample, np.random.default_rng(1))
    np.testing.assert_array_equal(sample.proba, twin.proba)
    np.testing.assert_array_equal(sample.y, twin.y)


def test_macro_f1_grows_surer_with_more_items() -> None:
    small, large = macro_f1(random_sample(8, n=50)), macro_f1(random_sample(8, n=800))
    assert large.high - large.low < 0.5 * (small.high - small.low)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": np.ones(3)}, "weights has the shape"),
        ({"weights": np.zeros(120)}, "weights of item 0 cannot be measured .120 such"),
        ({"proba": np.full((120, 3), np.nan)}, "proba of item 0"),
        ({"y": np.full((120, 3), 2.0)}, "y of item 0"),
        ({"reach": np.full(120, -1.0)}, "reach of item 0"),
    ],
)
def test_impossible_samples_are_refused(changes: dict[str, np.ndarray], said: str) -> None:
    with pytest.raises(DataError, match=said):
        replace(random_sample(0), **changes)


def test_an_item_that_could_not_be_drawn_is_refused() -> None:
    with pytest.raises(DataError, match="above 0 and at most 1"):
        LabelledSample.of(ONE, resolved(("ok",)), np.full((1, 3), 0.3), inclusion=np.array([0.0]))
