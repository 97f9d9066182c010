"""Which items are asked next: scoring, the audit draw, and selection; pure numpy."""
