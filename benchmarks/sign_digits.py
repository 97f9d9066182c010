"""sign_digits from 200 labels: picked by the default plan, or by chance, on an encoder that was trained here.

The encoder learns from the pool's pictures without labels (`self_supervised.py`). 30 % of the pictures are held out:
nobody picks from them, the encoder has not seen them, and every side is judged on them. Both campaigns ask for 50
labels at a time and their reviewers make no errors. The peer is logistic regression on the pixels at 32 × 32 of the
labels that chance picked.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from common import Goal, finish, shared

import hitl
from hitl.config import truth_from
from hitl.demo.labelled import policy_from_labels
from hitl.demo.stage import plan_for
from hitl.models import Model, make_model
from hitl.policy import Policy
from hitl.workforce.simulated import Reviewer

HELD_OUT, BATCH, LABELS = 0.3, 50, 200
SIDE = 32
SIDES = ("active", "random", "pixels")
RIGHT = [Reviewer(name, accuracy=1.0, skip_rate=0.0, unsure_rate=0.0) for name in ("ana", "budi", "clara")]


def table_of(root: Path) -> pa.Table:
    """id, media (relative to `root`) and label of all pictures, in a random order that is always the same."""
    files = sorted(path for path in root.rglob("*.*") if path.suffix.lower() == ".jpg")
    media = np.array([str(path.relative_to(root)) for path in files])
    media = media[np.random.default_rng(0).permutation(len(media))]
    labels = [Path(name).parent.name for name in media]
    return pa.table({"id": media, "media": media, "label": labels})


def pictures(root: Path, table: pa.Table) -> list[np.ndarray]:
    from PIL import Image

    return [np.asarray(Image.open(root / name).convert("RGB")) for name in table["media"].to_pylist()]


def pixels_of(images: list[np.ndarray]) -> np.ndarray:
    """(n, 3072) from 0 to 1: the pictures at 32 × 32."""
    from PIL import Image

    small = [np.asarray(Image.fromarray(image).resize((SIDE, SIDE))) for image in images]
    return np.stack(small).reshape(len(small), -1) / 255


class Stand:
    """The pool, what is held out, and the encoder."""

    def __init__(self, root: Path, encoder: Path) -> None:
        table = table_of(root)
        held = int(HELD_OUT * len(table))
        self.root, self.test, self.train = root, table.slice(0, held), table.slice(held)
        self.model: Model = make_model(
            "image_classifier", {"encoder": str(encoder), "root": str(root), "device": "cpu"}
        )
        self.encoder = encoder

    def learn(self, epochs: int) -> float:
        """Train the encoder, if it is not there yet; seconds."""
        from self_supervised import Training, train_encoder

        begun = time.perf_counter()
        if not self.encoder.exists():
            train_encoder(pictures(self.root, self.train), self.encoder, Training(epochs))
        return time.perf_counter() - begun

    def truth(self, table: pa.Table) -> np.ndarray:
        return np.array(table["label"].to_pylist())

    def run(self, strategy: str, seed: int) -> tuple[list[float], np.ndarray]:
        """The accuracy on what is held out after each 50 labels, and what was asked (200,)."""
        pool = hitl.Pool.open(self.train, id="id", media="media", facets=("label",))
        policy, _ = self.policy
        amounts = {"rounds": LABELS // BATCH - 1, "budget": BATCH, "benchmark": 0, "overlap": 0.0}
        with tempfile.TemporaryDirectory() as folder:
            campaign = hitl.Campaign(
                "signs",
                policy=policy,
                pool=pool,
                model=self.model,
                plan=hitl.Plan(**(plan_for(strategy) | amounts), seed=seed),
                connector=hitl.MemoryConnector(truth_from(pool, "label"), RIGHT, seed=seed),
                folder=Path(folder),
            )
            x = campaign.walk.features.reader.read(self.test)[0]
            told = [self.accuracy(campaign.walk.fitted(done.number), x) for done in campaign]
            return told, campaign.walk.asked_positions()

    @property
    def policy(self) -> tuple[Policy, dict[str, str]]:
        values, counts = np.unique(self.truth(self.train), return_counts=True)
        return policy_from_labels(dict(zip(values.tolist(), counts.tolist(), strict=True)), "signs")

    def accuracy(self, fitted: Any, x: np.ndarray) -> float:
        """Of a round's model, by its likeliest label, on the rows of what is held out."""
        predicted = np.array(fitted.labels)[fitted.predict(x).proba.argmax(axis=1)]
        return float((predicted == self.truth(self.test)).mean())

    def peer(self, asked: np.ndarray, train: np.ndarray, test: np.ndarray) -> list[float]:
        """Logistic regression on the pixels of the same items, after each 50 labels."""
        from sklearn.linear_model import LogisticRegression

        y = self.truth(self.train)
        told = []
        for count in range(BATCH, LABELS + 1, BATCH):
            at = asked[:count]
            model = LogisticRegression(C=0.1, max_iter=1000).fit(train[at], y[at])
            told.append(float(model.score(test, self.truth(self.test))))
        return told


def main(seeds: int, epochs: int, encoder: Path | None) -> None:
    data = shared()
    if data is None:
        raise SystemExit("skipped: HITL_SHARED names no folder with data/images/sign_digits")
    with tempfile.TemporaryDirectory() as folder:
        stand = Stand(data / "data/images/sign_digits", encoder or Path(folder) / "encoder")
        spent = stand.learn(epochs)
        train, test = (pixels_of(pictures(stand.root, table)) for table in (stand.train, stand.test))
        curves: dict[str, list[list[float]]] = {side: [] for side in SIDES}
        for seed in range(seeds):
            curves["active"].append(stand.run("active", seed)[0])
            told, asked = stand.run("random", seed)
            curves["random"].append(told)
            curves["pixels"].append(stand.peer(asked, train, test))
            print(f"seed {seed}:", {side: f"{told[-1][-1]:.3f}" for side, told in curves.items()}, flush=True)
    sides = {side: np.array(curve) for side, curve in curves.items()}
    rows = [line(sides, at) for at in range(LABELS // BATCH)]
    rows.append(
        [f"encoder: {epochs} epochs on {len(stand.train):,} pictures without labels, {spent:.0f} s", "", "", "", ""]
    )
    headers = ["labels", "accuracy: default plan", "by chance", "pixels, by chance", "active ÷ chance"]
    finish("sign_digits", goals_of(sides), rows, headers)


def line(sides: dict[str, np.ndarray], at: int) -> list[str]:
    """The accuracies after some labels, mean and deviation over the seeds."""
    cells = [f"{curve[:, at].mean():.3f} ± {curve[:, at].std():.3f}" for curve in sides.values()]
    return [str((at + 1) * BATCH), *cells, f"{sides['active'][:, at].mean() / sides['random'][:, at].mean():.3f}"]


def goals_of(sides: dict[str, np.ndarray]) -> list[Goal]:
    active, chance, pixels = (sides[side][:, -1] for side in SIDES)
    paired = active - chance
    told = f"{active.mean():.3f} - {chance.mean():.3f} = {paired.mean():+.3f} ± {paired.std():.3f}, {len(paired)} seeds"
    above = f"{active.mean():.3f} against {pixels.mean():.3f}"
    return [
        Goal("accuracy from 200 labels, default plan - by chance", "≥ 0", told, bool(paired.mean() >= 0)),
        Goal("the same beside pixels", "≥ 0.10 above", above, bool(active.mean() >= pixels.mean() + 0.1)),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2 seeds and 30 epochs instead of 5 and 120")
    parser.add_argument("--encoder", type=Path, help="a folder to keep the encoder in, and to take it from when there")
    chosen = parser.parse_args()
    main(2 if chosen.quick else 5, 30 if chosen.quick else 120, chosen.encoder)
