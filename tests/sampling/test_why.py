"""Every pick says why in one sentence."""

import pytest

from hitl.sampling.why import explain
from hitl.types import Pick


@pytest.mark.parametrize(
    ("pick", "held"),
    [
        (Pick(0, "i", "benchmark", 0.5, inclusion=0.25), ["benchmark", "0.25"]),
        (Pick(0, "i", "random", 0.5, {"margin": 0.2}), ["at random"]),
        (Pick(0, "i", "keyword", 0.5, {"keyword spam": 1.0, "keyword rude": 0.0}), ["keyword of spam"]),
        (Pick(0, "i", "diverse", 0.5, stands_for=4), ["Typical", "4 near-identical"]),
        (Pick(0, "i", "explore", 0.5, {"margin": 0.2, "impact": 1234.5}), ["margin 0.2", "impact 1,234"]),
        (Pick(0, "i", "gold", 0.5), ["how people do", "label is known"]),
        (Pick(0, "i", "contested", 0.5, {"margin": 0.2}, label="hate"), ["for the label hate", "margin 0.2"]),
        (Pick(0, "i", "exemplar", 0.5, {"exemplar spam": 1.0, "exemplar rude": 0.0}), ["example of spam"]),
        (Pick(0, "i", "keyword", 0.5), ["keyword of the policy"]),
        (Pick(0, "i", "relabel", 0.5, {"relabel": 0.8}), ["second opinion", "relabel 0.8"]),
    ],
)
def test_the_sentence_holds_the_figures(pick, held):
    sentence = explain(pick)
    assert all(part in sentence for part in held)
    assert "rude" not in sentence
    assert sentence.endswith(".")
    assert sentence.count(".") == 1 or any(char.isdigit() for char in sentence)
