import json
import logging
import os
import shutil
import socket
import sys

import pytest
import tiny
import torch
import transformers
from huggingface_hub import errors as hub

from hitl.errors import ConfigError, ModelError
from hitl.models.neural import loading
from hitl.models.neural.loading import fingerprint, load_image_processor, load_model, load_tokenizer, resolve


@pytest.fixture
def folder(tmp_path):
    return tiny.tiny_text_encoder(tmp_path / "encoder")


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a folder needs no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_a_folder_is_loaded_without_the_network(folder, no_network):
    found = resolve(str(folder))
    assert found == folder
    loaded = load_model(found)
    assert loaded.untrained == ()
    assert not loaded.module.training
    assert {p.dtype for p in loaded.module.parameters()} == {torch.float32}
    assert load_tokenizer(found)("zonk blip")["input_ids"]


def test_a_folder_in_the_home_directory_is_found(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert resolve("~/encoder") == folder


@pytest.mark.parametrize("name", ["/no/such/zonk", "./zonk", "~/zonk-no", "a/b/c", "", "C:\\zonk"])
def test_a_path_that_is_not_there_is_not_asked_of_the_hub(name, no_network, monkeypatch):
    monkeypatch.chdir("/")
    with pytest.raises(ModelError, match="no such folder") if name else pytest.raises(ModelError):
        resolve(name)


def test_a_name_that_cannot_be_had_offline_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"zonk/blip at v2.*check the name.*`hf download zonk/blip --revision v2`"):
        resolve("zonk/blip", "v2")


class Answer:
    status_code, headers, text, reason_phrase, request = 404, {}, "", "zonk", None


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (lambda: hub.RepositoryNotFoundError("zonk", response=Answer()), "check the name"),
        (lambda: hub.RevisionNotFoundError("zonk", response=Answer()), "check the name"),
        (lambda: hub.GatedRepoError("zonk", response=Answer()), "gated; accept its terms"),
        (lambda: hub.LocalEntryNotFoundError("zonk"), "give the path of a folder"),
        (lambda: hub.HFValidationError("zonk"), "check the name"),
        (lambda: ConnectionError("zonk"), "hf download"),
        (lambda: TimeoutError("zonk"), "hf download"),
    ],
)
def test_whatever_the_hub_says_becomes_a_model_error(monkeypatch, raised, told):
    def fail(*args, **kwargs):
        raise raised()

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    with pytest.raises(ModelError, match=told):
        resolve("zonk/blip")


def test_a_name_of_the_hub_takes_the_way_of_a_folder(folder, monkeypatch):
    asked = {}

    def download(name, **settings):
        asked.update(settings, name=name)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert resolve("zonk/blip", "v1") == folder
    assert (asked["name"], asked["revision"]) == ("zonk/blip", "v1")
    assert not any("bin" in pattern or "py" in pattern for pattern in asked["allow_patterns"])


def test_a_folder_without_a_model_says_so(tmp_path):
    with pytest.raises(ModelError, match=r"no config\.json"):
        resolve(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="no weights"):
        resolve(tmp_path)


def test_a_pickle_is_never_opened(folder):
    torch.save({"zonk": torch.zeros(1)}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"pickle \(pytorch_model\.bin\).*save_pretrained"):
        resolve(folder)
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(folder)


def test_code_in_the_folder_is_never_run(folder):
    config = json.loads((folder / "config.json").read_text())
    told = {"model_type": "zonk", "auto_map": {"AutoConfig": "evil.C", "AutoModel": "evil.M"}}
    (folder / "config.json").write_text(json.dumps(config | told))
    (folder / "evil.py").write_text("import os; os.environ['ZONK_RAN'] = '1'\nclass C: pass\nclass M: pass\n")
    with pytest.raises(ModelError):
        load_model(folder)
    assert "ZONK_RAN" not in os.environ
    assert "evil" not in sys.modules


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_damaged_file_is_a_model_error(folder, name):
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="encoder"):
        (load_tokenizer if name == "tokenizer.json" else load_model)(folder)


def test_weights_of_another_architecture_are_refused(folder, tmp_path):
    other = tiny.tiny_image_encoder(tmp_path / "image")
    shutil.copy(other / "model.safetensors", folder / "model.safetensors")
    with pytest.raises(ModelError, match="not in its files"):
        load_model(folder)


def test_a_head_that_is_missing_is_drawn_by_the_seed_alone(folder):
    before = torch.get_rng_state()
    heads = [
        load_model(
            folder,
            auto="AutoModelForSequenceClassification",
            may_lack=("pre_classifier", "classifier"),
            seed=seed,
            num_labels=3,
        )
        for seed in (1, 1, 2)
    ]
    first, same, other = (head.module.classifier.weight for head in heads)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert first.shape == (3, 32)
    assert "classifier.weight" in heads[0].untrained
    assert torch.equal(before, torch.get_rng_state())


def test_an_image_encoder_has_no_tokenizer_and_the_other_way_round(folder, tmp_path):
    with pytest.raises(ModelError, match="no tokenizer"):
        load_tokenizer(tiny.tiny_image_encoder(tmp_path / "image"))
    with pytest.raises(ModelError, match="image processor"):
        load_image_processor(folder)


def test_the_fingerprint_sees_every_file_that_counts_and_no_other(folder, tmp_path):
    first = fingerprint(folder)
    shutil.copytree(folder, tmp_path / "copy")
    assert fingerprint(tmp_path / "copy") == first
    (folder / "README.md").write_text("zonk")
    assert fingerprint(folder) == first
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        path = tmp_path / "copy" / name
        path.write_bytes(path.read_bytes() + b" ")
        changed = fingerprint(tmp_path / "copy")
        assert changed != first
        first = changed


def test_a_file_is_hashed_again_only_when_it_changed(folder, monkeypatch):
    fingerprint(folder)
    monkeypatch.setattr(loading.hashlib, "file_digest", lambda *a: pytest.fail("hashed again"))
    fingerprint(folder)


def test_loading_says_nothing_and_leaves_the_settings_as_they_were(folder, capfd):
    log = transformers.utils.logging
    before = log.get_verbosity(), log.is_progress_bar_enabled()
    logging.getLogger("transformers").setLevel(logging.INFO)
    load_model(folder, auto="AutoModelForSequenceClassification", may_lack=("pre_classifier", "classifier"))
    assert log.get_verbosity() == logging.INFO
    assert log.is_progress_bar_enabled() == before[1]
    log.set_verbosity(before[0])
    told = capfd.readouterr()
    assert told.out == told.err == ""


@pytest.mark.parametrize(("module", "extra"), [("transformers", "transformers"), ("PIL", "image")])
def test_a_missing_package_is_named_with_its_extra(folder, monkeypatch, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, f"{module}.Image", None)
    with pytest.raises(ConfigError, match=rf"pip install 'hitl\[{extra}\]'"):
        load_image_processor(folder)
