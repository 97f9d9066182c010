"""Drawing decisions to be looked at again: all deciders in one frame, by chance, with known odds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from hitl.errors import CampaignError, ConfigError
from hitl.metrics.qa.allocation import allocate, risk
from hitl.rounds.qa_decisions import JOIN, Decisions
from hitl.rounds.qa_logged import logged_decisions
from hitl.rounds.qa_own import believed, own_decisions
from hitl.rounds.qa_record import SAMPLED, Programme, Sample, programme
from hitl.rounds.walk import Walk
from hitl.rounds.workforce import audit_rates
from hitl.sampling.candidates import Candidates
from hitl.sampling.sketch import FlooredDraw
from hitl.sampling.uniforms import derive, draws
from hitl.types import Floats, Ints
from hitl.types.times import datetime64

FLOOR = 0.5
"""Of the mean wish in its stratum: so much of the draw is even, whatever is believed (`FlooredDraw`)."""

STAKE = 0.2
"""How much of the wish follows views × severity, and not the chance of an error alone."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A draw as it is asked for: how many decisions, of which logs beside the campaign's own, decided when, and why."""

    size: int
    actor: str
    reason: str
    logs: Sequence[Path] = ()
    own: bool = True
    since: str = ""
    until: str = ""
    floor: float = FLOOR
    stake: float = STAKE

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ConfigError(f"a draw of {self.size} decisions draws none; ask for 1 or more")
        if not self.actor.strip() or not self.reason.strip():
            raise ConfigError("a draw needs somebody who answers for it and a reason; give `actor` and `reason`")
        if not (0 < self.floor <= 1 and 0 <= self.stake <= 1):
            raise ConfigError("floor must be above 0 and at most 1, stake a share")


def draw(walk: Walk, wanted: Wanted, now: str) -> Sample:
    """Draw decisions and put them on record as one event; the sample.

    The frame is what each source decided since it was last drawn from: no decision is in two frames, so that samples
    add up. Strata are kind of decider × vendor × language; each gets its part by power allocation
    (`hitl.metrics.qa.allocation.allocate`), and within it a decision is drawn in proportion to its risk, raised to a
    floor, with an exact inclusion probability (`FlooredDraw`). Chance comes from the plan's seed and the number of the
    sample. Raises `CampaignError` where there is nothing to draw from. O(decisions) time and memory.
    """
    held = programme(walk)
    name = f"qa-{len(held.samples) + 1}"
    frame = _frame(walk, held, wanted, now)
    strata, code = _strata(frame)
    wish = _wish(walk, frame, wanted.stake)
    decisions = np.bincount(code, minlength=len(strata))
    sizes = allocate(wanted.size, decisions, np.bincount(code, wish, len(strata)).astype(np.float64))
    keys = np.concatenate([one.keys for one in frame])
    chance = draws(keys, derive(walk.seed(len(held.samples), "qa"), "sample"))
    items = Candidates(np.arange(len(keys)), keys, chance, code, np.zeros(len(keys)))
    picked, odds = _drawn(items, wish, sizes, wanted.floor)
    detail = {
        "sample": name,
        "actor": wanted.actor,
        "reason": wanted.reason,
        "policy_version": walk.policy.version,
        "size": wanted.size,
        "floor": wanted.floor,
        "stake": wanted.stake,
        "sources": {one.source: _source(one, held, wanted) for one in frame},
        "strata": {
            title: {"decisions": int(n), "drawn": int(k)} for title, n, k in zip(strata, decisions, sizes, strict=True)
        },
        "drawn": _columns(walk, name, frame, [strata[at] for at in code[picked].tolist()], picked, odds),
    }
    with walk.ledger.transaction() as writer:
        writer.event(SAMPLED, detail)
    return programme(walk).sample(name)


def _frame(walk: Walk, held: Programme, wanted: Wanted, now: str) -> list[Decisions]:
    """What each source decided since it was last drawn from."""
    sources = own_decisions(walk) if wanted.own else []
    sources += [logged_decisions(walk, path, now) for path in wanted.logs]
    named = [one.source for one in sources]
    if len(set(named)) < len(named):
        raise CampaignError("two logs have one file name, by which they are known; rename one of them")
    frame = [_window(one, held, wanted, now) for one in sources]
    if not sum(map(len, frame)):
        raise CampaignError(
            "there is no decision to draw: none was taken since the last draw; let people answer, run a round, or give "
            "a log of other systems with --log"
        )
    return frame


def _drawn(items: Candidates, wish: Floats, sizes: Ints, floor: float) -> tuple[Ints, Floats]:
    """Which decisions of the frame are drawn, stratum by stratum, and the chance that each had."""
    rows, inclusion = [], []
    for at in np.flatnonzero(sizes).tolist():
        mine = np.flatnonzero(items.strata == at)
        sketch = FlooredDraw(int(sizes[at]), floor)
        sketch.feed(items.take(mine), wish[mine], items.draws[mine])
        found = sketch.result()
        rows.append(found.items.positions)
        inclusion.append(found.inclusion)
    return np.concatenate(rows), np.concatenate(inclusion)


def _window(decisions: Decisions, held: Programme, wanted: Wanted, now: str) -> Decisions:
    """What a source decided in the time that is wanted, and after it was last drawn from."""
    drawn = [sample.until[decisions.source] for sample in held.samples.values() if decisions.source in sample.until]
    since: np.datetime64 | None = datetime64(wanted.since) if wanted.since else None
    if (since is not None and np.isnat(since)) or (wanted.until and np.isnat(datetime64(wanted.until))):
        raise ConfigError("--since and --until are ISO 8601 times, such as 2026-03-01T00:00:00Z")
    last = max(map(datetime64, drawn)) if drawn else None
    if since is not None and last is not None and since < last:
        raise CampaignError(
            f"{decisions.source}: decisions until {last} were drawn from already, and would count twice; leave --since "
            "out to go on from there"
        )
    late = decisions.at <= datetime64(wanted.until or now)
    rows = late if last is None else late & (decisions.at > last)
    return decisions.take(rows if since is None else rows & (decisions.at >= since))


def _source(decisions: Decisions, held: Programme, wanted: Wanted) -> dict[str, Any]:
    drawn = [sample.until[decisions.source] for sample in held.samples.values() if decisions.source in sample.until]
    until = str(decisions.at.max()) if len(decisions) else max(drawn, default="")
    aside = [{"reason": one["reason"], "rows": one["rows"]} for one in decisions.set_aside]
    return {"decisions": len(decisions), "until": until, "since": wanted.since, "set_aside": aside}


def _strata(frame: Sequence[Decisions]) -> tuple[list[str], Ints]:
    """The strata's names, and the stratum (n,) of each decision of the frame."""
    place: dict[str, int] = {}
    parts = []
    for one in frame:
        columns = [one.codes[name] for name in ("kind", "vendor", "language")]
        if not len(one):
            continue
        held, code = np.unique(np.stack([codes for codes, _ in columns]), axis=1, return_inverse=True)
        titles = [
            " · ".join(filter(None, (columns[c][1][v] for c, v in enumerate(combo)))) for combo in held.T.tolist()
        ]
        local = np.array([place.setdefault(title, len(place)) for title in titles])
        parts.append(local[code.ravel()])
    return list(place), np.concatenate(parts).astype(np.int64)


def _wish(walk: Walk, frame: Sequence[Decisions], stake: float) -> Floats:
    """How much each decision of the frame is wanted (n,): by its risk, and by how much its author is to be audited."""
    told = [believed(walk, one) for one in frame]
    chance, cost = (np.concatenate([pair[side] for pair in told]) for side in (0, 1))
    known = ~np.isnan(cost)
    usual = float(cost[known].mean()) if known.any() else 1.0
    watched = np.concatenate([_watched(walk, one) for one in frame])
    return np.asarray(risk(chance, np.where(known, cost, usual), stake) * watched)


def _watched(walk: Walk, decisions: Decisions) -> Floats:
    """How much more of each answer's author is to be looked at than of all together (n,); 1 for other deciders."""
    codes, names = decisions.codes["by"]
    if decisions.source != "answers" or not len(decisions):
        return np.ones(len(decisions))
    rates = audit_rates(walk)
    mine = np.array([rates[name] for name in names])[codes]
    return np.asarray(mine / mine.mean())


def _columns(
    walk: Walk, name: str, frame: Sequence[Decisions], strata: Sequence[str], picked: Ints, odds: Floats
) -> dict[str, list[Any]]:
    """What was drawn by column, in the order of chance: neither order nor name tells who decided."""
    starts = np.cumsum([0, *map(len, frame)])
    told = []
    for at, title, chance in zip(picked.tolist(), strata, odds.tolist(), strict=True):
        where = int(np.searchsorted(starts, at, side="right")) - 1
        one, row = frame[where], at - int(starts[where])
        position = int(one.position[row])
        item = str(one.items[row].as_py()) if one.items is not None else walk.pool.ids([position])[0]
        told.append({
            "review": blake2b(f"{walk.campaign}/{name}/{item}".encode(), digest_size=8).hexdigest(),
            "item": item,
            "position": position,
            **{column: one.words(column, row) for column in ("kind", "by", "vendor", "team", "language")},
            "clause": [part for part in one.words("clause", row).split(JOIN) if part],
            "acted": bool(one.acted[row]),
            "whole": one.whole,
            "at": str(one.at[row]),
            "source": one.source,
            "stratum": title,
            "inclusion": float(chance),
        })  # fmt: skip
    told.sort(key=lambda row: (row["review"], row["source"], row["by"]))
    told = [{"decision": f"{name}/{rank}", **row} for rank, row in enumerate(told, start=1)]
    return {column: [row[column] for row in told] for column in told[0]}
