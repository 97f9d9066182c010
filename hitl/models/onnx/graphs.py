"""A fitted model as one torch module, from tokens or pixels to probabilities: what is exported."""

from __future__ import annotations

from typing import Any

import torch

from hitl.models.calibration import Calibration
from hitl.models.fitted import FittedModel
from hitl.models.frozen import FrozenCore
from hitl.models.tuned import TunedCore
from hitl.sampling.diversity.crowd import GRID


class FrozenGraph(torch.nn.Module):
    """An encoder's pooled rows, put on the grid as the library does, and the head on them.

    Takes `input_ids` and `attention_mask` (n, t) int64, or `pixel_values` (n, 3, height, width) float32; gives `proba`
    (n, k) and `item_embedding` (n, d), whole multiples of 1/2048, both float32.
    """

    centre: torch.Tensor  # (d,)
    coef: torch.Tensor  # (k, d)
    intercept: torch.Tensor  # (k,)

    def __init__(self, core: FrozenCore, encoder: Any, outcome: Outcome) -> None:
        super().__init__()
        self.encoder, self.module, self.outcome = encoder, encoder.module, outcome
        head = {"coef": core.head.coef[0], "intercept": core.head.intercept[0]}  # without its committee
        for name, array in {"centre": core.reader.centre, **head}.items():
            self.register_buffer(name, torch.tensor(array, dtype=torch.float32))

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Probabilities and embeddings of a batch."""
        rows = self.encoder.pooled(*inputs)
        if len(inputs) > 1:  # a text without tokens of its own has a row of zeros
            rows = torch.where(inputs[1].sum(dim=1, keepdim=True) > self.encoder.specials, rows, 0.0)
        raw = _on_grid(rows)
        there = raw.abs().sum(dim=1, keepdim=True) > 0
        whole = _on_grid(torch.where(there, raw / GRID - self.centre, 0.0))
        proba: torch.Tensor = self.outcome(whole @ self.coef.T + self.intercept)
        return proba, whole / GRID


class TunedGraph(torch.nn.Module):
    """A tuned network; takes what `FrozenGraph` takes, gives `proba` (n, k) float32."""

    def __init__(self, network: Any, outcome: Outcome) -> None:
        super().__init__()
        self.network, self.outcome = network, outcome

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor]:
        """Probabilities of a batch."""
        if len(inputs) == 1:
            return (self.outcome(self.network(pixel_values=inputs[0]).logits),)
        ids, mask = inputs
        mask = torch.cat([torch.ones_like(mask[:, :1]), mask[:, 1:]], dim=1)  # an empty text is one pad, looked at
        return (self.outcome(self.network(input_ids=ids, attention_mask=mask).logits),)


class Outcome(torch.nn.Module):
    """Logits (n, k) → probabilities: calibrated, one softmax or one sigmoid a label, and labels with a constant."""

    scale: torch.Tensor  # (k,)
    shift: torch.Tensor  # (k,)
    constant: torch.Tensor  # (k,), 0 for the learned
    learned: torch.Tensor  # (k,) bool
    left: torch.Tensor  # () what the constants leave

    def __init__(self, calibration: Calibration, constant: Any, *, softmax: bool) -> None:
        super().__init__()
        self.softmax = softmax
        learned = torch.isnan(torch.tensor(constant))
        values = {"scale": calibration.scale, "shift": calibration.shift, "constant": constant}
        for name, array in values.items():
            self.register_buffer(name, torch.tensor(array, dtype=torch.float32).nan_to_num())
        self.register_buffer("learned", learned)
        self.register_buffer("left", 1.0 - self.constant.sum())

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """Probabilities (n, k) float32, as `hitl.models.calibration.probable` of the calibrated logits."""
        moved = logits.float() * self.scale + self.shift
        if self.softmax:
            shared = torch.softmax(torch.where(self.learned, moved, -1e30), dim=1) * self.left
        else:
            shared = torch.sigmoid(moved)
        return torch.where(self.learned, shared, self.constant)


def graph_of(fitted: FittedModel) -> FrozenGraph | TunedGraph:
    """The module of a model whose core runs on the CPU, in evaluation mode."""
    core: Any = fitted.core
    outcome = Outcome(fitted.calibration, core.constant, softmax=not fitted.multi_label)
    if isinstance(core, TunedCore):
        core.tuned.network.config.use_cache = False
        return TunedGraph(core.tuned.network, outcome).eval()
    return FrozenGraph(core, core.reader.encoder.encoder, outcome).eval()


def _on_grid(rows: torch.Tensor) -> torch.Tensor:
    """As `hitl.sampling.diversity.crowd.on_grid`, in float32."""
    lengths = (rows * rows).sum(dim=1, keepdim=True).sqrt()
    return torch.round(rows * (GRID / torch.where(lengths > 0, lengths, 1.0)))
