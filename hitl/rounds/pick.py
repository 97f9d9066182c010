"""Choosing what people are asked: the seed round without a model, then by scan and select."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from hitl.models import Fitted
from hitl.rounds.walk import Done, Walk
from hitl.sampling.keywords import policy_keywords
from hitl.sampling.scan import ScanBatch, scan
from hitl.sampling.seed import SeedPool, seed_select
from hitl.sampling.select import select as choose
from hitl.sampling.view import Stakes, Viewer
from hitl.types import Selection

BATCH = 65_536


def select(walk: Walk, number: int) -> Done:
    """Pick the round's items: by the last model's scan of the pool, or by keywords, clusters and chance without one."""
    fitted = walk.fitted(number - 1)
    selection = _seed(walk, number) if fitted is None else _active(walk, number, fitted)
    output = {"arms": selection.by_arm(), "pool": dict(selection.pool_stats)}
    return Done(output, lambda writer: writer.add_picks(number, selection.picks))


def _seed(walk: Walk, number: int) -> Selection:
    pool = walk.pool
    codes, names = walk.strata
    seed_pool = SeedPool(
        keys=pool.keys,
        reach=pool.reach,
        strata=codes,
        names=names,
        ids=pool.ids,
        texts=pool.texts if walk.has_text else None,
        text_batches=walk.text_batches if walk.has_text else None,
        features=walk.features.take,
        eligible=walk.eligible(number),
    )
    return seed_select(seed_pool, walk.plan, policy_keywords(walk.policy), seed=walk.seed(number, "select"))


def _active(walk: Walk, number: int, fitted: Fitted) -> Selection:
    names = walk.regions[1]
    viewer = Viewer(walk.policy, names, walk.seed(number, "select"))
    found = scan(
        _batches(walk, number, fitted, viewer),
        walk.plan,
        strata=walk.strata[1],
        stakes=Stakes.of(walk.policy, names, walk.pool.reach),
        seed=walk.seed(number, "select"),
    )
    asked = walk.pool.texts(walk.asked_positions()) if walk.has_text else []
    return choose(found, walk.plan, ids=walk.pool.ids, texts=walk.pool.texts if walk.has_text else None, asked=asked)


def _batches(walk: Walk, number: int, fitted: Fitted, viewer: Viewer) -> Iterator[ScanBatch]:
    """The pool as the scan reads it; one batch in memory at a time."""
    pool, regions, strata, eligible = walk.pool, walk.regions[0], walk.strata[0], walk.eligible(number)
    for start in range(0, len(pool), BATCH):
        stop = min(start + BATCH, len(pool))
        walk.progress(f"round {number}: scoring the pool", start, len(pool))
        proba: Any = fitted.predict(walk.features.slice(start, stop)).proba
        rows = slice(start, stop)
        view = viewer.view(pool.keys[rows], proba, pool.reach[rows], regions[rows])
        yield ScanBatch(np.arange(start, stop), view, strata[rows], eligible[rows])
