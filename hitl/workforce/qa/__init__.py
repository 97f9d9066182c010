"""What is done about errors: corrective actions and calibration sessions, as folds over events."""
