"""The people of a campaign from the exam to the ruling, on a real Label Studio, by the commands that a lead would type.

    python benchmarks/people.py [--keep FOLDER]

Eight simulated reviewers, one of whom sits the exam well and then guesses. They are entered on the roster, examined,
and moved by what their record proposes; the bad one is found, watched, suspended and set aside; a reviewer contests a
gold label that was wrong, and wins; decisions are drawn, looked at again, and talked over in a calibration session.
Whatever is read is read from the commands' JSON, and from the report, which is kept with `--keep`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from common import Goal, finish

from hitl.config import CampaignConfig
from hitl.connectors.label_studio import LabelStudio
from hitl.connectors.studio.pulling import pseudonym
from hitl.demo.server import LabelStudioServer
from hitl.demo.shift import Hand, hire
from hitl.demo.stream import demo_policy, generate
from hitl.rounds import Campaign
from hitl.rounds.learn import settle_now
from hitl.rounds.people import pushed_at
from hitl.types import silent
from hitl.workforce.simulated import Reviewer, respond

NAME, TOKEN = "people", "HITL_PEOPLE_TOKEN"
ITEMS, GOLD, WRONG = 2_000, 0.15, 14
"""Items, the share whose label is known, and how many of those labels are wrong on purpose."""

LEAD = ("--actor", "lea")
TEAM = tuple(
    Reviewer(name, accuracy=accuracy, seconds=seconds, skip_rate=0.01, unsure_rate=0.01)
    for name, accuracy, seconds in (
        ("ana", 0.98, 12), ("bo", 0.96, 9), ("cem", 0.97, 14), ("dee", 0.95, 8), ("eva", 0.97, 11), ("fay", 0.96, 10),
        ("gil", 0.98, 13),
    )
)  # fmt: skip
BAD = Reviewer("zoe", accuracy=0.97, seconds=9, habit="drifting", skip_rate=0.0, unsure_rate=0.0)
"""Guesses from the first active round on."""

PLAN: dict[str, Any] = {
    "rounds": 3, "budget": 90, "seed_budget": 90, "benchmark": 90, "overlap": 0.5, "answered": 1.0, "review": True,
    "gold": 0.3, "gold_people": 6, "gold_column": "key", "exam": 20, "show_predictions": True, "hide_predictions": 0.4,
    "cost_per_hour": 18.0, "sla_hours": 24.0, "seed": 3,
}  # fmt: skip
MOST_WAITS = 60


@dataclass
class Story:
    """One campaign, its server and its people, and what came of each step."""

    folder: Path
    server: LabelStudioServer
    hands: list[Hand]
    truth: dict[str, str]
    goals: list[Goal] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "hitl.yaml"

    def who(self, name: str) -> str:
        """The pseudonym of somebody."""
        hand = next(hand for hand in self.hands if hand.reviewer.name == name)
        return pseudonym(NAME, hand.account.email)

    def hitl(self, *words: str, may_wait: bool = False) -> Any:
        """What a command prints as JSON; ends the benchmark where it fails."""
        command = [str(Path(sys.executable).with_name("hitl")), *words, "--json"]
        environment = {**os.environ, TOKEN: self.server.token}
        ran = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, env=environment, check=False)
        if ran.returncode not in ((0, 75) if may_wait else (0,)):
            raise SystemExit(f"hitl {' '.join(words)} ended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}")
        return json.loads(ran.stdout)

    def campaign(self) -> Campaign:
        os.environ[TOKEN] = self.server.token
        return CampaignConfig.load(self.config).open()

    def saw(self, name: str, goal: str, measured: str, met: bool) -> None:
        """Keep what came of a step."""
        print(f"{'met   ' if met else 'MISSED'}  {name}: {measured}", flush=True)
        self.goals.append(Goal(name, goal, measured, met))


def stage(folder: Path, url: str) -> dict[str, str]:
    """Write content, policy and config; the truth by item. Of the gold labels `WRONG` are not it."""
    table, rng = generate(ITEMS, seed=11), np.random.default_rng(11)
    truth = table["truth"].to_pylist()
    key = [label if gold else "" for label, gold in zip(truth, rng.random(ITEMS) < GOLD, strict=True)]
    for at in rng.choice(
        [at for at, label in enumerate(key) if label not in ("", "ok")], WRONG, replace=False
    ).tolist():
        key[at] = "ok"
    pq.write_table(table.append_column("key", pa.array(key)), folder / "stream.parquet")
    (folder / "policy.yaml").write_text(demo_policy().to_yaml())
    columns = {name: name for name in ("id", "text", "reach", "region", "language", "received")}
    config = {
        "campaign": NAME,
        "policy": "policy.yaml",
        "pool": {"path": "stream.parquet", **columns, "facets": ["key"]},
        "model": {"kind": "text_linear"},
        "plan": PLAN,
        "connect": {"kind": "label_studio", "url": url, "token_env": TOKEN},
        "folder": ".",
    }
    (folder / "hitl.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return dict(zip(table["id"].to_pylist(), truth, strict=True))


def work(story: Story, queues: Sequence[str], among: Sequence[str] | None = None) -> int:
    """Let people answer what the server has open for them, a few tasks each in turn; how many answers were given."""
    campaign = story.campaign()
    connector = LabelStudio(story.server.url, story.server.token)
    connector.open(NAME, campaign.walk.form, campaign.walk.policy)
    places = connector.project_ids
    tasks = {task.key: task for task in campaign.ledger.tasks()}
    given, policy, seed = 0, campaign.walk.policy, campaign.walk.plan.seed
    hands = [hand for hand in story.hands if among is None or hand.reviewer.name in among]
    for queue in (queue for queue in queues if queue in places):
        before = -1
        while given != before:
            before = given
            for hand in hands:
                for found in _open(hand, places[queue], whole=queue == "exam"):
                    task = tasks[found.key]
                    said = respond(hand.reviewer, task.key, (story.truth[task.item_id],), policy, seed, when=task.round)
                    given += hand.account.respond(found, campaign.walk.form, said)
    connector.close()
    return given


def _open(hand: Hand, project: int, *, whole: bool) -> Iterator[Any]:
    """Up to six tasks that somebody was not at and that want people; all of an exam."""
    there = hand.account.tasks(project)
    mine = [one for one in there if hand.account.user_id not in one.people]
    wanting = [one for one in mine if whole or len(one.people) - one.skips < one.overlap]
    yield from wanting if whole else wanting[:6]


def run_until(story: Story, number: int) -> Any:
    """Run and let people work until a round has begun, or the campaign is done."""
    for _ in range(MOST_WAITS):
        status = story.hitl("run", may_wait=True)
        if status["state"] == "done" or status["round"] >= number:
            return status
        if not work(story, ("", "review")):
            work(story, ("exam",))
    raise SystemExit("the campaign does not go on; look into the project")


def standings(story: Story) -> dict[str, Any]:
    return {row["worker"]: row for row in story.hitl("people", "list")}


def onboarding(story: Story) -> None:
    """Roster, exam, gate."""
    roster = story.folder / "roster.csv"
    with roster.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["worker", "status", "languages", "skills", "vendor", "team"])
        for at, hand in enumerate(story.hands):
            vendor = ("acme", "bolt")[at % 2]
            rows.writerow([story.who(hand.reviewer.name), "onboarding", "en|id", "", vendor, ("day", "night")[at // 4]])
    brought = story.hitl("people", "import", "roster.csv", *LEAD)
    story.hitl("run", may_wait=True)
    work(story, ("exam",))
    story.hitl("pull", may_wait=True)
    there = standings(story)
    examined = [row for row in there.values() if row["accuracy"]["n"] >= PLAN["exam"] - 1]
    story.saw(
        "exam", "all eight sat it, and it is on their record",
        f"{brought['listed']} on the roster, {len(examined)} examined", len(examined) == len(story.hands) == 8,
    )  # fmt: skip
    passed = [worker for worker, row in there.items() if row["proposal"] == "active"]
    for worker in passed:
        story.hitl("people", "move", worker, "active", "--reason", "passed the exam", *LEAD)
    refused = [worker for worker, row in there.items() if row["proposal"] == "offboarded"]
    story.saw(
        "gate", "opens for those who showed it; nobody is refused who is good",
        f"{len(passed)} active, {len(refused)} refused, {len(there) - len(passed) - len(refused)} not shown yet",
        len(passed) >= 4 and not refused,
    )  # fmt: skip


def suspicion(story: Story) -> None:
    """The seed round in peace; then the bad one begins to guess, and is found."""
    run_until(story, 1)
    for worker, row in standings(story).items():
        if row["status"] == "onboarding":
            story.hitl("people", "move", worker, "active", "--reason", "good work in the first round", *LEAD)
    run_until(story, 2)
    there, bad = standings(story), story.who(BAD.name)
    flagged = sorted(worker for worker, row in there.items() if row["proposal"] == "watch")
    gold = there[bad]["gold"]
    story.saw(
        "gold", "the monitor speaks against the bad one, and nobody else",
        f"flagged {len(flagged)}: gold answer {gold['flagged']} of {gold['n']}, since answer {gold['since']}",
        flagged == [bad],
    )  # fmt: skip
    signals = story.campaign().ledger.outputs("examine")[1].get("signals", {"proposals": []})["proposals"]
    named = sorted({one["worker"] for one in signals})
    how = "; ".join(sorted({f"{one['title']} (p = {one['adjusted']:.2g})" for one in signals if one["worker"] == bad}))
    story.saw("suspicion", "the signals name the bad one, and nobody else", f"{named == [bad]}: {how}", named == [bad])


def suspension(story: Story) -> None:
    """Watched, suspended, and still at work on the server: it does not count. Then what was guessed is set aside."""
    bad = story.who(BAD.name)
    story.hitl("people", "move", bad, "watch", "--reason", "the monitor", *LEAD)
    story.hitl("people", "move", bad, "suspended", "--reason", "guesses since the first active round", *LEAD)
    time.sleep(1.1)
    work(story, ("",), among=[BAD.name])
    story.hitl("pull", may_wait=True)
    campaign = story.campaign()
    moved = campaign.ledger.events("worker moved")[-1]["at"]
    since = [one for one in campaign.ledger.annotations(workers=[bad]) if one.submitted > moved]
    settled = {at for one in settle_now(campaign.walk) for at in one.annotations}
    story.saw(
        "suspension", "what is answered afterwards does not count",
        f"{len(since)} answers since, {len(settled & {one.id for one in since})} of them count",
        bool(since) and not settled & {one.id for one in since},
    )  # fmt: skip
    before = {one.item_id: one.labels for one in settle_now(campaign.walk)}
    begun = pushed_at(campaign.walk)[1]
    told = story.hitl("quarantine", bad, "--since", begun, "--reason", "guesses", *LEAD)
    aside = told["set_aside"]
    lifted = story.hitl("quarantine", "lift", bad, "--reason", "to see what it changes", *LEAD)
    same = {one.item_id: one.labels for one in settle_now(story.campaign().walk)} == before
    story.hitl("quarantine", bad, "--since", begun, "--reason", "guesses", *LEAD)
    story.saw(
        "quarantine", "answers set aside, items open to others; undoing it gives the former state back",
        f"{aside['answers']} answers on {aside['items']} items, {aside['changed']} labels change, {aside['waiting']} "
        f"wait for others; undone: {'as before' if same else 'NOT as before'}",
        aside["answers"] > 0 and aside["waiting"] > 0 and same and len(lifted["quarantines"]) == 1,
    )  # fmt: skip


def retrained(story: Story) -> None:
    """Others are asked, and the next model learns without; by how much labels are better for it."""
    bad = story.who(BAD.name)
    run_until(story, 3)
    campaign = story.campaign()
    found = campaign.ledger.outputs("examine")[2].get("quarantine")
    settled = [one for one in settle_now(campaign.walk) if one.labels is not None]
    by_bad = {one.id for one in campaign.ledger.annotations(workers=[bad]) if one.submitted >= "2026"}
    right = np.mean([one.labels == (story.truth[one.item_id],) for one in settled])
    compared = found["comparison"] if found else None
    said = f"{compared['old']['value']:.3f} → {compared['new']['value']:.3f}" if compared else "no comparison"
    changed = found["set_aside"]["changed"] if found else 0
    story.saw(
        "retrained", "the round's model learned without, beside the same with",
        f"macro-F1 {said}; {len(by_bad)} answers by the bad one on record, without which {changed} labels are others; "
        f"right {right:.1%}", found is not None,
    )  # fmt: skip


def dispute(story: Story) -> None:
    """A gold label that is wrong: somebody who answered rightly contests it, and wins."""
    campaign, known = story.campaign(), story.campaign().walk.gold.known
    tasks = {task.key: task.item_id for task in campaign.ledger.tasks(items=known)}
    wronged = defaultdict(list)
    for one in campaign.ledger.annotations():
        item = tasks.get(one.task_key)
        if item and known[item] != (story.truth[item],) and one.answer and one.answer.labels == (story.truth[item],):
            wronged[item].append(one.worker)
    item, workers = max(wronged.items(), key=lambda pair: len(pair[1]))
    before = standings(story)
    made = story.hitl(
        "dispute", "open", item, "--about", "gold", "--by", workers[0], "--claim", "somebody is attacked here"
    )
    ruled = story.hitl("dispute", "rule", str(made["number"]), "overturned", "--reason", "the key was wrong", *LEAD)
    after = standings(story)
    risen = [w for w in set(workers) if after[w]["accuracy"]["value"] > before[w]["accuracy"]["value"]]
    overturned = story.hitl("dispute", "list")["overturned"]["all"]
    story.saw(
        "dispute", "won; the gold label is another, and the record of all who were right",
        f"{ruled['ruling']['outcome']}; {len(risen)} of {len(set(workers))} records rose; overturned "
        f"{overturned['value']:.0%} of {overturned['n']}",
        len(risen) == len(set(workers)) and story.campaign().walk.gold.known[item] == (story.truth[item],),
    )  # fmt: skip


def calibration(story: Story) -> None:
    """Decisions of people, resolver and model on one scale; then a session on those that were wrong."""
    why = ("--reason", "monthly look", *LEAD)
    sample = story.hitl("qa", "sample", "--size", "80", "--to", "sheet.csv", *why)
    _fill(story.folder / "sheet.csv", lambda row: {"labels": story.truth[row["item"]], "reviewer": "senior-1"})
    verdicts = story.hitl("qa", "verdicts", "sheet.csv", *why)["verdicts"]
    cards = story.hitl("qa", "scorecards")
    story.saw(
        "QA", "a sample of people, resolver and model with known odds, looked at blind",
        f"{sample['drawn']} of {sample['decisions']} decisions in {len(sample['strata'])} strata, {verdicts} verdicts",
        verdicts > 0 and bool(cards),
    )  # fmt: skip
    number = story.hitl("qa", "session", "open", "--title", "hate or insult", "--size", "24", *why)["session"]
    for phase, accuracy in (("before", 0.6), ("after", 0.95)):
        story.hitl("qa", "session", "sheet", number, "session.csv")
        with (story.folder / "session.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        rng = np.random.default_rng(5)
        filled = [
            {**row, "worker": story.who(one.name), "labels": _said(story.truth[row["item"]], accuracy, rng)}
            for one in TEAM
            for row in rows
        ]
        _write(story.folder / "session.csv", filled)
        story.hitl("qa", "session", "answers", number, "session.csv", "--phase", phase, *why)
    row = story.hitl("qa", "session", "close", number, *why)
    low, high = row["alpha"]["low"], row["alpha"]["high"]
    story.saw(
        "calibration session", "agreement before and after, with an interval; it rose",
        f"alpha {row['before']['alpha']['value']:.2f} → {row['after']['alpha']['value']:.2f}, change "
        f"{row['alpha']['value']:+.2f} [{low:+.2f}, {high:+.2f}]; right {row['before']['right']['value']:.0%} → "
        f"{row['after']['right']['value']:.0%}",
        low > 0,
    )  # fmt: skip


def _said(truth: str, accuracy: float, rng: np.random.Generator) -> str:
    others = [name for name in demo_policy().names if name != truth]
    return truth if rng.random() < accuracy else str(rng.choice(others))


def _fill(path: Path, given: Any) -> None:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    _write(path, [{**row, **given(row)} for row in rows])


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def reported(story: Story) -> None:
    """The report tells all of it, and names nobody."""
    run_until(story, PLAN["rounds"] + 1)
    story.hitl("report")
    page = (story.folder / "report.html").read_text()
    wanted = ("Where people stand", "suspended", "set aside", "overturned", "Calibration sessions", "What waits")
    missing = [words for words in wanted if words not in page]
    addresses = [hand.account.email for hand in story.hands if hand.account.email in page]
    story.saw(
        "report", "tells of all of it, by pseudonyms",
        f"missing: {', '.join(missing) or 'nothing'}; addresses: {len(addresses)}", not missing and not addresses,
    )  # fmt: skip


STEPS = (onboarding, suspicion, suspension, retrained, dispute, calibration, reported)


def main() -> None:
    """Play the story, print and keep what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="the same: it is short")
    parser.add_argument("--keep", type=Path, help="a folder for the campaign and its report")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        took = []
        with LabelStudioServer(Path(scratch) / "server") as server:
            truth = stage(folder, server.url)
            story = Story(folder, server, hire(server, Path(scratch), silent, (*TEAM, BAD)), truth)
            for step in STEPS:
                begun = time.perf_counter()
                step(story)
                took.append([step.__name__, step.__doc__ or "", f"{time.perf_counter() - begun:,.0f} s"])
    finish("people", story.goals, took, ["step", "what", "time"])


if __name__ == "__main__":
    main()
