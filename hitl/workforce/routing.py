"""Where a judged item goes next: ordered rules, of which the first that fits decides, and says why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from hitl.errors import ConfigError
from hitl.types import Bools, Floats, Ints, Queue
from hitl.workforce.cases import Case, Cases
from hitl.workforce.conditions import CONDITIONS, narrower

Destination = Literal["accept", "another", "senior", "legal"]
"""What becomes of an item: its answers stand as they are, one more reviewer is asked, or a queue that settles it."""

Priority = Literal["urgent", "high", "normal", "low"]
"""The class in which a queue serves an item; within a class the costliest comes first."""

QUEUES: Mapping[str, Queue] = MappingProxyType({"senior": "review", "legal": "legal"})
"""The queue behind each destination that has one."""

ACCEPTED = -1
"""The number of the rule where none fits."""

_PRIORITIES: tuple[str, ...] = get_args(Priority)
_UNITS = {"m": 60, "h": 3600, "d": 86_400}
_SPAN = re.compile(r"([1-9][0-9]{0,3})([mhd])")


def seconds_of(span: str) -> int:
    """The seconds of a time such as `30m`, `4h` or `2d`; raises `ConfigError` for another.

    >>> seconds_of("4h")
    14400
    """
    found = _SPAN.fullmatch(span)
    if found is None:
        raise ConfigError(f"{span[:20]!r} is no time; write minutes, hours or days, such as 30m, 4h or 2d")
    return int(found[1]) * _UNITS[found[2]]


def _span(text: str) -> str:
    try:
        seconds_of(text)
    except ConfigError as wrong:
        raise ValueError(str(wrong)) from None
    return text


class Route(BaseModel):
    """One rule: an item to which all of its conditions apply goes `to` there. Of a list, one of its values is enough.

    `another` asks one reviewer more at a time, `most` different people in all, and only while people do not skip the
    item; after that the next rule decides. Raises `pydantic.ValidationError` for what contradicts itself.

    >>> Route(to="senior", severity_from=8, disagreement=True, within="4h").told
    'severity from 8, people disagree'
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    to: Destination
    """Where the item goes."""
    name: Annotated[str, Field(max_length=60)] = ""
    """What the record and the report call the rule; its conditions when left out."""
    after: Literal["reviewers", "senior"] = "reviewers"
    """Whose answers the rule looks at: those of the campaign's own queue, or what a senior said of it."""

    severity_from: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """The worst that anybody named has at least this severity in the item's region."""
    labels: tuple[str, ...] = ()
    """Somebody named one of these labels."""
    outs: tuple[Literal["unsure", "escalate", "no_policy"], ...] = ()
    """Somebody gave one of these answers."""
    disagreement: bool | None = None
    """Whether people took different stances."""
    labelled: bool | None = None
    """Whether anybody gave a label."""
    resolved: bool | None = None
    """Whether the answers settle it."""
    confidence_below: Annotated[float, Field(gt=0, le=1)] | None = None
    """The resolver's confidence is lower than this."""
    regions: tuple[str, ...] = ()
    """It is from one of these regions."""
    languages: tuple[str, ...] = ()
    """It is in one of these languages."""
    reach_from: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """It has at least so many views."""
    flags_from: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Users flagged it at least so often, by the pool's column `flags`."""
    arms: tuple[str, ...] = ()
    """It was picked by one of these arms."""

    most: Annotated[int, Field(ge=2, le=20)] = 3
    """For `another`: how many different people are asked in all."""
    priority: Priority = "normal"
    """The class in which the queue serves it."""
    within: Annotated[str, AfterValidator(_span)] | None = None
    """By when it is to be answered, from when it was sent there: `30m`, `4h`, `2d`."""

    @model_validator(mode="after")
    def _makes_sense(self) -> Route:
        if self.after == "senior" and self.to in ("another", "senior"):
            raise ValueError(f"to {self.to}: after a senior an item goes to `legal`, or is accepted")
        if self.to == "accept" and (self.within or self.priority != "normal"):
            raise ValueError("to accept: nobody is asked, so there is no `within` and no `priority`")
        if self.to != "another" and "most" in self.model_fields_set:
            raise ValueError(f"to {self.to}: `most` says how many people `another` asks; leave it out")
        return self

    @property
    def conditions(self) -> dict[str, Any]:
        """What must apply, by the names of the fields; empty for a rule that takes everything."""
        return {name: value for name in CONDITIONS if (value := getattr(self, name)) is not None and value != ()}

    @property
    def called(self) -> str:
        """Its name, or its conditions in words."""
        return self.name or self.told

    @property
    def told(self) -> str:
        """Its conditions in words."""
        words = [CONDITIONS[name].told(value) for name, value in self.conditions.items()]
        return ", ".join(words) or "everything else"

    @property
    def on_sight(self) -> bool:
        """Whether the answers on the item alone decide it, and not what all answers of the campaign amount to."""
        return self.resolved is None and self.confidence_below is None

    def fits(self, cases: Cases) -> Bools:
        """(n,) to which cases it applies. O(n) for each condition."""
        fits: Bools = cases.reviewed == (self.after == "senior")
        for name, value in self.conditions.items():
            fits &= CONDITIONS[name].applies(value, cases)
        if self.to == "another":
            # With fewer answers than were asked for, people have skipped it and the task was let go.
            fits &= (cases.answers >= cases.asked) & (cases.answers < self.most)
        return fits

    def why(self, cases: Cases, row: int) -> str:
        """What made it fit one of the cases, in words."""
        words = [CONDITIONS[name].seen(value, cases, row) for name, value in self.conditions.items()]
        return ", ".join(words) or "no rule before it fits"


@dataclass(frozen=True)
class Decision:
    """What becomes of one case: the rule that fired (None where none did), where it sends it, and why."""

    to: Destination
    rule: Route | None
    why: str


def route(case: Case, routes: Sequence[Route], names: Sequence[str]) -> Decision:
    """What the first rule that fits says of a case; without one its answers stand. `names` are the policy's labels.

    >>> rules = [Route(to="legal", labels=("threat",), regions=("DE",)), Route(to="accept")]
    >>> decided = route(Case(labels=("threat",), region="DE"), rules, ["ok", "threat"])
    >>> decided.to, decided.why
    ('legal', 'threat named, region DE')
    """
    cases = Cases.of([case], names)
    fired = int(route_all(cases, routes)[0])
    if fired == ACCEPTED:
        return Decision("accept", None, "no rule fits")
    return Decision(routes[fired].to, routes[fired], routes[fired].why(cases, 0))


def route_all(cases: Cases, routes: Sequence[Route]) -> Ints:
    """(n,) the number of the first rule that fits each case, `ACCEPTED` where none does. O(n × conditions)."""
    fired = np.full(len(cases), ACCEPTED, dtype=np.int64)
    for number, rule in enumerate(routes):
        fired[(fired == ACCEPTED) & rule.fits(cases)] = number
    return fired


def default_routes(*, third_opinion: bool, review: bool) -> tuple[Route, ...]:
    """The rules of a campaign that has none of its own, by the plan's two switches.

    A third person where two disagree or nobody gives a label, a second where a single answer is not believed; then
    seniors about what is still open, or escalated.

    >>> [(rule.to, rule.told) for rule in default_routes(third_opinion=False, review=True)]
    [('senior', 'not settled'), ('senior', 'somebody answered escalate'), ('accept', 'everything else')]
    """
    more = (
        Route(name="people disagree", to="another", disagreement=True),
        Route(name="nobody gave a label", to="another", labelled=False),
        Route(name="one answer is not believed", to="another", resolved=False, most=2),
    )
    seniors = (
        Route(name="not settled", to="senior", resolved=False),
        Route(name="escalated", to="senior", outs=("escalate",)),
    )
    return (*(more if third_opinion else ()), *(seniors if review else ()), Route(name="all else", to="accept"))


def check_routes(routes: Sequence[Route], names: Sequence[str] = (), arms: Sequence[str] = ()) -> None:
    """Refuse rules that cannot be meant; with `names` and `arms`, also labels and arms that there are not.

    The last rule takes everything, so that what happens to all else is said. Raises `ConfigError` naming the rule.

    >>> check_routes([Route(to="accept"), Route(to="senior", severity_from=8)])
    Traceback (most recent call last):
    ...
    hitl.errors.ConfigError: routes: rule 2 (severity from 8) is never reached: rule 1 (everything else) takes all ...
    """
    for number, rule in enumerate(routes):
        where = f"routes: rule {number + 1} ({rule.called})"
        for known, wanted, what in ((names, rule.labels, "label"), (arms, rule.arms, "arm")):
            unknown = [name for name in wanted if known and name not in known]
            if unknown:
                raise ConfigError(f"{where}: no {what} is called {unknown[0]!r}; there are {', '.join(known)}")
        covers = next((at for at in range(number) if _covers(routes[at], rule)), None)
        if covers is not None:
            raise ConfigError(
                f"{where} is never reached: rule {covers + 1} ({routes[covers].called}) takes all that it would; put "
                "it before that one, or take it out"
            )
    if routes and (routes[-1].conditions or routes[-1].to == "another" or routes[-1].after != "reviewers"):
        raise ConfigError(
            "routes: the last rule must say what happens to all else; write `- to: accept` (or senior) at the end"
        )
    called = [rule.called for rule in routes]
    doubled = [name for name in called if called.count(name) > 1]
    if doubled:
        raise ConfigError(f"routes: two rules are called {doubled[0]!r}; give each a `name` of its own")


def _covers(one: Route, other: Route) -> bool:
    """Whether the first takes all that the second would."""
    if one.after != other.after or (one.to == "another" and (other.to != "another" or other.most > one.most)):
        return False
    mine, theirs = one.conditions, other.conditions
    return all(name in theirs and narrower(name, theirs[name], value) for name, value in mine.items())


def leading(routes: Sequence[Route]) -> tuple[Route, ...]:
    """The rules that need not wait for the rest of a round: those with a deadline that stand first.

    They end where a rule has none, or hangs on what all answers amount to, which is not known before.
    """
    ends = (at for at, rule in enumerate(routes) if rule.within is None or not rule.on_sight)
    return tuple(routes[: next(ends, len(routes))])


def served(routes: Sequence[Route], rules: Sequence[Route], stakes: Floats) -> Floats:
    """(n,) priorities in [0, 1): by the class of the rule that fired, within it by severity × reach (`stakes`).

    With one class among the routes the stakes are the priorities.

    >>> rules = [Route(to="legal", priority="urgent", severity_from=9), Route(to="senior")]
    >>> served(rules, [rules[0], rules[1], rules[1]], np.array([0.1, 0.9, 0.2])).round(2).tolist()
    [0.55, 0.45, 0.1]
    """
    used = {rule.priority for rule in routes if rule.to != "accept"}
    classes = [name for name in reversed(_PRIORITIES) if name in used]
    rank = np.array([classes.index(rule.priority) for rule in rules], dtype=np.float64)
    found: Floats = (rank + stakes) / max(len(classes), 1)
    return found
