import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.deciding import decide
from hitl.errors import DataError, ModelError
from hitl.models.thresholds import HIGHEST, prevalence_thresholds

seeds = st.integers(0, 2**32 - 1)


def planted(seed: int, n: int = 400, k: int = 3, multi_label: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, k) without ties, and prevalences (k,) that are shares of n items, ten at least each."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 1.5 + rng.normal(size=k)
    if multi_label:
        return 1 / (1 + np.exp(-logits)), rng.integers(10, n - 10, k) / n
    raised = np.exp(logits)
    cuts = np.sort(rng.choice(np.arange(1, n // 10), k - 1, replace=False)) * 10
    return raised / raised.sum(axis=1, keepdims=True), np.diff([0, *cuts, n]) / n


@given(seeds, st.booleans(), st.integers(2, 6))
def test_the_share_decided_is_the_prevalence(seed: int, multi_label: bool, k: int) -> None:
    proba, prevalence = planted(seed, k=k, multi_label=multi_label)
    found = prevalence_thresholds(prevalence, proba, multi_label)
    shares = decide(proba, found, multi_label).mean(axis=0)
    np.testing.assert_allclose(shares, prevalence, atol=1.01 / len(proba))


@given(seeds, st.booleans())
def test_weights_count_items_as_often(seed: int, multi_label: bool) -> None:
    """Items weighted by 1, 2 or 3 give the thresholds of the sample in which they stand as often."""
    proba, prevalence = planted(seed, n=200, multi_label=multi_label)
    times = np.random.default_rng(seed).integers(1, 4, len(proba))
    repeated = np.repeat(proba, times, axis=0)
    by_weight = prevalence_thresholds(prevalence, proba, multi_label, times.astype(float))
    shares = decide(repeated, by_weight, multi_label).mean(axis=0)
    np.testing.assert_allclose(shares, prevalence, atol=3.01 / len(repeated))


@given(seeds, st.booleans())
def test_the_order_of_items_and_of_labels_does_not_matter(seed: int, multi_label: bool) -> None:
    proba, prevalence = planted(seed, multi_label=multi_label)
    rng = np.random.default_rng(seed)
    rows, labels = rng.permutation(len(proba)), rng.permutation(proba.shape[1])
    found = prevalence_thresholds(prevalence, proba, multi_label)
    np.testing.assert_allclose(prevalence_thresholds(prevalence, proba[rows], multi_label), found)
    moved = prevalence_thresholds(prevalence[labels], proba[rows][:, labels], multi_label)
    shares = decide(proba[:, labels], moved, multi_label).mean(axis=0)
    np.testing.assert_allclose(shares, prevalence[labels], atol=1.01 / len(proba))


@pytest.mark.parametrize("multi_label", [False, True])
def test_ties_are_never_split(multi_label: bool) -> None:
    proba = np.repeat([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7]], 100, axis=0)
    found = prevalence_thresholds(np.array([0.4, 0.6]), proba, multi_label)
    shares = decide(proba, found, multi_label).mean(axis=0)
    np.testing.assert_allclose(shares, [1 / 3, 2 / 3])


@pytest.mark.parametrize("multi_label", [False, True])
def test_unknown_prevalence_leaves_the_default(multi_label: bool) -> None:
    proba, _ = planted(3, multi_label=multi_label)
    default = 0.5 if multi_label else 1.0
    unknown = np.full(3, np.nan)
    assert prevalence_thresholds(unknown, proba, multi_label).tolist() == [default] * 3
    assert (decide(proba, np.full(3, default), multi_label) == decide(proba, None, multi_label)).all()
    found = prevalence_thresholds(np.array([np.nan, 0.2, np.nan]), proba, multi_label)
    assert found[[0, 2]].tolist() == [default] * 2
    np.testing.assert_allclose(decide(proba, found, multi_label).mean(axis=0)[1], 0.2, atol=1.01 / len(proba))


@pytest.mark.parametrize("multi_label", [False, True])
def test_few_expected_positives_are_believed_in_part(multi_label: bool) -> None:
    """Between the default and the quantile, the nearer to the default the fewer positives the sample should hold."""
    proba, _ = planted(4, n=1000, multi_label=multi_label)
    proba[:, 0] *= 0.2 if multi_label else 1.0
    moved = []
    for positives in (0, 1, 3, 5):
        prevalence = np.array([positives / 1000, np.nan, np.nan])
        found = prevalence_thresholds(prevalence, proba, multi_label)
        moved.append(abs(np.log(found[0]) - np.log(0.5 if multi_label else 1.0)))
    assert moved[0] == 0.0
    assert moved[0] < moved[1] < moved[2]


def test_a_label_that_all_items_have_and_one_that_none_has() -> None:
    proba, _ = planted(5, n=1000, multi_label=True)
    found = prevalence_thresholds(np.array([1.0, 0.0, 0.5]), proba, True)
    assert decide(proba, found, True)[:, 0].mean() >= (proba[:, 0] >= 1e-3).mean()
    assert found[1] == 0.5
    certain = prevalence_thresholds(np.array([0.01]), np.ones((1000, 1)), True)
    assert certain.tolist() == [HIGHEST]
    single, _ = planted(5, n=1000)
    found = prevalence_thresholds(np.array([1.0, 0.0, 0.0]), single, False)
    assert np.isfinite(np.log(found)).all()


@pytest.mark.parametrize("multi_label", [False, True])
def test_one_label_alone(multi_label: bool) -> None:
    found = prevalence_thresholds(np.array([1.0]), np.ones((20, 1)), multi_label)
    assert decide(np.ones((20, 1)), found, multi_label).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"proba": np.ones((0, 2)), "weights": np.ones(0)}, "without items"),
        ({"weights": np.zeros(4)}, "without items of positive"),
        ({"weights": np.array([1, np.nan, 1, 1])}, "without items of positive"),
        ({"weights": np.ones(3)}, "weights"),
        ({"prevalence": np.ones(3)}, "prevalence"),
        ({"prevalence": np.array([-0.1, 0.5])}, "outside"),
        ({"prevalence": np.array([1.1, 0.5])}, "outside"),
    ],
)
def test_what_tells_no_thresholds_is_refused(change: dict[str, np.ndarray], message: str) -> None:
    good = {"prevalence": np.array([0.5, 0.5]), "proba": np.full((4, 2), 0.5), "weights": np.ones(4)}
    with pytest.raises(ModelError, match=message):
        prevalence_thresholds(**{**good, **change}, multi_label=True)


def test_deciding_needs_a_threshold_above_zero_for_each_label() -> None:
    for wrong in (np.ones(3), np.array([0.5, 0.0]), np.array([0.5, np.nan])):
        with pytest.raises(DataError, match="one above 0 for each label"):
            decide(np.full((2, 2), 0.5), wrong)


def test_without_thresholds_it_is_the_most_probable_label_or_a_half() -> None:
    proba = np.array([[0.5, 0.5], [0.2, 0.49]], dtype=np.float32)
    assert decide(proba).tolist() == [[True, False], [False, True]]
    assert decide(proba, multi_label=True).tolist() == [[True, True], [False, False]]
    assert decide(np.empty((0, 2))).shape == (0, 2)
    assert decide(np.empty((3, 0))).shape == (3, 0)
