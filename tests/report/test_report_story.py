"""The words on top of the report."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np
import pytest

from hitl.report.story import headline, next_steps, overall_gain, verdict
from hitl.report.table import rounds_table


def test_a_gain_beyond_chance_is_an_improvement(campaigns: ModuleType) -> None:
    told = headline(campaigns.sample())
    assert (told.tone, told.title) == ("good", "The model improved.")
    assert "0.44 [0.38, 0.49]" in told.detail
    assert "0.69 [0.63, 0.74]" in told.detail
    assert "400 more labels" in told.detail


@pytest.mark.parametrize(("last", "tone"), [(0.46, "flat"), (0.2, "bad"), (0.9, "good")])
def test_the_headline_follows_the_interval_of_the_gain(campaigns: ModuleType, last: float, tone: str) -> None:
    history = campaigns.sample(3)
    history["rounds"][-1]["benchmark"] = [campaigns.estimate("macro_f1", last)]
    assert headline(history).tone == tone


def test_two_rounds_use_the_paired_difference(campaigns: ModuleType) -> None:
    history = campaigns.sample(2)
    assert overall_gain(history) == history["rounds"][1]["comparison"]["difference"]


def test_many_rounds_use_the_paired_difference_with_the_seed_round_where_there_is_one(campaigns: ModuleType) -> None:
    history = campaigns.sample(4)
    paired = dict(campaigns.comparison(3))
    history["rounds"][-1]["since_seed"] = paired
    assert overall_gain(history) == paired["difference"]


def test_the_gain_over_many_rounds_covers_at_least_nominally(campaigns: ModuleType) -> None:
    rng = np.random.default_rng(5)
    history, covered = campaigns.sample(3), 0
    for _ in range(400):
        shared, noise = rng.normal(0, 0.02), rng.normal(0, 0.03, 3)
        figures = [truth + shared + error for truth, error in zip((0.4, 0.5, 0.6), noise, strict=True)]
        half = 1.96 * math.hypot(0.02, 0.03)
        for row, value in zip(history["rounds"], figures, strict=True):
            row["benchmark"] = [campaigns.estimate("macro_f1", value, low=value - half, high=value + half)]
        gain = overall_gain(history)
        covered += gain["low"] <= 0.2 <= gain["high"]
    assert covered >= 0.95 * 400


def test_an_unknown_first_figure_is_passed_over(campaigns: ModuleType) -> None:
    history = campaigns.sample(3)
    history["rounds"][0]["benchmark"] = [campaigns.estimate("macro_f1", None)]
    assert "after round 1" in headline(history).detail


def test_empty_states_say_what_to_do_next(campaigns: ModuleType) -> None:
    assert headline(campaigns.empty()).title == "No round has run yet."
    assert "hitl run" in next_steps(campaigns.empty())[0]
    assert "213 open tasks" in next_steps(campaigns.seed_waiting())[0]
    assert "87 of 300" in headline(campaigns.seed_waiting()).detail
    assert any("benchmark: 200" in step for step in next_steps(campaigns.without_benchmark()))
    assert "no benchmark" in headline(campaigns.without_benchmark()).title
    assert headline(campaigns.not_enough()).detail == "Why: not enough positives yet."
    assert "A comparison comes with the next round" in headline(campaigns.sample(1)).detail


def test_verdicts_in_words(campaigns: ModuleType) -> None:
    said = [verdict(row, "macro_f1") for row in campaigns.sample()["rounds"]]
    assert [told.title for told in said] == ["First model", "Helped", "Helped", "No evidence of a change", "Helped"]
    assert said[1].detail == "+0.11 [+0.07, +0.15]"
    assert len({told.mark for told in said}) == 3
    waiting = verdict(campaigns.round_row(2, state="waiting", tasks_done=4), "macro_f1")
    assert (waiting.title, waiting.detail) == ("Waiting for people", "4 of 100 tasks done")


def test_the_table_of_rounds_is_square_plain_and_short(campaigns: ModuleType) -> None:
    history = campaigns.sample()
    history["rounds"][1]["arms"] = {campaigns.HOSTILE[7]: 5, campaigns.HOSTILE[2]: 4}
    table = rounds_table(history)
    assert len(table) == 6
    assert {len(line) for line in table} == {9}
    assert table[2][4] == "▲ helped +0.11 [+0.07, +0.15]"
    assert all(cell.isprintable() and "\x1b" not in cell for line in table for cell in line)
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in table for cell in line)


def test_the_table_leaves_out_what_nobody_knows_yet(campaigns: ModuleType) -> None:
    assert rounds_table(campaigns.seed_waiting())[0] == ["round", "labels", "asked", "against before"]
    assert rounds_table(campaigns.empty()) == [["round", "labels"]]
