"""Tiny encoders for tests: built from a config, their tokenizers trained on invented text, saved as folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from hitl.models.neural.loading import quiet

WORDS = "zonk blip quux frob wibble snark grue plugh xyzzy florp mumble the a of is not very good bad 1 2 3 ! ? , ."
TEXTS = tuple(f"{first} {second} is not {first}{second}" for first in WORDS.split() for second in WORDS.split())
"""Invented texts that the tokenizers learn from, if no others are given."""

IMAGE = 32
"""Side of the tiny image encoders' input, in pixels."""


def tiny_text_encoder(folder: Path, *, texts: Sequence[str] = TEXTS, seed: int = 0, hidden: int = 32) -> Path:
    """A DistilBERT of two layers with a WordPiece tokenizer; returns `folder`."""
    tokenizer = wordpiece(texts)
    config = transformers.DistilBertConfig(
        vocab_size=len(tokenizer), dim=hidden, hidden_dim=2 * hidden, n_layers=2, n_heads=2, max_position_embeddings=64
    )
    return save(folder, transformers.DistilBertModel, config, tokenizer, seed)


def tiny_bert(folder: Path, *, texts: Sequence[str] = TEXTS, seed: int = 0, hidden: int = 32) -> Path:
    """A BERT of two layers with a WordPiece tokenizer; returns `folder`."""
    tokenizer = wordpiece(texts)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=64,
    )
    return save(folder, transformers.BertModel, config, tokenizer, seed)


def tiny_roberta(folder: Path, *, texts: Sequence[str] = TEXTS, seed: int = 0, hidden: int = 32) -> Path:
    """A RoBERTa of two layers with a byte-level BPE tokenizer, whose positions begin at 2; returns `folder`."""
    tokenizer = byte_pairs(texts, ("<s>", "<pad>", "</s>", "<unk>", "<mask>"))
    config = transformers.RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=66,
        type_vocab_size=1,
    )
    return save(folder, transformers.RobertaModel, config, tokenizer, seed)


def tiny_causal_lm(folder: Path, *, texts: Sequence[str] = TEXTS, seed: int = 0, hidden: int = 32) -> Path:
    """A GPT-2 of two layers that writes, with a byte-level BPE tokenizer and no pad token; returns `folder`."""
    tokenizer = byte_pairs(texts, ("<|endoftext|>",))
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=hidden,
        n_layer=2,
        n_head=2,
        n_positions=1024,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return save(folder, transformers.GPT2LMHeadModel, config, tokenizer, seed)


def tiny_image_encoder(folder: Path, *, seed: int = 0, hidden: int = 32) -> Path:
    """A ViT of two layers for images of 32 × 32 pixels; returns `folder`."""
    config = transformers.ViTConfig(
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=IMAGE,
        patch_size=8,
    )
    size = {"height": IMAGE, "width": IMAGE}
    return save(folder, transformers.ViTModel, config, transformers.ViTImageProcessorPil(size=size), seed)


def tiny_resnet(folder: Path, *, seed: int = 0, hidden: int = 32) -> Path:
    """A ResNet of two stages, which takes images of 32 × 32 pixels; returns `folder`."""
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[16, hidden], depths=[1, 1], layer_type="basic", out_features=None
    )
    processor = transformers.ConvNextImageProcessorPil(size={"shortest_edge": IMAGE}, crop_pct=1.0)
    return save(folder, transformers.ResNetModel, config, processor, seed)


def tiny_clip(folder: Path, *, texts: Sequence[str] = TEXTS, seed: int = 0, hidden: int = 32) -> Path:
    """A CLIP of both towers, one layer each, for images of 32 × 32 pixels; returns `folder`."""
    tower = {"hidden_size": hidden, "intermediate_size": 2 * hidden, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.CLIPConfig(
        vision_config={**tower, "image_size": IMAGE, "patch_size": 8},
        text_config={**tower, "vocab_size": 64, "bos_token_id": 0, "eos_token_id": 1},
        projection_dim=16,
    )
    size, crop = {"shortest_edge": IMAGE}, {"height": IMAGE, "width": IMAGE}
    processor = transformers.CLIPImageProcessorPil(size=size, crop_size=crop)
    return save(folder, transformers.CLIPModel, config, processor, seed)


def wordpiece(texts: Sequence[str] = TEXTS, size: int = 400) -> Any:
    """A fast WordPiece tokenizer as BERT's, trained on `texts`."""
    specials = {name: f"[{name[:-6].upper()}]" for name in ("pad_token", "unk_token", "cls_token", "sep_token")}
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    learn = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=[*specials.values(), "[MASK]"], show_progress=False
    )
    tokenizer.train_from_iterator(texts, learn)
    sep, cls = (tokenizer.token_to_id(token) for token in ("[SEP]", "[CLS]"))
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, mask_token="[MASK]", **specials)


def byte_pairs(texts: Sequence[str] = TEXTS, specials: Sequence[str] = ("<|endoftext|>",), size: int = 400) -> Any:
    """A fast byte-level BPE tokenizer trained on `texts`: RoBERTa's if it has "<s>", else GPT-2's, without a pad."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    learn = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(specials),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, learn)
    if "<s>" not in specials:
        end = specials[0]
        return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=end, eos_token=end)
    ends = [(token, tokenizer.token_to_id(token)) for token in ("</s>", "<s>")]
    tokenizer.post_processor = processors.RobertaProcessing(*ends, add_prefix_space=False)
    named = {
        "cls_token": "<s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    }
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)


def save(folder: Path, kind: type, config: Any, reads: Any, seed: int) -> Path:
    """A model of class `kind` with weights drawn by `seed`, and what reads its input, in `folder`; returns `folder`."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = kind(config)
    with quiet():
        model.save_pretrained(folder)
    reads.save_pretrained(folder)
    return folder
