"""What a campaign's record suggests to do next."""

from __future__ import annotations

from collections.abc import Sequence

from hitl.history import RoundRow, RulingsRow
from hitl.history.workforce import WorkforceRow
from hitl.rounds.round import Status
from hitl.rounds.tabs import FAILED
from hitl.rounds.walk import UNREADABLE, Walk


def next_steps(walk: Walk, status: Status, rounds: Sequence[RoundRow]) -> list[str]:
    """What to do next, a sentence each, the nearest first. O(rounds)."""
    steps = []
    if status.state == "waiting":
        left = status.tasks - status.tasks_done
        where = walk.ledger.project or "the project"
        steps.append(f"{left:,} tasks wait for people in {where}; call `hitl run` again when they are answered.")
    elif status.state in ("empty", "running"):
        steps.append("Call `hitl run` to go on.")
    broken = unreadable(walk)
    if broken:
        steps.append(
            f"Items that the model could not read: {broken:,}. They are not picked, and no figure counts them; "
            f"{UNREADABLE} in the campaign's folder says why."
        )
    steps += _amiss(walk)
    return steps + (_after(rounds[-1], status.state == "done") if rounds else [])


def about_people(people: WorkforceRow, told: RulingsRow) -> list[str]:
    """What waits for a named person's decision."""
    steps = []
    proposed = sum(bool(row["proposal"]) for row in people["people"])
    if proposed:
        steps.append(
            f"People about whom the record proposes a decision: {proposed:,}. `hitl people list` says what and why; "
            "look first, and decide by `hitl people move`."
        )
    open_disputes = sum(row["ruling"] is None for row in told["disputes"])
    if open_disputes:
        steps.append(f"Disputes that nobody has ruled on: {open_disputes:,}. `hitl dispute list --open` tells them.")
    return steps


def _amiss(walk: Walk) -> list[str]:
    """What people could not be asked, or shown, as the plan has it."""
    steps = []
    broken = len(walk.broken())
    if broken:
        steps.append(
            f"Items that people could not be shown: {broken:,}. They are not asked, and no figure counts them; "
            f"{UNREADABLE} in the campaign's folder says why."
        )
    picked = [walk.ledger.step(row["round"], "select") for row in walk.ledger.rounds()]
    missing = next((int(output.get("gold_missing", 0)) for output in reversed(picked) if output), 0)
    if missing:
        steps.append(
            f"Gold items that the last round lacks: {missing:,}. All others were asked: add known labels to the column "
            f"`{walk.plan.gold_column}` of a new pool, or lower `plan.gold`."
        )
    untidy = walk.ledger.events(FAILED)
    if untidy:
        steps.append(
            f"The tabs of the project could not be set up ({untidy[0]['detail']['why']}); nothing else hangs on them."
        )
    return steps


def unreadable(walk: Walk) -> int:
    """Items that the model could not read when the last round was picked."""
    picked = [walk.ledger.step(row["round"], "select") for row in walk.ledger.rounds()]
    return next((int(output.get("unreadable", 0)) for output in reversed(picked) if output), 0)


def _after(last: RoundRow, done: bool) -> list[str]:
    """What the last round suggests."""
    steps = []
    if last["unresolved"] and last["state"] == "done":
        steps.append(
            f"Unresolved items in round {last['round']}: {last['unresolved']:,}. People disagree or were unsure; "
            "look whether the policy covers them."
        )
    unseen = [row["label"] for row in last["benchmark"] if row["name"] == "recall" and not row["n"]]
    if unseen:
        steps.append(
            f"The benchmark holds no item of {', '.join(unseen)}, so its macro-F1 says nothing of them: read the audit."
        )
    if last["outs"].get("no_policy"):
        steps.append(f"Answers that no policy fits: {last['outs']['no_policy']:,}. They show its gaps.")
    if done and last["comparison"]:
        helped = last["comparison"]["verdict"] == "helped"
        steps.append(
            "The last round still helped: raise `plan.rounds` to go on."
            if helped
            else "The benchmark sees no gain in the last round: look at the labels with the widest intervals."
        )
    return steps
