"""The form: one question to people about items of one kind, pinned to a version of a policy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from hitl.errors import ConfigError, PolicyError
from hitl.policy import NONE, OUTS, Policy
from hitl.types import Queue

Modality = Literal["text", "conversation", "pair", "image", "video", "audio"]
"""What is shown: `conversation` and `pair` are texts that hold JSON, a list of turns or two answers side by side."""

FormName = Literal["classify", "timeline", "pairwise", "rubric"]
"""What is asked: labels; labels and where in a video they hold; the better of two; labels and marks on a scale."""

CONTENT, LABEL, NOTE, REMARK, SHOWN, WHERE = "content", "label", "note", "remark", "shown", "where"
"""Names of the page's parts: the item, the choices, the required note, the voluntary one, whether blurred media are
looked at, and the stretches of a video."""

LEFT, RIGHT = "left", "right"
"""The labels of a pairwise policy that stand for the two sides."""

FRAME_RATE = 10
"""Frames a second by which a page with a timeline counts, whatever the file's own rate. It also draws no more of them,
and a stretch on its timeline is 16 pixels a frame: at 25, one drag of the mouse would be less than two seconds long."""

# The page would fill it with the item's data.
_FILLED_IN = re.compile(r"\$[\w\[{.]")


def usual(modality: str) -> FormName:
    """The form that a kind of content is asked about where nothing else was chosen."""
    return "pairwise" if modality == "pair" else "classify"


@dataclass(frozen=True, kw_only=True)
class Form:
    """One question to people, pinned to a version of a policy; each label is one of the answers.

    `blur` hides pictures and videos until the reviewer wants to see them. A form of a queue that settles items also
    shows what people said before. Raises `PolicyError` when the policy does not fit the form or a label's name cannot
    stand on the page, `ConfigError` when the form does not fit the content.
    """

    policy: Policy
    modality: Modality = "text"
    name: FormName = "classify"
    queue: Queue = ""
    blur: bool = True

    def __post_init__(self) -> None:
        _check(self.modality, get_args(Modality), "kinds of content")
        _check(self.name, get_args(FormName), "forms")
        if self.name == "timeline" and self.modality != "video":
            raise ConfigError(f"form timeline marks stretches of a video, and the content is {self.modality}")
        if self.name == "pairwise" and self.modality != "pair":
            raise ConfigError(f"form pairwise compares two sides: the content must be a pair, not {self.modality}")
        if self.name == "pairwise" and (self.policy.multi_label or not {LEFT, RIGHT} <= set(self.policy.names)):
            raise PolicyError(
                f"policy {self.policy.name}: form pairwise needs a single-label policy with the labels {LEFT!r} and "
                f"{RIGHT!r} (others, as a tie, may stand beside them)"
            )
        if self.name == "rubric" and not self.policy.rubric:
            raise PolicyError(f"policy {self.policy.name}: form rubric needs criteria; add a `rubric` to the policy")
        for label in self.policy.names:
            if _FILLED_IN.search(label):
                raise PolicyError(f"label {label!r} cannot be shown on a labeling page: rename it, no $ before a word")

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The policy's labels in the page's order, which puts the sides of a pair where they stand."""
        if self.name != "pairwise":
            return self.policy.names
        return (LEFT, *(name for name in self.policy.names if name not in (LEFT, RIGHT)), RIGHT)

    @cached_property
    def choices(self) -> tuple[str, ...]:
        """All that can be ticked, in the page's order."""
        nothing = (NONE,) if self.policy.multi_label else ()
        return (*self.labels, *nothing, *OUTS)

    @cached_property
    def noted(self) -> tuple[str, ...]:
        """Labels that need a note, in the common text or in any region."""
        regions = [self.policy, *(self.policy.resolve(region) for region in self.policy.regions)]
        return tuple(name for name in self.policy.names if any(p.label(name).note_required for p in regions))

    @cached_property
    def marked(self) -> tuple[str, ...]:
        """Labels whose stretches of the video are marked: those that violate the policy, in a form `timeline`."""
        labels = self.policy.labels if self.name == "timeline" else ()
        return tuple(label.name for label in labels if label.violating)

    @cached_property
    def ratings(self) -> Mapping[str, tuple[str, int]]:
        """The page's ratings, in a form `rubric`: name of the part → criterion and how many stars it has."""
        criteria = self.policy.rubric if self.name == "rubric" else ()
        return {f"rating_{criterion.name}": (criterion.name, criterion.scale) for criterion in criteria}

    @cached_property
    def parts(self) -> Mapping[str, str]:
        """All parts of the page that can be filled in: their names → their kinds, as results of a page name them."""
        found = {LABEL: "choices", REMARK: "textarea"}
        found |= {NOTE: "textarea"} if self.noted else {}
        found |= {SHOWN: "choices"} if self.blurred else {}
        found |= {WHERE: "timelinelabels"} if self.marked else {}
        return found | dict.fromkeys(self.ratings, "rating")

    @property
    def blurred(self) -> bool:
        """Whether the content is hidden until the reviewer wants to see it."""
        return self.blur and self.modality in ("image", "video")


def _check(given: str, known: tuple[str, ...], what: str) -> None:
    if given not in known:
        raise ConfigError(f"{given!r} is none of the {what} that a page can be made for: {', '.join(known)}")
