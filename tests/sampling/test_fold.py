"""Near-duplicates: the estimate of similarity, and the groups, by text, by embedding and by both."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import DataError
from hitl.sampling import fold as module
from hitl.sampling.diversity import on_grid
from hitl.sampling.fold import PERMUTATIONS, Folded, fold, fold_embeddings, join_folds, signatures
from hitl.sampling.shingles import MAX_CHARS, shingles

WORDS = np.array([f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("ba", "ko", "li", "mu", "re")])


def sentences(n, length, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, length)) for _ in range(n)]


def with_other_words(text, count, seed):
    rng = np.random.default_rng(seed)
    words = text.split()
    for at in rng.choice(len(words), count, replace=False):
        words[at] = f"{words[at]}x{seed}"
    return " ".join(words)


def word_shingles(text):
    words = text.split()
    return {tuple(words[at : at + size]) for size in (1, 2, 3) for at in range(len(words) - size + 1)}


def jaccard(one, other):
    return len(one & other) / len(one | other)


def agreement(one, other):
    left, right = signatures([one, other])
    return (left == right).mean()


def test_shingles_are_those_of_a_plain_count():
    texts = [*sentences(50, 12), "", "tako", "tako bali", *sentences(3, 3)]
    hashes, starts = shingles(texts)
    assert len(starts) == len(texts) + 1
    for row, text in enumerate(texts):
        assert len(set(hashes[starts[row] : starts[row + 1]].tolist())) == len(word_shingles(text))


def test_signatures_estimate_jaccard_similarity():
    errors = []
    for seed, text in enumerate(sentences(150, 25)):
        other = with_other_words(text, seed % 8, seed)
        errors.append(agreement(text, other) - jaccard(word_shingles(text), word_shingles(other)))
    assert abs(np.mean(errors)) < 0.015
    assert np.std(errors) < 1.3 * 0.5 / np.sqrt(PERMUTATIONS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Tako bali, 3 koins!", "tako BALI 7 koins"),
        ("it's tako", "its tako"),
        ("tako\u200b bali", "tako bali"),
        ("ｔａｋｏ bali", "tako bali"),
        ("ÜBER straße", "über STRASSE"),
        ("tako ١٢ bali", "tako 34567 bali"),
        ("", " \n"),
        ("!!!", "!!!"),
    ],
)
def test_what_only_looks_different_is_the_same(one, other):
    assert agreement(one, other) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("tako", "bali"), ("tako bali", "balitako"), ("", "tako"), ("!!!", "???"), ("😀😀", "👻👻"), ("!!!", "")],
)
def test_what_is_different_stays_apart(one, other):
    assert agreement(one, other) < 0.3


def test_a_text_is_not_joined_with_its_neighbours():
    alone = signatures(["tako bali", "muko"])
    assert (signatures(["muko", "tako bali", "tako bali muko"])[[1, 0]] == alone).all()


def test_texts_of_scripts_without_spaces_are_compared_by_characters():
    base = "".join(chr(0x4E00 + 7 * at) for at in range(60))
    near = base[:59] + "\u9fa0"
    far = "".join(chr(0x6E00 + 7 * at) for at in range(60))
    assert agreement(base, near) > 0.8
    assert agreement(base, far) < 0.2
    assert agreement(base[:3], base[:3] + "!") == 1
    thai = "".join(chr(0x0E01 + (at * 17) % 40) for at in range(50))
    assert agreement(thai, thai + "!") == 1


def test_only_the_beginning_of_a_long_text_counts():
    start = " ".join(sentences(1, MAX_CHARS // 3))[:MAX_CHARS]
    assert agreement(start + " tako", start + " bali" * 1000) == 1


def test_planted_copies_are_found_and_nothing_else_is():
    rng = np.random.default_rng(3)
    originals = sentences(200, 30)
    texts, owner = list(originals), list(range(200))
    for seed in range(300):
        source = int(rng.integers(0, 40))
        texts.append(with_other_words(originals[source], int(rng.integers(0, 2)), seed))
        owner.append(source)
    order = rng.permutation(len(texts))
    group = fold([texts[row] for row in order], 0.7).group
    truth = np.array(owner)[order]
    pairs = {(a, b) for a, b in zip(truth.tolist(), group.tolist(), strict=True)}
    assert len(np.unique(group)) == group.max() + 1
    assert len({b for _, b in pairs}) == len(pairs), "no group holds texts of two originals"
    assert len(pairs) <= 203, "at most a few copies are missed"


def test_a_flood_of_one_text_is_one_group():
    assert fold([f"buko tali {n} now {n * 7}" for n in range(3000)], 0.7).group.max() == 0


def test_many_slightly_different_copies_join_into_one_group():
    text = " ".join(f"{word}{at}" for at, word in enumerate(WORDS[:40]))
    copies = [with_other_words(text, 1, seed) for seed in range(400)]
    assert np.bincount(fold(copies, 0.7).group).max() >= 396


def test_what_was_asked_before_is_seen_with_its_group():
    base = sentences(3, 30)
    near = with_other_words(base[0], 1, 1)
    folded = fold([base[0], near, base[1]], 0.7, against=[with_other_words(base[0], 1, 2), base[2]])
    assert folded.group.tolist() == [0, 0, 1] or folded.group.tolist() == [1, 1, 0]
    assert folded.seen.tolist() == [True, True, False]


def test_asked_texts_do_not_join_what_is_apart():
    one, two = sentences(2, 30)
    bridge = " ".join(one.split()[:15] + two.split()[:15])
    assert len(set(fold([one, two], 0.3, against=[bridge]).group.tolist())) == 2


@pytest.mark.parametrize("at", [0.2, 0.5, 0.7, 0.9, 1.0])
def test_groups_follow_the_similarity_that_is_asked_for(at):
    texts = sentences(60, 40)
    found = {}
    for alike in (True, False):
        kept = []
        for seed, text in enumerate(texts):
            # of s shingles a changed word costs at most six on either side
            changed = [with_other_words(text, count, seed) for count in range(12)]
            likeness = [jaccard(word_shingles(text), word_shingles(other)) for other in changed]
            fitting = [other for other, j in zip(changed, likeness, strict=True) if (j >= min(at + 0.15, 1)) == alike]
            fitting = fitting if alike else [o for o, j in zip(changed, likeness, strict=True) if j <= at - 0.15]
            if fitting:
                group = fold([text, fitting[-1 if alike else 0]], at).group
                kept.append(group[0] == group[1])
        found[alike] = np.mean(kept) if kept else float(alike)
    assert found[True] > 0.97
    assert found[False] < 0.03


def test_nothing_folds_to_nothing_and_the_order_of_texts_does_not_matter():
    assert len(fold([], 0.7).group) == 0
    assert len(fold([], 0.7, against=["tako"]).seen) == 0
    texts = sentences(30, 10) * 3
    order = np.random.default_rng(1).permutation(90)
    group, other = fold(texts, 0.7).group, fold([texts[row] for row in order], 0.7).group
    assert ((group[order][:, None] == group[order]) == (other[:, None] == other)).all()


def together(groups):
    """Whether each two of n items are in one group, (n, n)."""
    return groups[:, None] == groups


def connected(links):
    """The same, from links (n, n) by their closure."""
    reach = links | np.eye(len(links), dtype=bool)
    while True:
        further = reach @ reach
        if (further == reach).all():
            return reach
        reach = further


def cosines(x, y):
    products = x.astype(float) @ y.astype(float).T
    lengths = np.linalg.norm(x.astype(float), axis=1)[:, None] * np.linalg.norm(y.astype(float), axis=1)
    return np.where(lengths > 0, products / np.where(lengths > 0, lengths, 1), -1)


@given(
    n=st.integers(0, 40),
    m=st.integers(0, 12),
    at=st.sampled_from([0.5, 0.9, 0.97]),
    square=st.sampled_from([1, 7, 2048]),
    seed=st.integers(0, 10_000),
)
def test_embeddings_fold_as_their_cosines_say(n, m, at, square, seed):
    rng = np.random.default_rng(seed)
    places = np.concatenate([np.zeros((1, 3)), rng.normal(size=(9, 3))])
    # some on the same spot, some near it, some nowhere
    where, moved = rng.integers(0, 10, n + m), rng.integers(0, 2, (n + m, 1))
    x, against = np.split(on_grid(places[where] + moved * rng.normal(size=(n + m, 3)) / 5), [n])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SQUARE", square)
        folded = fold_embeddings(x, at, against)
    truth = connected(cosines(x, x) >= at)  # those nowhere are near nobody
    assert (together(folded.group) == truth).all()
    assert sorted(set(folded.group.tolist())) == list(range(len(set(folded.group.tolist()))))
    assert (folded.seen == (truth & (cosines(x, against) >= at).any(axis=1)).any(axis=1)).all()


def test_a_flood_of_near_copies_is_one_group_across_the_squares():
    rng = np.random.default_rng(0)
    flood = on_grid(np.eye(16)[0] + 0.03 * rng.normal(size=(4500, 16)))
    others = on_grid(np.eye(16)[1:])
    order = rng.permutation(4515)
    folded = fold_embeddings(np.concatenate([flood, others])[order], 0.9, against=others[:2])
    sizes = np.bincount(folded.group)
    assert sorted(sizes.tolist()) == [1] * 15 + [4500]
    assert folded.seen.sum() == 2


def test_rows_of_zeros_are_like_nothing():
    folded = fold_embeddings(np.zeros((3, 4), dtype=np.int16), 0.5, against=np.zeros((1, 4), dtype=np.int16))
    assert sorted(folded.group.tolist()) == [0, 1, 2]
    assert not folded.seen.any()


def test_embeddings_of_another_encoder_are_told():
    with pytest.raises(DataError, match="items have 4 dimensions and those asked before 3"):
        fold_embeddings(np.ones((2, 4), dtype=np.int16), 0.9, against=np.ones((1, 3), dtype=np.int16))


@given(n=st.integers(0, 25), foldings=st.integers(1, 4), seed=st.integers(0, 10_000))
def test_joined_foldings_are_together_where_any_says_so(n, foldings, seed):
    rng = np.random.default_rng(seed)
    folded = []
    for _ in range(foldings):
        group = np.unique(rng.integers(0, 20, n), return_inverse=True)[1]
        folded.append(Folded(group, (rng.random(20) < 0.2)[group]))
    joined = join_folds(*folded)
    truth = connected(np.any([together(one.group) for one in folded], axis=0))
    assert (together(joined.group) == truth).all()
    assert (joined.seen == (truth & np.any([one.seen for one in folded], axis=0)).any(axis=1)).all()
    assert joined.group.max(initial=-1) + 1 == len(set(joined.group.tolist()))


def test_foldings_of_other_items_are_told():
    one, other = (Folded(np.arange(n), np.zeros(n, dtype=bool)) for n in (2, 3))
    with pytest.raises(DataError, match="foldings of 2 and 3 items"):
        join_folds(one, other)
