"""A pool as a judge sees it: judgements that are asked for when they are taken, and what is kept of a judge."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hitl.errors import ModelError
from hitl.models.judge.answers import Judgements
from hitl.models.judge.asking import Asking
from hitl.models.judge.cost import Cost
from hitl.models.judge.prompt import PROMPT_VERSION
from hitl.pool import Pool
from hitl.types import Embeddings, Floats, Ints, Proba, Progress, Unreadable, silent

if TYPE_CHECKING:
    from hitl.models.policy_judge import PolicyJudge


@dataclass(frozen=True)
class JudgeReader:
    """Reads rows by asking the judge; answers are kept in the folder `cache`, or in memory."""

    judge: PolicyJudge
    pinned: str
    cache: Path | None = None
    progress: Progress = field(default=silent, compare=False)

    columns: ClassVar[tuple[str, ...]] = ("text", "region")

    def read(self, rows: pa.Table) -> tuple[Judgements, Embeddings | None]:
        """Judgements of n rows, by the policy of their regions where they have any; no embeddings."""
        if "text" not in rows.column_names:
            raise ModelError("policy_judge reads text; give rows with such a column")
        contents = [text or "" for text in rows["text"].to_pylist()]
        regions = rows["region"].to_pylist() if "region" in rows.column_names else [""] * len(contents)
        return self._asking(contents, [region or "" for region in regions]), None

    @cached_property
    def _asking(self) -> Asking:
        return self.judge.asking(self.pinned, self.cache, self.progress)

    @property
    def cost(self) -> Cost:
        """What it cost so far."""
        return self._asking.cost

    def __getstate__(self) -> dict[str, Any]:
        # Connections and a key stay where they are.
        return {"judge": self.judge, "pinned": self.pinned, "cache": self.cache, "progress": silent}


@dataclass(frozen=True, eq=False)
class JudgeFeatures:
    """Judgements of a pool's items, which are asked for when they are taken."""

    pool: Pool
    reader: JudgeReader
    _silent: dict[int, str] = field(default_factory=dict)  # position → why there is no answer

    embeddings: ClassVar[Embeddings | None] = None
    block: ClassVar[int] = 256

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the pool, the prompts and the model."""
        judge = self.reader.judge
        made_by = [self.pool.fingerprint, judge.prompts, self.reader.pinned, judge.seed, judge.longest]
        return blake2b(json.dumps(made_by).encode(), digest_size=12).hexdigest()

    @property
    def unreadable(self) -> Unreadable:
        """The items without an answer, of those that were asked about so far."""
        positions = sorted(self._silent)
        return Unreadable(np.array(positions, dtype=np.int64), tuple(self._silent[at] for at in positions))

    def __len__(self) -> int:
        return len(self.pool)

    def take(self, positions: Ints) -> Judgements:
        """Judgements of the items at these positions, in this order; asks for those that have none yet."""
        judged, _ = self.reader.read(self.pool.rows(positions, ["text", "region"]))
        silent_ones = [(int(at), problem) for at, problem in zip(positions, judged.problems, strict=True) if problem]
        self._silent.update(silent_ones)
        return judged

    def slice(self, start: int, stop: int) -> Judgements:
        """Judgements of the items from `start` to before `stop`."""
        return self.take(np.arange(start, min(stop, len(self)), dtype=np.int64))

    def __repr__(self) -> str:
        return f"JudgeFeatures({len(self):,} items, judged by {self.reader.judge.model!r})"


@dataclass(frozen=True, eq=False)
class JudgeCore:
    """What a judge says, as it says it: an item without an answer has logits of 0, and no opinion."""

    judge: PolicyJudge
    pinned: str
    cache: Path | None = None

    @cached_property
    def constant(self) -> NDArray[np.float32]:
        """NaN for all labels (k,): none has a probability for all items."""
        return np.full(len(self.judge.rules.names), np.nan, dtype=np.float32)

    @cached_property
    def reader(self) -> JudgeReader:
        """Asks the same model."""
        return JudgeReader(self.judge, self.pinned, self.cache)

    @property
    def depends(self) -> dict[str, str]:
        """Policy and prompts, by their text, and the model."""
        rules = self.judge.rules
        told = {"prompt_version": PROMPT_VERSION, "prompts": self.judge.prompts, "pinned": self.pinned}
        return {"policy": f"{rules.name} v{rules.version}", "model": self.judge.model, **told}

    def scores(self, x: Any) -> tuple[Floats, Proba | None]:
        """The logits (n, k); no committee."""
        return np.nan_to_num(x.logits), None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The constants, for there are no weights."""
        return {"constant": self.constant}

    def files(self) -> dict[str, bytes]:
        """None."""
        return {}
