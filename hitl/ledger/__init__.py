"""The record of the campaign: rounds, steps, tasks, annotations with their revisions, resolutions, models, figures."""

from hitl.ledger.ledger import Ledger
from hitl.ledger.writer import Writer

__all__ = ["Ledger", "Writer"]
