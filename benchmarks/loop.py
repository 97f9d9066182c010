"""What picking buys: the same campaign with active and with random picking, same budget, seed and reviewers.

Reviewers are simulated in memory, with their errors; figures are taken against the data set's own labels on all items
that nobody was asked about, so that both campaigns are judged alike. The peer is random picking: what Label Studio's
own active-learning example does.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from common import Goal, finish, shared

import hitl
from hitl.config import CampaignConfig, truth_from
from hitl.deciding import decide
from hitl.demo.labelled import policy_from_labels
from hitl.demo.stage import plan_for
from hitl.policy import Policy

RARE = "hate"
FOLDERS = {"active": "", "random": "-random"}


def f1s(truth: np.ndarray, predicted: np.ndarray, labels: tuple[str, ...]) -> list[float]:
    hits = [(predicted == name) & (truth == name) for name in labels]
    return [
        2 * hit.sum() / max((predicted == name).sum() + (truth == name).sum(), 1)
        for hit, name in zip(hits, labels, strict=True)
    ]


def judged(walk: hitl.Campaign, said: np.ndarray, number: int) -> list[float]:
    """Macro-F1 and recall of the rare label on what was not asked by then, how much of it was asked, and labels."""
    tasks = [task for task in walk.ledger.tasks() if task.round <= number]
    asked = walk.walk.positions(task.item_id for task in tasks)
    fitted = walk.walk.fitted(number)
    rest = np.ones(len(said), dtype=bool)
    rest[asked] = False
    told = fitted.predict(walk.walk.features.slice(0, len(said)))
    predicted = np.array(fitted.labels)[decide(told.proba, told.thresholds).argmax(axis=1)]
    return [
        float(np.mean(f1s(said[rest], predicted[rest], fitted.labels))),
        float((predicted[rest & (said == RARE)] == RARE).mean()),
        float((said[asked] == RARE).sum()),
        float(walk.round(number).labels_so_far),
    ]


def simulated(pool: hitl.Pool, policy: Policy, names: dict[str, str], strategy: str, seed: int) -> list[list[float]]:
    """A campaign with the in-memory reviewers, judged after each round."""
    with tempfile.TemporaryDirectory() as folder:
        walk = hitl.Campaign(
            "loop",
            policy=policy,
            pool=pool,
            model=hitl.TextLinear(),
            plan=hitl.Plan(**plan_for(strategy), seed=seed),
            connector=hitl.MemoryConnector(truth_from(pool, "label", names), seed=seed),
            folder=Path(folder),
        )
        return [judged(walk, truths(pool, names), done.number) for done in walk]


def played(pool: hitl.Pool, policy: Policy, names: dict[str, str], folder: Path) -> list[list[float]]:
    """A campaign that `make demo` has finished on a real Label Studio, judged after each round."""
    config = CampaignConfig.load(folder / "hitl.yaml")
    walk = hitl.Campaign(
        config.campaign,
        policy=policy,
        pool=pool,
        model=config.open_model(),
        plan=config.plan,
        connector=hitl.MemoryConnector(truth_from(pool, "label", names)),
        folder=folder,
    )
    return [judged(walk, truths(pool, names), number) for number in range(config.plan.rounds + 1)]


def truths(pool: hitl.Pool, names: dict[str, str]) -> np.ndarray:
    codes, values = pool.codes("label")
    return np.array([names[value] for value in values])[codes]


def line(sides: list[np.ndarray], number: int) -> list[str]:
    """A round's row: active beside random, mean and spread over the seeds."""
    spread = [f"{side[:, figure].mean():.3f} ± {side[:, figure].std():.3f}" for figure in (0, 1) for side in sides]
    ratio = sides[0][:, 0].mean() / sides[1][:, 0].mean()
    labels, found = f"{sides[0][:, 3].mean():.0f}", [f"{side[:, 2].mean():.0f}" for side in sides]
    return [str(number), labels, *spread, f"{ratio:.2f}", *found]


def main(seeds: int, demo: Path | None) -> None:
    data = shared()
    if data is None:
        raise SystemExit("skipped: HITL_SHARED names no folder with data/text/davidson")
    pool = hitl.Pool.open(data / "data/text/davidson/items.parquet", text="text", facets=("label",))
    codes, values = pool.codes("label")
    policy, names = policy_from_labels(dict(zip(values, np.bincount(codes).tolist(), strict=True)), "davidson")
    if demo:
        ran = {s: np.array([played(pool, policy, names, demo / f"davidson{tail}")]) for s, tail in FOLDERS.items()}
    else:
        ran = {s: np.array([simulated(pool, policy, names, s, n) for n in range(seeds)]) for s in FOLDERS}
    sides = list(ran.values())
    rows = [line([side[:, number] for side in sides], number) for number in range(sides[0].shape[1])]
    last, area = (sides[0][:, -1] - sides[1][:, -1]).mean(0), (sides[0] - sides[1]).mean((0, 1))
    goals = [
        Goal("macro-F1 after the last round, active - random", "> 0", f"{last[0]:+.3f}", bool(last[0] > 0)),
        Goal("recall of hate after the last round, active - random", "> 0", f"{last[1]:+.3f}", bool(last[1] > 0)),
        Goal("mean macro-F1 over the rounds, active - random", "> 0", f"{area[0]:+.3f}", bool(area[0] > 0)),
        Goal("mean recall of hate over the rounds, active - random", "> 0", f"{area[1]:+.3f}", bool(area[1] > 0)),
    ]
    headers = ["round", "labels", "macro-F1 active", "random", "recall of hate active", "random", "ratio of macro-F1",
               "hate asked active", "random"]  # fmt: skip
    finish("loop-demo" if demo else "loop", goals, rows, headers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2 seeds instead of 5")
    parser.add_argument("--demo", type=Path, help="judge the campaigns of `make demo` in this folder instead")
    chosen = parser.parse_args()
    main(2 if chosen.quick else 5, chosen.demo)
