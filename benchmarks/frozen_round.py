"""A round with the frozen `TextTransformer`: seconds from "answers are in" to "new tasks are up", step by step.

Whenever people have answered all that they were asked, a new process runs the campaign, as `hitl run` does: it is
started, opens pool and campaign, pulls, resolves, fits, measures, and selects, asks and pushes the next round. All of
that is counted. Rows of the encoder are cached before. The encoder is as wide as DistilBERT's (768) and its file as
large, its weights are random and its one layer is thin: a round's cost is that of the real one, the encoding's is not.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from common import Goal, finish, shared
from measuring import Clock, alone, memory
from short_texts import POLICY, write

import hitl
from hitl.config import truth_from
from hitl.models import make_model
from hitl.rounds.campaign import STEPS

ROUNDS, BUDGET, LIMIT = 3, 100, 30.0
BEFORE, AFTER = ("pull", "resolve", "fit", "measure"), ("select", "ask", "push")
WIDTH, PARAMETERS = 768, 66_000_000
VOCABULARY = 8_000


def make_encoder(folder: Path, texts: list[str]) -> Path:
    """A DistilBERT of one thin layer, its tokenizer trained on `texts`, its word table as large as to fill the file."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = [*names.values()]
    trainer = trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    rows = PARAMETERS // WIDTH
    config = transformers.DistilBertConfig(vocab_size=rows, dim=WIDTH, hidden_dim=64, n_layers=1, n_heads=12)
    torch.manual_seed(0)
    transformers.DistilBertModel(config).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    return folder


def measure_making(job: dict[str, Any]) -> dict[str, Any]:
    """Make the encoder, and the rows of the pool in the campaign's cache."""
    texts = pq.read_table(job["path"], columns=["text"])["text"].slice(0, 20_000).to_pylist()
    make_encoder(Path(job["encoder"]), texts)
    clock, campaign = Clock(), opened(job)[0]
    with clock("encoding"):
        items = len(campaign.walk.features)
    return clock.seconds | {"items": items, "peak": memory("VmHWM")}


def opened(job: dict[str, Any]) -> tuple[hitl.Campaign, hitl.MemoryConnector]:
    """The campaign as a process finds it, and its reviewers, who work when they are told."""
    pool = hitl.Pool.open(job["path"], id="id", text="text", reach="views", facets=("label",))
    folder = Path(job["folder"])
    desk = hitl.MemoryConnector(truth_from(pool, "label"), auto=False, folder=folder / "desk")
    campaign = hitl.Campaign(
        "frozen",
        policy=POLICY,
        pool=pool,
        model=make_model("text_transformer", {"encoder": job["encoder"], "device": "cpu"}),
        plan=hitl.Plan(rounds=ROUNDS, budget=BUDGET),
        connector=desk,
        folder=folder,
    )
    return campaign, desk


def measure_run(job: dict[str, Any]) -> dict[str, Any]:
    """Go on to where people must work; then they do. What was counted ends before they begin."""
    clock = Clock()
    clock.seconds["start"] = time.time() - job["at"]
    with clock("open"):
        campaign, desk = opened(job)
        before = campaign.status.round
    with clock("run"):
        status = campaign.run()
    rows = {name: campaign.ledger.steps(status.round - 1).get(name) for name in BEFORE}
    rows |= {name: campaign.ledger.steps(status.round).get(name) for name in AFTER}
    clock.seconds |= {name: row["seconds"] for name, row in rows.items() if row}
    desk.work()
    return clock.seconds | {
        "before": before, "round": status.round, "state": status.state, "peak": memory("VmHWM"),
    }  # fmt: skip


def main(items: int) -> None:
    data = shared()
    if data is None:
        raise SystemExit("skipped: HITL_SHARED names no folder with data/text")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        job = {"path": str(home / "posts.parquet"), "folder": str(home / "campaign"), "encoder": str(home / "encoder")}
        write(Path(job["path"]), items, data)
        made = alone("frozen_round.py", job | {"kind": "making"})
        reached, rounds = -1, []
        while reached < ROUNDS:
            told = alone("frozen_round.py", job | {"kind": "run", "at": time.time()})
            if told["round"] > reached >= 0:
                rounds.append(told)
            reached = told["round"]
    finish("frozen_round", goals_of(made, rounds), rows_of(made, rounds), headers_of(rounds))


def whole(told: dict[str, Any]) -> float:
    """From the start of the process until the new tasks are up and the report is written."""
    return float(told["start"] + told["open"] + told["run"])


def headers_of(rounds: list[dict[str, Any]]) -> list[str]:
    return ["seconds", *(f"answers of round {told['round'] - 1} → tasks of round {told['round']}" for told in rounds)]


def rows_of(made: dict[str, Any], rounds: list[dict[str, Any]]) -> list[list[str]]:
    """The parts of each round in order, and their sum."""
    parts = {"start the process": "start", "open pool and campaign": "open"} | {name: name for name in STEPS}
    ordered = [*[*parts][:2], *BEFORE, *AFTER]
    rows = [[name, *(f"{told[parts[name]]:.2f}" for told in rounds)] for name in ordered]
    rest = [told["run"] - sum(told[name] for name in STEPS) for told in rounds]
    rows.append(["report and the rest", *(f"{seconds:.2f}" for seconds in rest)])
    rows.append(["all", *(f"{whole(told):.2f}" for told in rounds)])
    rows.append(["MiB at the peak", *(f"{told['peak']:.0f}" for told in rounds)])
    once = [f"{made['encoding']:.1f}", *("" for _ in rounds[1:])]
    return [*rows, [f"once before: encoding {made['items']:,} texts (a thin layer)", *once]]


def goals_of(made: dict[str, Any], rounds: list[dict[str, Any]]) -> list[Goal]:
    slowest = max(map(whole, rounds))
    name = f"from answers to new tasks, {made['items']:,} items × {WIDTH}, the slowest of {len(rounds)} rounds"
    return [Goal(name, "< 30 s", f"{slowest:.1f} s", slowest < LIMIT)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10,000 items instead of 100,000")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        job = json.loads(chosen.one)
        print(json.dumps({"making": measure_making, "run": measure_run}[job["kind"]](job)))
    else:
        main(10_000 if chosen.quick else 100_000)
