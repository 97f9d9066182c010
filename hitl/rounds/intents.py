"""What was decided and stands on record is done where people work, however often the process is killed in between."""

from __future__ import annotations

from hitl.rounds.showing import as_served
from hitl.rounds.walk import Walk


def send_intents(walk: Walk) -> None:
    """Do what is intended and not known to be done: push tasks that joined a round later, ask more people, let
    others in where somebody is set aside, put open tasks into a new order."""
    begun = walk.ledger.intents("push")
    if begun:
        tasks = [task for number in set(begun.values()) for task in walk.ledger.tasks(number) if task.key in begun]
        receipt = walk.connector.push(as_served(walk, tasks), walk.progress)
        with walk.ledger.transaction() as writer:
            writer.set_server_ids(receipt.server_ids)
            writer.done("push", begun)
    more = walk.ledger.intents("overlap")
    if more:
        walk.connector.ask_more(more)
        with walk.ledger.transaction() as writer:
            writer.done("overlap", more)
    again = walk.ledger.intents("reopen")
    if again:
        walk.connector.ask_more(again)
        with walk.ledger.transaction() as writer:
            writer.done("reopen", again)
    moved = walk.ledger.intents("refresh")
    if moved:
        waiting = moved.keys() & walk.ledger.unanswered()
        tasks = [task for task in walk.ledger.tasks() if task.key in waiting]
        walk.connector.refresh(as_served(walk, tasks), walk.progress)
        with walk.ledger.transaction() as writer:
            writer.done("refresh", moved)
