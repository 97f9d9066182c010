"""The demo stream: what is planted in it can be found, and can be learned."""

from __future__ import annotations

import unicodedata
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from hitl.demo.stream import FLOOD_SIZES, TRUTHS, WAVES, demo_policy, generate
from hitl.demo.words import INVENTED, lexicon
from hitl.errors import ConfigError


@pytest.fixture(scope="module")
def stream() -> pa.Table:
    return generate(6000, seed=0)


def column(stream: pa.Table, name: str) -> np.ndarray:
    return stream[name].to_numpy(zero_copy_only=False)


def test_equal_arguments_give_equal_streams_and_other_seeds_others():
    assert generate(400, seed=3).equals(generate(400, seed=3))
    assert generate(400, seed=3)["text"].to_pylist() != generate(400, seed=4)["text"].to_pylist()


@pytest.mark.parametrize("n", [0, 1, 2, 19, 300])
def test_small_streams_have_the_same_columns(n, stream):
    small = generate(n)
    assert small.num_rows == n
    assert small.schema == stream.schema


def test_a_negative_size_is_refused():
    with pytest.raises(ConfigError, match="-1"):
        generate(-1)


def test_every_row_is_whole(stream):
    assert all(stream[name].null_count == 0 for name in stream.column_names)
    assert len(set(stream["id"].to_pylist())) == stream.num_rows
    assert min(map(len, stream["text"].to_pylist())) > 5
    assert all("{" not in text and "}" not in text for text in stream["text"].to_pylist())
    assert np.all(np.diff(column(stream, "received").astype("datetime64[us]").astype(np.int64)) >= 0)
    assert np.all(np.diff(column(stream, "wave")) >= 0)
    assert set(column(stream, "wave")) == set(range(WAVES))


def texts_in(stream: pa.Table, language: str) -> list[str]:
    return [
        t for t, at in zip(stream["text"].to_pylist(), stream["language"].to_pylist(), strict=True) if at == language
    ]


def test_every_language_is_there_with_its_script_and_regions(stream):
    scripts = {
        "ar": "ARABIC",
        "ja": "CJK KATAKANA HIRAGANA",
        "hi": "DEVANAGARI",
        "en": "LATIN",
        "id": "LATIN",
        "de": "LATIN",
    }
    assert set(stream["language"].to_pylist()) == set(scripts)
    assert {"US", "ID", "DE", "EG", "JP", "IN"} == set(stream["region"].to_pylist())
    for language, script in scripts.items():
        letters = [letter for text in texts_in(stream, language) for letter in text if letter.isalpha()]
        assert np.mean([unicodedata.name(letter, "?").split()[0] in script for letter in letters]) > 0.95


def test_japanese_is_written_without_blanks_between_words(stream):
    assert np.mean([" " in text.removeprefix("RT: ")[:20] for text in texts_in(stream, "ja")]) < 0.1


@pytest.mark.parametrize("seed", range(4))
def test_labels_come_at_the_rates_that_are_promised(seed):
    stream = generate(6000, seed=seed)
    truth, wave = column(stream, "truth"), column(stream, "wave")
    assert 0.75 < np.mean(truth == "ok") < 0.85
    assert 0.04 < np.mean(truth == "hate") < 0.065
    assert 0.006 < np.mean(truth == "threat") < 0.014
    assert np.mean(truth[wave < 3] == "scam") < 0.006
    assert np.mean(truth[wave == 3] == "scam") > 0.05
    assert np.mean(truth[wave == 4] == "scam") > 0.08


def test_reach_has_a_heavy_tail(stream):
    reach = np.sort(column(stream, "reach"))[::-1]
    assert reach.min() >= 0
    assert np.isfinite(reach).all()
    assert reach[:60].sum() > 0.25 * reach.sum()


def test_floods_are_many_copies_with_small_edits_of_one_label_and_language(stream):
    cluster = column(stream, "cluster")
    sizes = Counter(cluster[cluster >= 0].tolist())
    assert 0.05 <= np.mean(cluster >= 0) <= 0.10
    assert all(FLOOD_SIZES[0] <= size <= FLOOD_SIZES[1] for size in sizes.values())
    for number in sizes:
        rows = np.flatnonzero(cluster == number)
        assert len(set(column(stream, "truth")[rows])) == 1
        assert len(set(column(stream, "language")[rows])) == 1
        texts = [stream["text"][int(row)].as_py() for row in rows]
        assert len(set(texts)) > len(texts) / 4
        assert np.mean([alike(texts[0], text) for text in texts]) > 0.7


def alike(one: str, other: str) -> float:
    a, b = ({text[i : i + 5] for i in range(len(text) - 4)} for text in (one, other))
    return len(a & b) / len(a | b)


def test_users_flag_what_violates_more_often(stream):
    flags, truth = column(stream, "flags"), column(stream, "truth")
    assert all(flags[truth == label].mean() > 4 * flags[truth == "ok"].mean() for label in TRUTHS[1:])


def test_ai_generated_abuse_avoids_the_telling_words(stream):
    spoken = lexicon()
    words = [
        word for language in spoken.languages for slot in ("slur", "strong") for word in spoken.invented(language, slot)
    ]
    harmful = np.isin(column(stream, "truth"), ["insult", "hate"]) & (column(stream, "cluster") < 0)
    told = np.array([any(word in text for word in words) for text in stream["text"].to_pylist()])
    synthetic = column(stream, "synthetic")
    assert 0.08 < synthetic.mean() < 0.16
    assert told[harmful & ~synthetic].mean() > told[harmful & synthetic].mean() + 0.1


def test_the_words_alone_do_not_decide(stream):
    spoken = lexicon()
    slurs = [word for language in spoken.languages for word in spoken.invented(language, "slur")]
    told = np.array([any(word in text for word in slurs) for text in stream["text"].to_pylist()])
    truth = column(stream, "truth")
    assert (told & (truth == "ok")).sum() > 50
    assert (~told & (truth == "hate")).sum() > 50


def test_invented_words_are_many_and_no_two_alike():
    spoken = lexicon()
    for language in spoken.languages:
        words = [word for slot in INVENTED for word in spoken.invented(language, slot)]
        assert len(words) == sum(INVENTED.values()) == len(set(words))


def test_the_policy_knows_the_streams_labels_and_its_keywords_occur(stream):
    policy = demo_policy()
    assert policy.names == TRUTHS
    assert {"ID", "DE"} <= set(policy.regions)
    text = "\n".join(stream["text"].to_pylist())
    keywords = [word for label in policy.labels for word in label.keywords]
    keywords += [
        word for region in policy.regions.values() for label in region.labels.values() for word in label.keywords or ()
    ]
    assert len(keywords) > 30
    assert all(word in text for word in keywords)


def test_it_can_be_learned_but_not_from_a_few_labels(stream):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics import f1_score
    from sklearn.svm import LinearSVC

    x = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+").fit_transform(stream["text"].to_pylist())
    truth, order = column(stream, "truth"), np.random.default_rng(0).permutation(6000)

    def macro_f1(labels: int) -> float:
        train, test = order[:labels], order[-1500:]
        fitted = LinearSVC(class_weight="balanced", random_state=0).fit(x[train], truth[train])
        return f1_score(truth[test], fitted.predict(x[test]), average="macro")

    assert macro_f1(300) < 0.65
    assert macro_f1(4000) > 0.8
