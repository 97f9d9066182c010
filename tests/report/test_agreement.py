"""The section on agreement: figures with intervals, what they rest on, few items told as few, hostile names inert."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from types import ModuleType
from typing import Any

import pytest

from hitl.history import AgreementRow
from hitl.report import html, render_html
from hitl.report.agreement import MOST_PAIRS, agreeing


@pytest.fixture(scope="module", autouse=True)
def _drawn_once(campaigns: ModuleType) -> Iterator[None]:
    """The page's plots do not depend on agreement, and take most of the time of a page."""
    plots = html._plots(campaigns.sample())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(html, "_plots", lambda history: plots)
        yield


def figures(campaigns: ModuleType, value: float | None, n: int, *names: str, label: str = "") -> list[Any]:
    wanted = names or ("observed_agreement", "krippendorff_alpha", "gwet_ac1", "fleiss_kappa")
    more = {} if value is not None else {"low": -0.4, "high": 0.9, "method": f"too few: {n} items, 10 are needed"}
    return [campaigns.estimate(name, value, 0.1, n, label, **more) for name in wanted]


def part(campaigns: ModuleType, items: int, value: float | None, **more: Any) -> Any:
    told = {"items": items, "answers": 2 * items, "people": 6, "arms": {"benchmark": items}, "rounds": [0]}
    return {**told, "figures": figures(campaigns, value, items), **more}


def finding(campaigns: ModuleType, **changes: Any) -> AgreementRow:
    of_label = ("specific_agreement", "krippendorff_alpha", "gwet_ac1")
    pair = {"first": "reviewer-01", "second": "reviewer-02", "items": 41}
    observed, kappa = figures(campaigns, 0.85, 41, "observed_agreement", "cohen_kappa")
    group = {"items": 40, "figures": figures(campaigns, 0.6, 40), "others": None}
    told: dict[str, Any] = {
        "chance": part(campaigns, 212, 0.72, arms={"benchmark": 200, "audit": 12}, rounds=[0, 1, 2]),
        "here": part(campaigns, 18, 0.51, arms={"audit": 3, "contested": 15}, rounds=[2]),
        "further": 23, "least": 10, "basis": "chance", "basis_items": 212,
        "labels": [
            {"label": "insult", "items": 61, "figures": figures(campaigns, 0.7, 61, *of_label)},
            {"label": "scam", "items": 3, "figures": figures(campaigns, None, 3, *of_label)},
        ],
        "scales": figures(campaigns, 0.66, 212, "krippendorff_alpha", label="severity"),
        "languages": [{**group, "by": "language", "name": "ar"}, {**group, "by": "language", "name": "en"}],
        "homes": [{**group, "by": "vendor", "name": "Acme",
                   "others": figures(campaigns, 0.35, 55, "cohen_kappa")[0]}],
        "all_items": 290,
        "pairs": [{**pair, "observed": observed, "kappa": kappa}],
        "pairs_of": 15, "pairs_few": 14, "pairs_least": 20,
    }  # fmt: skip
    return AgreementRow(**{**told, **changes})  # type: ignore[typeddict-item]


def history(campaigns: ModuleType, *found: AgreementRow) -> Any:
    told = campaigns.sample()
    for row, one in zip(reversed(told["rounds"]), reversed(found), strict=False):
        row["findings"] = {"agreement": one}
    return told


def section(source: str) -> str:
    found = re.search(r'<section id="agreement".*?</section>', source, re.S)
    assert found
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", found.group())))


def test_figures_stand_with_their_intervals_and_what_they_rest_on(campaigns: ModuleType) -> None:
    shown = section(render_html(history(campaigns, finding(campaigns), finding(campaigns))))
    assert (
        "Drawn by known chance benchmark (frozen) 200, audit (known odds) 12 212 6 72% [62%, 81%] 0.72 [0.62, 0.81]"
        in shown
    )
    assert re.search(r"Asked in round 4 audit \(known odds\) 3, contested 15 18 6 51% \[41%, 60%\] 0\.51", shown)
    assert "23 further ones are left out" in shown
    assert "By the 212 items drawn by known chance." in shown
    assert re.search(r"insult 61 70% \[60%, 79%\] 0\.70 \[0\.60, 0\.79\]", shown)
    assert re.search(r"severity 212 0\.66 \[0\.56, 0\.75\]", shown)
    assert re.search(r"Acme vendor 40 60% \[50%, 69%\] 0\.60 \[0\.50, 0\.69\] 55 0\.35 \[0\.25, 0\.44\]", shown)
    assert "Of 15 pairs that judged anything both, 14 have too few items in common to tell." in shown
    assert re.search(r"reviewer-01 reviewer-02 41 85% \[75%, 94%\] 0\.85", shown)
    assert re.search(r"What each round asked .* 3 18 51% .* 4 18 51%", shown)


def test_few_items_have_no_value(campaigns: ModuleType) -> None:
    shown = section(render_html(history(campaigns, finding(campaigns))))
    assert re.search(r"scam 3 too few to tell 3 items, 10 are needed too few to tell too few to tell", shown)
    assert "What each round asked" not in shown  # there is but one
    few = finding(campaigns, here=None, basis="all", basis_items=30, homes=[], pairs=[], pairs_few=15, further=0)
    shown = section(render_html(history(campaigns, few)))
    assert "too few were drawn by known chance, so hard ones are more frequent here than in the pool" in shown
    assert "No two people have judged 20 items both yet (15 pairs have some in common)" in shown
    assert "No vendors or teams are on the roster" in shown
    assert "Asked in" not in shown
    assert "left out" not in shown


def test_lines_of_what_lies_below_chance_stay_in_their_frame(campaigns: ModuleType) -> None:
    low = [campaigns.estimate("cohen_kappa", -0.3, n=30, low=-0.8, high=0.2)]
    told = finding(campaigns, homes=[{"by": "team", "name": "x", "items": 0, "figures": [], "others": low[0]}])
    source = render_html(history(campaigns, told)).split('id="agreement"')[1].split("</section>")[0]
    assert "−0.30" in source
    ends = [float(x) for x in re.findall(r'(?:x1|x2|cx)="([-0-9.]+)"', source)]
    assert min(ends) >= 0
    assert max(ends) <= 112


def test_tables_have_as_many_cells_as_heads(campaigns: ModuleType) -> None:
    without = finding(
        campaigns, here=part(campaigns, 9, None, figures=figures(campaigns, 0.4, 9, "krippendorff_alpha"))
    )
    source = re.findall(r'<section id="agreement".*?</section>', render_html(history(campaigns, without)), re.S)[0]
    for table in re.findall(r"<table.*?</table>", source, re.S):
        sizes = {len(re.findall(r"<t[hd][ >]", line)) for line in re.findall(r"<tr>.*?</tr>", table, re.S)}
        assert len(sizes) == 1, table


@pytest.mark.parametrize(
    ("state", "says"), [("empty", "No rounds yet"), ("sample", "Raise overlap or benchmark_people")]
)
def test_an_empty_section_says_what_to_do(campaigns: ModuleType, state: str, says: str) -> None:
    assert says in section(render_html(getattr(campaigns, state)())).replace("  ", " ")
    assert agreeing(campaigns.sample()["rounds"]) is None


def test_hostile_names_are_shown_and_do_nothing(campaigns: ModuleType, page: Any) -> None:
    told, bad = finding(campaigns), campaigns.HOSTILE
    for key in ("labels", "scales"):
        told[key] = [{**told[key][0], "label": one} for one in bad]  # type: ignore[literal-required]
    for key in ("languages", "homes"):
        told[key] = [{**told[key][0], "name": one} for one in bad]  # type: ignore[literal-required]
    told["pairs"] = [{**told["pairs"][0], "first": one, "second": one} for one in bad]
    told["chance"] = {**told["chance"], "arms": dict.fromkeys(bad, 3)}  # type: ignore[typeddict-item]
    source = render_html(history(campaigns, told))
    read = page(source)
    assert not {"script", "img"} & {tag for tag, _ in read.tags}
    assert "<script>alert('x')</script>" in read.shown
    assert not [name for _, attrs in read.tags for name in attrs if name.startswith("on")]


def test_long_lists_are_cut(campaigns: ModuleType) -> None:
    pairs = finding(campaigns)["pairs"] * 90
    found = agreeing(history(campaigns, finding(campaigns, pairs=pairs, pairs_of=130, pairs_few=20))["rounds"])
    assert found is not None
    assert (len(found["pairs"]), found["more_pairs"]) == (MOST_PAIRS, 50)
