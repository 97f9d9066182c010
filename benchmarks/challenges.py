"""HateCheck and the bias templates on a text model trained on davidson: functionalities, groups, worst slices.

The model is a `TextLinear` on 22,000 labelled tweets (`--quick`: 6,000) beside one on 2,000, as a round beside the one
before. Such models lean on words: HateCheck was made to show it (Röttger et al. 2021 tested networks trained on these
tweets, too), and the templates of Dixon et al. (2018) to show that identity terms raise false alarms.
"""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from common import Goal, finish, shared
from rich.console import Console

from hitl import ChallengeSuite, Policy, Pool, TextLinear
from hitl.challenges import ChallengeRun
from hitl.console import table
from hitl.metrics.facets import Facets
from hitl.metrics.sample import LabelledSample
from hitl.metrics.slices import told
from hitl.metrics.worst_slices import worst_slices
from hitl.models import Fitted
from hitl.rounds.challenge import challenge_row
from hitl.types import Targets

POLICY = Policy.parse("""
name: davidson
version: 1
labels:
  - {name: neither, violating: false}
  - {name: offensive, severity: 1}
  - {name: hate, severity: 3}
""")

TERMS = (
    """
lesbian, gay, bisexual, transgender, trans, queer, lgbt, lgbtq, homosexual, straight, heterosexual, male, female,
nonbinary, african american, african, black, white, european, hispanic, latino, latina, latinx, mexican, canadian,
american, asian, indian, middle eastern, chinese, japanese, christian, muslim, jewish, buddhist, catholic, protestant,
sikh, taoist, old, older, young, younger, teenage, millenial, middle aged, elderly, blind, deaf, paralyzed
""".replace("\n", " ")
    .strip()
    .split(", ")
)
"""The identity terms of the templates (Dixon et al. 2018)."""

HATECHECK: dict[str, Any] = {
    "text": "text", "expected": "label", "functionality": "functionality", "groups": ["target_ident"],
    "map": {"hateful": "hate", "non-hateful": ["neither", "offensive"]}, "name": "HateCheck",
}  # fmt: skip
TEMPLATES: dict[str, Any] = {
    "text": "text", "expected": "label", "functionality": "Template", "groups": ["term"],
    "map": {"BAD": ["offensive", "hate"], "NOT_BAD": "neither"}, "name": "bias_templates",
}  # fmt: skip


def davidson(data: Path, sizes: list[int]) -> list[Fitted]:
    """Models that learned from so many tweets, drawn evenly; each decides as often for a label as it occurs."""
    rows = pq.read_table(data / "davidson/items.parquet", columns=["id", "text", "label"])
    pool = Pool.open(rows, text="text", facets=("label",), name="davidson")
    codes, names = pool.codes("label")
    labels = np.array([[float(name == label) for label in POLICY.names] for name in names])[codes]
    order = np.random.default_rng(0).permutation(len(pool))
    model = TextLinear()
    features = model.features(pool, None)
    fitted = []
    for size in sizes:
        at, others = np.sort(order[:size]), np.sort(order[-2_000:])
        targets = Targets(at, labels[at], POLICY.names, np.ones(size))
        learned = model.fit(features, targets, np.random.default_rng(0), multi_label=False)
        proba = learned.predict(features.take(others)).proba
        fitted.append(learned.with_thresholds(labels[at].mean(axis=0), proba))
    return fitted


def templates(data: Path) -> pa.Table:
    """The templates that hold an identity term, with it as a column."""
    rows = pq.read_table(data / "bias_templates/items.parquet")
    found = re.compile(rf"\b({'|'.join(sorted(TERMS, key=len, reverse=True))})\b", re.I)
    terms = [match[1].lower() if (match := found.search(text)) else "" for text in rows["text"].to_pylist()]
    rows = rows.append_column("term", pa.array(terms))
    # one name each suffices: templates of names repeat every sentence for sixty of them
    kept = pc.and_(pc.not_equal(rows["term"], ""), pc.not_equal(rows["Template"], "name_adj"))
    return rows.filter(kept)


def functionalities(row: Any) -> list[list[str]]:
    """A suite's functionalities, the least passed first."""
    return [
        [row["suite"], each["name"], must(each), *figures(each["passed"]), *changed(each["change"])]
        for each in row["functions"]
    ]


def must(row: Any) -> str:
    """What the cases of a functionality ask for."""
    n = row["passed"]["n"]
    return "catch" if row["catch"] == n else "let be" if not row["catch"] else "both"


def changed(row: Any) -> list[str]:
    """What changed since the smaller model: the difference, cases won and lost, the adjusted p."""
    told = "regressed" if row["regressed"] else ""
    return [f"{row['difference']['value']:+.3f}", f"{row['won']}/{row['lost']}", f"{row['adjusted']:.3f}", told]


def figures(row: Any) -> list[str]:
    """A figure with its interval, and its cases."""
    if row["value"] is None:
        return ["–", "", str(row["n"])]
    return [f"{row['value']:.3f}", f"[{row['low']:.3f}, {row['high']:.3f}]", str(row["n"])]


def groups(row: Any, most: int) -> list[list[str]]:
    """A suite's groups by false alarms, the most first."""
    ranked = sorted(row["groups"], key=lambda one: -(one["false_positive_rate"]["value"] or 0.0))
    some = ranked if len(ranked) <= 2 * most else [*ranked[:most], *ranked[-most:]]
    return [
        [row["suite"], one["group"]]
        + [" ".join(figures(one[rate])[:2]) for rate in ("false_positive_rate", "false_negative_rate")]
        + [figures(auc)[0] for auc in one["aucs"]]
        for one in some
    ]


def worst(run: ChallengeRun) -> list[list[str]]:
    """The slices of a suite (functionality × groups) where the model is worst, by the search over facets."""
    suite = run.suite
    columns = [suite.functionality, *suite.groups]
    coded = [suite.pool.codes(column) for column in columns]
    facets = Facets(tuple(columns), tuple(names for _, names in coded), np.stack([codes for codes, _ in coded], axis=1))
    # what counts as right in a suite is passing: a policy of two labels says it
    truth, says = run.must_catch, run.must_catch == run.passed
    n = len(truth)
    never = np.full((n, 2), np.inf)
    sample = LabelledSample(
        y=np.stack([~truth, truth], axis=1).astype(float),
        proba=np.stack([~says, says], axis=1).astype(float),
        labels=("fine", "harm"),
        multi_label=False,
        violating=np.array([False, True]),
        weights=np.ones(n),
        reach=np.ones(n),
        review_at=never,
        limit_at=never,
        remove_at=never,
        finite=False,
    )
    found = worst_slices(sample, facets, np.random.default_rng(0), depth=2).found
    return [
        [suite.name, one.inside.name, told(one.where), one.inside.figures, f"{one.outside.value:.3f}", f"{one.p:.3f}"]
        for one in found
        if one.inside.name != "wrong"
    ][:12]


def show(title: str, head: list[str], rows: list[list[str]]) -> None:
    Console(width=160).print(table(head, rows, title=title))


def main(data: Path, items: int) -> None:
    begun = time.perf_counter()
    before, fitted = davidson(data, [2_000, items])
    learned = time.perf_counter() - begun
    suites = [
        ChallengeSuite.read(data / "hatecheck/items.parquet", **HATECHECK),
        ChallengeSuite.read(templates(data), **TEMPLATES),
    ]
    begun = time.perf_counter()
    runs = [suite.run(fitted, POLICY) for suite in suites]
    spent = time.perf_counter() - begun
    earlier = [suite.run(before, POLICY) for suite in suites]
    told = [challenge_row(run, old, np.random.default_rng(0)) for run, old in zip(runs, earlier, strict=True)]
    head = ["suite", "group", "false alarms", "misses", "subgroup AUC", "BPSN AUC", "BNSP AUC"]
    show("groups: false alarms, the most first", head, [line for row in told for line in groups(row, 7)])
    head = ["suite", "rate", "slice", "there", "elsewhere", "p"]
    show("worst slices, all looked at allowed for", head, [line for run in runs for line in worst(run)])
    apart = [
        [row["suite"], one["name"], f"{one['value']:.2f}", f"{one['by_chance']:.2f}", f"{one['p']:.3f}"]
        for row in told
        for one in row["equality"]
    ]
    show("equality differences (Dixon et al. 2018)", ["suite", "rate", "Σ |group - all|", "by chance", "p"], apart)
    cases = sum(len(suite) for suite in suites)
    print(f"learned from {items:,} and 2,000 tweets in {learned:.0f} s; {cases:,} cases run in {spent:.1f} s")
    rows = [line for row in told for line in functionalities(row)]
    head = ["suite", "functionality", "must", "passed", "95 %", "cases", "change", "won/lost", "p (Holm)", ""]
    finish("challenges", goals(*told), rows, head)


def goals(hatecheck: Any, biased: Any) -> list[Goal]:
    """That the suites show what is known of such a model."""
    alarms = next(one for one in biased["equality"] if one["name"] == "false_positive_rate")
    passed = {row["name"]: row["passed"] for row in hatecheck["functions"]}
    caught, negated = passed["slur_h"], passed["negate_pos_h"]
    return [
        Goal(
            "every functionality of HateCheck has a row",
            "29",
            str(len(hatecheck["functions"])),
            len(hatecheck["functions"]) == 29,
        ),
        Goal(
            "false alarms hang on identity terms (bias_templates, FPED)",
            "more than by chance, p ≤ 0.05",
            f"{alarms['value']:.2f} against {alarms['by_chance']:.2f} by chance, p {alarms['p']:.3f}",
            alarms["p"] <= 0.05,
        ),
        Goal(
            "words without a slur are missed (HateCheck: slur_h above negate_pos_h)",
            "intervals apart",
            f"{' '.join(figures(caught)[:2])} against {' '.join(figures(negated)[:2])}",
            caught["low"] > negated["high"],
        ),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="learn from 6,000 tweets")
    chosen = parser.parse_args()
    folder = shared()
    if folder is None:
        print("no data: set HITL_SHARED to the folder of shared data sets")
    else:
        main(folder / "data/text", 6_000 if chosen.quick else 22_000)
