"""Figures with intervals: of models (`quality`, `compare`), of the pool (`audit`), and of people's work.

Everything here is design-based: it reads probability samples with their weights, never actively picked items.
"""
