import pytest
import torch

from hitl.errors import ConfigError
from hitl.models.neural.devices import VARIABLE, available, choose, precision


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def two_cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def no_card(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_auto_takes_cuda_before_mps_before_cpu(monkeypatch, no_card):
    assert choose() == torch.device("cpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose() == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose() == torch.device("cuda")


def test_the_variable_says_what_auto_is_and_no_more(monkeypatch, two_cards):
    monkeypatch.setenv(VARIABLE, "cuda:1")
    assert choose() == torch.device("cuda:1")
    assert choose("cpu") == torch.device("cpu")
    monkeypatch.setenv(VARIABLE, "auto")
    assert choose() == torch.device("cuda")


@pytest.mark.parametrize("wish", ["cuda:2", "tpu", "mps", "cuda:-1", ""])
def test_a_device_that_is_not_here_is_told_with_those_that_are(monkeypatch, two_cards, wish):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="cuda, cuda:0, cuda:1, cpu"):
        choose(wish)


def test_a_wrong_variable_is_named(monkeypatch, no_card):
    monkeypatch.setenv(VARIABLE, "cuda")
    with pytest.raises(ConfigError, match="HITL_DEVICE=cuda"):
        choose()
    assert available() == ("cpu",)


def test_precision_follows_the_device(monkeypatch):
    assert precision(torch.device("cpu")) == precision(torch.device("mps")) == torch.float32
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    assert precision(torch.device("cuda")) == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert precision(torch.device("cuda")) == torch.float16


@pytest.mark.parametrize("wish", ["float32", "bfloat16", "float16"])
def test_a_wish_for_a_precision_is_kept(wish):
    assert precision(torch.device("cpu"), wish) == getattr(torch, wish)


def test_another_precision_is_refused():
    with pytest.raises(ConfigError, match="float64"):
        precision(torch.device("cpu"), "float64")
