"""Challenge suites as tables: how they are read, what is refused, and what a model makes of them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import hitl
import hitl.types
from hitl.errors import ConfigError, DataError, ModelError, PoolError
from hitl.types import Predictions

POLICY = hitl.Policy.parse("""
{name: p, version: 1, labels: [{name: fine, violating: false}, {name: rude}, {name: hate}]}
""")
CASES = {
    "case": ["zonk hate", "zonk rude", "wub", "plim hate"],
    "gold": ["harm", "ok", "ok", "harm"],
    "kind": ["slur", "joke", "joke", "slur"],
    "about": ["A", "A", "", "B"],
}
GIVEN = {"text": "case", "expected": "gold", "functionality": "kind", "groups": ["about"]}
MAP = {"harm": "hate", "ok": ["fine", "rude"]}


class Words:
    """A model that gives the label whose name stands in the text."""

    labels = POLICY.names
    model_id = "words"

    def __init__(self) -> None:
        self.seen: list[int] = []

    def predict_rows(self, rows: pa.Table) -> Predictions:
        self.seen.append(len(rows))
        texts = rows["text"].to_pylist()
        found = np.array([[0.1, 0.8 * ("rude" in text), 0.9 * ("hate" in text)] for text in texts], dtype=np.float32)
        return Predictions(found, self.labels, self.model_id)


def suite(**changes):
    given = {**GIVEN, "map": MAP, "name": "trial", **changes}
    return hitl.ChallengeSuite.read(given.pop("cases", pa.table(CASES)), **given)


def test_a_suite_is_run_case_by_case():
    run = suite().run(Words(), POLICY)
    assert run.passed.tolist() == [True, True, True, True]
    assert run.must_catch.tolist() == [True, False, False, True]
    assert run.score == pytest.approx([0.9, 0.0, 0.0, 0.9])  # rude is accepted of the harmless: it is no fault
    strict = suite(map={"harm": "hate", "ok": "fine"}).run(Words(), POLICY)
    assert strict.passed.tolist() == [True, False, True, True]
    assert strict.score == pytest.approx([0.9, 0.8, 0.0, 0.9])
    assert repr(strict) == "ChallengeRun('trial', words: 3 of 4 passed)"
    assert [(one.label, one.n) for one in strict.by_functionality()] == [("joke", 2), ("slur", 2)]
    assert [(one.label, one.n) for one in strict.by_group("about")] == [("", 1), ("A", 2), ("B", 1)]
    assert strict.overall.n == 4
    changed = {one.name: one.test for one in strict.against(run)}
    assert (changed["joke"].wins, changed["joke"].losses) == (0, 1)
    assert "<table>" in strict._repr_html_()


def test_values_without_a_meaning_of_their_own_are_labels():
    cases = pa.table({**CASES, "gold": ["hate", "rude", "fine", "hate"]})
    assert suite(cases=cases, map={}).run(Words(), POLICY).passed.all()
    nothing = pa.table({**CASES, "gold": ["hate", "none", "none", "hate"]})
    assert suite(cases=nothing, map={"none": []}).run(Words(), POLICY).passed.tolist() == [True, False, True, True]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_tables_of_all_kinds_are_read_alike(suffix, tmp_path):
    path = tmp_path / f"cases.{suffix}"
    frame = pa.table({**CASES, "gold": ["1", "0", "0", "1"]}).to_pandas()
    if suffix == "csv":
        frame.to_csv(path, index=False)
    elif suffix == "jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        pq.write_table(pa.Table.from_pandas(frame), path)
    read = suite(cases=path, map={"1": "hate", "0": ["fine", "rude"]}, name=None)
    assert read.name == path.name
    assert read.run(Words(), POLICY).passed.all()
    assert read.facets.values == (("", "A", "B"),)


def test_language_and_region_are_groups_like_others():
    cases = pa.table({**CASES, "language": ["en", "id", "en", "id"]})
    run = suite(cases=cases, groups=["language"]).run(Words(), POLICY)
    assert [one.label for one in run.by_group("language")] == ["en", "id"]


def test_large_suites_are_read_in_parts():
    many = pa.table({name: values * 600 for name, values in CASES.items()})
    model = Words()
    assert suite(cases=many).run(model, POLICY).passed.all()
    assert sum(model.seen) == 2400
    assert max(model.seen) <= 1024


def test_a_real_model_reads_what_is_in_no_pool():
    texts = ["zonk wub", "plim grint", "zonk zonk", "plim wub"] * 5
    pool = hitl.Pool.open(pa.table({"text": texts}))
    model = hitl.TextLinear(buckets=1024, lsa=0)
    y = np.eye(3)[[2, 0] * 10]
    targets = hitl.types.Targets(np.arange(20), y, POLICY.names, np.ones(20))
    fitted = model.fit(model.features(pool, None), targets, np.random.default_rng(0), multi_label=False)
    cases = pa.table({**CASES, "case": ["zonk", "plim", "plim grint", "wub zonk"]})
    first, again = (suite(cases=cases).run(fitted, POLICY) for _ in range(2))
    assert first.passed.all()
    assert first.score.tolist() == again.score.tolist()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"expected": "gould"}, ConfigError, "expected='gould' is no column of it; did you mean 'gold'"),
        ({"functionality": "kinds"}, ConfigError, "functionality='kinds'.*'kind'"),
        ({"groups": ["about", "abuot"]}, ConfigError, r"groups\[1\]='abuot'.*'about'"),
        ({"text": "txt"}, ConfigError, "text='txt' is no column"),
        ({"text": None}, ConfigError, "name the column that holds the content"),
        ({"cases": pa.table({**CASES, "gold": ["harm", "", "ok", None]})}, DataError, "row 1: .*'gold'.*is empty"),
        ({"cases": pa.table({**CASES, "kind": ["a", "b", "c", ""]})}, DataError, "row 3: .*'kind'"),
        ({"cases": pa.table(CASES).slice(0, 0)}, DataError, "no case"),
        ({"cases": "nowhere.csv"}, PoolError, "there is no such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(changes, error, words):
    with pytest.raises(error, match=words):
        suite(**changes)


def test_what_the_policy_or_the_model_does_not_know_is_refused_before_anything_runs():
    with pytest.raises(ConfigError, match="'harm' is no label of policy p; say in `map` which of fine, rude, hate"):
        suite(map={}).check(POLICY)
    with pytest.raises(ConfigError, match="mapped to 'hateful'"):
        suite(map={**MAP, "harm": "hateful"}).check(POLICY)
    with pytest.raises(ConfigError, match="has text, and the model reads media"):
        suite().check(POLICY, ("media",))
    suite().check(POLICY, ("text",))
    other = hitl.Policy.parse("{name: p, version: 2, labels: [{name: fine, violating: false}, {name: hate}]}")
    with pytest.raises(ConfigError, match="run it under the policy"):
        suite(map={"harm": "hate", "ok": "fine"}).run(Words(), other)


def test_a_text_model_does_not_read_pictures():
    pool = hitl.Pool.open(pa.table({"text": ["zonk wub", "plim"] * 5}))
    model = hitl.TextLinear(buckets=1024, lsa=0)
    targets = hitl.types.Targets(np.arange(10), np.eye(3)[[2, 0] * 5], POLICY.names, np.ones(10))
    fitted = model.fit(model.features(pool, None), targets, np.random.default_rng(0), multi_label=False)
    pictures = suite(cases=pa.table({**CASES, "case": ["a.png"] * 4}), text=None, media="case")
    with pytest.raises(ModelError, match="reads text"):
        pictures.run(fitted, POLICY)
