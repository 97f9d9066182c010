"""A round's figures: prevalence on the audit has the help of the model that picked, where its beliefs are on record."""

from dataclasses import replace

import numpy as np
import pytest

from hitl.deciding import violation
from hitl.metrics.assisted import ASSISTED, Believed, assisted
from hitl.metrics.quality import measure as measure_quality
from hitl.rounds.judged import Measured
from hitl.rounds.measuring import with_assistance


def believed(walk, number):
    return walk.ledger.step(number, "select")["pool"].get("believed")


def test_a_scan_puts_on_record_what_its_model_believes_of_the_pool(finished):
    walk = finished[0].walk
    assert believed(walk, 0) is None  # no model picked the seed round
    for number in (1, 2):
        fitted, picks = walk.fitted(number - 1), walk.ledger.picks(number)
        asked_before = walk.positions(p.item_id for before in range(number) for p in walk.ledger.picks(before))
        free = walk.in_play(number)
        free[asked_before] = False
        assert free[[pick.position for pick in picks if pick.arm == "audit"]].all()
        proba = fitted.predict(walk.features.slice(0, len(walk.pool))).proba[free].astype(float)
        risk = violation(proba, walk.policy.violating, walk.policy.multi_label)
        told = believed(walk, number)
        assert told["prevalence"] == pytest.approx(risk.mean(), abs=1e-6)
        assert told["prevalence_by_views"] == pytest.approx(np.average(risk, weights=walk.pool.reach[free]), abs=1e-5)
        assert list(told["labels"]) == list(walk.policy.names)
        assert list(told["labels"].values()) == pytest.approx(proba.mean(axis=0), abs=1e-6)


def test_prevalence_on_the_audit_is_assisted(finished):
    walk = finished[0].walk
    at = Measured.of(walk, 1)
    plain = measure_quality(at.audit.sample, at.rng("test"))
    helped = with_assistance(at, plain)
    assert [(one.name, one.label) for one in helped] == [(one.name, one.label) for one in plain]
    expected = {(one.name, one.label): one for one in assisted(at.audit.sample, Believed.of(believed(walk, 1)))}
    assert len(expected) == 2 + len(walk.policy.names)
    for one, other in zip(helped, plain, strict=True):
        assert one == expected.get((one.name, one.label), other)
        assert one.method.startswith(ASSISTED) == ((one.name, one.label) in expected)
    on_record = {(one.name, one.label): one for one in walk.ledger.metrics(1, "audit")}
    for key, one in expected.items():
        assert (on_record[key].value, on_record[key].method) == (pytest.approx(one.value), one.method)


def test_a_campaign_of_an_earlier_version_keeps_the_plain_figures(finished, monkeypatch):
    walk = finished[0].walk
    at = replace(Measured.of(walk, 1))
    plain = measure_quality(at.audit.sample, at.rng("test"))
    step = type(walk.ledger).step

    def earlier(ledger, number, name):
        found = step(ledger, number, name)
        if name == "select":
            found = {**found, "pool": {key: value for key, value in found["pool"].items() if key != "believed"}}
        return found

    monkeypatch.setattr(type(walk.ledger), "step", earlier)
    assert with_assistance(at, plain) == plain
