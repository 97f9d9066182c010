"""Encoders and their heads: the parts of the models that torch runs. Nothing here is imported without need."""
