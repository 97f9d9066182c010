import pytest
from forms import FORMS, POLICY, PREFERENCE

from hitl.errors import ConfigError, PolicyError
from hitl.policy import OUTS, Label, Policy
from hitl.tasks import Form, usual


def test_what_can_be_ticked_stands_in_the_pages_order() -> None:
    assert FORMS["single"].choices == ("ok", "spam", "threat", *OUTS)
    assert FORMS["multi"].choices == ("ok", "spam", "threat", "(none)", *OUTS)
    assert FORMS["pairwise"].choices == ("left", "tie", "both_bad", "right", *OUTS)


def test_the_note_is_asked_for_labels_that_need_it_in_any_region() -> None:
    assert FORMS["single"].noted == ("spam", "threat")


def test_only_what_violates_is_marked_and_only_a_rubric_is_rated() -> None:
    assert FORMS["timeline"].marked == ("spam", "threat")
    assert FORMS["video"].marked == ()
    assert FORMS["rubric"].ratings == {"rating_truthful": ("truthful", 5), "rating_tone": ("tone", 3)}
    assert FORMS["single"].ratings == {}


def test_pictures_and_clips_are_blurred_unless_one_says_not_to() -> None:
    assert {name for name, form in FORMS.items() if form.blurred and not form.queue} == {"image", "video", "timeline"}


def test_a_pair_is_compared_and_all_else_classified() -> None:
    assert (usual("pair"), usual("conversation"), usual("video")) == ("pairwise", "classify", "classify")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": "timeline"}, "stretches of a video"),
        ({"name": "pairwise"}, "must be a pair"),
        ({"modality": "smell"}, "kinds of content"),
        ({"name": "essay"}, "none of the forms"),
    ],
)
def test_a_form_that_does_not_fit_the_content_is_refused(options: dict, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        Form(policy=POLICY, **options)


@pytest.mark.parametrize(
    ("policy", "options", "told"),
    [
        (POLICY, {"name": "pairwise", "modality": "pair"}, "'left' and 'right'"),
        (PREFERENCE.model_copy(update={"multi_label": True}), {"name": "pairwise", "modality": "pair"}, "single-label"),
        (PREFERENCE, {"name": "rubric"}, "add a `rubric`"),
        (Policy(name="p", version="1", labels=(*POLICY.labels, Label(name="pay $cash"))), {}, "rename it"),
    ],
)
def test_a_policy_that_does_not_fit_the_form_is_refused(policy: Policy, options: dict, told: str) -> None:
    with pytest.raises(PolicyError, match=told):
        Form(policy=policy, **options)


def test_a_price_in_a_label_is_no_piece_of_data() -> None:
    assert Form(policy=Policy(name="p", version="1", multi_label=True, labels=(Label(name="US$ fraud"),)))


def test_a_rubric_is_written_in_the_policys_file_and_its_criteria_have_names_of_their_own() -> None:
    text = "{name: p, version: 1, labels: [{name: ok, violating: false}, {name: bad}], rubric: [%s]}"
    policy = Policy.parse(
        text % "{name: tone, question: 'Is it kind?', scale: 3}, {name: truth, question: 'Is it so?'}"
    )
    assert [(criterion.name, criterion.scale) for criterion in policy.rubric] == [("tone", 3), ("truth", 5)]
    assert Policy.parse(policy.to_yaml()) == policy
    for wrong, told in (
        ("{name: tone, question: a}, {name: tone, question: b}", "stands twice"),
        ("{name: '<b>', question: a}", "rubric"),
        ("{name: tone, question: a, scale: 11}", "scale"),
        ("{name: tone, question: ' '}", "question"),
    ):
        with pytest.raises(PolicyError, match=told):
            Policy.parse(text % wrong)
