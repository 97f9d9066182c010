"""A shift of the demo's reviewers: each works as a user of their own, through Label Studio's API, side by side."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from hitl.config import truth_from
from hitl.connectors.studio.pulling import pseudonym
from hitl.demo.people import Account, Waiting, sign_up
from hitl.demo.server import LabelStudioServer
from hitl.demo.stage import Stage
from hitl.errors import CampaignError
from hitl.labels.voices import voices
from hitl.rounds import Campaign
from hitl.types import Progress
from hitl.workforce.simulated import TEAM, Reviewer, assign, respond


@dataclass(frozen=True)
class Hand:
    """A simulated reviewer with an account."""

    reviewer: Reviewer
    account: Account


def hire(server: LabelStudioServer, folder: Path, progress: Progress, team: Sequence[Reviewer] = TEAM) -> list[Hand]:
    """An account for each reviewer, made once; their passwords are kept in `folder`, readable by its owner only."""
    kept = folder / "reviewers.json"
    if not kept.exists():
        half = kept.with_suffix(".part")
        with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({reviewer.name: secrets.token_urlsafe(12) for reviewer in team}, file)
        os.replace(half, kept)
    passwords = json.loads(kept.read_text())
    hands = []
    for done, reviewer in enumerate(team):
        progress("reviewers sign up", done, len(team))
        email = f"{reviewer.name}@reviewers.invalid"
        hands.append(Hand(reviewer, sign_up(server.url, server.token, email, passwords[reviewer.name])))
    return hands


def work_shift(campaign: Campaign, hands: Sequence[Hand], stage: Stage, progress: Progress) -> int:
    """Let everybody answer what waits for them; how many answers were given.

    Who is asked depends on the task and the names alone, so that a demo that was stopped goes on as if it had not been.
    """
    walk = campaign.walk
    tasks = {task.key: task for task in campaign.ledger.tasks(campaign.status.round)}
    known = truth_from(walk.pool, stage.truth, stage.names)
    project = int(campaign.ledger.project.rstrip("/").rsplit("/", 1)[-1])
    desks = _desks(campaign, hands, hands[0].account.tasks(project))

    def shift(hand: Hand) -> int:
        given = 0
        for found in desks[hand.reviewer.name]:
            task, language = tasks[found.key], str(found.data.get("language", ""))
            response = respond(hand.reviewer, task.key, known(task), walk.policy, walk.plan.seed, language, task.round)
            given += hand.account.respond(found, walk.form, response)
            progress("reviewers answer", next(done), sum(map(len, desks.values())))
        return given

    done = count(1)
    with ThreadPoolExecutor(len(hands)) as at_work:
        return sum(at_work.map(shift, hands))


def work_until_done(campaign: Campaign, hands: Sequence[Hand], stage: Stage, progress: Progress) -> None:
    """Run the campaign to its end, with a shift whenever it waits.

    Raises `CampaignError` when tasks wait and, after a second look, nobody can do anything about it.
    """
    idle = 0
    while campaign.run().state == "waiting":
        idle = 0 if work_shift(campaign, hands, stage, progress) else idle + 1
        if idle > 1:
            raise CampaignError(f"{campaign.status.sentence}, and no reviewer can answer; look into the project")


def _desks(campaign: Campaign, hands: Sequence[Hand], there: Sequence[Waiting]) -> dict[str, list[Waiting]]:
    """What each reviewer is to answer now: of those asked for a task, the ones that have not been there.

    Who has been there is read from the record and not from the server's counters: with those, demos were seen to stall.
    """
    ledger, number = campaign.ledger, campaign.status.round
    tasks, annotations = ledger.tasks(number), ledger.annotations(number)
    open_keys, spoken = set(ledger.unanswered(number)), voices(annotations)
    asked = {task.key: task.overlap for task in tasks if task.key in open_keys}
    names = {hand.reviewer.name: pseudonym(campaign.walk.campaign, hand.account.email) for hand in hands}
    desks: dict[str, list[Waiting]] = {hand.reviewer.name: [] for hand in hands}
    for found in (found for found in there if found.key in asked):
        heard = spoken.get(found.key, ())
        people = asked[found.key] + sum(one.skipped for one in heard)
        been = {one.worker for one in heard}
        language = str(found.data.get("language", ""))
        for reviewer in assign(found.key, language, [hand.reviewer for hand in hands], people):
            if names[reviewer.name] not in been:
                desks[reviewer.name].append(found)
    return desks
