"""What the policy and the labels do not cover, as JSON."""

from __future__ import annotations

from typing import TypedDict

from hitl.history.figures import EstimateRow


class ExampleRow(TypedDict):
    """One item that stands for others like it."""

    item_id: str
    text: str  # content from the pool: hostile until escaped
    language: str
    reach: float
    notes: list[str]  # what people wrote about it: hostile until escaped


class CellRow(TypedDict):
    """One label in one part of the pool where labels or recall are thin."""

    label: str
    where: dict[str, str]  # column → value
    items: int  # of the pool that have come into play
    views: float  # share of the views of these
    severity: float
    labels: int  # items settled with this label so far
    recall: EstimateRow
    missing: list[str]  # of: labels, recall not known, low recall
    worth: float  # share of views × severity × what is lacking


class ThemeRow(TypedDict):
    """Items alike that people gave no label to."""

    terms: list[str]  # words that tell them from other items
    items: int
    outs: dict[str, int]  # answer → items on which somebody gave it
    examples: list[ExampleRow]


class GapsRow(TypedDict):
    """Cells of the pool and the answers that show what is not covered."""

    columns: list[str]  # by which the pool was cut, beside the policy's labels
    cells: list[CellRow]  # the weightiest first
    thin: int  # cells with a gap, of
    of: int  # cells
    enough: int
    bar: float
    measured: str  # of what the recall is, in words
    uncovered: int  # items that no label fitted
    themes: list[ThemeRow]
