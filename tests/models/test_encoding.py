"""What rows are known by, and that a fine-tuning tells how far it is."""

from pathlib import Path

import numpy as np
import pytest
from kinds import KINDS, LABELS, encoder, pool_of, truth

from hitl.models.clips import ClipRows
from hitl.models.encoding import Checkpoint, ImageRows, TextRows
from hitl.types import Targets


@pytest.mark.parametrize(("module", "kind"), [("text_encoder", "text"), ("image_encoder", "image")])
def test_rows_that_would_come_out_otherwise_are_known_by_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, kind: str
) -> None:
    at = Checkpoint(str(encoder(tmp_path, kind)))
    makers = [lambda: TextRows(at)] if kind == "text" else [lambda: ImageRows(at, None), lambda: ClipRows(at, None)]
    before = [make().fingerprint for make in makers]
    assert before == [make().fingerprint for make in makers]
    monkeypatch.setattr(f"hitl.models.neural.{module}.VERSION", 999)
    assert not set(before) & {make().fingerprint for make in makers}


def test_fine_tuning_tells_how_far_it_is(tmp_path: Path) -> None:
    kind = KINDS["text_transformer tuned"]
    told: list[tuple[str, int, int | None]] = []
    model = kind.make(tmp_path)
    features = model.features(pool_of(kind, tmp_path), None, lambda *step: told.append(step))
    told.clear()
    targets = Targets(np.arange(40), np.eye(3)[truth()[:40]], LABELS, np.ones(40))
    model.fit(features, targets, np.random.default_rng(0), multi_label=False)
    assert {label for label, _, _ in told} == {"fine-tuning"}
    assert told[-1][1] == told[-1][2]
