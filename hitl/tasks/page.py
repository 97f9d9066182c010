"""The labeling page: a form as a Label Studio label config, whatever the policy says in it."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from hitl.policy import NONE, OUTS, Criterion
from hitl.tasks.form import CONTENT, FRAME_RATE, LABEL, NOTE, REMARK, SHOWN, WHERE, Form, Modality
from hitl.tasks.style import STYLE
from hitl.tasks.wording import NONE_TITLE, OUT_TITLES, attribute, hint, plain, short, title
from hitl.types import SETTLING

_KEYS = "123456789qwrtasdfgzxcbyiopjklm"
"""One key for each label, then for each rating; `0`, `u`, `e` and `n` are taken, and `h` and `v` are the picture
editor's own: a key that it shares with a label is heard on the first picture only."""

SHOW_KEY = "shift+h"

_CONTENT: dict[Modality, str] = {
    "text": f'<Text name="{CONTENT}" value="$text"/>',
    "conversation": f'<Paragraphs name="{CONTENT}" value="$turns" layout="dialogue" nameKey="author" textKey="text"/>',
    "pair": f"""<View className="hitl-prompt"><Text name="{CONTENT}" value="$prompt"/></View>
    <View className="hitl-sides">
      <View className="hitl-side hitl-left"><Text name="left" value="$left"/></View>
      <View className="hitl-side hitl-right"><Text name="right" value="$right"/></View>
    </View>""",
    "image": f'<Image name="{CONTENT}" value="$media" zoom="true" zoomControl="true" defaultZoom="fit"/>',
    "video": f"""<Video name="{CONTENT}" value="$media" height="320"/>
    <View className="hitl-moments"><Header size="6" value="$moments"/></View>""",
    "audio": f'<Audio name="{CONTENT}" value="$media"/>',
}

_NEVER = f'visibleWhen="choice-selected" whenTagName="{LABEL}" whenChoiceValue="(never)"'
_SHOW_OR_HIDE = (
    '<span class="hitl-covered">Blurred. Show it</span><span class="hitl-open">Blur it again</span> '
    f'<span class="hitl-key">[{SHOW_KEY}]</span>'
)
# The page sends nothing that waits for another choice than was made, and this waits for one that nobody can make; only
# our style makes it seen. So whoever opens the answer, its author included, finds the content blurred.
_SHOW = f"""<View className="hitl-show" {_NEVER}>
      <Choices name="{SHOWN}" toName="{CONTENT}" choice="multiple">
        <Choice value="{SHOWN}" html={attribute(_SHOW_OR_HIDE)} hotkey="{SHOW_KEY}"/>
      </Choices>
    </View>
    """

_OPINIONS = """<View className="hitl-opinions"><Header size="6" value="$opinions"/></View>
    """


def render(form: Form) -> str:
    """The page as a Label Studio label config (XML); its elements depend on the form alone, not on any word of it.

    >>> from hitl.policy import Policy
    >>> policy = Policy.parse("{name: p, version: 1, labels: [{name: ok, violating: false}, {name: bad}]}")
    >>> page = render(Form(policy=policy))
    >>> '<Choice value="bad"' in page, '<Choice value="escalate"' in page
    (True, True)
    """
    keys = iter(_KEYS)
    choices = _choices(form, keys)
    return f"""<View className="{_look(form)}">
  <Style>{STYLE}{_chips(form)}</Style>
  <View className="hitl-item">
    <View className="hitl-where">
      <View className="hitl-region"><Header size="6" value="$region"/></View>
      <View className="hitl-language"><Header size="6" value="$language"/></View>
    </View>
    <View className="hitl-content">
    {_SHOW if form.blurred else ""}{_content(form)}
    </View>
    {_stretches(form)}<View className="hitl-guidance"><Header size="6" value="$guidance"/></View>
  </View>
  <View className="hitl-answer">
    {_OPINIONS if form.queue in SETTLING else ""}{choices}{_ratings(form, keys)}{_notes(form)}
  </View>
</View>"""


def _look(form: Form) -> str:
    looks = [
        "hitl",
        f"hitl-{form.name}",
        *(["hitl-wide"] if form.modality == "pair" else []),
        *(["hitl-media"] if form.modality in ("image", "video", "audio") else []),
        *(["hitl-blurred"] if form.blurred else []),
    ]
    return " ".join(looks)


def _content(form: Form) -> str:
    shown = _CONTENT[form.modality]
    return shown.replace("<Video ", f'<Video frameRate="{FRAME_RATE}" ') if form.marked else shown


def _choices(form: Form, keys: Iterator[str]) -> str:
    kind = "multiple" if form.policy.multi_label else "single-radio"
    ask = "Tick every label that applies" if form.policy.multi_label else "Which label fits best?"
    if form.name == "pairwise":
        ask = "Which is better?"
    rows = []
    for name in form.labels:
        label = form.policy.label(name)
        rows.append(_choice(name, title(name), short(label.definition), hint(label), next(keys, "")))
    if form.policy.multi_label:
        rows.append(_choice(NONE, *NONE_TITLE[:2], "", NONE_TITLE[2]))
    rows += [_choice(out, name, text, "", key, look="hitl-out") for out, (name, text, key) in OUT_TITLES.items()]
    choices = "\n      ".join(rows)
    return f"""<Header size="4" value={attribute(ask)}/>
    <Choices name="{LABEL}" toName="{CONTENT}" choice="{kind}" layout="vertical" required="true"
             requiredMessage="Choose an answer; “Not sure” is one, too.">
      {choices}
    </Choices>"""


def _choice(name: str, shown: str, text: str, more: str, key: str, look: str = "") -> str:
    told = f"<b>{escape(shown)}</b>" + (f"<span>{escape(text)}</span>" if text else "")
    page = f'<div class="hitl-choice{f" {look}" if look else ""}">{told}</div>'
    parts = [f"value={attribute(name)}", f"html={attribute(page)}"]
    parts += [f"hint={attribute(more)}"] if more else []
    parts += [f'hotkey="{key}"'] if key else []
    return f"<Choice {' '.join(parts)}/>"


def _stretches(form: Form) -> str:
    """Where in a video the labels hold: choose one, then draw on the timeline."""
    if not form.marked:
        return ""
    keys = dict(zip(form.labels, _KEYS, strict=False))
    rows = "\n        ".join(
        f"<Label value={attribute(name)}" + (f' hotkey="shift+{keys[name]}"' if name in keys else "") + "/>"
        for name in form.marked
    )
    return f"""<View className="hitl-stretches" {_when(form.marked)}>
      <Header size="6" value="Where? (if you like) Choose a label, then drag along the timeline"/>
      <TimelineLabels name="{WHERE}" toName="{CONTENT}">
        {rows}
      </TimelineLabels>
    </View>
    """


def _chips(form: Form) -> str:
    """Style: of the labels for stretches only those that are ticked show, told by their places and not by a word."""
    return "".join(
        f"""
    .hitl:not(:has(.hitl-answer .lsf-choice:nth-child({form.labels.index(name) + 1}) input:checked))
      .hitl-stretches .lsf-label:nth-child({place}) {{display: none}}"""
        for place, name in enumerate(form.marked, start=1)
    )


def _ratings(form: Form, keys: Iterator[str]) -> str:
    if not form.ratings:
        return ""
    rows = "".join(
        _rating(part, criterion, next(keys, ""))
        for part, criterion in zip(form.ratings, form.policy.rubric, strict=True)
    )
    labels = tuple(name for name in form.choices if name not in OUTS)
    return f"""
    <View className="hitl-ratings" {_when(labels)}>{rows}
    </View>"""


def _rating(part: str, criterion: Criterion, key: str) -> str:
    """Stars, of which each press of the key gives one more."""
    name = title(criterion.name)
    hotkey = f' hotkey="{key}"' if key else ""
    return f"""
      <View className="hitl-criterion">
        <Header size="6" value={attribute(f"{name} [{key}]" if key else name)}/>
        <Header size="6" value={plain(criterion.question)}/>
        <Rating name="{part}" toName="{CONTENT}" maxRating="{criterion.scale}" size="medium"{hotkey} required="true"
                requiredMessage={attribute(f"Stars are missing: {name}")}/>
      </View>"""


def _notes(form: Form) -> str:
    always = form.name in ("pairwise", "rubric")
    needed = f"""
    <View className="hitl-note" {_when(form.noted)}>
      <Header size="6" value="Why? Quote what decides it (required)"/>
      <TextArea name="{NOTE}" toName="{CONTENT}" rows="2" maxSubmissions="1" editable="true" required="true"
                requiredMessage="This label needs a note: say what in the content decides it."/>
    </View>"""
    ask = "Why? (if you like)" if always else "What made it hard? (if you like)"
    return f"""{needed if form.noted else ""}
    <View className="hitl-note"{"" if always else f" {_when(OUTS)}"}>
      <Header size="6" value="{ask}"/>
      <TextArea name="{REMARK}" toName="{CONTENT}" rows="2" maxSubmissions="1" editable="true"/>
    </View>"""


def _when(choices: tuple[str, ...]) -> str:
    """Shown while one of these is ticked."""
    return f'visibleWhen="choice-selected" whenTagName="{LABEL}" whenChoiceValue={attribute(",".join(choices))}'
