"""A network that was tuned: its weights as arrays, what it predicts, and how it comes back from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ModelError
from hitl.models.calibration import HeldOut
from hitl.models.neural.batching import by_length
from hitl.models.neural.devices import choose
from hitl.models.neural.loading import needed, quiet
from hitl.models.neural.tuning_data import Inputs
from hitl.types import Floats, Ints

_PREFIX = "network."


@dataclass(frozen=True, eq=False, repr=False)
class Tuned:
    """A sequence or image classifier that was tuned; made by `tune`, or restored from `arrays()` and `config`.

    `state` holds the network's weights by name, floats as float32, and `config` its configuration as JSON text, as in
    Hugging Face's config.json. `constant` (k,) is the probability of labels that could not be learned, NaN for the
    others. `held_out` are the items that were not learned from and their logits, `told` says how it was tuned.
    """

    state: Mapping[str, NDArray[Any]]
    config: str
    constant: NDArray[np.float32]
    held_out: HeldOut
    told: Mapping[str, Any] = field(default_factory=dict)
    device: str = "auto"

    @property
    def kind(self) -> str:
        """What it reads: "text" or "image"."""
        return "image" if _class_name(self.config).endswith("ForImageClassification") else "text"

    def logits(self, inputs: Inputs) -> Floats:
        """Logits (n, k) of items, computed in float32; 0 for labels with a constant.

        O(n × length) time in batches of like length, memory for one batch beside the result. The same item
        in another batch may differ in the last digits.
        """
        found = logits_of(self.network, inputs, np.arange(len(inputs)))
        found[:, ~np.isnan(self.constant)] = 0
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that was learned by name, as it is saved."""
        return {"constant": self.constant, **{_PREFIX + name: array for name, array in self.state.items()}}

    @classmethod
    def restore(cls, arrays: Mapping[str, NDArray[Any]], config: str, device: str = "auto") -> Tuned:
        """What `arrays()` and `config` are of, without the encoder it began from; other arrays are left alone.

        Raises `ModelError` when they do not belong together.
        """
        state = {name.removeprefix(_PREFIX): array for name, array in arrays.items() if name.startswith(_PREFIX)}
        if "constant" not in arrays or not state:
            raise ModelError("these arrays are of no tuned network; take the model from its backup, or train it again")
        nothing = HeldOut(np.zeros(0, dtype=np.int64), np.zeros((0, len(arrays["constant"]))))
        tuned = cls(state, config, arrays["constant"], nothing, device=device)
        _build(tuned, "meta")
        return tuned

    @cached_property
    def network(self) -> Any:
        """The torch module in evaluation mode, on the device, made when it is first asked for."""
        return _build(self, str(choose(self.device)))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "network"}

    def __repr__(self) -> str:
        size = sum(array.size for array in self.state.values())
        return f"Tuned({_class_name(self.config)}, {len(self.constant)} labels, {size:,} numbers)"


def logits_of(network: Any, inputs: Inputs, rows: Ints) -> Floats:
    """The logits (r, k) that a network has for these rows of its inputs; it is in evaluation mode afterwards."""
    torch, _ = needed()
    device = next(network.parameters()).device
    network.eval()
    found = np.zeros((len(rows), network.config.num_labels))
    with torch.no_grad():
        for at in by_length(inputs.lengths[rows], inputs.room[device.type], overhead=32):
            batch = {name: torch.from_numpy(array).to(device) for name, array in inputs.batch(rows[at]).items()}
            found[at] = network(**batch).logits.double().cpu().numpy()
    return found


def arrays_of(network: Any) -> dict[str, NDArray[Any]]:
    """The weights of a network by name, copied; floats as float32."""
    return {
        name: np.array((tensor.float() if tensor.is_floating_point() else tensor).detach().cpu().numpy())
        for name, tensor in network.state_dict().items()
    }


def config_of(network: Any) -> str:
    """The configuration of a network as JSON text that names its class, and not where it was loaded from."""
    network.config.architectures = [type(network).__name__]
    values = json.loads(network.config.to_json_string(use_diff=False))
    return json.dumps({key: values[key] for key in sorted(values) if key != "_name_or_path"}, indent=2) + "\n"


def _class_name(config: str) -> str:
    return str((json.loads(config).get("architectures") or [""])[0])


def _build(tuned: Tuned, device: str) -> Any:
    """The network with its weights, in evaluation mode; on the device "meta" only whether they fit is seen."""
    torch, transformers = needed()
    try:
        made = getattr(transformers, _class_name(tuned.config))
        with quiet(), torch.random.fork_rng(devices=[]), torch.device("meta" if device == "meta" else "cpu"):
            network = made(transformers.AutoConfig.for_model(**json.loads(tuned.config)))
        state = {name: torch.from_numpy(np.array(array)) for name, array in tuned.state.items()}
        network.load_state_dict(state, strict=True, assign=True)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(
            f"the weights of this network do not fit its configuration ({type(error).__name__}); take the model from "
            "its backup, use the version of transformers that it was saved with, or train it again"
        ) from error
    return network if device == "meta" else network.to(device).eval()
