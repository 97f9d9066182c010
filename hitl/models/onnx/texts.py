"""Models of texts, as they are exported: tokens in, the tokenizer beside."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ModelError
from hitl.models.fitted import FittedModel
from hitl.models.neural.loading import load_tokenizer
from hitl.models.neural.text_encoder import CHARS_A_TOKEN
from hitl.models.onnx.running import TOKENIZER, encoded, open_tokenizer
from hitl.models.tuned import TunedCore

LENGTHS = (1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144)
NONE = ("", " \n\t")
INVENTED = ("?", "Zonk!", "florp@example.com", "blípp 你好 зонк 🙂🙂", "a" * 300, "\ud83d quux \x00")
_BESIDE = ("tokenizer_config.json", "special_tokens_map.json")
_STEPS = (
    "of a text of more than most_characters characters, make runs of blanks one blank and take the first "
    "most_characters; then encode by tokenizer.json, with special tokens, cut at max_length tokens, padded on the "
    "right with pad_id, where attention_mask is 0"
)


@dataclass(frozen=True, eq=False)
class TextDeployable:
    """A text transformer, frozen or tuned; see `Deployable`."""

    fitted: FittedModel

    column: ClassVar[str] = "text"
    names: ClassVar[tuple[str, ...]] = ("input_ids", "attention_mask")

    @property
    def shapes(self) -> tuple[tuple[int | str, ...], ...]:
        """As many texts and tokens as there are."""
        return ("batch", "tokens"), ("batch", "tokens")

    def example(self) -> tuple[NDArray[Any], ...]:
        """Two texts of five tokens."""
        return np.ones((2, 5), dtype=np.int64), np.ones((2, 5), dtype=np.int64)

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the tokenizer, which cuts and pads as the library does."""
        from tokenizers import Tokenizer

        source, longest, pooling = self._reading()
        tokenizer = load_tokenizer(source)
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise ModelError(
                f"encoder {source}: its tokenizer is written in Python and has no tokenizer.json; deploy the model by "
                "hitl.load_model, or train on an encoder with a fast tokenizer"
            )
        own = Tokenizer.from_str(backend.to_str())
        pad = self._pad(tokenizer)
        own.enable_truncation(longest, direction=tokenizer.truncation_side)
        own.enable_padding(direction="right", pad_id=pad, pad_token=own.id_to_token(pad) or "")
        own.save(str(folder / TOKENIZER))
        for name in _BESIDE:
            if (source / name).is_file():
                shutil.copyfile(source / name, folder / name)
        told = {"reads": "text", "steps": _STEPS, "max_length": longest, "most_characters": CHARS_A_TOKEN * longest}
        return {**told, "pad_id": pad, "pooling": pooling}

    @contextmanager
    def invented(self) -> Iterator[tuple[TextDeployable, list[str]]]:
        """Texts of no to too many tokens: words of the tokenizer's own by chance, and what is hard to read."""
        source, longest, _ = self._reading()
        tokenizer = load_tokenizer(source)
        special = set(tokenizer.all_special_ids)
        words = [token for token in range(min(len(tokenizer), 50_000)) if token not in special]
        rng = np.random.default_rng(0)
        lengths = [*LENGTHS, longest // 2, longest - 2, longest - 1, longest, longest + 1, 2 * longest]
        drawn = [tokenizer.decode(rng.choice(words, length)) for length in lengths]
        endless = " \n ".join(["zonk"] * (CHARS_A_TOKEN * longest // 4))
        yield self, [*NONE, *drawn, *INVENTED, endless]

    def feeds(
        self, folder: Path, samples: Sequence[str], batches: Sequence[slice]
    ) -> Iterator[dict[str, NDArray[Any]]]:
        """Tokens by the exported tokenizer."""
        tokenizer, most = open_tokenizer(folder), CHARS_A_TOKEN * self._reading()[1]
        for batch in batches:
            yield dict(encoded(tokenizer, samples[batch], most))

    def _reading(self) -> tuple[Path, int, str]:
        """Where the tokenizer is, how many tokens a text may have, and how states become one row."""
        core: Any = self.fitted.core
        if isinstance(core, TunedCore):
            reading: Any = core.reading
            return reading.checkpoint.folder, int(reading.longest), "as the network classifies"
        rows = core.reader.encoder
        return rows.checkpoint.folder, rows.encoder.longest, rows.pooling

    def _pad(self, tokenizer: Any) -> int:
        """What fills up, also where the tokenizer names nothing."""
        core: Any = self.fitted.core
        if not isinstance(core, TunedCore):
            return int(core.reader.encoder.encoder.pad)
        return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0)
