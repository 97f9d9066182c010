"""Thin cells and what no label fits: of a campaign, and of a record made by hand."""

import numpy as np
import pyarrow as pa
import pytest

import hitl
from hitl.metrics.gaps import BAR, ENOUGH
from hitl.rounds.gaps import TOLD, gaps
from hitl.rounds.judged import Measured
from hitl.sampling.diversity.crowd import on_grid
from hitl.types import Resolution

POLICY = hitl.Policy.parse(
    "{name: p, version: 1, labels: [{name: ok, violating: false}, {name: rude, severity: 4}, {name: spam},"
    " {name: Edge case, violating: false}]}"
)


@pytest.fixture(scope="module")
def found(emerging):
    return gaps(Measured.of(emerging.walk, 1))


def test_cells_of_a_campaign_add_up(found, emerging):
    walk = emerging.walk
    assert found["columns"] == ["language"]
    languages = walk.pool.codes("language")[1]
    assert found["of"] == len(languages) * 3
    assert len(found["cells"]) == min(found["thin"], TOLD)
    worth = [cell["worth"] for cell in found["cells"]]
    assert worth == sorted(worth, reverse=True)
    settled = walk.ledger.resolutions(1)
    codes, _ = walk.pool.codes("language")
    for cell in found["cells"]:
        mine = [r for r in settled if cell["label"] in (r.labels or ())]
        here = codes[walk.positions(r.item_id for r in mine)] == languages.index(cell["where"]["language"])
        assert cell["labels"] == here.sum()
        assert cell["missing"]
        assert ("labels" in cell["missing"]) == (cell["labels"] < ENOUGH)
        assert ("low recall" in cell["missing"]) == (cell["recall"]["n"] > 0 and cell["recall"]["low"] < BAR)


def settled(at, label, **outs):
    return Resolution(str(at), at, None if label is None else (label,), 1.0, "m", "1", outs=outs)


def pool_of(n=120, **columns):
    texts = [
        f"free coins wallet giveaway number{at}" if at < 12 else f"lovely weather today word{at}" for at in range(n)
    ]
    facets = tuple(name for name in columns if name != "language")
    parts = {"language": "language"} if "language" in columns else {}
    return hitl.Pool.open(pa.table({"text": texts, **columns}), facets=facets, **parts)


def test_what_no_label_fits_stands_together_with_its_words_and_answers(staged, examined):
    said = [settled(at, None, no_policy=1) for at in range(7)]
    said += [settled(7, None, escalate=1, no_policy=1), settled(8, "Edge case"), settled(30, "spam"), settled(40, None)]
    told = gaps(examined(staged(pool_of(), POLICY, settled=said)))
    assert told["uncovered"] == 9
    assert sum(theme["items"] for theme in told["themes"]) == 9
    assert told["themes"][0]["items"] >= 5
    assert set(told["themes"][0]["terms"]) <= {"free", "coins", "wallet", "giveaway"}
    assert told["themes"][0]["terms"]
    outs = {
        out: sum(theme["outs"].get(out, 0) for theme in told["themes"])
        for out in ("no_policy", "escalate", "edge_case")
    }
    assert outs == {"no_policy": 8, "escalate": 1, "edge_case": 1}
    assert all("coins" in example["text"] for theme in told["themes"] for example in theme["examples"])


def test_cells_are_cut_by_language_and_origin_where_the_pool_has_them(staged, examined):
    language, synthetic = np.where(np.arange(120) % 3 == 0, "ar", "en"), np.arange(120) % 2 == 0
    enough = [settled(at, "rude") for at in range(120) if at % 3 == 1 and at % 2 == 0][: ENOUGH + 2]
    told = gaps(examined(staged(pool_of(language=language, synthetic=synthetic), POLICY, settled=enough)))
    assert told["columns"] == ["language", "synthetic"]
    assert (told["of"], told["thin"]) == (4 * 2, 8)  # nobody judged a probability sample: recall is not known anywhere
    full = [cell for cell in told["cells"] if "labels" not in cell["missing"]]
    assert [(cell["label"], cell["where"]["language"]) for cell in full] == [("rude", "en")]
    assert full[0]["missing"] == ["recall not known"]
    assert sum(cell["items"] for cell in told["cells"] if cell["label"] == "rude") == 120
    assert sum(cell["views"] for cell in told["cells"] if cell["label"] == "rude") == pytest.approx(1)
    assert told["measured"] == "no probability sample was judged"
    assert told["cells"][0]["label"] == "rude"  # the most severe


def test_a_pool_without_columns_is_one_part_and_items_to_come_do_not_count(staged, examined):
    came = np.repeat([0, 1, 2], 40).astype(np.int8)
    told = gaps(examined(staged(pool_of(came=came), POLICY, replay="came")))
    assert [cell["where"] for cell in told["cells"]] == [{}, {}]
    assert {cell["items"] for cell in told["cells"]} == {80}
    assert (told["uncovered"], told["themes"]) == (0, [])


@pytest.mark.parametrize("somewhere", [True, False])
def test_pictures_without_a_label_have_examples_and_no_words(staged, examined, somewhere):
    pool = hitl.Pool.open(pa.table({"media": [f"{at}.png" for at in range(60)]}), media="media")
    group = (np.arange(60) % 2)[:, None]
    lies = on_grid(np.where(group == 0, [1.0, 0.0, 0.1], [0.0, 1.0, 0.1])) if somewhere else None
    told = gaps(
        examined(staged(pool, POLICY, settled=[settled(at, None, no_policy=1) for at in range(14)], embeddings=lies))
    )
    assert told["uncovered"] == 14
    assert [theme["items"] for theme in told["themes"]] == ([7, 7] if somewhere else [14])
    assert all(theme["terms"] == [] and len(theme["examples"]) == 3 for theme in told["themes"])
    assert all(example["text"].endswith(".png") for theme in told["themes"] for example in theme["examples"])
