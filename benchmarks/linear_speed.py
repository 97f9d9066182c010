"""`TextLinear` beside scikit-learn: learn from 25,000 texts, score a million; and a pool that is scored a second time.

Both sides learn from the same 25,000 texts and score texts that they have not seen, given as strings in batches; each
runs in a process of its own. The peer is what its users write: TfidfVectorizer on words (1-2) and characters in words
(3-5), and a balanced LogisticRegression; it may be given fewer texts to score, as texts per second is what is compared.
A pool is scored from its file and, in another process, again with its features cached.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from common import Goal, finish, shared
from measuring import Clock, alone, memory
from short_texts import POLICY, write
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline, make_union

import hitl
from hitl.models import Fitted, load_model
from hitl.models.text_linear import TextLinear
from hitl.types import Targets

TRAIN, JUDGED = 25_000, 25_000
BATCH, BLOCK = 16_384, 65_536
HEADERS = ["what", "texts", "seconds", "CPU seconds", "texts/s", "MiB before", "MiB added", "macro-F1", "ratio"]

Score = Callable[[pa.ChunkedArray], np.ndarray]
Learn = Callable[[pa.Table], Score]


def one_hot(labels: pa.ChunkedArray) -> np.ndarray:
    """(n, k) of 0 and 1 in the policy's order."""
    return np.array([[name == label for name in POLICY.names] for label in labels.to_pylist()], dtype=float)


def learn_ours(train: pa.Table) -> Score:
    """Our default text model from the texts alone, to a function that scores others."""
    pool = hitl.Pool.open(train, id="id", text="text")
    features = TextLinear().features(pool, None)
    fitted = fit(features, train)
    return lambda texts: fitted.predict_texts(texts).proba


def learn_theirs(train: pa.Table) -> Score:
    """scikit-learn's pipeline."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    model = LogisticRegression(class_weight="balanced", max_iter=300)
    pipeline = make_pipeline(make_union(words, characters), model)
    codes = one_hot(train["label"]).argmax(axis=1)
    pipeline.fit(train["text"].to_pylist(), codes)
    return lambda texts: pipeline.predict_proba(texts.to_pylist())


SIDES: dict[str, Learn] = {"TextLinear": learn_ours, "scikit-learn": learn_theirs}


def fit(features: Any, train: pa.Table) -> Fitted:
    """Our model from the pool's first items."""
    at = np.arange(len(train))
    targets = Targets(at, one_hot(train["label"]), POLICY.names, np.ones(len(at)))
    return TextLinear().fit(features, targets, np.random.default_rng(0), multi_label=False)


def macro_f1(proba: np.ndarray, labels: pa.ChunkedArray) -> float:
    return float(f1_score(one_hot(labels).argmax(axis=1), proba.argmax(axis=1), average="macro"))


def warm_up() -> None:
    """Import all that learning and scoring import, before anything is measured."""
    few = pa.table({"id": ["1", "2"], "text": ["zonk wub", "plim grint"], "label": ["fine", "hate"]})
    learn_ours(few)(few["text"])


def measure_side(job: dict[str, Any]) -> dict[str, Any]:
    """Learn, and score strings in batches."""
    file, clock = pq.ParquetFile(job["path"]), Clock()
    train = file.read().slice(0, TRAIN).combine_chunks()
    learn, before, cpu = SIDES[job["what"]], memory("VmHWM"), time.process_time()
    with clock("fit"):
        score = learn(train)
    cpu_fit, told, done = time.process_time() - cpu, [], 0
    with clock("score"):
        for batch in batches(file, TRAIN, TRAIN + job["score"]):
            told.append(score(batch["text"]))
            done += len(batch)
    cpu_score = time.process_time() - cpu - cpu_fit
    some = file.read(["label"])["label"].slice(TRAIN, JUDGED)
    f1 = macro_f1(np.concatenate(told)[:JUDGED], some.slice(0, done))
    return clock.seconds | {
        "cpu_fit": cpu_fit, "cpu_score": cpu_score, "scored": done,
        "before": before, "added": memory("VmHWM") - before, "f1": f1,
    }  # fmt: skip


def batches(file: pq.ParquetFile, start: int, stop: int) -> Any:
    """The rows from `start` to before `stop`, in batches."""
    at = 0
    for batch in file.iter_batches(BATCH, columns=["text"]):
        first = max(start - at, 0)
        rows = pa.Table.from_batches([batch]).slice(first, max(min(stop - at, len(batch)) - first, 0))
        at += len(batch)
        if len(rows):
            yield rows


def measure_pool(job: dict[str, Any]) -> dict[str, Any]:
    """Read the pool, have its features, and score all of it; what was learned is kept for the second time."""
    folder, clock, cpu, before = Path(job["folder"]), Clock(), time.process_time(), memory("VmHWM")
    with clock("open the pool"):
        pool = hitl.Pool.open(job["path"], id="id", text="text", reach="views")
    with clock("features"):
        features = TextLinear().features(pool, folder / "cache")
    cpu_fit = time.process_time()
    if not (folder / "model").exists():
        fit(features, pq.ParquetFile(job["path"]).read().slice(0, TRAIN)).save(folder / "model")
    cpu += time.process_time() - cpu_fit
    with clock("score"):
        fitted = load_model(folder / "model")
        for start in range(0, len(pool), BLOCK):
            fitted.predict(features.slice(start, min(start + BLOCK, len(pool))))
    spent = time.process_time() - cpu
    return clock.seconds | {"cpu": spent, "scored": len(pool), "before": before, "added": memory("VmHWM") - before}


def main(pool: int, peer: int) -> None:
    data = shared()
    if data is None:
        raise SystemExit("skipped: HITL_SHARED names no folder with data/text")
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "posts.parquet", pool + TRAIN, data)
        scored = {"TextLinear": pool, "scikit-learn": min(pool, peer)}
        sides = {
            what: alone("linear_speed.py", {"kind": "side", "what": what, "path": str(path), "score": n})
            for what, n in scored.items()
        }
        twice = [alone("linear_speed.py", {"kind": "pool", "path": str(path), "folder": folder}) for _ in range(2)]
    finish("linear_speed", goals_of(sides, twice), [*side_rows(sides), *pool_rows(twice)], HEADERS)


def side_rows(sides: dict[str, dict[str, Any]]) -> list[list[str]]:
    """A row for learning and one for scoring, of each side."""
    ours, rows = sides["TextLinear"], []
    for what, told in sides.items():
        speed, mine = told["scored"] / told["score"], ours["scored"] / ours["score"]
        learned = [f"{what}: learn", f"{TRAIN:,}", f"{told['fit']:.1f}", f"{told['cpu_fit']:.1f}"]
        rows.append([*learned, f"{TRAIN / told['fit']:,.0f}", "", "", "", f"{ours['fit'] / told['fit']:.2f}"])
        scored = [f"{what}: score strings", f"{told['scored']:,}", f"{told['score']:.1f}", f"{told['cpu_score']:.1f}"]
        figures = [f"{told['before']:.0f}", f"{told['added']:.0f}", f"{told['f1']:.3f}"]
        rows.append([*scored, f"{speed:,.0f}", *figures, f"{speed / mine:.2f}"])
    return rows


def whole(told: dict[str, Any]) -> float:
    return float(told["open the pool"] + told["features"] + told["score"])


def pool_rows(twice: list[dict[str, Any]]) -> list[list[str]]:
    """A row for each scoring of the pool, with its parts."""
    rows = []
    for name, told in zip(("first", "second, from the cache"), twice, strict=True):
        parts = ", ".join(f"{part} {told[part]:.2f}" for part in ("open the pool", "features", "score"))
        spent = whole(told)
        ratio = f"{whole(twice[0]) / spent:.1f} × the first" if told is twice[1] else ""
        row = [f"pool, {name} ({parts})", f"{told['scored']:,}", f"{spent:.2f}", f"{told['cpu']:.1f}"]
        rows.append(
            [*row, f"{told['scored'] / spent:,.0f}", f"{told['before']:.0f}", f"{told['added']:.0f}", "", ratio]
        )
    return rows


def goals_of(sides: dict[str, dict[str, Any]], twice: list[dict[str, Any]]) -> list[Goal]:
    ours, theirs = sides["TextLinear"], sides["scikit-learn"]
    million = {what: told["fit"] + 1e6 * told["score"] / told["scored"] for what, told in sides.items()}
    ratio, again = million["scikit-learn"] / million["TextLinear"], whole(twice[0]) / whole(twice[1])
    seconds = f"{ratio:.1f} × ({million['TextLinear']:.0f} s, scikit-learn {million['scikit-learn']:.0f} s)"
    added = f"{ours['added']:.0f} MiB, scikit-learn {theirs['added']:.0f} MiB"
    f1 = f"{ours['f1']:.3f}, scikit-learn {theirs['f1']:.3f}"
    return [
        Goal(f"learn from {TRAIN:,} and score 1 M texts, beside scikit-learn", "≥ 3 ×", seconds, ratio >= 3),
        Goal("memory added at the peak, beside scikit-learn", "less", added, ours["added"] < theirs["added"]),
        Goal("macro-F1 on the same texts, beside scikit-learn", "≥ its - 0.01", f1, ours["f1"] >= theirs["f1"] - 0.01),
        Goal(
            f"second scoring of a cached pool of {twice[0]['scored']:,}",
            "≥ 20 × the first",
            f"{again:.1f} ×",
            again >= 20,
        ),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="score 100,000 texts, scikit-learn 25,000 of them")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        warm_up()
        job = json.loads(chosen.one)
        print(json.dumps({"side": measure_side, "pool": measure_pool}[job["kind"]](job)))
    else:
        main(100_000 if chosen.quick else 1_000_000, 25_000 if chosen.quick else 200_000)
