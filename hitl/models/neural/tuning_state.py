"""What the Trainer changes in a process: random states, accelerate's state, the environment, the current GPU."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from accelerate.state import AcceleratorState, GradientState, PartialState

from hitl.models.neural.loading import quiet


@contextmanager
def undisturbed() -> Iterator[None]:
    """Inside, the Trainer may do as it likes; afterwards random states, accelerate's and CUDA's are what they were."""
    states = [kind._shared_state for kind in (PartialState, AcceleratorState, GradientState)]
    before = [dict(state) for state in states]
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what the Trainer seeds
    accelerate = {name: value for name, value in os.environ.items() if name.startswith("ACCELERATE_")}
    cuda = torch.cuda.current_device() if torch.cuda.is_available() else None
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    with quiet(), warnings.catch_warnings(), torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        warnings.filterwarnings("ignore", module=r"(transformers|accelerate|peft|torch)\b")
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
            for state, was in zip(states, before, strict=True):
                state.clear()
                state.update(was)
            for name in [name for name in os.environ if name.startswith("ACCELERATE_") and name not in accelerate]:
                del os.environ[name]
            os.environ.update(accelerate)
            if cuda is not None and not torch.distributed.is_initialized():  # else each process keeps its own
                torch.cuda.set_device(cuda)
            if mps is not None:
                torch.mps.set_rng_state(mps)
