"""The page: what it says, what it hides, and that nothing in it runs or loads."""

from __future__ import annotations

import itertools
import re
from types import ModuleType
from typing import Any

import pytest

from hitl.report import render_html

STATES = ("sample", "empty", "seed_waiting", "without_benchmark", "not_enough")
LAYOUT = (
    "html head meta title style body header p b bdi h1 h2 h3 span dl div dt dd ul li nav a main section figure em code"
)
TABLES = "figcaption table thead tbody tfoot tr th td br details summary blockquote footer"
DRAWING = "svg g path text tspan use defs clippath rect line circle"
ALLOWED = {*LAYOUT.split(), *TABLES.split(), *DRAWING.split()}


def hostile(campaigns: ModuleType) -> Any:
    """A campaign in which every string from outside tries something."""
    history = campaigns.sample()
    bad = itertools.cycle(campaigns.HOSTILE)
    history.update(campaign=next(bad), status=next(bad), next_steps=[next(bad)], hitl_version=next(bad))
    history["pool"].update(name=next(bad), fingerprint=next(bad), languages={next(bad): 3}, regions={next(bad): 4})
    history["connector"].update(kind=next(bad), url=next(bad))
    history["model"].update(kind=next(bad), options={next(bad): next(bad)})
    history["plan"].update({next(bad): next(bad)})
    history["policy"].update(name=next(bad), version=next(bad), regions=[next(bad)])
    history["stopping"].update(worth=next(bad), method=next(bad))
    for label in history["labels"]:
        label.update(name=next(bad), definition=next(bad), actions={next(bad): 0.5})
    for row in history["rounds"]:
        row.update(policy_version=next(bad), model_id=row["model_id"] + next(bad), started=next(bad))
        row.update(
            arms={**row["arms"], next(bad): 7}, strata={next(bad): 2}, labels={next(bad): 1}, outs={next(bad): 1}
        )
        row.update(yields={name: {"picks": 4, "resolved": 2, "positives": 1} for name in (next(bad), next(bad))})
        row.update(shares=dict.fromkeys(row["yields"], 0.5))
        row["machine_seconds"][next(bad)] = 1.0
        for found in [*row["benchmark"], *row["audit"]]:
            found.update(method=next(bad), label=next(bad) if found["label"] else "")
        row["benchmark"].append(campaigns.estimate(next(bad), 0.5, label=next(bad)))
        row["confusion"]["labels"] = [next(bad) for _ in row["confusion"]["labels"]]
        for pick in row["picks"]:
            pick.update(item_id=next(bad), arm=next(bad), text=next(bad), language=next(bad), region=next(bad))
            pick.update(why=next(bad), parts={next(bad): 0.5}, predicted={next(bad): 0.5}, resolved=[next(bad)])
        for person in row["people"]:
            person.update(worker=next(bad), note=next(bad))
    for person in history["people"]:
        person.update(worker=next(bad), outs={next(bad): 2})
        for language in person["languages"]:
            language.update(language=next(bad))
    for row in history["tampering"]:
        row.update(told=next(bad), task=next(bad), at=next(bad))
    return history


@pytest.mark.parametrize("state", [*STATES, "hostile"])
def test_nothing_runs_and_nothing_loads(campaigns: ModuleType, page: Any, state: str) -> None:
    history = hostile(campaigns) if state == "hostile" else getattr(campaigns, state)()
    read = page(render_html(history))
    assert {tag for tag, _ in read.tags} <= ALLOWED
    attributes = {name for _, attrs in read.tags for name in attrs}
    assert not [
        name for name in attributes if name.startswith("on") or name in ("src", "srcset", "action", "xlink:href")
    ]
    assert all(value.startswith("#") for value in read.attributes("href"))
    styles = read.style + " ".join(read.attributes("style"))
    assert "@import" not in styles
    assert all(reference.startswith("#") for reference in re.findall(r"url\(([^)]*)\)", styles))
    assert all(value.startswith("url(#") for value in read.attributes("clip-path"))
    policy = [attrs["content"] for attrs in read.named("meta") if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"]


def test_hostile_strings_are_shown_as_they_are(campaigns: ModuleType, page: Any) -> None:
    source = render_html(hostile(campaigns))
    read = page(source)
    assert "<script>alert('x')</script>" in read.shown
    assert "⟨U+202E⟩" in read.shown
    assert "'=HYPERLINK" in read.shown
    assert "{{ 7 * 7 }}" in read.shown
    invisible = [character for character in source if not character.isprintable() and character != "\n"]
    assert set(invisible) <= {"\u00a0", "\u3000"}
    assert len(source) < 600_000


def test_a_cell_pasted_into_a_spreadsheet_is_no_formula(campaigns: ModuleType) -> None:
    cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", render_html(hostile(campaigns)), re.S)
    plain = [re.sub(r"<[^>]*>", "", cell).strip() for cell in cells]
    assert len(plain) > 100
    assert not [cell for cell in plain if cell.startswith(("=", "@", "-")) or re.match(r"\+(?!\d)", cell)]


def test_texts_from_the_pool_stay_hidden_until_opened(campaigns: ModuleType, page: Any) -> None:
    read = page(render_html(campaigns.sample()))
    assert not any("open" in attrs for attrs in read.named("details"))
    for _, words in campaigns.TEXTS:
        assert words not in read.shown
    assert any(words in read.hidden for _, words in campaigns.TEXTS)
    quotes = read.named("blockquote")
    assert len(quotes) == 12
    assert all(attrs["dir"] == "auto" for attrs in quotes)
    assert {attrs.get("lang") for attrs in quotes} <= {"en", "ar", "ja", "he", "id"}


def test_the_page_says_what_happened(campaigns: ModuleType, page: Any) -> None:
    shown = page(render_html(campaigns.sample())).shown
    for words in (
        "The model improved.", "+0.25 [+0.17, +0.33]", "0.69 [0.63, 0.74]", "8.3% [5.3%, 11.0%]", "1,234,567 items",
        "No evidence of a change", "Where the policy acts", "not enough positives yet: 2 of 10", "3 h 36 min", "64.76",
        "review 0.30, limit 0.60, remove 0.90", "b2:9f31c07a55e2d410", "text_linear-4a7f3c", "22 Nov 2026, 21:38 UTC",
    ):  # fmt: skip
        assert words in shown, words


def test_people_stand_in_alphabetical_order(campaigns: ModuleType) -> None:
    history = campaigns.sample()
    names = ["p10", "p9", "p2"]
    history["people"] = [{**history["people"][0], "worker": name} for name in names]
    found = re.findall(r"<bdi>(p\d+)</bdi>", render_html(history))
    assert found == ["p2", "p9", "p10"] * 2


def test_a_person_s_record_says_how_sure_it_is(campaigns: ModuleType, page: Any) -> None:
    read = page(render_html(campaigns.sample()))
    for words in ("7 of 8", "3 of 4", "too few to tell", "88% of 80", "93% of 30", "2 not counted: touched by another"):
        assert words in read.shown, words
    assert "28 of 30 [81%, 100%]" in read.hidden
    assert "somebody else wrote or changed them" in read.hidden
    assert "12 as a senior" in read.shown
    assert "88%" not in page(render_html(campaigns.sample(people=[campaigns.everybody()[3]]))).shown.split("record")[1]


def test_what_was_done_to_others_work_is_told(campaigns: ModuleType, page: Any) -> None:
    shown = page(render_html(campaigns.sample())).shown
    assert "counted already reviewer-03 changed labels of reviewer-02's answer after it was counted" in shown
    assert "the server does not tell by whom" in shown
    assert "Nobody changed or deleted another’s work." in page(render_html(campaigns.sample(tampering=[]))).shown


def test_a_plan_without_gold_exam_and_review_is_told_of_them(campaigns: ModuleType, page: Any) -> None:
    shown = page(render_html(campaigns.sample(plan={"rounds": 4}))).shown
    for words in ("No gold in the stream", "No exam", "No review"):
        assert words in shown
    full = page(render_html(campaigns.sample())).shown
    assert "No gold in the stream" not in full
    unsat = campaigns.sample()
    for person in unsat["people"]:
        person["exam"] = campaigns.part("exam", 0, 0)
    assert "Nobody has sat the exam yet" in page(render_html(unsat)).shown


@pytest.mark.parametrize("state", STATES)
def test_the_page_is_well_formed_and_can_be_walked(campaigns: ModuleType, page: Any, state: str) -> None:
    read = page(render_html(getattr(campaigns, state)()))
    assert read.open == []
    ids = read.attributes("id")
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in read.attributes("href")} <= set(ids)
    assert {value[5:-1] for value in read.attributes("clip-path")} <= set(ids)
    assert all("scope" in attrs for attrs in read.named("th"))
    assert all(attrs.get("aria-hidden") or attrs.get("aria-label") for attrs in read.named("svg"))
    assert len(read.named("h1")) == 1


@pytest.mark.parametrize("state", STATES)
def test_the_same_history_gives_the_same_bytes(campaigns: ModuleType, state: str) -> None:
    first, second = (render_html(getattr(campaigns, state)()) for _ in range(2))
    assert first == second


def test_empty_states_say_what_to_do(campaigns: ModuleType, page: Any) -> None:
    shown = page(render_html(campaigns.empty())).shown
    assert "No rounds yet." in shown
    assert "hitl run CONFIG" in shown
    assert page(render_html(campaigns.seed_waiting())).shown.count("not yet") >= 12


def test_when_to_stop_is_told_as_an_extrapolation(campaigns: ModuleType, page: Any) -> None:
    read = page(render_html(campaigns.sample()))
    for words in (
        "An extrapolation from the rounds so far: it decides nothing", "By extrapolation, 100 more labels would add",
        "90% of the plateau", "the target", "not reached", "Decisions have not settled", "0.970 [0.958, 0.981]",
        "67,200 [26,880, 174,720]",
    ):  # fmt: skip
        assert words in read.shown, words


def test_what_is_reached_is_not_still_to_be_bought(campaigns: ModuleType, page: Any) -> None:
    history = campaigns.sample()
    history["stopping"]["needed"] = [{"share": None, "figure": 0.5, "labels": 180.0, "low": 120.0, "high": 240.0}]
    assert "reached already [120, 240]" in page(render_html(history)).shown
    history["stopping"]["needed"][0].update(labels=12_345.0, high=None)
    assert "12,000 [120, not reached]" in page(render_html(history)).shown


@pytest.mark.parametrize(("steady", "words"), [(None, "after three comparisons"), (True, "Decisions have settled")])
def test_the_rule_for_steady_models_is_told(campaigns: ModuleType, page: Any, steady: Any, words: str) -> None:
    history = campaigns.sample()
    history["stopping"]["steady"] = steady
    assert words in page(render_html(history)).shown


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("empty", "Nothing to extrapolate yet. After four rounds with a benchmark"),
        ("seed_waiting", "run another round"),
        ("without_benchmark", "too few rounds: 0 of 4 with figures at different numbers of labels. Four rounds"),
        ("not_enough", "too few rounds: 0 of 4"),
    ],
)
def test_before_anything_can_be_extrapolated_the_page_says_what_to_do(
    campaigns: ModuleType, page: Any, state: str, words: str
) -> None:
    shown = page(render_html(getattr(campaigns, state)())).shown
    assert words in shown
    assert "By extrapolation" not in shown


def test_a_plan_without_a_target_is_told_of_it(campaigns: ModuleType, page: Any) -> None:
    history = campaigns.sample(plan={"rounds": 4})
    shown = page(render_html(history)).shown
    assert "Set target in the plan" in shown
    assert "the target" not in shown


def test_each_arm_has_its_yield_whatever_it_is_called(campaigns: ModuleType, page: Any) -> None:
    history = campaigns.sample()
    last = history["rounds"][-1]
    last.update(yields={"freshly named": {"picks": 8, "resolved": 4, "positives": 3}}, shares={"freshly named": 0.25})
    read = page(render_html(history))
    assert "freshly named25%84375%" in read.shown.replace("\n", "")
    assert "8 of 14" in read.hidden  # the positives arm of an earlier round
    last["shares"] = {}
    assert "freshly named84375%" in page(render_html(history)).shown.replace("\n", "")


def test_a_large_campaign_stays_small(campaigns: ModuleType) -> None:
    labels = [f"label-{number}" for number in range(120)]
    benchmark = [campaigns.estimate("macro_f1", 0.5)]
    for name in ("precision", "recall", "f1", "average_precision", "precision@remove", "recall@remove"):
        benchmark += [campaigns.estimate(name, 0.5, label=label) for label in labels]
    people = [{**campaigns.people(1)[0], "worker": f"p{number}"} for number in range(2000)]
    everybody = [{**campaigns.everybody()[0], "worker": f"p{number}"} for number in range(2000)]
    confusion = {"labels": labels, "matrix": [[1.0] * 120] * 120, "n": 14400}
    rows = [
        campaigns.round_row(
            4, round=at, labels_so_far=100 * at + 90, training_items=100 * at, benchmark=benchmark,
            people=people, confusion=confusion, labels=dict.fromkeys(labels, 3), strata=dict.fromkeys(labels, 3),
        )
        for at in range(200)
    ]  # fmt: skip
    source = render_html(campaigns.sample(0, rounds=rows, people=everybody))
    assert len(source.encode()) < 900_000
    assert "The first 100 of 2,000" in source
