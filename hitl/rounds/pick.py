"""Choosing what people are asked: the seed round without a model, then by scan and select."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hitl.compute.scanning import Eligible, Judge, ScanShards
from hitl.compute.shards import Shards
from hitl.compute.survey import Survey
from hitl.models import Fitted
from hitl.rounds.walk import Done, Walk
from hitl.sampling.aims import Standing, aims
from hitl.sampling.gold import gold_picks
from hitl.sampling.keywords import policy_keywords
from hitl.sampling.known import direction, know
from hitl.sampling.mix import Yield, adapted, rarity
from hitl.sampling.scan import Job, Scan, ScanBatch, Scanner
from hitl.sampling.second_opinions import second_opinions
from hitl.sampling.seed import SeedPool, seed_select
from hitl.sampling.select import Before, Reading
from hitl.sampling.select import select as choose
from hitl.sampling.view import Viewer
from hitl.types import SETTLING, Bools, Embeddings, Ints, Known, Pick, Resolution, Selection

BATCH = 65_536


def select(walk: Walk, number: int) -> Done:
    """Pick the round's items: by the last model's scan of the pool, or by keywords, clusters and chance without one."""
    fitted = walk.fitted(number - 1)
    selection = _seed(walk, number) if fitted is None else _active(walk, number, fitted)
    gold = _gold(walk, number, selection)
    output = {
        "arms": {**selection.by_arm(), **({"gold": len(gold)} if gold else {})},
        "pool": dict(selection.pool_stats),
        "unreadable": walk.tell_unreadable(walk.broken()),
        "gold_missing": walk.plan.gold_count(number) - len(gold),
    }
    return Done(output, lambda writer: writer.add_picks(number, (*selection.picks, *gold)))


def _gold(walk: Walk, number: int, selection: Selection) -> list[Pick]:
    """Gold items that nobody was asked about yet, the exam's left out, served as the round's other picks are."""
    free = walk.in_play(number)
    free[np.concatenate([walk.spent(), walk.exam])] = False
    fresh = walk.gold.fresh(free, walk.strata[0], walk.seed(number, "gold"))
    others = np.array([pick.score for pick in selection.picks if pick.arm != "relabel"])
    return gold_picks(fresh, walk.plan.gold_count(number), others, walk.pool.ids, walk.strata[1])


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
        features=_places(walk),
        exemplars=walk.exemplars,
        eligible=walk.eligible(number),
        alike=walk.alike,
    )
    return seed_select(seed_pool, walk.plan, policy_keywords(walk.policy), seed=walk.seed(number, "select"))


def _places(walk: Walk) -> Callable[[Ints], Any] | None:
    """Where items lie, for a spread over the pool: embeddings, or else sparse rows; None where neither is to be had."""
    from scipy.sparse import issparse

    embeddings = walk.features.embeddings
    if embeddings is not None:
        return lambda at: np.asarray(embeddings[at])
    return walk.features.take if issparse(walk.features.slice(0, 0)) else None


def _active(walk: Walk, number: int, fitted: Fitted) -> Selection:
    settled = [r for r in walk.ledger.resolutions(number - 1) if r.labels is not None]
    benchmark = walk.benchmark_items()
    learned = [r for r in settled if r.item_id not in benchmark]
    shares = adapted(walk.plan, yields(walk, number, settled))
    survey = Survey.of(walk.pool, walk.plan.strata)
    job = Job(
        plan=walk.plan,
        aims=aims(walk.plan, standing(walk, learned), shares),
        strata=walk.strata[1],
        stakes=survey.stakes(walk.policy),
        seed=walk.seed(number, "select"),
    )
    known = known_places(walk, number, learned)
    found = _scan(walk, number, fitted, job, known, survey)
    asked = walk.asked_positions()
    embeddings = walk.features.embeddings
    texts = walk.pool.texts(asked) if walk.has_text else ()
    before = Before(texts, None if embeddings is None else embeddings[asked], asked)
    selection = choose(found, walk.plan, _reading(walk, fitted), walk.rng(number, "spread"), before)
    return Selection(
        (*selection.picks, *_again(walk, number, fitted, learned)), {**selection.pool_stats, "shares": shares}
    )


def _again(walk: Walk, number: int, fitted: Fitted, learned: Sequence[Resolution]) -> list[Pick]:
    """Second opinions on what is settled under the present policy, by the plan's share."""
    count = walk.plan.counts()["relabel"]
    final = ("gold", *SETTLING)
    current = [r for r in learned if r.policy_version == walk.policy.version and r.method not in final] if count else []
    if not current:
        return []
    at = walk.positions(r.item_id for r in current)
    viewer = Viewer(walk.policy, walk.regions[1], walk.seed(number, "relabel"))
    proba = fitted.predict(walk.features.take(at)).opinion
    view = replace(
        viewer.view(walk.pool.keys[at], proba, walk.pool.reach[at], walk.regions[0][at]),
        settled=walk.one_hot(current),
        confidence=np.array([r.confidence for r in current]),
    )
    return second_opinions(view, at, walk.pool.ids, count)


def _scan(walk: Walk, number: int, fitted: Fitted, job: Job, known: Known | None, survey: Survey) -> Scan:
    """The scan by the features that are cached here; other machines read and judge the pool's files themselves."""
    viewer, label = Viewer(walk.policy, survey.regions, job.seed), f"round {number}: scoring the pool"
    if not walk.compute.travels:
        here = ScanPool(walk, fitted, viewer, job, known, walk.eligible(number), label)
        return walk.compute.run(here, walk.progress).result()
    asked = Eligible(np.sort(walk.pool.keys[walk.barred()]), walk.plan.replay, number)
    judge = Judge.with_model(walk.features.reader, fitted)
    there = ScanShards(Shards.of(walk.pool), survey, viewer, job, judge, asked, known, label)
    return walk.compute.run(there, walk.progress).result()


@dataclass(frozen=True, eq=False)
class ScanPool:
    """The pass over a pool by its features, block by block, each scored and fed to a scanner."""

    walk: Walk
    fitted: Fitted
    viewer: Viewer
    job: Job
    known: Known | None
    eligible: Bools
    label: str

    @property
    def sizes(self) -> Sequence[int]:
        """Items of each block."""
        n, block = len(self.walk.pool), self.walk.features.block
        return [min(block, n - start) for start in range(0, n, block)]

    def nothing(self) -> Scanner:
        """A scanner that has seen nothing."""
        return Scanner(self.job)

    def run(self, block: int) -> Scanner:
        """What a scanner keeps of one block."""
        walk = self.walk
        start = block * walk.features.block
        rows = slice(start, start + self.sizes[block])
        predicted = self.fitted.predict(walk.features.slice(rows.start, rows.stop))
        embeddings = walk.features.embeddings
        view = self.viewer.view(
            walk.pool.keys[rows],
            predicted.opinion,
            walk.pool.reach[rows],
            walk.regions[0][rows],
            embeddings=None if embeddings is None else embeddings[rows],
            committee=predicted.committee,
            known=self.known,
        )
        scanner = Scanner(self.job)
        at, strata = np.arange(rows.start, rows.stop), walk.strata[0][rows]
        scanner.feed(ScanBatch(at, view, strata, self.eligible[rows], predicted.proba))
        return scanner


def _reading(walk: Walk, fitted: Fitted) -> Reading:
    embeddings = walk.features.embeddings

    def column(name: str) -> Any:
        codes = walk.pool.codes(name)[0]
        return lambda at: codes[at]

    return Reading(
        ids=walk.pool.ids,
        texts=walk.pool.texts if walk.has_text else None,
        embeddings=None if embeddings is None else lambda at: np.asarray(embeddings[at]),
        proba=lambda at: fitted.predict(walk.features.take(at)).opinion,
        multi_label=walk.policy.multi_label,
        alike=walk.alike,
        columns={name: column(name) for name in walk.plan.caps if name != "cluster"},
    )


def standing(walk: Walk, learned: Sequence[Resolution]) -> Standing:
    """How often each violating label has been found among what is learned from."""
    counts = Counter(label for r in learned for label in r.labels or ())
    violating = [label.name for label in walk.policy.labels if label.violating]
    return Standing({name: counts[name] for name in violating}, len(learned), walk.pool.columns.reach is not None)


def known_places(walk: Walk, number: int, learned: Sequence[Resolution]) -> Known | None:
    """What the campaign knows of the space of embeddings: labelled items, and positives with the policy's exemplars."""
    embeddings = walk.features.embeddings
    if embeddings is None:
        return None
    rows, y = [np.asarray(embeddings[walk.positions(r.item_id for r in learned)])], [walk.one_hot(learned)]
    for label, exemplars in walk.exemplars.items():
        answers = np.zeros((len(exemplars), len(walk.policy.names)))
        answers[:, walk.policy.names.index(label)] = 1
        rows.append(exemplars)
        y.append(answers)
    known = know(np.concatenate(rows), np.concatenate(y), walk.policy.violating, walk.rng(number, "known"))
    return replace(known, centre=_centre(embeddings)) if _uses(walk, "density") else known


def _uses(walk: Walk, score: str) -> bool:
    return any(arm.scores.get(score) for arm in walk.plan.arms.values())


def _centre(embeddings: Embeddings) -> Embeddings:
    """The mean direction of the pool; one pass, O(N d) time, memory for a block."""
    blocks = range(0, len(embeddings), BATCH)
    return direction(np.sum([embeddings[at : at + BATCH].sum(axis=0, dtype=np.int64) for at in blocks], axis=0))


def yields(walk: Walk, number: int, settled: Sequence[Resolution]) -> list[Yield]:
    """What each arm brought in the active rounds before this one, by what is settled now."""
    labels = {r.item_id: r.labels or () for r in settled}
    violating = {label.name for label in walk.policy.labels if label.violating}
    counts = Counter(label for given in labels.values() for label in given)
    rare = rarity({name: counts[name] for name in violating}, len(labels))
    found: list[Yield] = []
    for before in range(1, number):
        comparison = (walk.ledger.step(before, "measure") or {}).get("comparison")
        gain = (comparison or {}).get("difference", {}).get("value") or 0.0
        by_arm: dict[str, list[float]] = defaultdict(list)
        for pick in walk.ledger.picks(before):
            if pick.item_id in labels and pick.arm != "gold":
                worth = [rare[label] for label in labels[pick.item_id] if label in violating]
                by_arm[pick.arm].append(max(worth, default=0.0))
        found += [Yield(before, arm, len(worth), sum(worth), gain) for arm, worth in by_arm.items()]
    return found
