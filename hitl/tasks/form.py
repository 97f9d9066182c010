"""The form: how a policy becomes a labeling page, and how what was filled in there is read back, strictly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any, Literal
from xml.sax.saxutils import quoteattr

from hitl.errors import PolicyError
from hitl.policy import OUTS, Label, Policy
from hitl.tasks.style import STYLE
from hitl.types import Answer

Modality = Literal["text", "image", "video", "audio"]

CONTENT, LABEL, NOTE, REMARK = "content", "label", "note", "remark"
"""Names of the page's parts: the item, the choices, the required note, and the voluntary one beside an out."""

NONE = "(none)"
"""The choice that says, in a multi-label policy, that no label applies."""

_OUT_TITLES = {
    "unsure": ("Not sure", "You read it and cannot decide. Better this than a guess.", "u"),
    "escalate": ("Escalate to a senior", "Someone with more experience or authority must see it.", "e"),
    "no_policy": ("No policy fits", "It looks harmful, and no label above describes it.", "n"),
}
_NONE_TITLE = ("None of these", "Nothing above applies: the content is fine under every label.", "0")
_LABEL_KEYS = "123456789qwrtasdfgzxcvbyiopjklm"
_OBJECTS = {
    "text": '<Text name="content" value="$text"/>',
    "image": '<Image name="content" value="$media" zoom="true" zoomControl="true" defaultZoom="fit"/>',
    "video": '<Video name="content" value="$media" height="380"/>',
    "audio": '<Audio name="content" value="$media"/>',
}


_MOMENTS = """
    <View className="hitl-moments"><Header size="6" value="$moments"/></View>"""
"""Where in a video the model saw what it believes; empty without a model that says it."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """One question to people: "which label is it?", pinned to a version of a policy.

    Raises `PolicyError` when a label's name cannot stand on the page.
    """

    policy: Policy
    modality: Modality = "text"
    name: str = "classify"

    def __post_init__(self) -> None:
        for label in self.policy.names:
            if label == NONE or label.startswith("$") or not label.isprintable():
                raise PolicyError(
                    f"label {label!r} cannot be shown on a labeling page: rename it "
                    f"(not {NONE!r}, no $ in front, no control characters)"
                )

    @cached_property
    def choices(self) -> tuple[str, ...]:
        """All that can be ticked, in the page's order."""
        nothing = (NONE,) if self.policy.multi_label else ()
        return (*self.policy.names, *nothing, *OUTS)

    @cached_property
    def noted(self) -> tuple[str, ...]:
        """Labels that need a note, in the common text or in any region."""
        regions = [self.policy, *(self.policy.resolve(region) for region in self.policy.regions)]
        return tuple(name for name in self.policy.names if any(p.label(name).note_required for p in regions))


def render(form: Form) -> str:
    """The page as a Label Studio label config (XML).

    >>> policy = Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: bad}]}")
    >>> page = render(Form(policy=policy))
    >>> '<Choice value="bad"' in page, '<Choice value="escalate"' in page
    (True, True)
    """
    several = form.policy.multi_label
    ask = "Tick every label that applies" if several else "Which label fits best?"
    kind = "multiple" if several else "single-radio"
    titled = {name: (_title(name), form.policy.label(name)) for name in form.policy.names}
    keys = dict(zip(form.policy.names, _LABEL_KEYS, strict=False))
    rows = [
        _choice(name, title, _short(label.definition), _hint(label), keys.get(name, ""))
        for name, (title, label) in titled.items()
    ]
    if several:
        rows.append(_choice(NONE, *_NONE_TITLE[:2], "", _NONE_TITLE[2]))
    rows += [_choice(out, title, text, "", key, out=True) for out, (title, text, key) in _OUT_TITLES.items()]
    choices = "\n      ".join(rows)
    return f"""<View className="hitl">
  <Style>{STYLE}</Style>
  <View className="hitl-item">
    <View className="hitl-where">
      <View className="hitl-region"><Header size="6" value="$region"/></View>
      <View className="hitl-language"><Header size="6" value="$language"/></View>
    </View>
    {_OBJECTS[form.modality]}{_MOMENTS if form.modality == "video" else ""}
    <View className="hitl-guidance"><Header size="6" value="$guidance"/></View>
  </View>
  <View className="hitl-answer">
    <Header size="4" value={quoteattr(ask)}/>
    <Choices name="{LABEL}" toName="{CONTENT}" choice="{kind}" layout="vertical" required="true"
             requiredMessage="Choose an answer; “Not sure” is one, too.">
      {choices}
    </Choices>{_note(form)}
    <View className="hitl-note" visibleWhen="choice-selected" whenTagName="{LABEL}" whenChoiceValue="{",".join(OUTS)}">
      <Header size="6" value="What made it hard? (if you like)"/>
      <TextArea name="{REMARK}" toName="{CONTENT}" rows="2" maxSubmissions="1" editable="true"/>
    </View>
  </View>
</View>"""


def parse(form: Form, results: object) -> tuple[Answer | None, str]:
    """Read what was filled in: the answer and "", or None and what is wrong with it. Never raises.

    `results` is an annotation's `result` list as Label Studio holds it; its server checks nothing of it.

    >>> policy = Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: bad}]}")
    >>> parse(Form(policy=policy), [{"from_name": "label", "to_name": "content", "type": "choices",
    ...                              "value": {"choices": ["bad", "ok"]}}])
    (None, 'several labels where the policy allows one')
    """
    found: dict[str, list[str]] = {}
    for item in results if isinstance(results, list) else [None]:
        name, values, problem = _read_item(item)
        if problem:
            return None, problem
        if name in found:
            return None, f"the control {name!r} was answered twice"
        found[name] = values
    ticked = found.get(LABEL, [])
    note = "\n".join(text for control in (NOTE, REMARK) for text in found.get(control, []))
    problem = _problem(form, ticked, note)
    if problem:
        return None, problem
    if ticked[0] in OUTS:
        return Answer(out=ticked[0], note=note), ""  # type: ignore[arg-type]
    return Answer(labels=tuple(name for name in form.policy.names if name in ticked), note=note), ""


def encode(form: Form, answer: Answer) -> list[dict[str, Any]]:
    """The result list that the page would send for this answer; `parse` reads it back."""
    ticked: list[str] = [answer.out] if answer.out else [*answer.labels] or [NONE]
    results = [_result(LABEL, "choices", ticked)]
    if answer.note:
        needed = any(name in form.noted for name in answer.labels)
        results.append(_result(NOTE if needed else REMARK, "textarea", [answer.note]))
    return results


def prediction(form: Form, predicted: Mapping[str, float]) -> list[dict[str, Any]]:
    """The model's opinion as a result list: the likeliest label, or all from one half in a multi-label policy.

    Without a model (`predicted` empty) the list is empty, which Label Studio takes.
    """
    known = {name: predicted[name] for name in form.policy.names if name in predicted}
    if not known:
        return []
    if not form.policy.multi_label:
        return [_result(LABEL, "choices", [max(known, key=known.__getitem__)])]
    likely = [name for name, p in known.items() if p >= 0.5]
    return [_result(LABEL, "choices", likely or [NONE])]


def guidance(policy: Policy, region: str) -> str:
    """What the region's text says differently from the common one, for the reviewer; "" when nothing."""
    override = policy.regions.get(region)
    if override is None:
        return ""
    told = []
    for name in policy.names:
        changes = override.labels.get(name)
        said = [] if changes is None else [_sentence(changes.definition or "")]
        if changes and changes.examples:
            said.append(f"For example: {'; '.join(changes.examples)}.")
        if changes and changes.counter_examples:
            said.append(f"But not: {'; '.join(changes.counter_examples)}.")
        if any(said):
            told.append(f"{_title(name)}: {' '.join(part for part in said if part)}")
    return " ".join(told)


def instruction(form: Form) -> str:
    """The reviewers' instruction as HTML, every word of the policy escaped."""
    rows = []
    for label in form.policy.labels:
        lists = [("For example", label.examples), ("But not", label.counter_examples)]
        more = [f"<i>{what}:</i> {'; '.join(escape(text) for text in texts)}" for what, texts in lists if texts]
        rows.append("<br/>".join([f"<b>{escape(_title(label.name))}</b>", escape(label.definition), *more]))
    rows += [f"<b>{title}</b><br/>{text}" for title, text, _ in _OUT_TITLES.values()]
    policy = f"{escape(form.policy.name)}, version {escape(form.policy.version)}"
    return f"<h3>{policy}</h3><br/>" + "<br/><br/>".join(rows)


def _problem(form: Form, ticked: Sequence[str], note: str) -> str:
    if not ticked:
        return "no answer was chosen"
    unknown = sum(value not in form.choices for value in ticked)
    if unknown:
        return f"{unknown} of the choices are unknown to policy {form.policy.name} v{form.policy.version}"
    if len(set(ticked)) < len(ticked):
        return "a choice stands twice"
    if len(ticked) > 1 and any(value in (*OUTS, NONE) for value in ticked):
        return "a label together with an answer that excludes labels"
    if len(ticked) > 1 and not form.policy.multi_label:
        return "several labels where the policy allows one"
    if not note.strip() and any(value in form.noted for value in ticked):
        return "the note that this label needs is missing"
    return ""


def _read_item(item: object) -> tuple[str, list[str], str]:
    """Name of the control, its values, and what is wrong with them."""
    if not isinstance(item, dict):
        return "", [], "the results are not a list of answers"
    name, kind = item.get("from_name"), item.get("type")
    wanted = {LABEL: ("choices", "choices"), NOTE: ("textarea", "text"), REMARK: ("textarea", "text")}
    if not isinstance(name, str) or name not in wanted:
        return "", [], "an answer from a control that this form does not have"
    if item.get("to_name") != CONTENT or kind != wanted[name][0]:
        return name, [], f"the control {name!r} answers about something else, or in another way"
    value = item.get("value")
    values = value.get(wanted[name][1]) if isinstance(value, dict) else None
    if isinstance(values, str) and name != LABEL:
        values = [values]
    if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
        return name, [], f"the control {name!r} holds something other than text"
    return name, values, ""


def _result(name: str, kind: str, values: list[str]) -> dict[str, Any]:
    key = "text" if kind == "textarea" else kind
    return {"from_name": name, "to_name": CONTENT, "type": kind, "value": {key: values}}


def _choice(name: str, title: str, text: str, hint: str, key: str, *, out: bool = False) -> str:
    shown = f"<b>{escape(title)}</b>" + (f"<span>{escape(text)}</span>" if text else "")
    page = f'<div class="hitl-choice{" hitl-out" if out else ""}">{shown}</div>'
    parts = [f"value={quoteattr(name)}", f"html={quoteattr(page)}"]
    parts += [f"hint={quoteattr(hint)}"] if hint else []
    parts += [f'hotkey="{key}"'] if key else []
    return f"<Choice {' '.join(parts)}/>"


def _note(form: Form) -> str:
    if not form.noted:
        return ""
    return f"""
    <View className="hitl-note" visibleWhen="choice-selected" whenTagName="{LABEL}"
          whenChoiceValue={quoteattr(",".join(form.noted))}>
      <Header size="6" value="Why? Quote what decides it (required)"/>
      <TextArea name="{NOTE}" toName="{CONTENT}" rows="2" maxSubmissions="1" editable="true" required="true"
                requiredMessage="This label needs a note: say what in the content decides it."/>
    </View>"""


def _hint(label: Label) -> str:
    """What shows when one points at a choice: what did not fit on it."""
    parts = [] if _short(label.definition) == " ".join(label.definition.split()) else [_sentence(label.definition)]
    parts += [f"For example: {'; '.join(label.examples)}."] if label.examples else []
    parts += [f"But not: {'; '.join(label.counter_examples)}."] if label.counter_examples else []
    return " ".join(part for part in parts if part)


def _title(name: str) -> str:
    words = name.replace("_", " ").strip() or name
    return words[:1].upper() + words[1:]


def _sentence(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?…" else f"{text}."


def _short(text: str, limit: int = 220) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
