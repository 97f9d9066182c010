"""The table for a regulator as JSON, and what each of its measures is."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypedDict

from hitl.history.figures import EstimateRow

ALL = "(all)"
"""What stands in a dimension whose values are taken together."""

UNKNOWN = "(unknown)"
"""What stands for a language that nobody told."""

Source = Literal["hitl", "decisions log", "to be mapped"]
"""Who says it: this campaign's record and pool, a log of another system, or nobody yet."""


class TransparencyRow(TypedDict):
    """One measure of one cell; a value that nobody knows is None, and `method` says why."""

    period: int  # the round in which the model was in force
    begin: str
    end: str | None  # None while it still is
    model: str  # its id; empty in the seed round, which has none
    policy_version: str
    language: str
    category: str  # a violating label of the policy
    decider: str  # automated, human, or both
    measure: str
    value: float | None
    low: float | None
    high: float | None
    level: float | None
    n: int | None  # items, answers or appeals that carry the value
    unit: str
    method: str
    source: Source
    basis: str  # what it was counted or drawn from
    article: str
    template: str  # part and indicator of the official template that it may be mapped to


class Aside(TypedDict):
    """Rows of a log that were set aside for one reason."""

    reason: str
    rows: int
    first: list[int]  # counted from 1 below the header


class LogRow(TypedDict):
    """What was read of a log of decisions."""

    file: str
    rows: int
    used: int
    appeals_recorded: bool
    set_aside: list[Aside]


class Law(TypedDict):
    """A provision, and what it asks for."""

    provision: str
    asks: str


class ToMap(TypedDict):
    """What an official report needs and nothing here knows."""

    what: str
    article: str
    how: str


class TransparencyTable(TypedDict):
    """The table with its header."""

    format: str
    campaign: str
    generated: str
    hitl_version: str
    begin: str
    end: str
    policy: str
    law: list[Law]
    ours: list[str]
    to_map: list[ToMap]
    log: LogRow | None
    measures: dict[str, str]  # what each measure is
    rows: list[TransparencyRow]


class AuditedCell(TypedDict):
    """Figures of one language or one category, over all of the other."""

    language: str
    category: str
    figures: list[EstimateRow]


class TransparencyFinding(TypedDict):
    """How right the model that picked a round decides by itself, by the round's audit."""

    model_id: str
    cells: list[AuditedCell]


class Measure(NamedTuple):
    """What a measure is, in which unit, and where the law and the official template ask for it."""

    says: str
    unit: str
    article: str = ""
    template: str = ""


_E, _D = "DSA Art. 15(1)(e), 42(2)(c)", "DSA Art. 15(1)(d)"
_PART_7 = "7: Number of complaints submitted to the internal-complaints mechanism"
_PART_8 = "8: Accuracy of the automated means"
_TAKEN = "8: Number of measures solely taken by automated means, or not, by the decider"

MEASURES: dict[str, Measure] = {
    "items": Measure("items of the pool that were in play and that no person had judged", "items"),
    "views": Measure("their views", "views"),
    "decisions@remove": Measure("items that the model would remove by itself at the policy's thresholds", "items", _E),
    "decisions@limit": Measure("items that it would limit by itself, and not remove", "items", _E),
    "decisions@act": Measure("items that it would remove or limit by itself", "items", _E),
    "decisions@review": Measure("items that it would send to a person, and not act on by itself", "items", _E),
    "views@remove": Measure("views of the items that it would remove", "views"),
    "views@limit": Measure("views of those that it would limit", "views"),
    "views@act": Measure("views of those that it would remove or limit", "views"),
    "views@review": Measure("views of those that it would send to a person", "views"),
    "audited": Measure("items drawn by chance that people judged", "items", _E),
    "accuracy": Measure("share of items on which acting or not was right", "share", _E, f"{_PART_8} - Accuracy"),
    "error_rate": Measure("the rest: share of items on which it was wrong", "share", _E),
    "precision": Measure("of the items acted on, the share that violates", "share", _E, f"{_PART_8} - Precision"),
    "wrong_actions": Measure("of the items acted on, the share that does not violate", "share", _E),
    "recall": Measure("of the items that violate, the share acted on", "share", _E, f"{_PART_8} - Recall"),
    "missed": Measure("of the items that violate, the share not acted on", "share", _E),
    "unseen": Measure("of the items that violate, the share neither acted on nor sent to a person", "share", _E),
    "false_positive_rate": Measure("of the items that do not violate, the share acted on", "share", _E),
    "human_decisions": Measure("items that people settled in the round", "items", "DSA Art. 15(1)(c)"),
    "human_answers": Measure("answers that they gave, gold and exam left out", "answers", "DSA Art. 15(1)(c)"),
    "human_seconds": Measure("median active time of an answer", "s", "DSA Art. 15(1)(c)"),
    "human_turnaround": Measure("median time from asking to an answer", "h", "DSA Art. 15(1)(c)"),
    "taken@remove": Measure("decisions in the log to remove", "decisions", "DSA Art. 15(1)(b), (c)", _TAKEN),
    "taken@limit": Measure("decisions in the log to limit", "decisions", "DSA Art. 15(1)(b), (c)", _TAKEN),
    "taken@review": Measure("decisions in the log to send to a person", "decisions"),
    "taken@keep": Measure("decisions in the log to leave up", "decisions"),
    "appeals": Measure("decisions appealed against", "appeals", _D, f"{_PART_7}, Total number"),
    "appeals_decided": Measure("appeals decided, or dropped without a decision", "appeals", _D),
    "appeals_upheld": Measure("decisions upheld", "appeals", _D, f"{_PART_7}, Decisions upheld"),
    "appeals_partially_reversed": Measure(
        "decisions partially reversed", "appeals", _D, f"{_PART_7}, Decisions partially reversed"
    ),
    "appeals_reversed": Measure("decisions reversed", "appeals", _D, f"{_PART_7}, Decisions reversed"),
    "appeals_omitted": Measure("appeals dropped without a decision", "appeals", _D, f"{_PART_7}, Decision omitted"),
    "reversal_rate": Measure("of the appeals decided on, the share reversed, in part too", "share", _D),
    "appeal_hours": Measure("median time from appeal to decision", "h", _D, f"{_PART_7}, Median time"),
}
"""Every measure of the table, in its order."""

FORMAT = "hitl transparency 1"

LAW: list[Law] = [
    Law(
        provision="Regulation (EU) 2022/2065 (Digital Services Act), Art. 15(1)(e)",
        asks="any use made of automated means for moderation: its purposes, indicators of accuracy, the possible rate "
        "of error, and safeguards",
    ),
    Law(
        provision="the same, Art. 15(1)(d)",
        asks="complaints, the decisions on them, the median time that these took, and how many decisions were reversed",
    ),
    Law(
        provision="the same, Art. 42(2)(c)",
        asks="of very large online platforms: the indicators of accuracy, by each official language of a Member State",
    ),
    Law(
        provision="Commission Implementing Regulation (EU) 2024/2835, Annex I, sections 1.5.1 and 1.6",
        asks="the templates in which these are reported: complaints; automated means and indicators of accuracy",
    ),
]
"""What the table is for."""

OURS = [
    "decisions@... and views@... are what a model would do at the policy's thresholds with items nobody had judged",
    "whether a platform acted so, its own log says: taken@..., appeals and reversals are counted from it, nothing else",
    "accuracy, precision, recall and their like are estimated from items drawn with known odds; 95 % intervals",
    "to act is to limit or remove without a person",
    "human_... are the people of this campaign, not all moderators of a platform",
]
"""What the figures are of."""

TO_MAP: list[ToMap] = [
    ToMap(
        what="categories",
        article="Implementing Regulation (EU) 2024/2835",
        how="map the labels of the policy to the categories of the template; an item may count in several labels here",
    ),
    ToMap(
        what="languages",
        article="DSA Art. 42(2)(c)",
        how="map the pool's language codes to the official languages of the Member States",
    ),
    ToMap(
        what="the reporting period",
        article="Implementing Regulation (EU) 2024/2835",
        how="take the periods of the models that were in force in it; figures of several are not to be averaged",
    ),
    ToMap(
        what="measures taken, and whether by automated means alone",
        article="DSA Art. 15(1)(b), (c)",
        how="give a log of decisions; basis (law or terms), kind of restriction and means of detection are yours",
    ),
    ToMap(
        what="complaints and reversals",
        article="DSA Art. 15(1)(d), 24(1)",
        how="give a log of decisions with appeals; out-of-court disputes and suspensions are yours",
    ),
    ToMap(
        what="orders, notices, human resources, recipients",
        article="DSA Art. 15(1)(a), (b), 42(2)(a), (b), 42(3)",
        how="nothing here knows them",
    ),
    ToMap(
        what="purposes and safeguards",
        article="DSA Art. 15(1)(e)",
        how="describe them in words; the policy, the model cards and the report are where to begin",
    ),
]
"""What an official report needs beside."""
