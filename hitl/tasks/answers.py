"""What was filled in on a page, read back strictly: an answer, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hitl.errors import AnswerError
from hitl.policy import NONE, OUTS, Policy
from hitl.tasks.form import CONTENT, FRAME_RATE, LABEL, NOTE, REMARK, WHERE, Form
from hitl.types import Answer, Span

LONGEST_NOTE = 20_000
"""Characters of a note; more is no note."""

MOST_RESULTS = 1_000
"""Parts of one answer, each marked stretch being one."""

LONGEST_VIDEO = 24 * 3600
"""Seconds; a stretch beyond lies in no video."""

_KEYS = {"choices": "choices", "textarea": "text", "timelinelabels": "ranges", "rating": "rating"}


@dataclass
class _Filled:
    """What one page's parts hold, each checked by itself."""

    ticked: list[str] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    stars: dict[str, int] = field(default_factory=dict)


def parse(form: Form, results: object) -> tuple[Answer | None, str]:
    """Read what was filled in: the answer and "", or None and what is wrong with it. Never raises.

    `results` is an annotation's `result` list as Label Studio holds it; its server checks nothing of it. A stretch of
    a label that is not ticked is wrong: whether the tick was forgotten, or taken back, nobody knows. O(results).

    >>> from hitl.policy import Policy
    >>> policy = Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: bad}]}")
    >>> parse(Form(policy=policy), [{"from_name": "label", "to_name": "content", "type": "choices",
    ...                              "value": {"choices": ["bad", "ok"]}}])
    (None, 'several labels where the policy allows one')
    """
    try:
        return _answer(form, _read(form, results)), ""
    except AnswerError as wrong:
        return None, str(wrong)


def encode(form: Form, answer: Answer) -> list[dict[str, Any]]:
    """The result list that the page would send for this answer; `parse` reads back what the form asks for."""
    ticked: list[str] = [answer.out] if answer.out else [*answer.labels] or [NONE]
    results = [_result(LABEL, "choices", {"choices": ticked})]
    for number, span in enumerate(answer.spans, start=1):
        value = {"ranges": [_frames(span)], "timelinelabels": [span.label]}
        results.append({"id": f"span-{number}", **_result(WHERE, "timelinelabels", value)})
    parts = {criterion: part for part, (criterion, _) in form.ratings.items()}
    marks = ((parts[criterion], stars) for criterion, stars in answer.ratings if criterion in parts)
    results += [_result(part, "rating", {"rating": stars}) for part, stars in marks]
    if answer.note:
        needed = any(name in form.noted for name in answer.labels)
        results.append(_result(NOTE if needed else REMARK, "textarea", {"text": [answer.note]}))
    return results


def suggestion(policy: Policy, predicted: Mapping[str, float]) -> tuple[str, ...] | None:
    """The labels that the model would have: the likeliest, or all from one half in a multi-label policy.

    None without a model (`predicted` empty).
    """
    known = {name: predicted[name] for name in policy.names if name in predicted}
    if not known:
        return None
    if policy.multi_label:
        return tuple(name for name, p in known.items() if p >= 0.5)
    return (max(known, key=known.__getitem__),)


def prediction(form: Form, predicted: Mapping[str, float]) -> list[dict[str, Any]]:
    """The model's `suggestion` as a result list; without a model it is empty, which Label Studio takes."""
    labels = suggestion(form.policy, predicted)
    return [] if labels is None else [_result(LABEL, "choices", {"choices": [*labels] or [NONE]})]


def _answer(form: Form, filled: _Filled) -> Answer:
    """The parts as one answer; raises `AnswerError` where they contradict one another or the policy."""
    ticked = filled.ticked
    note = "\n".join(text for part in (NOTE, REMARK) for text in filled.notes.get(part, []))
    _check_ticked(form, ticked)
    if len(note) > LONGEST_NOTE:
        raise AnswerError(f"the note has {len(note):,} characters, over {LONGEST_NOTE:,}")
    if not note.strip() and any(value in form.noted for value in ticked):
        raise AnswerError("the note that this label needs is missing")
    if {span.label for span in filled.spans} - set(ticked):
        raise AnswerError("a stretch of the video is marked with a label that was not chosen")
    if len(set(filled.spans)) < len(filled.spans):
        raise AnswerError("a stretch of the video is marked twice")
    missing = [] if ticked[0] in OUTS else [part for part in form.ratings if part not in filled.stars]
    if missing:
        raise AnswerError(f"{len(missing)} of {len(form.ratings)} ratings are missing")
    out = next((out for out in OUTS if out == ticked[0]), "")
    return Answer(
        labels=() if out else tuple(name for name in form.policy.names if name in ticked),
        out=out,  # type: ignore[arg-type]
        note=note,
        spans=tuple(filled.spans),
        ratings=tuple(
            (criterion, filled.stars[part]) for part, (criterion, _) in form.ratings.items() if part in filled.stars
        ),
    )


def _check_ticked(form: Form, ticked: Sequence[str]) -> None:
    unknown = sum(value not in form.choices for value in ticked)
    if not ticked:
        raise AnswerError("no answer was chosen")
    if unknown:
        raise AnswerError(f"{unknown} of the choices are unknown to policy {form.policy.name} v{form.policy.version}")
    if len(set(ticked)) < len(ticked):
        raise AnswerError("a choice stands twice")
    if len(ticked) > 1 and any(value in (*OUTS, NONE) for value in ticked):
        raise AnswerError("a label together with an answer that excludes labels")
    if len(ticked) > 1 and not form.policy.multi_label:
        raise AnswerError("several labels where the policy allows one")


def _read(form: Form, results: object) -> _Filled:
    if not isinstance(results, list):
        raise AnswerError("the results are not a list of answers")
    if len(results) > MOST_RESULTS:
        raise AnswerError(f"{len(results):,} answers on one item, over {MOST_RESULTS:,}")
    filled, seen = _Filled(), set()
    for item in results:
        name, held = _part(form, item)
        value = held.get(_KEYS[form.parts[name]])
        if name in seen and name != WHERE:
            raise AnswerError(f"the control {name!r} was answered twice")
        seen.add(name)
        if name == LABEL:
            filled.ticked = _texts(name, value)
        elif name in (NOTE, REMARK):
            filled.notes[name] = _texts(name, [value] if isinstance(value, str) else value)
        elif name in form.ratings:
            filled.stars[name] = _stars(value, *form.ratings[name])
        elif name == WHERE:
            filled.spans += _spans(form, value, held.get("timelinelabels"))
    return filled


def _part(form: Form, item: object) -> tuple[str, dict[str, Any]]:
    """The name of the part that a result is of, and what it holds, nothing where that is of another kind."""
    if not isinstance(item, dict):
        raise AnswerError("the results are not a list of answers")
    name = item.get("from_name")
    if not isinstance(name, str) or name not in form.parts:
        raise AnswerError("an answer from a control that this form does not have")
    if item.get("to_name") != CONTENT or item.get("type") != form.parts[name]:
        raise AnswerError(f"the control {name!r} answers about something else, or in another way")
    value = item.get("value")
    return name, value if isinstance(value, dict) else {}


def _texts(name: str, values: object) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
        raise AnswerError(f"the control {name!r} holds something other than text")
    return values


def _stars(value: object, criterion: str, scale: int) -> int:
    if type(value) is not int or not 1 <= value <= scale:
        raise AnswerError(f"the rating of {criterion!r} is no whole number from 1 to {scale}")
    return value


def _spans(form: Form, ranges: object, labels: object) -> list[Span]:
    if not isinstance(labels, list) or not labels or not all(label in form.marked for label in labels):
        raise AnswerError("a stretch of the video is marked with something that is no label for stretches")
    if not isinstance(ranges, list) or not ranges:
        raise AnswerError("a stretch of the video has no beginning and end")
    return [_span(str(label), place) for label in labels for place in ranges]


def _span(label: str, place: object) -> Span:
    """Frames are counted from 1, and the last one belongs to the stretch."""
    first, last = (place.get("start"), place.get("end")) if isinstance(place, dict) else (None, None)
    if type(first) is not int or type(last) is not int:
        raise AnswerError("a stretch of the video has no beginning and end in whole frames")
    if not 0 <= first <= last or last > LONGEST_VIDEO * FRAME_RATE:
        raise AnswerError("a stretch of the video ends before it begins, or lies outside of 0 to 24 hours")
    return Span(label, max(first - 1, 0) / FRAME_RATE, max(last, 1) / FRAME_RATE)


def _frames(span: Span) -> dict[str, int]:
    first = round(span.start * FRAME_RATE) + 1
    return {"start": first, "end": max(round(span.stop * FRAME_RATE), first)}


def _result(name: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"from_name": name, "to_name": CONTENT, "type": kind, "value": value}
