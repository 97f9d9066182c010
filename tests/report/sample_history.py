"""Invented campaigns, told as `History`: five rounds, five languages, and strings that try to break a page."""

from __future__ import annotations

from typing import Any

import numpy as np

from hitl.history import (
    ComparisonRow,
    EstimateRow,
    History,
    LanguageRow,
    LeftRow,
    PersonRow,
    PickRow,
    RoundRow,
    StabilityRow,
    TamperRow,
    WorkerRow,
    YieldRow,
)  # fmt: skip
from hitl.rounds.stopping import stopping

LABELS = ("ok", "insult", "threat", "scam")
HOSTILE = (
    "<script>alert('x')</script>",
    '"><img src=https://outside.invalid/x onerror=alert(1)>',
    '=HYPERLINK("https://outside.invalid")',
    "safe\u202eexe.gpj",
    "{{ 7 * 7 }} {% raw %}",
    "$\\frac{1}{0}$ $$ ]]> <!-- --> </svg></style>",
    "zalgo" + "\u0301" * 40,
    "\x00\x1b[31mred\x07 \ud800 \u2066 \U000e0041",
    "javascript:alert(1)",
    "blorft " * 400,
)
TEXTS = (
    ("en", "you absolute blorft, go zindle yourself"),
    ("ar", "أنت زنطل حقيقي، ارجع إلى البلوفت"),
    ("ja", "このブロルフトめ、ゾンドルしてやる"),
    ("he", "אתה זינדל גמור, לך הביתה"),
    ("id", "dasar blorfet, kirim 10 koin ke zondel sekarang"),
    ("en", "lovely weather for a walk in the park"),
    ("ja", "今日の散歩はとても楽しかった"),
)

CALIBRATION = {
    "method": "vector scaling with one temperature",
    "fitted_on": "held-out predictions of items drawn from the pool by chance, by how many each stands for",
    "items": 84, "worth_items": 61.2, "brier_before": 0.21, "brier_after": 0.17,
    "calibration_error_before": 0.112, "calibration_error_after": 0.041,
}  # fmt: skip


def estimate(name: str, value: float | None, spread: float = 0.06, n: int = 200, label: str = "", **more: Any) -> Any:
    low = None if value is None else max(value - spread, 0.0)
    high = None if value is None else min(value + spread * 0.9, 1.0)
    return EstimateRow(**{
        "name": name, "label": label, "value": value, "low": low, "high": high,
        "n": n, "level": 0.95, "method": "bootstrap", **more,
    })  # fmt: skip


def benchmark(at: int) -> list[EstimateRow]:
    quality = [0.44, 0.55, 0.61, 0.62, 0.69][at]
    rows = [estimate("macro_f1", quality), estimate("accuracy", quality + 0.15, 0.04)]
    for index, label in enumerate(LABELS):
        shift = 0.22 - 0.13 * index
        for name, more in (("precision", 0.04), ("recall", -0.05), ("f1", 0.0), ("average_precision", 0.03)):
            rows.append(estimate(name, min(quality + shift + more, 0.99), 0.04 + 0.04 * index, 200, label))
        if label != "ok":
            rows.append(estimate("precision@remove", quality + shift + 0.15, 0.08, 31, label))
            rows.append(estimate("recall@remove", max(quality + shift - 0.3, 0.03), 0.08, 31, label))
            rows.append(estimate("precision@review", quality + shift, 0.08, 60, label))
            rows.append(estimate("recall@review", quality + shift + 0.1, 0.08, 60, label))
    unknown = [
        row for row in rows if row["label"] == "scam" and row["name"] in ("precision@remove", "average_precision")
    ]
    for row in unknown:
        row.update(value=None, low=0.0, high=1.0, method="not enough positives yet: 2 of 10", n=2)
    return rows


def audit(at: int) -> list[EstimateRow]:
    quality = [0.44, 0.55, 0.61, 0.62, 0.69][at - 1]
    rows = [estimate("macro_f1", quality + 0.02, 0.11, 30), estimate("prevalence_by_views", 0.083, 0.03, 30)]
    shares = {"insult": 0.061, "threat": 0.0093, "scam": 0.014}
    rows += [estimate("prevalence_by_views", share, share * 0.7, 30, label) for label, share in shares.items()]
    return rows


def comparison(at: int) -> ComparisonRow:
    old, new = benchmark(at - 1)[0], benchmark(at)[0]
    gain = (new["value"] or 0) - (old["value"] or 0)
    difference = estimate("macro_f1", gain, n=200, low=gain - 0.04, high=gain + 0.04)
    return ComparisonRow(verdict="helped" if gain > 0.04 else "no evidence", difference=difference, old=old, new=new)


def picks(at: int, how_many: int) -> list[PickRow]:
    rng = np.random.default_rng(at)
    made = []
    for index in range(how_many):
        language, text = TEXTS[index % len(TEXTS)]
        if index < len(HOSTILE):
            text = HOSTILE[index] + " " + text
        arm = "seed" if at == 0 else ("uncertain", "positives", "audit", "random")[index % 4]
        chance = rng.dirichlet([2, 1, 0.5, 0.5])
        scores = {"margin": float(rng.random()), "impact": float(rng.random())}
        made.append(PickRow(
            item_id=f"item-{at}-{index}" if index % 5 else HOSTILE[index % len(HOSTILE)],
            arm={"seed": ("keyword", "diverse", "random")[index % 3]}.get(arm, arm),
            text=text, language=language, region=("US", "EG", "JP", "IL", "ID")[index % 5],
            reach=float(rng.pareto(1.1) * 900), score=float(sum(scores.values()) / 2), parts=scores,
            why="The model hesitates between insult and ok; 12,400 have seen it." if at else "Matches a keyword.",
            inclusion=0.013 if arm == "audit" else None, stands_for=1 + (index % 6 == 0) * 17,
            predicted=dict(zip(LABELS, map(float, chance), strict=True)) if at else {},
            resolved=None if index % 9 == 4 else [LABELS[int(rng.integers(4))]], confidence=0.91,
            outs={"unsure": 1} if index % 9 == 4 else {}, seconds=14.2,
        ))  # fmt: skip
    return made


def people(at: int) -> list[WorkerRow]:
    names = ("reviewer-01", "reviewer-02", "reviewer-03", "reviewer-10", HOSTILE[1], HOSTILE[3])
    return [
        WorkerRow(
            worker=worker, answers=24 + 3 * index + at, skips=index % 3, median_seconds=9.5 + 4 * index,
            agreement=None if index == 3 else 0.93 - 0.06 * index,
            accuracy=None if index == 3 else estimate("accuracy", 0.95 - 0.08 * index, 0.07, 24, worker),
            note="answers far faster than the text can be read" if index == 4 else "",
        )
        for index, worker in enumerate(names)
    ]  # fmt: skip


def part(name: str, right: int, n: int) -> EstimateRow:
    value = right / n if n else None
    return estimate(name, value, 0.12, n, **({} if n else {"low": 0.0, "high": 1.0}))


def median(name: str, value: float, n: int) -> EstimateRow:
    return estimate(name, value, n=n, low=value * 0.8, high=value * 1.3)


def language(name: str, answers: int) -> LanguageRow:
    shares = {"agreement": part("sided", answers - 4, answers), "gold": part("gold", answers // 5, answers // 4)}
    row = {"language": name, "answers": answers, "seconds": median("seconds_an_answer", 9.0, answers), **shares}
    return LanguageRow(**row)  # type: ignore[typeddict-item]


def everybody() -> list[PersonRow]:
    """The people of all rounds: a newcomer with few answers, one who was touched, one who sat no exam."""
    return [
        PersonRow(
            worker=row["worker"], answers=row["answers"] * 5, reviews=12 if at == 2 else 0, skips=row["skips"],
            set_aside=0, unconfirmed=2 if at == 1 else 0, outs={"unsure": 3, "no_policy": 1} if at else {},
            seconds=median("seconds_an_answer", 9.5 + 4 * at, row["answers"] * 5),
            turnaround=median("turnaround", 5400.0 * (at + 1), row["answers"] * 5),
            agreement=part("sided", 7 if at == 3 else 70 - 5 * at, 8 if at == 3 else 80), accuracy=row["accuracy"],
            gold=part("gold", 3 if at == 3 else 28 - 3 * at, 4 if at == 3 else 30),
            exam=part("exam", 0 if at == 4 else 18 - 3 * at, 0 if at == 4 else 20),
            overruled=part("overruled", at, 14 if at else 0),
            languages=[language("en", 80), language("ar", 21)] if at == 0 else [language("ja", 40)],
        )
        for at, row in enumerate(people(4))
    ]  # fmt: skip


def touched() -> list[TamperRow]:
    common = {"annotation": "77", "answers": 1, "task": "5c0b4e3d16f303186fae"}
    changed = "reviewer-03 changed labels of reviewer-02's answer after it was counted"
    deleted = "reviewer-01's answer was deleted; the server does not tell by whom"
    return [
        TamperRow(severity=3, kind="answer changed by another", at="2026-11-14T10:12:00+00:00", by="reviewer-03",
                  whose="reviewer-02", counted=True, told=changed, **common),  # type: ignore[typeddict-item]
        TamperRow(severity=2, kind="answer deleted", at="2026-11-14T11:40:00+00:00", by="", whose="reviewer-01",
                  counted=False, told=deleted, **common),  # type: ignore[typeddict-item]
    ]  # fmt: skip


ARMS = {"audit": 30, "random": 10, "uncertain": 36, "positives": 14, "relabel": 10}
SEED_ARMS = {"benchmark": 200, "keyword": 40, "diverse": 40, "random": 20}


def yields(at: int) -> dict[str, YieldRow]:
    arms, rich = ARMS if at else SEED_ARMS, {"positives": 0.6, "uncertain": 0.3, "keyword": 0.4}
    return {
        arm: YieldRow(picks=picks, resolved=picks - picks // 20, positives=int(picks * rich.get(arm, 0.09)) + at % 2)
        for arm, picks in arms.items()
    }


def stability(at: int) -> StabilityRow:
    kappa = [0.81, 0.93, 0.97, 0.985][at - 1]
    by_label = [estimate("kappa", kappa - 0.03 * index, 0.01, 2000, label) for index, label in enumerate(LABELS)]
    changed = estimate("changed", (1 - kappa) / 3, 0.004, 2000)
    return StabilityRow(kappa=estimate("kappa", kappa, 0.012, 2000), changed=changed, by_label=by_label)


def left(at: int) -> LeftRow:
    cost = 84000.0 * 0.8**at
    told = estimate("cost_left", cost, 30, low=cost * 0.4, high=cost * 2.6)
    return LeftRow(eligible=1234567 - 100 * at, expected=cost * 0.7, audited=told)


def round_row(at: int, **changes: Any) -> RoundRow:
    bought = 100 + 100 * at
    row: dict[str, Any] = {
        "round": at, "kind": "active" if at else "seed", "state": "done", "policy_version": "3",
        "calibration": CALIBRATION,
        "model_id": f"text_linear-{at}a7f3c", "picked_by_model": f"text_linear-{at - 1}a7f3c" if at else "", "seed": 7,
        "started": f"2026-11-{10 + at}T08:00:00+00:00", "completed": f"2026-11-{10 + at}T16:31:00+00:00",
        "arms": dict(ARMS if at else SEED_ARMS), "yields": yields(at),
        "shares": {"uncertain": 0.36, "positives": 0.14, "relabel": 0.1} if at else {},
        "strata": {"en": 44, "ar": 18, "ja": 16, "he": 12, "id": 10}, "folded": 85 if at else 0,
        "tasks": 100 if at else 300, "tasks_done": 100 if at else 300, "annotations": 131 if at else 512,
        "labels": {"ok": 52, "insult": 27 + at, "threat": 5 + at, "scam": 9}, "resolved": 96, "unresolved": 4,
        "outs": {"unsure": 6, "escalate": 1, "no_policy": 2, "skip": 3},
        "training_items": bought, "labels_so_far": bought, "benchmark": benchmark(at),
        "audit": audit(at) if at else [], "comparison": comparison(at) if at else None, "since_seed": None,
        "confusion": {"labels": list(LABELS), "n": 200, "matrix":
                      [[118.0, 9.0, 1.0, 4.0], [10.2, 31.0, 2.0, 0.0], [1.0, 3.4, 6.0, 0.0], [5.0, 0.0, 0.0, 10.0]]},
        "agreement": estimate("krippendorff_alpha", 0.68 + 0.02 * at, 0.08, 90), "people": people(at),
        "stability": stability(at) if at else None, "left": left(at) if at else None, "findings": {},
        "seconds_a_task": 11.4 + at, "seconds_total": 131 * 13.0 if at else 512 * 12.0,
        "cost": 8.51 if at else 30.72, "machine_seconds": {"scan": 4.2, "fit": 9.1, "push": 3.3, "measure": 1.0},
        "picks": picks(at, 100 if at else 60),
    }  # fmt: skip
    return RoundRow(**{**row, **changes})  # type: ignore[typeddict-item]


def sample(how_many: int = 5, **changes: Any) -> History:
    actions = {"review": 0.3, "limit": 0.6, "remove": 0.9}
    told: dict[str, Any] = {
        "campaign": "spring-2026 <b>stream</b>", "hitl_version": "0.1.0", "generated": "2026-11-22T21:38:24+00:00",
        "state": "done", "status": "All five rounds are done.",
        "next_steps": ["Look at `threat`: its recall stays low; add exemplars or raise `scores.impact`.",
                       "Raise `rounds` in the plan to go on: the last round still helped."],
        "policy": {"name": "abuse", "version": "3", "multi_label": False, "regions": ["ID", "JP"]},
        "labels": [
            {"name": "ok", "definition": "Nothing wrong.", "violating": False, "severity": 0.0, "actions": {}},
            {"name": "insult", "definition": "Demeans.", "violating": True, "severity": 2.0, "actions": actions},
            {"name": "threat", "definition": "Announces harm.", "violating": True, "severity": 9.0, "actions": actions},
            {"name": "scam", "definition": "Wants money under a pretext.", "violating": True, "severity": 4.0,
             "actions": {"review": 0.4, "remove": 0.95}},
        ],
        "pool": {"name": "stream.parquet", "items": 1234567, "views": 98765432.0, "fingerprint": "b2:9f31c07a55e2d410",
                 "languages": {"en": 700000, "id": 200000, "ja": 150000, "ar": 120000, "he": 64567},
                 "regions": {"US": 700000, "ID": 200000, "JP": 150000, "EG": 120000, "IL": 64567}},
        "model": {"kind": "text_linear", "options": {"C": 1.0, "word_ngrams": [1, 2]}},
        "plan": {"rounds": 4, "budget": 100, "benchmark": 200, "audit": 0.3, "random": 0.1, "seed": 7,
                 "scores": {"margin": 1.0, "impact": 1.0}, "cost_per_hour": 18.0, "target": 0.75,
                 "gold": 0.1, "exam": 20, "review": True},
        "connector": {"kind": "label_studio", "url": "http://127.0.0.1:8080/projects/3"}, "headline": "macro_f1",
        "people": everybody() if how_many else [], "tampering": touched() if how_many else [],
        "rounds": [round_row(at) for at in range(how_many)],
    }  # fmt: skip
    told |= changes
    target = told["plan"].get("target")
    told.setdefault("stopping", stopping(told["rounds"], told["headline"], target, np.random.default_rng(0)))
    return History(**told)  # type: ignore[typeddict-item]


def empty() -> History:
    return sample(0, state="empty", status="Nothing has run yet.", next_steps=[])


def seed_waiting() -> History:
    nothing: dict[str, Any] = {
        "calibration": {},
        "model_id": "", "completed": None, "tasks_done": 87, "annotations": 120, "labels": {}, "resolved": 0,
        "unresolved": 0, "outs": {}, "training_items": 0, "labels_so_far": 0, "benchmark": [], "confusion": None,
        "agreement": None, "people": [], "seconds_a_task": None, "seconds_total": 0.0, "cost": None,
    }  # fmt: skip
    waits = round_row(0, state="waiting", **nothing)
    for pick in waits["picks"]:
        pick.update(resolved=None, seconds=None, confidence=0.0)
    return sample(0, rounds=[waits], state="waiting", status="Waiting for people.", next_steps=[])


def without_benchmark() -> History:
    rows = [round_row(at, benchmark=[], confusion=None, comparison=None) for at in range(3)]
    return sample(0, rounds=rows)


def not_enough() -> History:
    unknown = [estimate("macro_f1", None, method="not enough positives yet", low=0.0, high=1.0)]
    return sample(0, rounds=[round_row(0, benchmark=unknown, confusion=None)], next_steps=[], state="running")
