"""Texts → embeddings by a Hugging Face encoder, as fast as the device allows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hitl.errors import ConfigError
from hitl.models.neural.batching import Tokens, by_length
from hitl.models.neural.devices import choose, precision
from hitl.models.neural.loading import fingerprint, load_model, load_tokenizer, needed, resolve
from hitl.types import Ints

if TYPE_CHECKING:
    import torch

VERSION = 1
"""Raised whenever the same text would get another embedding."""

Pooling = Literal["mean", "cls", "last"]
Texts: TypeAlias = Sequence[str] | pa.Array | pa.ChunkedArray

CHARS_A_TOKEN = 32
"""A text of more characters than `max_length` times this has its blanks made single ones, and is cut there."""

_AT_ONCE = 4096  # texts that are tokenised together
_BATCH_TOKENS = {"cpu": 2048, "mps": 8192, "cuda": 32768}
_OVERHEAD = {"cpu": 32, "mps": 512, "cuda": 2048}  # what a batch costs besides its tokens, in tokens


@dataclass(frozen=True)
class TextEncoding:
    """How texts become rows: `pooling` of the last hidden states, and how many tokens of a text are read.

    `pooling`: "mean" of all tokens, "cls" for the first token, "last" for the last one (decoders, which see nothing
    behind a token). `max_length` tokens at most, special ones included, or as many as the encoder can read.
    `precision`: see `devices.precision`. `batch_tokens` in a batch at most: speed and memory, not the rows.

    >>> TextEncoding(pooling="cls").max_length
    256
    """

    pooling: Pooling = "mean"
    max_length: int = 256
    precision: str = "auto"
    batch_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.pooling not in get_args(Pooling):
            raise ConfigError(f"pooling {self.pooling!r}: choose one of {', '.join(get_args(Pooling))}")
        if self.max_length < 3 or (self.batch_tokens is not None and self.batch_tokens < 1):
            raise ConfigError("max_length must be at least 3 tokens, and batch_tokens at least 1")


@dataclass(frozen=True, eq=False)
class TextEncoder:
    """An encoder that is ready to run: torch module, tokenizer, and how both are used. Made by `TextEncoder.open`."""

    module: Any
    tokenizer: Any
    options: TextEncoding
    device: torch.device
    fingerprint: str
    """Changes with the weights, the tokenizer, and the options that the rows depend on."""

    @classmethod
    def open(
        cls, name: str | Path, options: TextEncoding | None = None, device: str = "auto", *, revision: str | None = None
    ) -> TextEncoder:
        """The encoder of this Hub name or in this folder, on this device.

        Any encoder of `AutoModel`, the encoder half of an encoder-decoder, or a decoder (choose `pooling="last"`).
        Raises `ModelError` when it cannot be had or loaded, `ConfigError` when the device is not here.
        """
        options = options or TextEncoding()
        needed()
        place = choose(device)
        dtype = precision(place, options.precision)
        folder = resolve(name, revision)
        tokenizer = load_tokenizer(folder)
        module = load_model(folder, dtype=dtype).module
        if module.config.is_encoder_decoder:
            module = module.get_encoder()
        module.config.use_cache = False  # a decoder keeps no keys and values of texts that do not go on
        told = [VERSION, fingerprint(folder), options.pooling, options.max_length, str(dtype)]
        hashed = hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()
        return cls(module.to(place).requires_grad_(False), tokenizer, options, place, hashed)

    @property
    def width(self) -> int:
        """Number of columns of an embedding."""
        return int(self.module.config.hidden_size)

    @cached_property
    def longest(self) -> int:
        """How many tokens of a text are read: `max_length`, or fewer where the encoder or its tokenizer ends before."""
        return min(self.options.max_length, int(self.tokenizer.model_max_length), _positions(self.module))

    @property
    def specials(self) -> int:
        """How many tokens a text has before it says anything."""
        return int(self.tokenizer.num_special_tokens_to_add())

    @property
    def pad(self) -> int:
        """The id that fills rows up; never looked at."""
        pad = self.tokenizer.pad_token_id
        return int(pad if pad is not None else getattr(self.module.config, "pad_token_id", None) or 0)

    def tokens(self, texts: Texts) -> Tokens:
        """Token ids of n texts, special ones included, cut to `longest`; None counts as an empty text."""
        return tokenise(self.tokenizer, texts, self.longest)

    def embed(self, texts: Texts) -> NDArray[np.float32]:
        """Embeddings (n, width) of n texts, in their order; a text's row does not depend on the others.

        Zero for a text without tokens. O(tokens) time; memory: the tokens, the result, and one batch's states.
        """
        return self.embed_tokens(self.tokens(texts))

    def embed_tokens(self, tokens: Tokens) -> NDArray[np.float32]:
        """Embeddings (n, width) of n texts that `tokens` cut."""
        import torch

        result = np.zeros((len(tokens), self.width), dtype=np.float32)
        some = np.flatnonzero(tokens.lengths)
        running: list[tuple[Ints, torch.Tensor]] = []
        with torch.inference_mode():
            for batch in by_length(tokens.lengths[some], self.batch_tokens, _OVERHEAD[self.device.type]):
                rows = some[batch]
                running.append((rows, self.pooled(*self.batch(tokens.take(rows)))))
                if len(running) > 1:  # the device works on a batch while the one before is fetched
                    _fetch(running, result)
            if running:
                _fetch(running, result)
        return result

    @property
    def batch_tokens(self) -> int:
        """Tokens that a batch holds at most: the option's, or what suits the device."""
        return self.options.batch_tokens or _BATCH_TOKENS[self.device.type]

    def batch(self, tokens: Tokens) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Ids (b, longest) and mask of a batch on the device; the mask is None when nothing is padded."""
        ids, mask = tokens.padded(self.pad)
        return self._there(ids), None if mask is None else self._there(mask)

    def pooled(self, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Embeddings (b, width) float32 of a batch, as `options.pooling` says; gradients flow where they are on."""
        states = self.module(input_ids=ids, attention_mask=mask).last_hidden_state
        return pool(states, mask, self.options.pooling)

    def _there(self, array: Ints) -> torch.Tensor:
        """The array on the device; CUDA goes on computing while pinned memory is copied."""
        import torch

        tensor = torch.from_numpy(array)
        on_card = self.device.type == "cuda"
        return (tensor.pin_memory() if on_card else tensor).to(self.device, non_blocking=on_card)


def pool(states: torch.Tensor, mask: torch.Tensor | None, pooling: Pooling) -> torch.Tensor:
    """States (b, t, d) of texts padded on the right → one float32 row (b, d) a text."""
    import torch

    if pooling == "cls":
        return states[:, 0].float()
    if pooling == "mean":
        if mask is None:
            return states.float().mean(dim=1)
        weight = mask.unsqueeze(-1).float()
        return (states.float() * weight).sum(dim=1) / weight.sum(dim=1)
    if mask is None:
        return states[:, -1].float()
    return states[torch.arange(len(states), device=states.device), mask.sum(dim=1) - 1].float()


def _fetch(running: list[tuple[Ints, torch.Tensor]], result: NDArray[np.float32]) -> None:
    rows, pooled = running.pop(0)
    result[rows] = pooled.cpu().numpy()


def _clean(text: str | None, most: int) -> str:
    """The text as the tokenizer can take it: no lone surrogates, and not much longer than what is read of it."""
    text = text or ""
    if len(text) > most:
        text = " ".join(text.split())[:most]
    return text.encode("utf-8", "replace").decode()


def _positions(module: Any) -> int:
    """How many tokens a text may have: those that position embeddings were learned for, or as the config says."""
    for name, part in module.named_modules():
        if name.endswith(("position_embeddings", "wpe")) and hasattr(part, "num_embeddings"):
            return int(part.num_embeddings - (0 if part.padding_idx is None else part.padding_idx + 1))
    return int(getattr(module.config, "max_position_embeddings", None) or 1 << 30)


def tokenise(tokenizer: Any, texts: Texts, longest: int) -> Tokens:
    """Token ids of n texts by a tokenizer, special ones included, cut to `longest`; None counts as an empty text."""
    rows = texts.to_pylist() if isinstance(texts, pa.Array | pa.ChunkedArray) else texts
    parts = []
    for start in range(0, len(rows), _AT_ONCE):
        clean = [_clean(text, CHARS_A_TOKEN * longest) for text in rows[start : start + _AT_ONCE]]
        told = tokenizer(
            clean, truncation=True, max_length=longest, return_attention_mask=False, return_token_type_ids=False
        )
        parts.append(Tokens.of(told["input_ids"]))
    return Tokens.joined(parts)
