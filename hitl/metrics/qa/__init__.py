"""Quality of decisions, whoever took them: figures of a probability sample that was looked at again, blind."""
