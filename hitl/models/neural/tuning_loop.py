"""The training loop: transformers' Trainer with our loss, batches and early stopping, and nothing left behind."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from hitl.errors import ConfigError, ModelError
from hitl.models.neural.devices import choose, precision
from hitl.models.neural.loading import load_model, resolve
from hitl.models.neural.losses import Loss, costs
from hitl.models.neural.tuned import arrays_of, config_of, logits_of
from hitl.models.neural.tuning import Plan, Tuning, TuningJob
from hitl.models.neural.tuning_data import Buckets
from hitl.models.neural.tuning_state import undisturbed
from hitl.types import Floats, Ints, Progress

HEADS = (
    *("classifier", "pre_classifier", "classification_head", "score", "head", "pooler", "fc_norm"),
    *("sequence_summary", "logits_proj"),
)
"""Modules that an encoder without a classifier lacks, and that are learned from nothing."""

CHECKED = 100
"""Steps after which the loss is fetched from the device, to see whether it is still a number."""


@dataclass(frozen=True, eq=False)
class Found:
    """The best state by name, the configuration as JSON text, and what is to be told."""

    state: Mapping[str, NDArray[Any]]
    config: str
    told: Mapping[str, Any]


def learn(job: TuningJob, plan: Plan, progress: Progress) -> Found:
    """Load the encoder, tune it, and give back its best state."""
    began = time.monotonic()
    device = choose(job.device)
    if device.index:
        raise ConfigError(f"fine-tuning takes the first GPU that it sees; set CUDA_VISIBLE_DEVICES={device.index}")
    dtype = precision(device, job.tuning.precision)
    with undisturbed(), tempfile.TemporaryDirectory(prefix="hitl-") as folder:
        network = _opened(job, plan)
        watch = _Watch(job, plan, progress)
        if plan.learned.any():
            model = _with_lora(network, job.tuning.lora, plan.seed) if job.tuning.lora else network
            _train(model, watch, _arguments(job.tuning, plan, (device, dtype), folder))
            watch.restore(model)
            network = model.merge_and_unload() if job.tuning.lora else model
        told = {
            "items": len(plan.rows),
            "held_out": len(plan.held),
            **watch.told(),
            "device": str(device),
            "precision": str(dtype).removeprefix("torch."),
            "seconds": round(time.monotonic() - began, 3),
        }
        return Found(arrays_of(network), config_of(network), told)


def _opened(job: TuningJob, plan: Plan) -> Any:
    """The encoder with a head for the job's labels, drawn by the plan's seed unless it has one of that size."""
    loaded = load_model(
        resolve(job.encoder, job.revision),
        auto=job.inputs.auto,
        may_lack=HEADS,
        seed=plan.seed,
        num_labels=len(plan.learned),
        ignore_mismatched_sizes=True,
    )
    network = loaded.module
    if getattr(network.config, "pad_token_id", 0) is None:
        network.config.pad_token_id = getattr(job.inputs, "pad", 0)  # a decoder looks behind what is no pad
    return network


def _with_lora(network: Any, rank: int, seed: int) -> Any:
    """The network with low-rank updates of all linear layers of its encoder; its head is learned whole."""
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        raise ConfigError("lora needs a package that is not installed: pip install 'hitl[lora]'") from None
    sizes = {name: sum(part.numel() for part in child.parameters()) for name, child in network.named_children()}
    encoder = max(sizes, key=lambda name: sizes[name])
    layers = [
        f"{encoder}.{name}"
        for name, part in network.get_submodule(encoder).named_modules()
        if isinstance(part, torch.nn.Linear | torch.nn.Conv2d) or type(part).__name__ == "Conv1D"
    ]
    if not layers:
        raise ConfigError("this encoder has no layer that lora knows; set lora to 0")
    heads = [name for name, size in sizes.items() if size and name != encoder]
    torch.manual_seed(seed)
    return get_peft_model(
        network, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=layers, modules_to_save=heads)
    )


def _arguments(tuning: Tuning, plan: Plan, where: tuple[torch.device, torch.dtype], folder: str) -> TrainingArguments:
    device, dtype = where
    if device.type != "cuda" and dtype == torch.float16:
        raise ConfigError(f"precision float16 does not train on {device.type}; take auto, float32 or bfloat16")
    arguments = TrainingArguments(
        output_dir=folder,
        per_device_train_batch_size=tuning.batch,
        gradient_accumulation_steps=tuning.accumulate,
        learning_rate=tuning.rate,
        weight_decay=tuning.weight_decay,
        optim="adamw_torch_fused",
        lr_scheduler_type="linear",
        bf16=dtype == torch.bfloat16,
        fp16=dtype == torch.float16,
        use_cpu=device.type == "cpu",
        seed=plan.seed,
        save_strategy="no",
        eval_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        log_level="critical",
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        label_names=[],
    )
    _ = arguments.device
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # several GPUs by `accelerate launch`, not by DataParallel, which is slower
    return arguments


def _train(model: Any, watch: _Watch, arguments: TrainingArguments) -> None:
    tuning, items = watch.job.tuning, len(watch.plan.rows)
    together = tuning.batch * arguments.world_size
    epochs, passes = tuning.passes(math.ceil(items / (together * tuning.accumulate)))
    batches = math.ceil(items * passes / together)
    arguments.num_train_epochs = epochs
    arguments.warmup_steps = math.ceil(tuning.warmup * epochs * math.ceil(batches / tuning.accumulate))
    watch.passes = passes
    trainer = _Trainer(
        model=model,
        args=arguments,
        train_dataset=range(items),
        data_collator=watch.batch,
        callbacks=[watch],
    )
    trainer.watch = watch
    trainer.sampler = Buckets(watch.job.inputs.lengths[watch.plan.rows], together, watch.plan.seed, passes)
    trainer.remove_callback(PrinterCallback)
    try:
        trainer.train()
    except torch.OutOfMemoryError:
        raise ModelError(
            f"the device has too little memory for batches of {tuning.batch} items; take a smaller tuning.batch and "
            "raise tuning.accumulate, a smaller max_length, or lora"
        ) from None


class _Trainer(Trainer):
    """The Trainer with our loss and sampler."""

    watch: _Watch
    sampler: Buckets

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        # So that it divides the loss by the number of batches in an update.
        self.model_accepts_loss_kwargs = self.loss_is_scaled_for_ga = False

    def compute_loss(self, model: Any, inputs: dict[str, Any], *_: Any, **__: Any) -> torch.Tensor:
        """Summed loss over the size of a full batch, so that each item counts alike in whatever batch it is."""
        y, cost = inputs.pop("y"), inputs.pop("cost")
        loss = self.watch.loss(model(**inputs).logits, y, cost)
        self.watch.add(loss.detach(), len(y))
        return loss / self.args.train_batch_size

    # Grouping by length of its own would read each item of the data set, and draw from the global random state.
    def _get_train_sampler(self, *_: Any) -> Any:
        return self.sampler


@dataclass(eq=False)
class _Watch(TrainerCallback):
    """Makes batches, follows the losses, stops early, and keeps the best state in memory."""

    job: TuningJob
    plan: Plan
    progress: Progress
    passes: int = 1
    steps: int = 0
    learned_losses: list[float] = field(default_factory=list)
    held_losses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        tuning = self.job.tuning
        gamma = tuning.focal_gamma if tuning.loss == "focal" else 0.0
        self.loss = Loss(not self.job.multi_label, self.plan.learned, gamma)
        self._sum, self._seen = torch.zeros(()), 0
        self._best: dict[str, torch.Tensor] = {}

    def batch(self, places: list[int]) -> dict[str, torch.Tensor]:
        """Inputs, answers and costs of some of the rows to learn from."""
        rows = self.plan.rows[places]
        arrays = {**self.job.inputs.batch(rows), "y": self.job.y[rows], "cost": self._costs(rows)}
        return {
            name: torch.from_numpy(array.astype(np.float32) if array.dtype == np.float64 else array)
            for name, array in arrays.items()
        }

    def add(self, loss: torch.Tensor, items: int) -> None:
        """Count in the summed loss of some items."""
        self._sum = self._sum.to(loss.device) + loss
        self._seen += items

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tell how far it is, and now and then see whether it goes on at all."""
        self.steps = state.global_step
        if self.steps % CHECKED == 0:
            _number(float(self._sum), self.job.tuning)
        if state.is_world_process_zero:
            self.progress("fine-tuning", state.global_step, state.max_steps)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Look at the held-out items; keep the state if it is the best so far, stop if none was for long."""
        model = given["model"]
        total = torch.stack([self._sum, torch.full_like(self._sum, self._seen)])
        if torch.distributed.is_initialized():
            torch.distributed.all_reduce(total)
        self.learned_losses.append(_number(float(total[0] / total[1]), self.job.tuning))
        self._sum, self._seen = torch.zeros(()), 0
        held = self._held_loss(model)
        if held is None:
            return
        self.held_losses.append(_number(held, self.job.tuning))
        best = self.best
        if best == len(self.held_losses):
            frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
            state = model.state_dict()
            self._best = {name: state[name].detach().cpu().clone() for name in state if name not in frozen}
        elif 0 < self.job.tuning.patience <= len(self.held_losses) - best:
            control.should_training_stop = True

    @property
    def best(self) -> int:
        """The epoch, from 1, whose state is kept: of the lowest held-out loss, else the last."""
        return int(np.argmin(self.held_losses)) + 1 if self.held_losses else len(self.learned_losses)

    def restore(self, model: Any) -> None:
        """Bring the best state back."""
        model.load_state_dict({**model.state_dict(), **self._best})

    def told(self) -> dict[str, Any]:
        """What is worth telling."""
        return {
            "epochs": len(self.learned_losses),
            "passes_per_epoch": self.passes,
            "best_epoch": self.best,
            "steps": self.steps,
            "losses": {
                "learned": [round(loss, 6) for loss in self.learned_losses],
                "held_out": [round(loss, 6) for loss in self.held_losses],
            },
        }

    def _costs(self, rows: Ints) -> Floats:
        return costs(self.job.y[rows], self.job.weights[rows], self.plan.factors)

    def _held_loss(self, model: Any) -> float | None:
        """The loss of held-out items by what they cost; None where none of them costs anything."""
        cost = self._costs(self.plan.held)
        if not cost.sum() > 0:
            return None
        logits = logits_of(model, self.job.inputs, self.plan.held)
        y = self.job.y[self.plan.held]
        return float(self.loss(*map(torch.from_numpy, (logits, y, cost)))) / float(cost.sum())


def _number(loss: float, tuning: Tuning) -> float:
    """The loss, if it is a number; raises `ModelError` otherwise."""
    if math.isfinite(loss):
        return loss
    raise ModelError(
        f"fine-tuning diverged: the loss is {loss} with learning_rate={tuning.rate:g}; take a lower learning_rate, "
        "or precision float32, and check that the inputs are finite"
    )
