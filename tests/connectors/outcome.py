"""What a campaign left on record and on the server, and how two plays of it differ."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx

from hitl import Campaign
from hitl.demo.server import LabelStudioServer


@dataclass(frozen=True)
class Told:
    """What a campaign left: parts of the record, and the server's tasks by key, each as the copies it has."""

    record: dict[str, Any]
    server: dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Outcome:
    """How a scenario ended beside its calm twin; all but `injected` should be 0 or empty."""

    seed: int
    kind: str
    injected: int
    lost: int
    duplicated: int
    wrong: int
    differs: tuple[str, ...]
    trace: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing tells the two plays apart."""
        return not (self.lost or self.duplicated or self.wrong or self.differs)


def record(campaign: Campaign) -> dict[str, Any]:
    """The record in terms that do not depend on the server's numbers or the clock; annotations as they are now."""
    ledger = campaign.ledger
    held = ledger.annotations()
    of = {a.id: f"{a.task_key}/{a.worker}" for a in held}
    rounds = [row["round"] for row in ledger.rounds()]
    live = [a for a in held if not a.deleted]
    return {
        "steps": {n: sorted(ledger.steps(n)) for n in rounds},
        "picks": {n: [repr(pick) for pick in ledger.picks(n)] for n in rounds},
        "tasks": [repr(task) for task in ledger.tasks()],
        "lost tasks": sorted(ledger.lost_tasks()),
        "annotations": sorted(
            [of[a.id], repr((a.answer, a.skipped, a.seconds, a.changed_by, a.problem))] for a in live
        ),
        "resolutions": {
            n: [repr((r.item_id, r.labels, round(r.confidence, 9), sorted(of[a] for a in r.annotations), dict(r.outs)))
                for r in ledger.resolutions(n)]
            for n in rounds
        },
        "models": {n: ledger.model(n)["model_id"] for n in rounds},
        "intents": ledger.intents("overlap"),
    }  # fmt: skip


def compare(
    seed: int,
    kind: str,
    calm: Told,
    told: Told,
    injected: int,
    broke: tuple[str, ...],
    trace: tuple[str, ...],
    seconds: float,
) -> Outcome:
    """How many tasks and answers are lost, twice or wrong, on the server or on record."""
    said, due = Counter(map(tuple, told.record.get("annotations", ()))), Counter(map(tuple, calm.record["annotations"]))
    who, who_due = Counter(of for of, _ in said.elements()), Counter(of for of, _ in due.elements())
    there = {key: copies[0] for key, copies in told.server.items()}
    answers = {(key, one[0]) for key, copies in told.server.items() for row in copies for one in row["answers"]}
    answers_due = {(key, one[0]) for key, copies in calm.server.items() for row in copies for one in row["answers"]}
    return Outcome(
        seed,
        kind,
        injected,
        lost=len(calm.server.keys() - there.keys()) + (who_due - who).total() + len(answers_due - answers),
        duplicated=sum(len(copies) - 1 for copies in told.server.values()) + (who - who_due).total(),
        wrong=sum(there[key] != calm.server[key][0] for key in there.keys() & calm.server.keys())
        + (said - due).total() - (who - who_due).total(),
        differs=broke + tuple(part for part in told.record if calm.record[part] != told.record[part]),
        trace=trace,
        seconds=seconds,
    )  # fmt: skip


def there(server: LabelStudioServer, project: int) -> dict[str, list[dict[str, Any]]]:
    """The server's tasks by key, each as the copies it has, the oldest first."""
    params = {"project": project, "page_size": 100_000, "fields": "all"}
    params["include"] = (
        "id,data,overlap,predictions,model_version,score,annotations,result,completed_by,was_cancelled,lead_time"
    )
    with httpx.Client(headers={"Authorization": f"Token {server.token}"}, timeout=60, trust_env=False) as client:
        rows = client.get(f"{server.url}/api/tasks", params=params).json()["tasks"]
    found: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["id"]):
        found.setdefault(row["data"]["hitl_key"], []).append(_plain(row))
    return found


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    answers = [
        [a["completed_by"], a["was_cancelled"], a["lead_time"], json.dumps([r["value"] for r in a["result"]])]
        for a in row["annotations"]
    ]
    predicted = [[p["model_version"], p["score"], json.dumps(p["result"], sort_keys=True)] for p in row["predictions"]]
    return {"data": row["data"], "overlap": row["overlap"], "answers": sorted(answers), "predicted": predicted}
