"""A connector that is made late is, once made, the one that it stands for."""

from dataclasses import replace

import pytest

from hitl.connectors import Connector
from hitl.connectors.deferred import Deferred
from hitl.connectors.memory import MemoryConnector
from hitl.errors import ConfigError
from hitl.policy import Policy
from hitl.tasks import Form
from hitl.types import Tab, Task

POLICY = Policy.parse("{name: p, version: 1, labels: [{name: fine, violating: false}, {name: rude}]}")
FORM = Form(policy=POLICY)
TASK = Task("key-1", 0, "item-1", 0, "classify", "1", "", {"text": "..."})


def test_nothing_is_made_until_it_is_spoken_to_and_then_once():
    made = []
    late = Deferred("memory", lambda: made.append(1) or MemoryConnector({"item-1": ("rude",)}))
    assert (late.kind, repr(late)) == ("memory", "Deferred('memory')")
    late.close()
    assert made == []
    assert late.open("trial", FORM, POLICY) == "memory://trial"
    assert late.push([TASK]).sent == 1
    assert made == [1]
    assert isinstance(late, Connector)


def test_it_answers_as_the_one_that_was_made():
    late, plain = (
        Deferred("memory", lambda: MemoryConnector({"item-1": ("rude",)})),
        MemoryConnector({"item-1": ("rude",)}),
    )
    for connector in (late, plain):
        connector.open("trial", FORM, POLICY)
        connector.push([TASK])
    late.ask_more({"key-1": 3})
    plain.ask_more({"key-1": 3})
    newer = replace(TASK, model_id="model-2", priority=0.9)
    for connector in (late, plain):
        connector.refresh([newer])
        connector.sort([Tab("all")])
    other = [newer, replace(TASK, key="key-2")]
    assert late.broken(other) == plain.broken(other)
    assert late.reconcile(other, mend=False) == plain.reconcile(other, mend=False) != ()
    assert late.pull("") == plain.pull("")
    assert late.finish() == plain.finish()
    assert late.check("trial", FORM) == plain.check("trial", FORM)
    assert repr(late) == repr(plain)
    late.close()


def test_what_prevents_its_making_is_told_at_each_call():
    def refuse():
        raise ConfigError("no token")

    late = Deferred("label_studio", refuse)
    for _ in range(2):
        with pytest.raises(ConfigError, match="no token"):
            late.pull("")
