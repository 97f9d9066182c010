"""How far people agree, as JSON."""

from __future__ import annotations

from typing import Literal, TypedDict

from hitl.history.figures import EstimateRow


class AgreementPart(TypedDict):
    """What people say of some of the items, as these were first asked: answers that were asked for later are left out.

    `figures` are `observed_agreement` and `krippendorff_alpha`, and in a single-label policy `gwet_ac1` and
    `fleiss_kappa`.
    """

    items: int  # that two people or more judged
    answers: int  # on these
    people: int
    arms: dict[str, int]  # items by arm
    rounds: list[int]  # in which they were asked
    figures: list[EstimateRow]


class AgreementLabel(TypedDict):
    """One label against all others: `specific_agreement`, `krippendorff_alpha` and `gwet_ac1`."""

    label: str
    items: int  # that somebody gave it to, of those that two people or more judged
    figures: list[EstimateRow]


class AgreementGroup(TypedDict):
    """The items of one language, or the people of one vendor or team among themselves and against everybody else."""

    by: Literal["language", "vendor", "team"]
    name: str
    items: int
    figures: list[EstimateRow]  # as of a part
    others: EstimateRow | None  # Cohen's kappa with all others on shared items; None of a language


class AgreementPair(TypedDict):
    """Two people, by pseudonym, on the items that both judged."""

    first: str
    second: str
    items: int
    observed: EstimateRow
    kappa: EstimateRow  # Cohen's


class AgreementRow(TypedDict):
    """How far people agree beyond chance, by a round's answers and by all until then.

    `labels`, `scales` and `languages` rest on `chance` where that holds enough items, else on all items that two people
    or more judged (`basis`); `homes` and `pairs` always on all.
    """

    chance: AgreementPart | None  # probability samples of all rounds until now, each item weighed by what it stands for
    here: AgreementPart | None  # what this round asked
    further: int  # answers left out, that were asked for because of those before
    least: int  # items below which a figure is not told
    basis: Literal["chance", "all"]
    basis_items: int
    labels: list[AgreementLabel]
    scales: list[EstimateRow]  # ordinal alpha: `label` is `severity`, or a criterion of the rubric
    languages: list[AgreementGroup]
    homes: list[AgreementGroup]  # by vendor and team; empty where the roster names none
    all_items: int  # that two people or more judged, in all rounds until now
    pairs: list[AgreementPair]
    pairs_of: int  # how many pairs judged anything both
    pairs_few: int  # of these, with too few items in common
    pairs_least: int
