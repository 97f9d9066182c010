"""The files that `hitl init` writes."""
