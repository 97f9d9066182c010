"""A campaign's file: read strictly, paths as it means them, secrets from the environment alone."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from hitl.compute.local import Local
from hitl.compute.on_ray import OnRay
from hitl.config import CampaignConfig, secret, truth_from
from hitl.demo.stream import demo_policy, generate
from hitl.errors import ConfigError, PoolError
from hitl.pool import Pool
from hitl.types import Task

BASE = {
    "campaign": "spring",
    "policy": "../policies/one.yaml",
    "pool": {"path": "content.parquet", "text": "text"},
    "connect": {"kind": "label_studio", "url": "http://127.0.0.1:9"},
}


@pytest.fixture
def write(tmp_path):
    """Writes a config, with its policy and content beside it, and gives its path."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "policies/one.yaml").write_text(demo_policy().to_yaml())
    pq.write_table(generate(60, seed=1), tmp_path / "home/content.parquet")

    def make(**changes):
        path = tmp_path / "home/hitl.yaml"
        path.write_text(yaml.safe_dump({**BASE, **changes}))
        return path

    return make


def test_paths_are_relative_to_the_file_wherever_one_stands(write, monkeypatch, tmp_path):
    path = write()
    monkeypatch.chdir(tmp_path.parent)
    config = CampaignConfig.load(path)
    assert config.open_policy() == demo_policy()
    assert len(config.open_pool()) == 60
    assert config.where == tmp_path / "home/runs/spring"
    assert CampaignConfig.load(write(folder="elsewhere")).where == tmp_path / "home/elsewhere"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"polcy": "x"}, "polcy"),
        ({"pool": {"path": "x", "txt": "y"}}, "pool.txt"),
        ({"pool": {}}, "pool.path"),
        ({"connect": {"kind": "post"}}, "connect"),
        ({"connect": {"kind": "memory"}}, "connect.memory.truth"),
        ({"connect": {"kind": "label_studio", "url": "http://x", "token": "abc"}}, "connect.label_studio.token"),
        ({"plan": {"audit": 0.8, "random": 0.5}}, "take more than the budget"),
        ({"plan": {"arms": {"mine": {"scores": {"enthropy": 1}}}}}, "did you mean entropy"),
        ({"campaign": ""}, "campaign"),
        ({"campaign": "../up"}, "slashes"),
        ({"campaign": ".."}, "slashes"),
    ],
)
def test_a_mistake_is_told_with_file_and_key_and_without_its_value(write, changes, words):
    with pytest.raises(ConfigError) as wrong:
        CampaignConfig.load(write(**changes))
    assert words in str(wrong.value)
    assert "hitl.yaml" in str(wrong.value)
    assert "abc" not in str(wrong.value)


def test_the_question_is_the_one_that_the_file_names(write):
    assert CampaignConfig.load(write()).open().walk.form.name == "classify"
    rubric = {"rubric": [{"name": "tone", "question": "How friendly is it?"}]}
    policy = yaml.safe_load(demo_policy().to_yaml()) | rubric
    config = CampaignConfig.load(write(form="rubric"))
    (config.at(config.policy)).write_text(yaml.safe_dump(policy))
    form = config.open().walk.form
    assert form.name == "rubric"
    assert [criterion.name for criterion in form.policy.rubric] == ["tone"]


def test_a_secret_comes_from_the_environment_and_shows_nowhere(monkeypatch):
    monkeypatch.delenv("SPRING_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="SPRING_TOKEN"):
        secret("SPRING_TOKEN", "the token")
    monkeypatch.setenv("SPRING_TOKEN", "swordfish")
    kept = secret("SPRING_TOKEN", "the token")
    assert kept.get_secret_value() == "swordfish"
    assert "swordfish" not in repr(kept) + str(kept)


def test_the_record_can_be_read_without_token_and_server(write, monkeypatch):
    monkeypatch.delenv("LABEL_STUDIO_TOKEN", raising=False)
    campaign = CampaignConfig.load(write()).open()
    assert campaign.status.state == "empty"
    assert campaign.history()["connector"]["kind"] == "label_studio"
    with pytest.raises(ConfigError, match="LABEL_STUDIO_TOKEN"):
        campaign.run()


def test_whether_a_round_has_begun_is_asked_without_making_anything(write, tmp_path):
    config = CampaignConfig.load(write())
    assert not config.begun
    assert not (tmp_path / "home/runs").exists()
    config.open_ledger().close()
    assert config.begun
    assert CampaignConfig.load(write(ledger_env="SPRING_LEDGER")).begun


def test_a_ledger_by_url_is_opened_from_the_environment(write, monkeypatch, tmp_path):
    monkeypatch.setenv("SPRING_LEDGER", f"sqlite:///{tmp_path}/shared.db")
    config = CampaignConfig.load(write(ledger_env="SPRING_LEDGER"))
    config.open_ledger().close()
    assert (tmp_path / "shared.db").exists()
    assert not config.ledger_file.exists()


def test_columns_that_plan_and_reviewers_need_are_kept(write):
    plan = {"strata": ["language", "source"], "replay": "wave"}
    config = CampaignConfig.load(
        write(
            plan=plan,
            connect={"kind": "memory", "truth": "truth"},
            pool={**BASE["pool"], "facets": ["synthetic"], "language": "language"},
        )
    )
    pool = config.open_pool()
    assert pool.columns.facets == ("source", "synthetic", "truth", "wave")
    assert config.open_connector(pool).kind == "memory"


def test_columns_that_a_cap_needs_are_kept_and_clusters_are_none(write):
    caps = {"source": 5, "region": 9, "cluster": 2}
    pool = CampaignConfig.load(write(plan={"caps": caps}, pool={**BASE["pool"], "region": "region"})).open_pool()
    assert pool.columns.facets == ("source",)


def test_bad_rows_are_set_aside_where_the_config_says(write, tmp_path):
    rows = generate(60, seed=1).to_pylist()
    rows[5]["text"] = " "
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "home/content.parquet")
    with pytest.raises(PoolError, match="row 5"):
        CampaignConfig.load(write()).open_pool()
    pool = CampaignConfig.load(write(pool={**BASE["pool"], "on_error": "quarantine"})).open_pool()
    assert (len(pool), pool.quarantined) == (59, 1)
    assert pool.quarantine_file == tmp_path / "home/runs/spring/quarantine.jsonl"
    named = {**BASE["pool"], "on_error": "quarantine", "quarantine_to": "aside.jsonl"}
    assert CampaignConfig.load(write(pool=named)).open_pool().quarantine_file == tmp_path / "home/aside.jsonl"


def test_options_of_the_model_stand_beside_its_kind(write):
    model = CampaignConfig.load(write(model={"kind": "text_linear", "C": 3.0, "word": [1, 1]})).open_model()
    assert (model.options()["C"], model.options()["word"]) == (3.0, [1, 1])
    for wrong in ({"C": "much"}, {"word": 5}, {"buckets": None}, {"speed": 9}):
        with pytest.raises(ConfigError, match="text_linear"):
            CampaignConfig.load(write(model={"kind": "text_linear", **wrong})).open_model()


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({}, Local()),
        ({"compute": "local"}, Local()),
        ({"compute": {"kind": "local", "threads": 3}}, Local(threads=3)),
        ({"compute": "ray"}, OnRay()),
        (
            {"compute": {"kind": "ray", "address": "head:6379", "cpus": 0.5, "gpus": 1, "actors": 4}},
            OnRay("head:6379", cpus=0.5, gpus=1, actors=4),
        ),
    ],
)
def test_where_passes_run_is_named_with_its_options_or_in_short(write, given, made):
    config = CampaignConfig.load(write(**given))
    assert config.open_compute() == made
    assert config.open().walk.compute == made


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("rey", "did you mean 'ray'"),
        ({"kind": "local", "thread": 2}, "did you mean 'threads'"),
        ({"kind": "local", "threads": "two"}, "compute.threads"),
        ({"kind": "local", "threads": True}, "compute.threads"),
        ({"kind": "ray", "adress": "head:6379"}, "did you mean 'address'"),
        ({"kind": "ray", "address": 6379}, "HOST:PORT"),
        ({"kind": "ray", "cpus": "many"}, "wrong kind"),
        ({"kind": "ray", "cpus": 0}, "cpus"),
        ({"kind": "ray", "actors": 1.5}, "actors"),
        (["ray"], "compute"),
        ({"kind": 3}, "compute.kind"),
    ],
)
def test_a_mistake_in_where_passes_run_is_told(write, given, words):
    with pytest.raises(ConfigError, match=words):
        CampaignConfig.load(write(compute=given)).open_compute()


def test_truth_is_read_from_a_column_with_several_labels_or_none():
    items = pa.table({"id": ["a", "b", "c"], "text": ["x", "y", "z"], "label": ["rude|0", "", None]})
    truth = truth_from(Pool.open(items, facets=("label",)), "label", {"0": "fine"})
    tasks = [Task(f"key-{at}", 0, item, at, "classify", "1", "", {}) for at, item in enumerate("abc")]
    assert [truth(task) for task in tasks] == [("rude", "fine"), (), ()]
