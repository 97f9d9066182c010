"""Forms of every kind, and the answers that can be given on them."""

from __future__ import annotations

import string
from dataclasses import replace

from hypothesis import strategies as st

from hitl.policy import OUTS, Criterion, Label, LabelOverride, Policy, Region
from hitl.tasks import Form
from hitl.types import Answer, Span

HOSTILE = "</Choice><script>alert(1)</script>\" onload='x' & {{ }} ]]> $text =1+1"
LABELS = (
    Label(name="ok", violating=False, definition="Nothing forbids it."),
    Label(name="spam", definition="Unwanted promotion.", examples=("buy blorps",), counter_examples=("a tip",)),
    Label(name="threat", severity=9, note_required=True, definition=HOSTILE),
)
RUBRIC = (
    Criterion(name="truthful", question="Is it true, for $text or $5?"),
    Criterion(name="tone", question=HOSTILE, scale=3),
)
POLICY = Policy(
    name="abuse",
    version="2",
    labels=LABELS,
    regions={
        "ID": Region(labels={"spam": LabelOverride(definition="Chain letters, too", examples=("kirim ke 10 orang",))}),
        "DE": Region(labels={"spam": LabelOverride(note_required=True)}),
    },
    rubric=RUBRIC,
)
MULTI = Policy(**{**dict(POLICY), "multi_label": True})
PREFERENCE = Policy(
    name="preference",
    version="1",
    labels=(
        *(Label(name=name, violating=False) for name in ("right", "tie", "left")),
        Label(name="both_bad", note_required=True),
    ),
)

FORMS = {
    "single": Form(policy=POLICY),
    "multi": Form(policy=MULTI),
    "conversation": Form(policy=MULTI, modality="conversation"),
    "image": Form(policy=POLICY, modality="image"),
    "video": Form(policy=MULTI, modality="video"),
    "audio": Form(policy=POLICY, modality="audio"),
    "pair": Form(policy=MULTI, modality="pair"),
    "timeline": Form(policy=MULTI, modality="video", name="timeline"),
    "timeline of one": Form(policy=POLICY, modality="video", name="timeline", blur=False),
    "pairwise": Form(policy=PREFERENCE, modality="pair", name="pairwise"),
    "rubric": Form(policy=POLICY, modality="conversation", name="rubric"),
    "rubric of several": Form(policy=MULTI, name="rubric"),
}
FORMS |= {f"{name}, review": replace(form, queue="review") for name, form in FORMS.items()}

notes = st.text(max_size=60).filter(lambda text: text.strip())
frames = st.tuples(st.integers(0, 864_000 - 1), st.integers(1, 200)).map(lambda pair: (pair[0], sum(pair)))
words = st.text(st.sampled_from(string.printable + HOSTILE + "\u202eשלום日本語\x0b\x85\ufffe"), max_size=40)


@st.composite
def answered(draw: st.DrawFn) -> tuple[Form, Answer]:
    """A form, and an answer that can be given on it."""
    form = FORMS[draw(st.sampled_from(sorted(FORMS)))]
    out = draw(st.sampled_from(("", *OUTS)))
    several = form.policy.multi_label
    some = draw(st.sets(st.sampled_from(form.policy.names), max_size=3 if several else 1, min_size=0 if several else 1))
    labels = () if out else tuple(name for name in form.policy.names if name in some)
    spans = [
        Span(label, first / 10, min(last, 864_000) / 10)
        for label in form.marked
        if label in labels
        for first, last in draw(st.lists(frames, unique=True, max_size=3))
    ]
    ratings = [
        (criterion, draw(st.integers(1, scale)))
        for criterion, scale in form.ratings.values()
        if not out or draw(st.booleans())
    ]
    needed = any(name in form.noted for name in labels)
    note = draw(notes if needed else st.just("") | notes)
    return form, Answer(labels, out, note, tuple(dict.fromkeys(spans)), tuple(ratings))
