"""Doctor finds what is wrong before a run does, says what to do, raises nothing and makes nothing."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from hitl.config import CampaignConfig
from hitl.connectors.studio import http as ls_http
from hitl.connectors.studio.http import Http
from hitl.demo.server import free_port
from hitl.demo.stream import demo_policy, generate
from hitl.doctor import examine

VARIABLE = "HITL_TEST_TOKEN"
SECRET = "5ec4e7feed5ec4e7feed5ec4e7feed5ec4e7feed"
COLUMNS = {name: name for name in ("id", "text", "reach", "language", "region")}
MEMORY = {"kind": "memory", "truth": "truth"}


@pytest.fixture
def doctor(tmp_path, monkeypatch):
    """Looks at a campaign whose config is changed by section; gives the findings by name, the worst of each."""
    monkeypatch.setenv(VARIABLE, SECRET)
    pq.write_table(generate(400, seed=3), tmp_path / "items.parquet")
    (tmp_path / "policy.yaml").write_text(demo_policy().to_yaml())

    def look(**changes):
        config = {
            "campaign": "trial",
            "policy": "policy.yaml",
            "pool": {"path": "items.parquet", **COLUMNS, **changes.pop("pool", {})},
            "plan": {"rounds": 1, "budget": 20, "benchmark": 30, **changes.pop("plan", {})},
            "connect": MEMORY,
            **changes,
        }
        path = tmp_path / "hitl.yaml"
        path.write_text(yaml.safe_dump(config))
        before = sorted(tmp_path.rglob("*"))
        found = examine(path)
        assert sorted(tmp_path.rglob("*")) == before
        assert SECRET not in repr(found)
        assert all(item.remedy for item in found if item.state in ("warn", "fail"))
        worst = sorted(found, key=lambda item: ("ok", "skip", "warn", "fail").index(item.state))
        return {item.check: item for item in worst}

    return look


def label_studio(url):
    return {"kind": "label_studio", "url": url, "token_env": VARIABLE}


def states(found):
    return {check: item.state for check, item in found.items()}


def test_a_campaign_in_order_has_nothing_to_mend(doctor):
    found = states(doctor())
    looked_at = {"config", "policy", "pool", "model", "compute", "record", "disk", "plan", "connect", "reviewers"}
    assert set(found) == looked_at
    assert set(found.values()) <= {"ok", "warn"}
    assert {check for check, state in found.items() if state == "warn"} <= {"disk"}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"kind": "image_classifier", "encoder": "some/name"}, "image_classifier reads media, and the pool has none"),
        ({"kind": "text_transformer", "encoder": "./nowhere"}, "no such folder"),
        ({"kind": "text_transformer", "encoder": "."}, "no config.json"),
        ({"kind": "text_transformer"}, "an option is missing"),
        ({"kind": "text_transformer", "encoder": "some/name", "tune": {"epoch": 2}}, "'epochs'"),
        ({"kind": "policy_judge", "model": "zonk-1b", "url": "http://me:s3cr3t@127.0.0.1:1/v1"}, "without user"),
        ({"kind": "ensemble", "members": [{"kind": "text_linear"}]}, "two members"),
    ],
)
def test_a_model_that_does_not_fit_is_found_and_nothing_is_downloaded(doctor, model, words):
    found = doctor(model=model)["model"]
    assert found.state == "fail"
    assert words in found.detail
    assert "s3cr3t" not in found.detail


def test_a_name_at_the_hub_is_not_looked_for(doctor):
    assert doctor(model={"kind": "text_transformer", "encoder": "some/name"})["model"].state == "ok"


def test_a_package_that_is_missing_is_named_with_its_extra(doctor, monkeypatch):
    monkeypatch.setattr("hitl.doctor.find_spec", lambda package: None if package == "transformers" else package)
    found = doctor(model={"kind": "text_transformer", "encoder": "some/name"})["model"]
    assert "pip install 'hitl[transformers]'" in found.detail


@pytest.mark.parametrize(
    ("changes", "check", "words"),
    [
        ({"pool": {"path": "nowhere.parquet"}}, "pool", "no such file"),
        ({"pool": {"path": "policy.yaml"}}, "pool", "unknown kind"),
        ({"pool": {"reach": "views"}}, "pool", "views"),
        ({"pool": {"facets": ["nothing"]}}, "pool", "nothing"),
        ({"pool": {"modality": "source"}}, "pool", "none of text, image"),
        ({"pool": {"path": "mixed.csv", "media": "media", "modality": "kind"}}, "plan", "it mixes"),
        ({"form": "timeline"}, "plan", "timeline"),
        ({"form": "essay"}, "config", "form"),
        ({"policy": "nowhere.yaml"}, "policy", "no such file"),
        ({"policy": "items.parquet"}, "policy", "not UTF-8"),
        ({"policy": "."}, "policy", "is a folder"),
        ({"model": {"kind": "oracle"}}, "model", "oracle"),
        ({"model": {"kind": "text_linear", "word": 7}}, "model", "text_linear"),
        ({"compute": "cloud"}, "compute", "cloud"),
        ({"compute": {"kind": "local", "thread": 2}}, "compute", "threads"),
        ({"plan": {"quotas": {"xx": 0.5}}}, "plan", "no stratum 'xx'"),
        ({"plan": {"replay": "source"}}, "plan", "whole numbers"),
        ({"plan": {"strata": ["mood"]}}, "pool", "mood"),
        ({"plan": {"budget": 0}}, "config", "plan.budget"),
        ({"connect": {"kind": "memory", "truth": "mood"}}, "pool", "mood"),
        ({"connect": {"kind": "label_studio", "url": "ftp://x", "token_env": VARIABLE}}, "config", "http(s)"),
        ({"connect": {"kind": "label_studio", "url": "http://u:p@x", "token_env": VARIABLE}}, "config", "password"),
        ({"connect": {"kind": "label_studio", "url": "http://x", "token_env": "HITL_NO_SUCH"}}, "connect", "NO_SUCH"),
        ({"ledger_env": "HITL_NO_SUCH"}, "record", "HITL_NO_SUCH"),
    ],
)
def test_each_fault_is_found_at_its_place(doctor, tmp_path, changes, check, words):
    (tmp_path / "mixed.csv").write_text(
        "id,text,media,kind,language,region,reach,truth,source\na,b,,text,en,ID,1,ok,x\nc,d,d.png,image,en,ID,1,ok,x\n"
    )
    found = doctor(**changes)
    assert found[check].state == "fail"
    assert words in found[check].detail
    assert [name for name, item in found.items() if item.state == "fail"] == [check]


def test_a_compute_that_cannot_be_used_is_told_before_a_run(doctor, monkeypatch):
    monkeypatch.setattr("hitl.compute.on_ray.find_spec", lambda name: None)
    found = doctor(compute="ray")["compute"]
    assert found.state == "fail"
    assert "pip install 'hitl[ray]'" in found.detail
    monkeypatch.setattr("hitl.compute.on_ray.find_spec", lambda name: name)
    assert "nothing answers" in doctor(compute={"kind": "ray", "address": "127.0.0.1:1"})["compute"].detail
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert doctor(compute="ray")["compute"].state == "ok"


@pytest.mark.parametrize(
    "text",
    ["", "campaign: [", "a\n\tb", "campaign: x\ncampaign: y", "- 1", "\x00", "policy: 3", "[a]: b", "x: 2020-99-99"],
)
def test_a_config_that_is_none_is_a_finding(tmp_path, text):
    (tmp_path / "hitl.yaml").write_text(text)
    (finding,) = examine(tmp_path / "hitl.yaml")
    assert (finding.check, finding.state) == ("config", "fail")
    assert "hitl.yaml" in finding.detail


@pytest.mark.parametrize("text", ["", "name: p", "name: p\nversion: 1\nlabels: []", "labels: 7", "{"])
def test_a_policy_that_is_none_is_a_finding(doctor, tmp_path, text):
    (tmp_path / "policy.yaml").write_text(text)
    assert states(doctor())["policy"] == "fail"


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\xff" * 100])
def test_content_that_is_none_is_a_finding(doctor, tmp_path, content):
    for name in ("items.parquet", "items.csv", "items.jsonl", "items.arrow"):
        (tmp_path / name).write_bytes(content)
        assert states(doctor(pool={"path": name}))["pool"] == "fail"


def test_an_empty_pool_is_too_small_for_the_plan(doctor, tmp_path):
    pq.write_table(generate(0), tmp_path / "items.parquet")
    assert "the pool holds 0" in doctor()["plan"].detail


def test_a_plan_beyond_the_pool_and_a_policy_without_teeth_are_warned_about(doctor, tmp_path):
    assert "the pool holds 400" in doctor(plan={"rounds": 90})["plan"].detail
    bare = "{name: p, version: 1, labels: [{name: ok, violating: false}, {name: rude}], regions: {XX: {labels: {}}}}"
    (tmp_path / "policy.yaml").write_text(bare)
    assert doctor()["policy"].state == "warn"


def test_rows_set_aside_are_counted(doctor, tmp_path):
    rows = generate(400, seed=3).to_pylist()
    rows[7]["reach"] = -1.0
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "items.parquet")
    assert "row 7" in doctor()["pool"].detail
    config = CampaignConfig.load(tmp_path / "hitl.yaml")
    aside = config.pool.model_copy(update={"on_error": "quarantine", "quarantine_to": "rows.jsonl"})
    config.model_copy(update={"pool": aside}).open_pool()
    warned = doctor(pool={"on_error": "quarantine", "quarantine_to": "rows.jsonl"})["pool"]
    assert (warned.state, "bad rows set aside: 1" in warned.detail) == ("warn", True)


def test_a_policy_that_changed_behind_the_record_is_found(doctor, tmp_path):
    doctor(plan={"rounds": 0})
    CampaignConfig.load(tmp_path / "hitl.yaml").open().run()
    assert set(states(doctor(plan={"rounds": 0})).values()) <= {"ok", "warn"}
    changed = demo_policy().to_yaml().replace("definition: ", "definition: Perhaps. ", 1)
    (tmp_path / "policy.yaml").write_text(changed)
    found = doctor(plan={"rounds": 0})
    assert (found["plan"].state, "new version" in found["plan"].detail) == ("fail", True)


def test_a_folder_that_cannot_be_written_to_is_found(doctor, monkeypatch):
    monkeypatch.setattr("hitl.doctor.os.access", lambda path, mode: False)
    assert states(doctor())["record"] == "fail"


def test_little_disk_is_warned_about(doctor, monkeypatch):
    monkeypatch.setattr("hitl.doctor.FREE_GIB", 1e9)
    assert states(doctor())["disk"] == "warn"


def test_a_server_that_does_not_answer_is_found_even_without_a_pool(doctor, monkeypatch):
    monkeypatch.setattr(ls_http, "READ_TRIES", 1)
    found = states(doctor(connect=label_studio(f"http://127.0.0.1:{free_port()}"), pool={"path": "nowhere.csv"}))
    assert (found["pool"], found["plan"], found["connect"], found["server"]) == ("fail", "skip", "ok", "fail")


def test_a_refused_token_is_found(doctor, server):
    found = states(doctor(connect=label_studio(server.url)))
    assert (found["server"], found["token"]) == ("ok", "fail")
    assert "project" not in found


def test_a_real_server_is_looked_at_before_during_and_after(doctor, server, monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, server.token)
    admin = Http(server.url, server.token)
    count = admin.read("/api/projects/", {"page_size": 1})["count"]
    settings = {"campaign": "looked after", "connect": label_studio(server.url), "plan": {"rounds": 0, "benchmark": 5}}
    found = doctor(**settings)
    assert {check for check, item in found.items() if item.state != "ok"} - {"disk"} == {"project"}
    assert (found["project"].state, found["project"].detail) == ("skip", "none yet")
    assert {"server", "token", "permissions", "clock", "label config"} <= set(found)
    assert admin.read("/api/projects/", {"page_size": 1})["count"] == count
    without_pool = doctor(**settings, pool={"path": "nowhere.csv"})
    assert (without_pool["token"].state, "project" in without_pool) == ("ok", False)

    doctor(**settings)
    campaign = CampaignConfig.load(tmp_path / "hitl.yaml").open()
    assert campaign.run().state == "waiting"
    assert {check for check, item in doctor(**settings).items() if item.state != "ok"} <= {"disk"}

    project = campaign.ledger.project.rstrip("/").rsplit("/", 1)[-1]
    admin.rewrite("DELETE", f"/api/projects/{project}/", None)
    gone = doctor(**settings)["project"]
    assert (gone.state, campaign.ledger.project in gone.detail) == ("fail", True)
    admin.close()
