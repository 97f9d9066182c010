"""Transformer inference: our encoder with a head on it, and the `transformers` pipeline on the same texts and weights.

A DistilBERT of full size with random weights, and a tokenizer trained on the texts: speed and agreement need no learned
model, but they need real lengths. On a GPU, also the share of the card's measured matrix peak.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
import transformers
from common import Goal, finish, shared
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from hitl.models.neural.loading import quiet
from hitl.models.neural.text_encoder import TextEncoder, TextEncoding

SETS = ("davidson", "clickbait")
BATCHES = (8, 16, 32, 64, 128)
"""Batch sizes that the pipeline is tried at, beside its default of 1."""
AGREEMENT = {"float32": 1e-5, "bfloat16": 1e-2}
"""How far our probabilities may be from the pipeline's, which computes in float32."""
HEADERS = ["texts", "who", "batch", "texts/s", "ours in float32 is", "probabilities apart"]
SEQUENCE, PEAK_SIDE = 128, 8192
Speeds = dict[str, float]


def texts_of(name: str, count: int) -> list[str]:
    """`count` texts of a data set in the shared folder, drawn by chance."""
    folder = shared()
    if folder is None:
        raise SystemExit("inference: no data; set HITL_SHARED to the folder of data sets")
    texts = pq.read_table(folder / "data" / "text" / name / "items.parquet", columns=["text"])["text"].to_pylist()
    return [texts[at] for at in np.random.default_rng(0).permutation(len(texts))[:count]]


def build(folder: Path, texts: list[str], layers: int = 6) -> Path:
    """A DistilBERT classifier of three labels with random weights, and its tokenizer, saved in `folder`."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    learn = trainers.WordPieceTrainer(vocab_size=30_522, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(texts, learn)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, mask_token="[MASK]", model_max_length=512, **names
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.DistilBertConfig(n_layers=layers, num_labels=3)
    with quiet():
        transformers.DistilBertForSequenceClassification(config).save_pretrained(folder)
    return folder


def ours(folder: Path, precision: str) -> Callable[[list[str]], np.ndarray]:
    """Our encoder, and the classifier's head on its rows: texts → probabilities (n, 3)."""
    encoder = TextEncoder.open(folder, TextEncoding(pooling="cls", max_length=512, precision=precision), "cpu")
    with quiet():
        whole = transformers.AutoModelForSequenceClassification.from_pretrained(folder)

    def run(texts: list[str]) -> np.ndarray:
        with torch.inference_mode():
            x = torch.from_numpy(encoder.embed(texts))
            return whole.classifier(torch.relu(whole.pre_classifier(x))).softmax(dim=1).numpy()

    return run


def theirs(folder: Path, batch: int) -> Callable[[list[str]], Any]:
    """The pipeline at a batch size: texts → its own lists of labels and scores."""
    with quiet():
        pipeline = transformers.pipeline("text-classification", model=str(folder), device="cpu", top_k=None)
    return lambda texts: pipeline(texts, batch_size=batch, truncation=True)


def as_proba(told: list[list[dict[str, Any]]]) -> np.ndarray:
    """The pipeline's scores (n, 3) in the order of the labels."""
    return np.array([[one["score"] for one in sorted(row, key=lambda one: one["label"])] for row in told])


def timed(run: Callable[[list[str]], Any], texts: list[str]) -> tuple[float, Any]:
    begun = time.perf_counter()
    result = run(texts)
    return time.perf_counter() - begun, result


def precisions() -> list[str]:
    """The number formats that this processor is quick at: float32, and bfloat16 where that beats it."""
    seconds = {}
    for name in AGREEMENT:
        a = torch.ones(1024, 1024, dtype=getattr(torch, name))
        seconds[name] = min(timed(lambda _, a=a: a @ a, [])[0] for _ in range(3))
    return [name for name in AGREEMENT if seconds[name] <= seconds["float32"]]


def on_cpu(name: str, count: int, repeats: int) -> tuple[list[Goal], list[list[str]]]:
    """Both sides on the same texts, in turn; the best of `repeats` passes each."""
    texts = texts_of(name, count)
    with tempfile.TemporaryDirectory() as folder:
        built = build(Path(folder), texts_of(name, 25_000))
        mine = {precision: ours(built, precision) for precision in precisions()}
        sides = mine | {str(batch): theirs(built, batch) for batch in (1, *BATCHES)}
    best: Speeds = dict.fromkeys(sides, np.inf)
    proba = {}
    for run in sides.values():
        run(texts[:32])
    for _ in range(repeats):
        for side, run in sides.items():
            seconds, told = timed(run, texts)
            best[side] = min(best[side], seconds)
            proba[side] = told if side in mine else as_proba(told)
    speeds = {side: count / seconds for side, seconds in best.items()}
    apart = {side: max(float(np.abs(proba[side] - proba[str(b)]).max()) for b in (1, *BATCHES)) for side in mine}
    goals = [goal for side in mine for goal in goals_of(name, side, speeds, apart[side])]
    return goals, rows_of(f"{name}, {count:,}", speeds, apart)


def goals_of(name: str, mine: str, speeds: Speeds, apart: float) -> list[Goal]:
    best = max((side for side in speeds if side not in AGREEMENT), key=lambda side: speeds[side])
    title, goals = f"inference on CPU, {name}, {mine}", []
    for told, side, least in (("the pipeline's default", "1", 3.0), ("the pipeline's best batch size", best, 1.3)):
        ratio = speeds[mine] / speeds[side]
        measured = f"{ratio:.2f} × ({speeds[mine]:.0f} against {speeds[side]:.0f} texts/s with batches of {side})"
        goals.append(Goal(f"{title}, beside {told}", f"≥ {least:g} ×", measured, ratio >= least))
    limit = AGREEMENT[mine]
    return [*goals, Goal(f"{title}, probabilities apart", f"< {limit:g}", f"{apart:.1e}", apart < limit)]


def rows_of(name: str, speeds: Speeds, apart: Speeds) -> list[list[str]]:
    """A row for each side: its speed, and that of ours in float32 as a multiple of it."""
    rows = []
    for side, speed in speeds.items():
        who, batch = (f"ours, {side}", "by length") if side in apart else ("pipeline, float32", side)
        ratio = f"{speeds['float32'] / speed:.2f} ×"
        rows.append([name, who, batch, f"{speed:.0f}", ratio, f"{apart[side]:.1e}" if side in apart else ""])
    return rows


def on_gpu() -> tuple[list[Goal], list[list[str]]]:
    """Share of the card's measured bf16 matrix peak that the encoder reaches at sequence length 128."""
    if not torch.cuda.is_available():
        return [], [["sequence 128", "no GPU here", "", "", "", ""]]
    card, peak = torch.cuda.get_device_name(), matrix_peak()
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), ["zonk blip"])
        encoder = TextEncoder.open(folder, TextEncoding(pooling="cls", precision="bfloat16"), "cuda")
    rows, best = [], 0.0
    for batch in (64, 256, 1024):
        ids = torch.randint(5, 100, (batch, SEQUENCE), device="cuda")
        seconds = on_card(lambda ids=ids: encoder.pooled(ids, None))
        share = flops(encoder, batch) / seconds / peak
        best = max(best, share)
        rows.append([f"sequence {SEQUENCE}", card, str(batch), f"{batch / seconds:.0f}", f"{share:.0%} of peak", ""])
    measured = f"{best:.0%} of {peak / 1e12:.0f} TFLOP/s, {card}"
    return [Goal(f"inference on GPU, bf16, sequence {SEQUENCE}", "≥ 40 % of peak", measured, best >= 0.4)], rows


def flops(encoder: TextEncoder, batch: int) -> float:
    """Floating-point operations of a batch: 2 for each weight and token, and attention's two products."""
    config = encoder.module.config
    weights = sum(p.numel() for name, p in encoder.module.named_parameters() if "embeddings" not in name)
    attention = 4 * SEQUENCE * config.hidden_size * config.num_hidden_layers
    return float(batch * SEQUENCE * (2 * weights + attention))


def matrix_peak() -> float:
    """FLOP/s of a large bf16 matrix product on this card."""
    a = torch.randn(PEAK_SIDE, PEAK_SIDE, device="cuda", dtype=torch.bfloat16)
    return 2 * PEAK_SIDE**3 / on_card(lambda: a @ a)


def on_card(run: Callable[[], Any], repeats: int = 20) -> float:
    """Seconds of one call on the card, once warm."""
    with torch.inference_mode():
        for _ in range(3):
            run()
        torch.cuda.synchronize()
        begun = time.perf_counter()
        for _ in range(repeats):
            run()
        torch.cuda.synchronize()
    return (time.perf_counter() - begun) / repeats


def measure(quick: bool) -> tuple[list[Goal], list[list[str]]]:
    """All goals and rows (`HEADERS`): CPU on both data sets, then the GPU."""
    count, repeats = (200, 1) if quick else (1_000, 1)
    parts = [([], [["", f"{torch.get_num_threads()} threads for each side", "", "", "", ""]])]
    parts += [*(on_cpu(name, count, repeats) for name in SETS), on_gpu()]
    return [goal for goals, _ in parts for goal in goals], [row for _, rows in parts for row in rows]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200 texts a data set, one pass")
    goals, rows = measure(parser.parse_args().quick)
    finish("inference", goals, rows, HEADERS)
