"""A fitted model as one torch module, from tokens or pixels to probabilities: what is exported."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from hitl.models.calibration import TILT, Calibration, Curves, Steps
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
        self.bend = None if calibration.curves is None else Bend(calibration.curves, len(constant))
        learned = torch.isnan(torch.tensor(constant))
        values = {"scale": calibration.scale, "shift": calibration.shift, "constant": constant}
        for name, array in values.items():
            self.register_buffer(name, torch.tensor(array, dtype=torch.float32).nan_to_num())
        self.register_buffer("learned", learned)
        self.register_buffer("left", 1.0 - self.constant.sum())

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """Probabilities (n, k) float32, as `hitl.models.calibration.probable` of the calibrated logits."""
        moved = logits.float() * self.scale + self.shift
        if self.bend is not None:
            odds = _log_odds(torch.where(self.learned, moved, -1e30)) if self.softmax else moved
            bent = self.bend(odds)
            moved = torch.nn.functional.logsigmoid(bent) if self.softmax else bent
        if self.softmax:
            shared = torch.softmax(torch.where(self.learned, moved, -1e30), dim=1) * self.left
        else:
            shared = torch.sigmoid(moved)
        return torch.where(self.learned, shared, self.constant)


class Bend(torch.nn.Module):
    """Log odds (n, k) by the curve of each label, where it has one: `hitl.models.calibration.Curves`."""

    beta: torch.Tensor  # (3, k) a, b, c; those of the identity where there is no such curve
    at: torch.Tensor  # (k, s) where each straight piece begins
    width: torch.Tensor  # (k, s)
    rise: torch.Tensor  # (k, s) of a piece by width
    first: torch.Tensor  # (k,) the level of the first knot
    ends: torch.Tensor  # (2, k) where the outermost knots are
    stepped: torch.Tensor  # (k,) bool

    def __init__(self, curves: Curves, labels: int) -> None:
        super().__init__()
        steps = {label: curve for label, curve in curves.of.items() if isinstance(curve, Steps)}
        pieces = max([len(curve.at) - 1 for curve in steps.values()], default=0)
        beta, table = np.array([[1.0], [1.0], [0.0]]) * np.ones(labels), np.zeros((3, labels, max(pieces, 1)))
        ends, first = np.zeros((2, labels)), np.zeros(labels)
        for label, curve in curves.of.items():
            if isinstance(curve, Steps):
                some = len(curve.at) - 1
                width = np.diff(curve.at)
                table[:, label, :some] = curve.at[:-1], width, np.diff(curve.to) / width
                ends[:, label], first[label] = curve.at[[0, -1]], curve.to[0]
            else:
                beta[:, label] = curve.a, curve.b, curve.c
        named = {"beta": beta, "at": table[0], "width": table[1], "rise": table[2], "ends": ends, "first": first}
        for name, array in named.items():
            self.register_buffer(name, torch.tensor(array, dtype=torch.float32))
        self.register_buffer("stepped", torch.tensor([label in steps for label in range(labels)]))

    def forward(self, odds: torch.Tensor) -> torch.Tensor:
        """The calibrated log odds."""
        a, b, c = self.beta
        smooth = b * torch.nn.functional.softplus(odds) - a * torch.nn.functional.softplus(-odds) + c
        within = torch.minimum(torch.relu(odds[:, :, None] - self.at), self.width)
        level = self.first + (within * self.rise).sum(dim=2)
        beyond = odds - torch.minimum(torch.maximum(odds, self.ends[0]), self.ends[1])
        return torch.where(self.stepped, level + TILT * beyond, smooth)


def graph_of(fitted: FittedModel) -> FrozenGraph | TunedGraph:
    """The module of a model whose core runs on the CPU, in evaluation mode."""
    core: Any = fitted.core
    outcome = Outcome(fitted.calibration, core.constant, softmax=not fitted.multi_label)
    if isinstance(core, TunedCore):
        core.tuned.network.config.use_cache = False
        return TunedGraph(core.tuned.network, outcome).eval()
    return FrozenGraph(core, core.reader.encoder.encoder, outcome).eval()


def _log_odds(logits: torch.Tensor) -> torch.Tensor:
    """As `hitl.models.calibration.log_odds`."""
    others = logits[:, None, :] - 1e30 * torch.eye(logits.shape[1], device=logits.device)
    return logits - torch.logsumexp(others, dim=2)


def _on_grid(rows: torch.Tensor) -> torch.Tensor:
    """As `hitl.sampling.diversity.crowd.on_grid`, in float32."""
    lengths = (rows * rows).sum(dim=1, keepdim=True).sqrt()
    return torch.round(rows * (GRID / torch.where(lengths > 0, lengths, 1.0)))
