"""What a page says about a policy: titles, hints, the region's guidance and the reviewers' instruction."""

from __future__ import annotations

import re
from html import escape
from xml.sax.saxutils import quoteattr

from hitl.policy import NONE, Label, Policy
from hitl.tasks.content import readable
from hitl.tasks.form import Form

OUT_TITLES = {
    "unsure": ("Not sure", "You read it and cannot decide. Better this than a guess.", "u"),
    "escalate": ("Escalate to a senior", "Someone with more experience or authority must see it.", "e"),
    "no_policy": ("No policy fits", "It looks harmful, and no label above describes it.", "n"),
}
"""For each out its title, what it means, and its key."""

NONE_TITLE = ("None of these", "Nothing above applies: the content is fine under every label.", "0")

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_JOINER = "\u2060"
"""A word joiner, which nobody sees."""


def guidance(policy: Policy, region: str) -> str:
    """What the region's text says differently from the common one, for the reviewer; "" when nothing."""
    override = policy.regions.get(region)
    if override is None:
        return ""
    told = []
    for name in policy.names:
        changes = override.labels.get(name)
        said = [] if changes is None else [sentence(changes.definition or "")]
        if changes and changes.examples:
            said.append(f"For example: {'; '.join(changes.examples)}.")
        if changes and changes.counter_examples:
            said.append(f"But not: {'; '.join(changes.counter_examples)}.")
        if any(said):
            told.append(f"{title(name)}: {' '.join(part for part in said if part)}")
    return " ".join(told)


def instruction(form: Form) -> str:
    """The reviewers' instruction as HTML, every word of the policy escaped."""
    rows = []
    for label in form.policy.labels:
        lists = [("For example", label.examples), ("But not", label.counter_examples)]
        more = [f"<i>{what}:</i> {'; '.join(escape(text) for text in texts)}" for what, texts in lists if texts]
        rows.append("<br/>".join([f"<b>{escape(title(label.name))}</b>", escape(label.definition), *more]))
    if form.ratings:
        rows += [
            f"<b>{escape(title(criterion.name))}</b>, 1 to {criterion.scale}<br/>{escape(criterion.question)}"
            for criterion in form.policy.rubric
        ]
    if form.policy.multi_label:
        rows.append(f"<b>{NONE_TITLE[0]}</b><br/>{NONE_TITLE[1]}")
    rows += [f"<b>{name}</b><br/>{text}" for name, text, _ in OUT_TITLES.values()]
    policy = f"{escape(form.policy.name)}, version {escape(form.policy.version)}"
    return readable(f"<h3>{policy}</h3><br/>" + "<br/><br/>".join(rows))


def hint(label: Label) -> str:
    """What shows when one points at a choice: what did not fit on it."""
    parts = [] if short(label.definition) == " ".join(label.definition.split()) else [sentence(label.definition)]
    parts += [f"For example: {'; '.join(label.examples)}."] if label.examples else []
    parts += [f"But not: {'; '.join(label.counter_examples)}."] if label.counter_examples else []
    return " ".join(part for part in parts if part)


def title(name: str) -> str:
    """A name as it reads on the page.

    >>> title("hate_speech"), title("(none)")
    ('Hate speech', 'None of these')
    """
    if name == NONE:
        return NONE_TITLE[0]
    words = name.replace("_", " ").strip() or name
    return words[:1].upper() + words[1:]


def sentence(text: str) -> str:
    """The text with a full stop, unless it ends in one."""
    text = text.strip()
    return text if not text or text[-1] in ".!?…" else f"{text}."


def short(text: str, limit: int = 220) -> str:
    """The text on one line, cut at the limit."""
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def attribute(text: str) -> str:
    """The text as an XML attribute with its quotes, readable, characters that no XML holds replaced.

    >>> attribute('a "b" <c>')
    '\\'a "b" &lt;c&gt;\\''
    """
    return quoteattr(_ILLEGAL.sub("\ufffd", readable(text)))


def plain(text: str) -> str:
    """The text as the value of a tag that would fill $words from the item's data: they stay as they are written."""
    return attribute(text.replace("$", f"${_JOINER}"))
