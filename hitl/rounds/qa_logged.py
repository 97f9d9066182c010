"""The decisions of other systems: a log as the table for the regulator reads it, with who decided."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hitl.errors import DataError
from hitl.history.transparency import Aside
from hitl.pool.keys import as_mask, hash_text
from hitl.rounds.decisions import DECIDERS, DecisionLog, codes_in
from hitl.rounds.qa_decisions import ACT, KINDS, REVIEW, Decisions, coded, languages
from hitl.rounds.walk import Walk
from hitl.types import Ints
from hitl.types.times import without_zone


def logged_decisions(walk: Walk, path: str | Path, now: str) -> Decisions:
    """The decisions of a log, CSV or JSONL, by `DecisionLog`'s reader; what was sent to a person is none. O(n).

    A log without `kind` has people where its decider is `human` (a vendor's where it names one), a model where it names
    one, and `automated` otherwise. Raises `DataError` where it is no such log, or says who somebody is.
    """
    categories = tuple(label.name for label in walk.policy.labels if label.violating)
    log = DecisionLog.load(path, categories, without_zone(now))
    words = log.words
    if as_mask(pc.match_substring(words["by"], "@")).any():
        raise DataError(f"{path}, column by: holds e-mail addresses, and the record pseudonyms only; replace them")
    kind = codes_in(words["kind"], KINDS)
    said = ~as_mask(pc.equal(words["kind"], ""))
    log = log.without({
        f"kind: is none of {', '.join(KINDS)}": said & (kind < 0),
        "action: sent to a person, which is no decision yet": log.action == REVIEW,
    })  # fmt: skip
    words = log.words
    keys = hash_text(pc.binary_join_element_wise(
        words["item"], pc.cast(pa.array(log.decided_at), pa.large_string()), words["by"], words["category"],
        pc.cast(pa.array(log.action), pa.large_string()), pa.scalar("\n", pa.large_string()),
    ))  # fmt: skip
    position = _positions(walk, words["item"])
    acted = log.action >= ACT
    clause = pc.if_else(pa.array(acted), words["category"], pa.scalar("", pa.large_string()))
    columns = {"by": words["by"], "vendor": words["vendor"], "team": words["team"], "clause": clause}
    found = Decisions(
        source=Path(path).name,
        whole=False,
        keys=keys,
        position=position,
        acted=acted,
        at=log.decided_at,
        codes={name: coded(column) for name, column in columns.items()}
        | {"kind": (_kinds(log), KINDS), "language": languages(walk, position, words["language"])},
        items=words["item"],
        set_aside=log.set_aside,
    )
    first = np.unique(keys, return_index=True)[1]
    doubled = len(keys) - len(first)
    if doubled:
        aside = Aside(reason="the same decision stands there twice", rows=doubled, first=[])
        found = replace(found.take(np.sort(first)), set_aside=(*found.set_aside, aside))
    return found


def _kinds(log: DecisionLog) -> Ints:
    """(n,) codes of `KINDS`: what the log says, or else what its other columns say for certain."""
    place = {name: code for code, name in enumerate(KINDS)}
    vendor = ~as_mask(pc.equal(log.words["vendor"], ""))
    model = ~as_mask(pc.equal(log.words["model"], ""))
    people = log.decider == DECIDERS.index("human")
    usual = np.where(
        people,
        np.where(vendor, place["vendor"], place["human"]),
        np.where(model, place["model"], place["automated"]),
    )
    said = codes_in(log.words["kind"], KINDS)
    return np.asarray(np.where(said >= 0, said, usual))


def _positions(walk: Walk, items: pa.ChunkedArray) -> Ints:
    """Where items stand in the pool (n,), -1 where it does not hold them. O(n log items)."""
    keys, pool = hash_text(items), walk.pool
    order = np.argsort(pool.keys, kind="stable")
    at = order[np.minimum(np.searchsorted(pool.keys, keys, sorter=order), len(pool) - 1)]
    return np.asarray(np.where(pool.keys[at] == keys, at, -1))
