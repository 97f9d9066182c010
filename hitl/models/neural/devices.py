"""Where a model runs, and in which precision: one setting for CUDA, Apple MPS and CPU."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hitl.errors import ConfigError

if TYPE_CHECKING:
    import torch

VARIABLE = "HITL_DEVICE"
"""The environment variable that says what "auto" means on this machine."""

PRECISIONS = ("float32", "bfloat16", "float16")


def choose(device: str = "auto") -> torch.device:
    """The device of this name: "cpu", "cuda", "cuda:1", "mps", or "auto".

    "auto" is what the environment variable `HITL_DEVICE` says; without it the first of CUDA, MPS and CPU that is here.
    Raises `ConfigError` for a device that is not here, and says which are.

    >>> choose("cpu")
    device(type='cpu')
    """
    import torch

    wish = (os.environ.get(VARIABLE) or "auto") if device == "auto" else device
    found = available()
    if wish == "auto":
        return torch.device(found[0])
    if wish not in found:
        source = f"{VARIABLE}={wish}" if device == "auto" else f"device {wish!r}"
        raise ConfigError(f"{source} is not on this machine, which has: {', '.join(found)}; choose one, or 'auto'")
    return torch.device(wish)


def available() -> tuple[str, ...]:
    """Names of the devices that are here, the one that "auto" takes first; "cpu" is always the last."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    cuda = ["cuda", *(f"cuda:{index}" for index in range(count))] if count else []
    return (*cuda, *(["mps"] if torch.backends.mps.is_available() else []), "cpu")


def precision(device: torch.device, wish: str = "auto") -> torch.dtype:
    """The number format that a model computes in: "float32", "bfloat16", "float16", or "auto".

    "auto" is float32 on CPU and MPS, the same figures everywhere; on CUDA bfloat16 where the card has it, else float16.
    Raises `ConfigError` for another wish.

    >>> precision(choose("cpu"))
    torch.float32
    """
    import torch

    if wish == "auto":
        wish = "float32"
        if device.type == "cuda":
            wish = "bfloat16" if torch.cuda.get_device_capability(device)[0] >= 8 else "float16"
    if wish not in PRECISIONS:
        raise ConfigError(f"precision {wish!r}: choose one of auto, {', '.join(PRECISIONS)}")
    dtype: torch.dtype = getattr(torch, wish)
    return dtype
