"""A pool against a list: what was planted is found, what is broken is told, and the run goes on."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hitl.errors import ConfigError
from hitl.hashes import Entry, HashList, Matching, file_hash, match, minhashes, pdq_hashes, text_hashes, to_hex
from hitl.media import FrameSampling, MediaFolder
from hitl.pool import Pool


def test_texts_exactly_and_nearly():
    rng = np.random.default_rng(0)
    long = ["".join(rng.choice(list("abcdefgh"), size=5)) for _ in range(80)]
    texts = [f"plim {at}" for at in range(500)]
    texts[70], texts[300] = "ZONK\u200b wub", " ".join([*long[:78], "other", "words"])
    known = HashList.of(
        [
            Entry("minhash", to_hex(minhashes([" ".join(long)])[0])[0], "scam", "us"),
            Entry("text", to_hex(text_hashes(["zonk wub"]))[0], "spam", "them"),
        ]
    )
    pool = Pool.open(pa.table({"id": [f"i{at}" for at in range(500)], "text": texts}))
    seen = []
    found = match(pool, known, progress=lambda *told: seen.append(told))
    rows = found.table.to_pylist()
    assert [(row["position"], row["id"], row["label"], row["entry"], row["source"]) for row in rows] == [
        (70, "i70", "spam", 1, "them"),
        (300, "i300", "scam", 0, "us"),
    ]
    assert rows[0]["distance"] == 0 < rows[1]["distance"] <= 31
    assert rows[0]["time"] is None
    assert seen[-1][1:] == (500, 500)
    assert len(found.unreadable) == 0


@pytest.fixture
def media(tmp_path: Path, picture, write_clip) -> MediaFolder:
    """Pictures and a clip, a broken one among them."""
    Image = pytest.importorskip("PIL.Image")
    for seed in range(4):
        Image.fromarray(picture(seed, 200, 300)).save(tmp_path / f"p{seed}.png")
    Image.fromarray(picture(1, 200, 300)).resize((150, 100)).save(tmp_path / "copy.jpg", quality=60)
    Image.fromarray(np.zeros((90, 90, 3), dtype=np.uint8)).save(tmp_path / "dark.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "p3.png").read_bytes()[:900])
    scenes = [picture(seed, 96, 128) for seed in (7, 8, 9) for _ in range(10)]
    write_clip(tmp_path / "clip.mp4", scenes)
    return MediaFolder(tmp_path)


NAMES = ["p0.png", "p1.png", "copy.jpg", "dark.png", "broken.png", "clip.mp4", "none.png", "https://host.example/a.png"]


def pool_of(names) -> Pool:
    return Pool.open(pa.table({"id": [f"i{at}" for at in range(len(names))], "at": names}), media="at")


def test_media_by_bytes_pictures_and_frames(media, picture):
    known = HashList.of(
        [
            Entry("pdq", to_hex(pdq_hashes([picture(1, 200, 300)])[0])[0], "harm"),
            Entry("pdq", to_hex(pdq_hashes([picture(8, 96, 128)])[0])[0], "gore"),
            Entry("pdq", to_hex(pdq_hashes([np.zeros((90, 90, 3), dtype=np.uint8)])[0])[0], "dark"),
            Entry("sha256", to_hex(file_hash(media.root / "broken.png"))[0], "bytes"),
            Entry("text", "00" * 32, "none"),
        ]
    )
    found = match(pool_of(NAMES), known, media)
    rows = found.table.to_pylist()
    assert [(row["id"], row["kind"], row["label"]) for row in rows] == [
        ("i1", "pdq", "harm"),
        ("i2", "pdq", "harm"),
        ("i4", "sha256", "bytes"),
        ("i5", "pdq", "gore"),
    ]
    assert [row["distance"] == 0 for row in rows] == [True, False, True, False]
    assert 1.0 <= rows[3]["time"] < 2.0
    assert [row["time"] for row in rows[:3]] == [None, None, None]
    assert found.unreadable["id"].to_pylist() == ["i4", "i6", "i7"]
    assert found.unreadable["position"].to_pylist() == [4, 6, 7]
    reasons = found.unreadable["reason"].to_pylist()
    assert "damaged" in reasons[0]
    assert "no such file" in reasons[1]
    assert "download" in reasons[2]
    assert found.left_out == ("text",)
    assert repr(found) == "Matches(4 items, 4 pairs, 3 items unreadable)"


def test_threads_and_strictness_change_only_what_they_say(media, picture):
    known = HashList.of([Entry("pdq", to_hex(pdq_hashes([picture(1, 200, 300)])[0])[0], "harm")])
    pool, sampling = pool_of(NAMES), FrameSampling(uniform=3, scenes=0)
    one = match(pool, known, media, Matching(threads=1, sampling=sampling))
    many = match(pool, known, media, Matching(threads=4, sampling=sampling))
    assert one.table.equals(many.table)
    assert one.unreadable.equals(many.unreadable)
    assert match(pool, known, media, Matching(within=0)).table["id"].to_pylist() == ["i1"]
    assert len(match(pool, known, media, Matching(least_quality=101)).table) == 0


def test_a_list_that_the_pool_has_nothing_for(media):
    pictures = HashList.of([Entry("pdq", "00" * 32, "harm")])
    texts = Pool.open(pa.table({"id": ["a"], "text": ["zonk"]}))
    with pytest.raises(ConfigError, match="holds pdq hashes"):
        match(texts, pictures)
    with pytest.raises(ConfigError, match="name the folder"):
        match(pool_of(["p0.png"]), pictures)
    with pytest.raises(ConfigError, match="holds text hashes"):
        match(pool_of(["p0.png"]), HashList.of([Entry("text", "00" * 32, "harm")]), media)
    assert len(match(texts, HashList.of([])).table) == 0


def test_no_threads_are_refused():
    with pytest.raises(ConfigError, match="threads=0"):
        Matching(threads=0)
