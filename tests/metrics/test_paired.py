from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hitl.errors import DataError
from hitl.metrics.compare import contrast
from hitl.metrics.facets import Facets
from hitl.metrics.mcnemar import mcnemar
from hitl.metrics.paired import LEAST, paired

pytestmark = pytest.mark.simulation

LANGUAGES = np.array(["en", "id", "ja", "ar"])


def sliced(rng: np.random.Generator, n: int, shares: tuple[float, ...] = (0.5, 0.3, 0.15, 0.05)):
    return Facets.of({"language": LANGUAGES[rng.choice(4, size=n, p=shares)].tolist(), "vendor": ["only"] * n})


def test_every_label_and_every_slice_with_enough_items_has_a_row(plant) -> None:
    pool = plant(41, [0.6, 0.3, 0.1])
    rng = np.random.default_rng(0)
    rows, inclusion = pool.draw(rng, 300, pool.risk)
    new, old = pool.sample(rows, inclusion), pool.sample(rows, inclusion, pool.shaken(rng, 2.0))
    facets = sliced(rng, 300)
    told = paired(new, old, facets, rng, replicates=200)
    names = [(row.label, row.facet, row.value) for row in told]
    counts = {value: int((facets.codes[:, 0] == at).sum()) for at, value in enumerate(facets.values[0])}
    large = sorted((value for value, n in counts.items() if n >= LEAST), key=lambda value: -counts[value])
    assert counts["ar"] < LEAST
    assert names == [("", "", ""), ("a", "", ""), ("b", "", ""), ("c", "", ""), *(("", "language", v) for v in large)]
    assert {row.family for row in told[1:]} == {3 + len(large)}
    assert told[0].family == 1
    assert told[0].adjusted == told[0].contrast.p
    assert told[0].verdict == "helped"
    for row in told[1:]:
        assert row.adjusted >= row.contrast.p
        assert row.decisions_adjusted >= row.decisions.p
        assert row.detectable > row.contrast.detectable()


def test_a_slice_is_compared_on_its_own_items(plant) -> None:
    pool = plant(42, [0.7, 0.3])
    rng = np.random.default_rng(1)
    rows, inclusion = pool.draw(rng, 200, pool.risk)
    new, old = pool.sample(rows, inclusion), pool.sample(rows, inclusion, pool.shaken(rng, 2.0))
    mine = np.arange(200) < 120
    facets = Facets.of({"language": np.where(mine, "en", "id").tolist()})
    row = next(row for row in paired(new, old, facets, rng, replicates=2000) if row.value == "en")
    alone = contrast(new.take(mine), old.take(mine), np.random.default_rng(2), figure="accuracy", replicates=2000)
    assert row.contrast.comparison.difference.value == pytest.approx(alone.comparison.difference.value)
    assert row.contrast.error == pytest.approx(alone.error, rel=0.1)
    right = [(one.predicted == one.truth).all(axis=1)[mine] for one in (new, old)]
    assert row.decisions == mcnemar(*right, new.weights[mine])
    assert row.decisions.n == 120


def test_among_equal_models_a_false_alarm_in_any_row_is_rare(plant) -> None:
    """Holm's promise, over labels and slices that share their items: at most one family in twenty raises an alarm."""
    pool = plant(43, [0.6, 0.3, 0.1], size=4000)
    rng = np.random.default_rng(5)
    one, two = pool.shaken(rng, 1.0), pool.shaken(rng, 1.0)
    alarms = decisions = 0
    for _ in range(100):
        rows, inclusion = pool.draw(rng, 200, pool.risk)
        sample = pool.sample(rows, inclusion)
        flip = (rng.random(200) < 0.5)[:, None]
        new, old = (np.where(flip, *pair) for pair in ((one[rows], two[rows]), (two[rows], one[rows])))
        told = paired(replace(sample, proba=new), replace(sample, proba=old), sliced(rng, 200), rng, replicates=100)
        alarms += any(row.verdict != "no evidence" for row in told[1:])
        decisions += any(row.decisions_adjusted <= 0.05 for row in told[1:])
    limit = 0.05 + 2 * (0.05 * 0.95 / 100) ** 0.5
    assert alarms / 100 <= limit
    assert decisions / 100 <= limit


def test_a_gain_in_one_slice_is_found_there_and_not_elsewhere(plant) -> None:
    pool = plant(44, [0.5, 0.5])
    rng = np.random.default_rng(6)
    rows, inclusion = pool.draw(rng, 600, np.ones(10_000))
    facets = Facets.of({"language": np.where(np.arange(600) < 200, "id", "en").tolist()})
    worse = np.where((np.arange(600) < 200)[:, None], pool.shaken(rng, 3.0)[rows], pool.proba[rows])
    new = pool.sample(rows, inclusion)
    told = {row.value: row for row in paired(new, replace(new, proba=worse), facets, rng) if row.facet}
    assert told["id"].verdict == "helped"
    assert told["id"].decisions_adjusted < 0.01
    assert told["en"].verdict == "no evidence"
    assert told["en"].contrast.comparison.difference.method == "the models agree on every item"


def test_a_label_that_the_old_model_never_gave_is_compared(plant) -> None:
    pool = plant(45, [0.5, 0.5])
    rng = np.random.default_rng(7)
    sample = pool.sample(*pool.draw(rng, 200, np.ones(10_000)))
    blind = replace(sample, proba=np.tile([0.9, 0.1], (200, 1)))
    row = next(row for row in paired(sample, blind, sliced(rng, 200), rng, replicates=100) if row.label == "b")
    assert row.contrast.comparison.old.value == 0
    assert row.verdict == "helped"


def test_facets_of_other_items_are_refused(plant) -> None:
    pool = plant(46, [0.5, 0.5])
    sample = pool.sample(np.arange(40), np.full(40, 0.5))
    with pytest.raises(DataError, match="take the facets of the same items"):
        paired(sample, sample, Facets.of({"language": ["en"] * 39}), np.random.default_rng(0))
