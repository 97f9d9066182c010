"""The command line as people and scripts use it: what it says, where it says it, and how it ends."""

import fcntl
import os
import subprocess
import sys
from itertools import cycle

import pyarrow.parquet as pq
import pytest
import yaml

from hitl.connectors.studio import http as ls_http
from hitl.connectors.studio.http import Http
from hitl.demo.people import sign_up, work
from hitl.demo.server import free_port
from hitl.demo.stream import demo_policy, generate
from hitl.rounds import Campaign
from hitl.tasks import Form
from hitl.types import Answer
from hitl.workforce.simulated import Response

SECRET = "5ec4e7feed5ec4e7feed5ec4e7feed5ec4e7feed"
VARIABLE = "HITL_TEST_TOKEN"
COLUMNS = {name: name for name in ("id", "text", "reach", "language", "region")}
MEMORY = {
    "campaign": "trial",
    "policy": "policy.yaml",
    "pool": {"path": "items.parquet", **COLUMNS},
    "plan": {"rounds": 1, "budget": 20, "benchmark": 30},
    "connect": {"kind": "memory", "truth": "truth"},
}


@pytest.fixture
def secrets(monkeypatch):
    """What must never be seen; a test may add its own."""
    monkeypatch.setenv(VARIABLE, SECRET)
    return {SECRET}


@pytest.fixture
def hitl(command, tmp_path, monkeypatch, secrets):
    """The command line in a folder of its own; at the end no secret stands in what it said or wrote."""
    monkeypatch.chdir(tmp_path)
    said = []

    def call(*arguments):
        called = command(*arguments)
        said.append(called.out + called.err)
        return called

    yield call
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for secret in secrets:
        assert not any(secret in text for text in said)
        assert not any(secret.encode() in content for content in written)


@pytest.fixture
def place(tmp_path):
    """Writes content, policy and config: `place(connect={...}, plan={...})` changes sections of the config."""

    def make(items=None, **sections):
        pq.write_table(generate(400, seed=3) if items is None else items, tmp_path / "items.parquet")
        (tmp_path / "policy.yaml").write_text(demo_policy().to_yaml())
        config = {key: MEMORY.get(key, {}) for key in MEMORY} | {
            key: {**MEMORY[key], **value} if key in ("pool", "plan") else value for key, value in sections.items()
        }
        (tmp_path / "hitl.yaml").write_text(yaml.safe_dump(config))

    return make


def label_studio(url):
    return {"kind": "label_studio", "url": url, "token_env": VARIABLE}


def one_sentence(called):
    """An error: nothing on standard output, on standard error one line that is no traceback."""
    last = called.err.strip().splitlines()[-1]
    assert last.startswith("hitl: ")
    assert "Traceback" not in called.err
    assert called.out == ""
    return last


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_campaign_from_the_first_file_to_the_report(hitl, tmp_path, place):
    assert "hitl doctor hitl.yaml" in hitl("init").out
    found = {item["check"]: item for item in hitl("doctor", "--json").told}
    assert (found["pool"]["state"], found["connect"]["state"]) == ("fail", "fail")
    assert "LABEL_STUDIO_TOKEN" in found["connect"]["remedy"]
    place()
    before = files(tmp_path)
    assert hitl("doctor").code == 0
    assert hitl("status").out == "No round has begun.\n→ call `hitl run hitl.yaml`\n"
    assert hitl("status", "--json").told["state"] == "empty"
    assert files(tmp_path) == before
    ran = hitl("run")
    assert ran.code == 0
    assert "computing features" in ran.err
    assert [line[:8].strip() for line in ran.out.splitlines()[1:3]] == ["0 seed", "1 active"]
    assert "All 2 rounds are completed." in ran.out
    assert max(map(len, ran.out.splitlines()[:3])) <= 80
    assert f"Report: {tmp_path / 'runs/trial/report.html'}\n" in ran.out
    status = hitl("status")
    assert (status.code, status.out.splitlines()[:3]) == (0, ran.out.splitlines()[:3])
    pulled = hitl("pull", "--json")
    assert (pulled.code, pulled.told["changed"], pulled.told["state"]) == (0, 0, "done")
    assert "0 annotations are new or changed" in hitl("pull").out
    (tmp_path / "runs/trial/report.html").unlink()
    assert "report.html" in hitl("report").out
    assert "trial" in (tmp_path / "runs/trial/report.html").read_text()
    told = hitl("report", "--json").told
    assert [row["state"] for row in told["rounds"]] == ["done", "done"]
    again = hitl("run", "--json")
    assert (again.code, again.told["state"], again.told["project"]) == (0, "done", "memory://trial")
    assert hitl("doctor").code == 0


def test_init_keeps_what_is_there(hitl, tmp_path):
    (tmp_path / "policy.yaml").write_text("mine")
    assert "policy.yaml is there already" in one_sentence(hitl("init"))
    assert files(tmp_path) == ["policy.yaml"]
    told = hitl("init", "deep/down", "--json").told
    assert told["written"] == ["deep/down/hitl.yaml", "deep/down/policy.yaml"]
    assert one_sentence(hitl("init", "policy.yaml/here"))


@pytest.mark.parametrize("name", ["run", "status", "pull", "report"])
def test_without_a_config_every_command_says_how_to_make_one(hitl, name):
    for more in ((), ("--json",)):
        called = hitl(name, *more)
        assert called.code == 78
        assert "`hitl init` writes one" in one_sentence(called)


@pytest.mark.parametrize("name", ["pull", "report"])
def test_before_the_first_round_there_is_nothing_to_pull_or_report(hitl, tmp_path, place, name):
    place()
    before = files(tmp_path)
    called = hitl(name)
    assert called.code == 1
    assert "call `hitl run hitl.yaml` first" in one_sentence(called)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"plan": {"budgt": 3}}, "plan.budgt"),
        ({"plan": {"arms": {"mine": {"scores": {"margn": 1}}}}}, "did you mean margin"),
        ({"connect": {"kind": "email"}}, "connect"),
        ({"connect": {"kind": "label_studio", "url": "ftp://label", "token_env": VARIABLE}}, "http(s)"),
        ({"connect": {"kind": "memory", "truth": "truht"}}, "truht"),
        ({"model": {"kind": "text_linear", "C": "much"}}, "text_linear"),
        ({"campaign": "a/b"}, "slashes"),
        ({"policy": "items.parquet"}, "items.parquet"),
        ({"pool": {"reach": "views"}}, "views"),
    ],
)
def test_a_wrong_setting_is_named_and_ends_in_78(hitl, place, sections, words):
    place(**sections)
    called = hitl("run")
    assert called.code == 78
    assert words in one_sentence(called)


def test_content_that_cannot_be_used_ends_in_65_or_is_set_aside(hitl, tmp_path, place):
    good = generate(400, seed=3)
    bad = good.set_column(good.column_names.index("id"), "id", [["twice", "twice", *good["id"].to_pylist()[2:]]])
    place(bad)
    called = hitl("run", "--json")
    assert called.code == 65
    assert "row 1" in one_sentence(called)
    place(bad, pool={"on_error": "quarantine", "quarantine_to": "aside.jsonl"})
    warned = [item for item in hitl("doctor", "--json").told if item["state"] == "warn"]
    assert "bad rows set aside: 1" in warned[0]["detail"]
    assert len((tmp_path / "aside.jsonl").read_text().splitlines()) == 1
    assert hitl("status", "--json").told["state"] == "empty"


def test_a_token_that_is_not_set_is_asked_for_by_name(hitl, place, monkeypatch):
    monkeypatch.delenv(VARIABLE)
    place(connect=label_studio(f"http://127.0.0.1:{free_port()}"))
    called = hitl("run")
    assert called.code == 78
    assert VARIABLE in one_sentence(called)
    assert hitl("status").code == 0


def test_a_server_that_does_not_answer_ends_in_69(hitl, place, monkeypatch):
    monkeypatch.setattr(ls_http, "READ_TRIES", 1)
    place(connect=label_studio(f"http://127.0.0.1:{free_port()}"))
    called = hitl("run", "--json")
    assert called.code == 69
    assert "does not answer" in one_sentence(called)
    assert hitl("status").code == 0


def test_a_refused_token_ends_in_77(hitl, place, server):
    place(connect=label_studio(server.url))
    called = hitl("run")
    assert called.code == 77
    assert "check the token" in one_sentence(called)


def test_a_database_that_cannot_be_opened_keeps_its_password_to_itself(hitl, place, monkeypatch, secrets):
    secrets.add("swordfish")
    monkeypatch.setenv("HITL_TEST_LEDGER", "nosuch+driver://hitl:swordfish@db.invalid/ledger")
    place(ledger_env="HITL_TEST_LEDGER")
    for name in ("run", "status", "doctor"):
        assert hitl(name).code == 1


def test_people_are_waited_for_and_then_it_goes_on(hitl, place, server, secrets, monkeypatch, tmp_path):
    secrets.add(server.token)
    monkeypatch.setenv(VARIABLE, server.token)
    small = {"rounds": 0, "seed_budget": 6, "benchmark": 6, "benchmark_people": 1, "overlap": 0}
    place(campaign="waiting on people", connect=label_studio(server.url), plan=small)
    ran = hitl("run", "--json")
    assert (ran.code, ran.told["state"], ran.told["tasks"], ran.told["tasks_done"]) == (75, "waiting", 12, 0)
    assert ran.told["project"].startswith(server.url)
    assert "pushing tasks" in ran.err
    seen = hitl("run")
    assert seen.code == 75
    assert "0/12" in seen.out
    assert f"12 tasks wait for people in {ran.told['project']}" in seen.out

    truth = dict(zip(*(generate(400, seed=3)[name].to_pylist() for name in ("text", "truth")), strict=True))
    person = sign_up(server.url, server.token, "waited-for@people.invalid", "a-long-password")
    project, form = int(ran.told["project"].rstrip("/").rsplit("/", 1)[-1]), Form(policy=demo_policy())

    def answer(limit=None):
        def decide(task):
            label = truth[task.data["text"]]
            return Response(Answer((label,), note="as defined" if label == "threat" else ""), 3.0)

        return work(person, project, form, decide, limit)

    answer(limit=4)
    pulled = hitl("pull", "--json").told
    assert (pulled["changed"], pulled["tasks_done"]) == (4, 4)
    # While the run sleeps, people work.
    monkeypatch.setattr("hitl.rounds.campaign.time.sleep", lambda seconds: answer())
    done = hitl("run", "--wait", "--every", 5)
    assert done.code == 0
    assert "people at work" in done.err
    assert "The seed round is completed, the only one." in done.out
    person.close()
    # What is on record is told without token, server and people.
    monkeypatch.delenv(VARIABLE)
    assert hitl("status", "--json").told["state"] == "done"
    assert hitl("report").code == 0
    assert hitl("pull").code == 78


def test_what_others_did_is_told_mended_and_served_anew(hitl, place, server, secrets, monkeypatch):
    secrets.add(server.token)
    monkeypatch.setenv(VARIABLE, server.token)
    small = {"rounds": 0, "seed_budget": 8, "benchmark": 2, "benchmark_people": 1, "overlap": 0}
    place(campaign="meddled with", connect=label_studio(server.url), plan=small)
    project = int(hitl("run", "--json").told["project"].rstrip("/").rsplit("/", 1)[-1])
    ana, bo = (sign_up(server.url, server.token, f"{who}@meddled.invalid", "a-long-password") for who in ("ana", "bo"))
    answers = cycle(["ok", "hate", "ok", "insult"])
    work(ana, project, Form(policy=demo_policy()), lambda task: Response(Answer((next(answers),)), 3.0), 5)
    hitl("pull")
    assert hitl("tampering", "--json").told == []
    assert "Nobody changed" in hitl("tampering").out

    order = hitl("rescore", "--json").told
    assert (order["labels"] > 0, order["tasks"]) == (True, 5)
    best = min(_served(server, project), key=lambda task: task["score"])
    assert best["version"] == order["model_id"]
    assert bo.next_task(project).id == best["id"]

    admin, (answered, other, untouched) = Http(server.url, server.token), _three(ana, project)
    theirs = admin.read(f"/api/tasks/{answered}/")["annotations"][0]
    Http(server.url, bo.token).rewrite("PATCH", f"/api/annotations/{theirs['id']}/", {"result": theirs["result"][:0]})
    admin.rewrite("DELETE", f"/api/tasks/{other}/", None)
    admin.rewrite("PATCH", f"/api/tasks/{untouched}/", {"data": {**_data(admin, untouched), "text": "another text"}})
    admin.write("POST", f"/api/projects/{project}/import", [{"data": {"text": "not ours"}}])

    def differences(*options):
        told = hitl("doctor", "--reconcile", *options, "--json").told
        return {
            (row["state"], word)
            for row in told
            if row["check"] == "reconcile"
            for word in _KINDS
            if word in row["detail"]
        }

    assert differences("--look-only") == {("warn", "not there"), ("warn", "not ours"), ("warn", "something else")}
    assert differences() == {("warn", "not there"), ("warn", "not ours"), ("ok", "something else")}
    assert differences() == {("warn", "not there"), ("warn", "not ours")}
    [first, *_] = hitl("tampering", "--json").told
    assert (first["severity"], first["kind"]) == (3, "answer changed by another")
    assert first["by"] != first["whose"]
    assert "changed" in hitl("tampering").out
    for one in (ana, bo, admin):
        one.close()


_KINDS = ("not there", "not ours", "something else", "changed", "fewer people", "place in the order", "more than once")


def _served(server, project):
    admin = Http(server.url, server.token)
    params = {"project": project, "fields": "all", "include": "id,is_labeled,predictions"}
    tasks = [task for task in admin.read("/api/tasks", params)["tasks"] if not task["is_labeled"]]
    admin.close()
    return [
        {"id": task["id"], "score": one["score"], "version": one["model_version"]}
        for task in tasks
        for one in task["predictions"][-1:]
    ]


def _three(person, project):
    """A task that was answered, another, and one that was not."""
    answered = [task.id for task in person.tasks(project) if task.people]
    return [*answered[:2], next(task.id for task in person.tasks(project) if not task.people)]


def _data(admin, task):
    return admin.read(f"/api/tasks/{task}/")["data"]


def test_a_second_run_does_not_disturb_the_first(hitl, tmp_path, place):
    place()
    (tmp_path / "runs/trial").mkdir(parents=True)
    with open(tmp_path / "runs/trial/run.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        called = hitl("run")
    assert called.code == 1
    assert "another run holds" in one_sentence(called)


def test_an_interruption_ends_in_130_and_says_that_nothing_is_lost(hitl, place, monkeypatch):
    def interrupted(campaign, wait=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(Campaign, "run", interrupted)
    place()
    called = hitl("run")
    assert called.code == 130
    assert "nothing is lost" in one_sentence(called)


def test_wrong_usage_ends_in_2(hitl):
    for arguments in (["frobnicate"], ["run", "--every", "0"], ["status", "a", "b"], []):
        assert hitl(*arguments).code == 2


def test_help_tells_the_exit_codes_and_every_command(hitl):
    called = hitl("--help")
    assert called.code == 0
    assert all(code in called.out for code in ("65", "69", "75", "77", "78", "130"))
    assert all(
        name in called.out for name in ("init", "run", "status", "pull", "rescore", "report", "tampering", "doctor")
    )
    assert hitl("--version").out.startswith("hitl 0.")


def test_as_a_process_the_codes_and_streams_are_the_same(tmp_path, place):
    place()
    script = [sys.executable, "-c", "from hitl.cli import main; main()"]

    def process(*arguments):
        plain = os.environ | {"PYTHONIOENCODING": "ascii"}
        return subprocess.run(
            [*script, *arguments], cwd=tmp_path, env=plain, capture_output=True, text=True, check=False
        )

    broken = process("run", "nowhere.yaml", "--json")
    assert (broken.returncode, broken.stdout) == (78, "")
    assert broken.stderr.count("\n") == 1
    ran = process("status", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert yaml.safe_load(ran.stdout)["state"] == "empty"
    examined = process("doctor")
    assert (examined.returncode, examined.stderr) == (0, "")
    assert "?  policy" in examined.stdout
    assert not (tmp_path / "runs").exists()
