"""The configs we hand out: their policies load, and say what a reviewer and a model need."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hitl.config import CampaignConfig
from hitl.demo.stream import generate
from hitl.policy import Policy
from hitl.reading import read_yaml
from hitl.sampling.plan import Plan
from hitl.tasks import Form, render

CONFIGS = Path(__file__).parents[1] / "configs"
CAMPAIGNS = sorted(path for path in CONFIGS.glob("*.yaml") if not path.stem.endswith("-policy"))


@pytest.fixture(params=CAMPAIGNS, ids=lambda path: path.stem)
def campaign(request) -> Path:
    return request.param


def policy_of(campaign: Path) -> Policy:
    return Policy.load(campaign.parent / read_yaml(campaign)["policy"])


def test_there_are_campaigns_and_no_policy_is_left_over():
    used = {(path.parent / read_yaml(path)["policy"]).resolve() for path in CAMPAIGNS}
    assert len(CAMPAIGNS) >= 3
    assert {path.resolve() for path in CONFIGS.glob("*-policy.yaml")} <= used


def test_the_plan_adds_up(campaign):
    assert Plan.model_validate(read_yaml(campaign)["plan"]).rounds > 0


def test_it_loads_as_a_campaign_with_policy_and_model_and_holds_no_secret(campaign):
    config = CampaignConfig.load(campaign)
    assert config.campaign == campaign.stem
    assert config.open_policy() == policy_of(campaign)
    assert config.open_model().kind == "text_linear"
    assert config.where == CONFIGS / "runs" / campaign.stem
    assert getattr(config.connect, "token_env", "LABEL_STUDIO_TOKEN") == "LABEL_STUDIO_TOKEN"


def test_the_demo_runs_as_it_is_once_its_content_is_made(tmp_path, command):
    shutil.copytree(CONFIGS, tmp_path / "configs", ignore=shutil.ignore_patterns("runs", "*.parquet"))
    (tmp_path / "hitl/demo").mkdir(parents=True)
    shutil.copy(CONFIGS.parent / "hitl/demo/policy.yaml", tmp_path / "hitl/demo")
    pq.write_table(generate(1500), tmp_path / "configs/items.parquet")
    examined = command("doctor", tmp_path / "configs/demo.yaml")
    assert examined.code == 0, examined.out
    assert "regions without content" not in examined.out


def test_reviewers_find_a_definition_for_every_label_and_in_most_an_example(campaign):
    policy = policy_of(campaign)
    assert all(len(label.definition) > 80 for label in policy.labels)
    assert sum(bool(label.examples and label.counter_examples) for label in policy.labels) >= len(policy.labels) - 1


def test_every_violation_costs_something_and_something_is_done(campaign):
    for region in ("", *policy_of(campaign).regions):
        for label in policy_of(campaign).resolve(region).labels:
            if label.violating:
                assert label.severity > 0
                assert label.actions.review is not None
                assert label.actions.limit is not None or label.actions.remove is not None


def test_the_most_severe_labels_are_acted_on_earliest_and_want_a_note(campaign):
    violating = [label for label in policy_of(campaign).labels if label.violating]
    most, least = (pick(violating, key=lambda label: label.severity) for pick in (max, min))
    assert most.actions.review < least.actions.review
    assert most.note_required


def test_regions_change_something_and_the_policy_survives_writing(campaign):
    policy = policy_of(campaign)
    assert policy.regions
    assert all(policy.resolve(region) != policy.resolve("") for region in policy.regions)
    assert Policy.parse(policy.to_yaml()) == policy


def test_a_labeling_page_can_be_made_of_it(campaign):
    modality = "video" if "video" in campaign.stem else "text"
    assert "<Choice" in render(Form(policy=policy_of(campaign), modality=modality))
