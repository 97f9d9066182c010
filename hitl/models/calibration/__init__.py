"""From scores to honest probabilities: a map fitted on held-out items, and how far it can be believed."""

from hitl.models.calibration.choosing import HeldOut, calibrate
from hitl.models.calibration.maps import TILT, Beta, Calibration, Curves, Steps, log_odds, probable
from hitl.models.calibration.methods import DEFAULT, METHODS, check_method

__all__ = [
    "DEFAULT",
    "METHODS",
    "TILT",
    "Beta",
    "Calibration",
    "Curves",
    "HeldOut",
    "Steps",
    "calibrate",
    "check_method",
    "log_odds",
    "probable",
]
