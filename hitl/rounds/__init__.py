"""The conductor: a campaign walks its rounds, each step once, on the record."""

from hitl.rounds.campaign import STEPS, Campaign
from hitl.rounds.round import Metrics, Round, Status

__all__ = ["STEPS", "Campaign", "Metrics", "Round", "Status"]
