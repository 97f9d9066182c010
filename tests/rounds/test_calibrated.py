"""The finding on calibration, of a campaign that was run."""

from __future__ import annotations

import json

import pytest

from hitl.history import read_estimate
from hitl.metrics.calibration import calibration, reliability
from hitl.rounds.calibrated import calibrated
from hitl.rounds.judged import Measured


def test_the_new_model_on_the_benchmark_and_the_old_on_the_audit(finished) -> None:
    at = Measured.of(finished[0].walk, 1)
    found = calibrated(at)
    assert [(row["sample"], row["model_id"]) for row in found] == [
        ("benchmark", at.new.model_id),
        ("audit", at.old.model_id),
    ]
    for row, judged in zip(found, (at.benchmark, at.audit), strict=True):
        assert row["items"] == len(judged.sample)
        assert tuple(one["label"] for one in row["labels"]) == judged.sample.labels
        expected = {(one.name, one.label): one for one in calibration(judged.sample)}
        for column, one in enumerate(row["labels"]):
            for told in map(read_estimate, one["figures"]):
                assert repr(told) == repr(expected[told.name, one["label"]])
            table = reliability(judged.sample, column)
            assert [part["share"]["value"] for part in one["bins"]] == pytest.approx(table.share.tolist())
            assert sum(part["mass"] for part in one["bins"]) == pytest.approx(1)
            assert one["p"] is None or 0 <= one["p"] <= 1


def test_it_is_json_and_stands_in_the_record(finished) -> None:
    walk = finished[0].walk
    for number in (0, 1):
        found = calibrated(Measured.of(walk, number))
        assert json.loads(json.dumps(found, allow_nan=False)) == walk.ledger.step(number, "examine")["calibration"]
    assert [row["sample"] for row in walk.ledger.step(0, "examine")["calibration"]] == ["benchmark"]
