"""A multilingual stream of short posts with planted truth: what the demo, the quickstart and many tests moderate."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hitl.demo.words import INVENTED, SLOTS, SPELLINGS, Lexicon, lexicon
from hitl.errors import ConfigError
from hitl.policy import Policy
from hitl.types import Bools, Floats, Ints

TRUTHS = ("ok", "insult", "hate", "threat", "scam")
WAVES = 5

SHARES = np.array(
    [  # ok, insult, hate, threat, scam: one row a wave; scam emerges in wave 3
        [0.856, 0.090, 0.042, 0.011, 0.001],
        [0.856, 0.090, 0.042, 0.011, 0.001],
        [0.852, 0.090, 0.042, 0.011, 0.005],
        [0.797, 0.080, 0.042, 0.011, 0.070],
        [0.757, 0.080, 0.042, 0.011, 0.110],
    ]
)

KINDS: dict[str, dict[str, float]] = {
    "ok": {
        "chat": 0.69,
        "weak_ok": 0.05,
        "counter": 0.04,
        "heated": 0.07,
        "money": 0.06,
        "figurative": 0.03,
        "group_ok": 0.06,
    },
    "insult": {"insult_word": 0.75, "insult_plain": 0.25},
    "hate": {"hate_word": 0.65, "hate_plain": 0.35},
    "threat": {"threat_word": 0.55, "threat_plain": 0.45},
    "scam": {"scam_word": 0.5, "scam_plain": 0.5},
}
"""What the posts of each label are made of; those of AI-generated posts avoid the telling words."""

FLOOD_LABELS = ("ok", "hate", "scam", "insult", "ok", "scam", "ok", "scam")
"""Labels of the floods in turn; scam floods before scam has emerged are promotions instead."""

FLOOD_SHARE = 0.075
FLOOD_SIZES = (20, 100)
SYNTHETIC_SHARE = 0.12
DISGUISED_SHARE = 0.25
CHAT_SHARE = 0.45
EDITED_SHARE = 0.1
SOURCES = {"comment": 0.6, "post": 0.25, "live_chat": 0.1, "profile": 0.05}
FLAG_RATES = {"ok": 0.04, "insult": 0.5, "hate": 0.9, "threat": 1.2, "scam": 0.6}
HEADS = ("", "", "", "👉 ", ">> ", "RT: ")
TAILS = ("", "!", "!!", " 🙏", " 👀", " 🔥", " #1", " #today", " (2)", " ...", " 👍👍", " ✨")

_FIRST = np.datetime64("2026-01-05T00:00:00", "us")
_SPAN = np.timedelta64(35, "D").astype("timedelta64[us]").astype(np.int64)


def demo_policy() -> Policy:
    """The policy of the demo stream, kept in the package as `hitl/demo/policy.yaml`.

    >>> demo_policy()
    Policy('demo community standards' v1: ok, insult, hate, threat, scam; regions ID, DE)
    """
    return Policy.parse(files("hitl.demo").joinpath("policy.yaml").read_text(encoding="utf-8"), "hitl/demo/policy.yaml")


def generate(n: int = 6000, seed: int = 0) -> pa.Table:
    """Make a stream of `n` posts in order of time; equal arguments give equal tables.

    Columns: `id`, `text`, `language` (en, id, de, ar, ja, hi), `region`, `reach` (views), `received`, `modality`,
    `synthetic` (AI-generated), `source`, `flags` (by users), `wave` (0..4, the fifth of the time it falls in), and the
    planted `truth` (one of `TRUTHS`) and `cluster` (number of the flood of near-copies, -1 for none).
    About 80 % are ok, 5 % hate, 1 % threats; scam emerges in wave 3. O(n) time and memory. Raises `ConfigError` for
    n < 0.

    >>> stream = generate(500, seed=1)
    >>> stream.num_rows, stream["truth"].unique().sort().to_pylist()
    (500, ['hate', 'insult', 'ok', 'scam', 'threat'])
    """
    if n < 0:
        raise ConfigError(f"a stream has 0 posts or more, not {n}")
    rng, spoken = np.random.default_rng([seed, n]), lexicon()
    time = np.sort(rng.random(n))
    wave = (time * WAVES).astype(np.int64)
    origin, cluster = _floods(n, rng)
    truth = _truths(wave, origin, cluster, rng)
    language = rng.choice(len(spoken.languages), size=n, p=spoken.shares)[origin]
    synthetic = (rng.random(n) < SYNTHETIC_SHARE)[origin]
    reach = _reach(truth, cluster, rng)
    return pa.table(
        {
            "id": _ids(n),
            "text": _texts(spoken, language, _kinds(spoken, truth, synthetic, cluster, rng), synthetic, origin, rng),
            "language": _named(spoken.languages, language),
            "region": _regions(spoken, language, rng),
            "reach": reach,
            "received": pa.array(_FIRST + (time * _SPAN).astype(np.int64), type=pa.timestamp("us", "UTC")),
            "modality": pa.repeat("text", n),
            "synthetic": synthetic,
            "source": _named(tuple(SOURCES), rng.choice(len(SOURCES), size=n, p=list(SOURCES.values()))),
            "flags": _flags(truth, reach, rng),
            "wave": wave.astype(np.int8),
            "truth": _named(TRUTHS, truth),
            "cluster": cluster,
        }
    )


def _ids(n: int) -> pa.Array:
    digits = pc.utf8_lpad(pc.cast(pa.array(np.arange(n)), pa.string()), width=6, padding="0")
    return pc.binary_join_element_wise("post", digits, "-")


def _named(names: tuple[str, ...], codes: Ints) -> pa.Array:
    return pa.array(names).take(pa.array(codes))


def _floods(n: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """For each post the row it copies (its own outside of floods) and the number of its flood, -1 for none.

    The time line is cut into one stretch a flood, so that floods never overlap; copies follow at an even pace.
    """
    origin, cluster = np.arange(n), np.full(n, -1, dtype=np.int64)
    low, high = FLOOD_SIZES
    wanted = int(n * FLOOD_SHARE)
    sizes = rng.integers(low, high + 1, size=wanted // low + 1)
    sizes = sizes[np.cumsum(sizes) <= wanted]
    if not len(sizes):
        return origin, cluster
    stretch = n // len(sizes)
    pace = np.minimum(rng.integers(1, 5, size=len(sizes)), stretch // sizes)
    first = np.arange(len(sizes)) * stretch + (rng.random(len(sizes)) * (stretch - sizes * pace)).astype(np.int64)
    number = np.repeat(np.arange(len(sizes)), sizes)
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = first[number] + within * pace[number]
    origin[rows], cluster[rows] = first[number], number
    return origin, cluster


def _truths(wave: Ints, origin: Ints, cluster: Ints, rng: np.random.Generator) -> Ints:
    drawn = rng.random(len(wave))[:, None] >= np.cumsum(SHARES, axis=1)[wave, :-1]
    truth = np.asarray(drawn.sum(axis=1), dtype=np.int64)
    flooded = cluster >= 0
    labels = np.array([TRUTHS.index(label) for label in FLOOD_LABELS])[cluster[flooded] % len(FLOOD_LABELS)]
    too_early = (labels == TRUTHS.index("scam")) & (wave[origin[flooded]] < 3)
    truth[flooded] = np.where(too_early, 0, labels)
    return truth


def _kinds(spoken: Lexicon, truth: Ints, synthetic: Bools, cluster: Ints, rng: np.random.Generator) -> Ints:
    """(n,) what each post's leading sentence is, as a row of `spoken.kinds`."""
    table = np.zeros((2, len(TRUTHS), len(spoken.kinds)))
    for row, truth_name in enumerate(TRUTHS):
        for kind, share in KINDS[truth_name].items():
            plain = kind.endswith("_plain")
            table[0, row, spoken.kinds.index(kind)] = share
            table[1, row, spoken.kinds.index(kind)] = share if truth_name == "ok" else 0.8 if plain else 0.2
    rows = np.cumsum(table, axis=2)[synthetic.astype(np.int64), truth, :-1]
    kinds = np.asarray((rng.random(len(truth))[:, None] >= rows).sum(axis=1), dtype=np.int64)
    kinds[(cluster >= 0) & (truth == 0)] = spoken.kinds.index("promo")
    return kinds


def _texts(
    spoken: Lexicon, language: Ints, kind: Ints, synthetic: Bools, origin: Ints, rng: np.random.Generator
) -> pa.Array:
    """Up to four sentences a post: a formula (AI-generated ones), chat, the matter, chat; copies get other ends."""
    n = len(language)
    chat = np.full(n, spoken.kinds.index("chat"))
    copied = np.bincount(origin, minlength=n)[origin] > 1
    before = (rng.random(n) < CHAT_SHARE) | copied
    after = (rng.random(n) < CHAT_SHARE) | copied
    said = [
        (np.full(n, spoken.kinds.index("formula")), synthetic),
        (chat, before & ~synthetic),
        (kind, np.ones(n, dtype=bool)),
        (chat, after),
    ]
    spaces = _named(spoken.spaces, language)
    sentences = [_sentence(spoken, language, kinds, spaced, origin, rng) for kinds, spaced in said]
    text = pc.binary_join_element_wise(*sentences, spaces, null_handling="skip")
    heads = np.where(copied, rng.integers(len(HEADS), size=n), 0)
    tails = np.where(copied, rng.integers(len(TAILS), size=n), 0)
    return pc.binary_join_element_wise(_named(HEADS, heads), text, _named(TAILS, tails), "")


def _sentence(
    spoken: Lexicon, language: Ints, kind: Ints, present: Bools, origin: Ints, rng: np.random.Generator
) -> pa.Array:
    """One sentence of its kind a post, null where not `present`; copies agree with their origin but for a word."""
    n = len(language)
    start, count = np.moveaxis(spoken.said[language, kind], -1, 0)
    drawn = (start + (rng.random(n) * count).astype(np.int64))[origin]
    pieces = [spoken.parts[0].take(pa.array(drawn))]
    invented = np.array([slot in INVENTED for slot in SLOTS])
    for place in (0, 1):
        slot = spoken.slots[drawn, place]
        first, words = np.moveaxis(spoken.listed[language, slot], -1, 0)
        source = np.where((place == 1) & (rng.random(n) < EDITED_SHARE), np.arange(n), origin)
        word = ((rng.random(n) ** 1.4)[source] * words).astype(np.int64)
        disguised = (rng.random(n) < DISGUISED_SHARE) * rng.integers(1, SPELLINGS, size=n)
        row = first + np.where(invented[slot], word * SPELLINGS + disguised[origin], word)
        pieces += [spoken.words.take(pa.array(row, mask=slot < 0)), spoken.parts[place + 1].take(pa.array(drawn))]
    whole = pc.binary_join_element_wise(*pieces, "", null_handling="skip")
    return pc.if_else(pa.array(present), whole, pa.scalar(None, pa.string()))


def _regions(spoken: Lexicon, language: Ints, rng: np.random.Generator) -> pa.Array:
    names = tuple(dict.fromkeys(region for regions in spoken.regions for region in regions))
    shares = np.array([[regions.get(name, 0.0) for name in names] for regions in spoken.regions])
    codes = (rng.random(len(language))[:, None] >= np.cumsum(shares, axis=1)[language, :-1]).sum(axis=1)
    return _named(names, codes)


def _reach(truth: Ints, cluster: Ints, rng: np.random.Generator) -> Floats:
    """Views: a Pareto tail of index 1.1, more for scam, little for each copy of a flood."""
    views = 40 * (1 + rng.pareto(1.1, size=len(truth)))
    views *= np.array([1.0, 0.7, 1.0, 0.8, 1.8])[truth] * np.where(cluster >= 0, 0.3, 1.0)
    views[rng.random(len(truth)) < 0.02] = 0
    rounded: Floats = np.minimum(np.round(views), 2e7)
    return rounded


def _flags(truth: Ints, reach: Floats, rng: np.random.Generator) -> pa.Array:
    rates = np.array([FLAG_RATES[name] for name in TRUTHS])[truth] * np.log10(reach + 10) / 2
    return pa.array(rng.poisson(rates).astype(np.int32))
