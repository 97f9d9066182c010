"""Passes on a Ray cluster: blocks are handed to actors that hold the model, and what they come to is merged here."""

from __future__ import annotations

import logging
import os
import pickle
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import pyarrow as pa

from hitl.compute import Outcome, Work
from hitl.compute.gather import Gather
from hitl.errors import ComputeError, ConfigError, HitlError
from hitl.types import Progress, silent

_SAME = ("hitl", "numpy", "scipy", "pyarrow")
"""What has to be of one version everywhere, or the same text might get another score."""

_ANSWERS_WITHIN = 5.0
_ADDRESS = "HOST:PORT of the cluster's head, e.g. 10.0.0.5:6379"
_INSTALL = "compute: ray needs a package that is not installed; pip install 'hitl[ray]'"


@dataclass(frozen=True)
class OnRay:
    """Runs passes on Ray Data, each block on one of `actors` that hold the work and its model.

    `address` is HOST:PORT of the cluster's head, as a machine of the cluster sees it; None takes the environment
    variable RAY_ADDRESS, or starts Ray on this machine. An actor takes `cpus` and `gpus` (fractions are allowed);
    with `actors` None there are as many as fit. Blocks of a worker or machine that is lost are done again elsewhere.
    Needs `pip install hitl[ray]`.

    >>> OnRay("head:6379", gpus=0.5)
    OnRay(address='head:6379', cpus=1.0, gpus=0.5, actors=None)
    """

    address: str | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    actors: int | None = None

    def __post_init__(self) -> None:
        if self.address is not None and not isinstance(self.address, str):
            raise ConfigError(f"compute.address must be {_ADDRESS}")
        if not (0 < self.cpus < np.inf and 0 <= self.gpus < np.inf):
            raise ConfigError(f"compute: cpus={self.cpus} must be above 0 and gpus={self.gpus} not below it")
        if self.actors is not None and (type(self.actors) is not int or self.actors < 1):
            raise ConfigError(
                f"compute: actors={self.actors} must be a whole number of at least 1; leave it out for as many as fit"
            )

    @property
    def travels(self) -> bool:
        """Yes: work reaches the actors by way of pickle."""
        return True

    def check(self) -> None:
        """Raise `ConfigError` without Ray or for an address of another kind, `ComputeError` where nothing answers."""
        if find_spec("ray") is None:
            raise ConfigError(_INSTALL)
        if self._where is not None:
            _check(self._where)

    @property
    def _where(self) -> str | None:
        return self.address or os.environ.get("RAY_ADDRESS") or None

    def run(self, work: Work[Outcome], progress: Progress = silent) -> Outcome:
        """The outcome of all blocks; raises what a block raised, `ComputeError` when the cluster fails or is not there.

        Raises `ConfigError` for an address of another kind, or when no actor fits. Memory here is that of two
        outcomes; the work is sent to each machine once.
        """
        gather = Gather(work, progress)
        if not work.sizes:
            return gather.result()
        with self._connected() as ray:
            for block, body in self._outcomes(ray, work):
                outcome = pickle.loads(body)
                if isinstance(outcome, HitlError):
                    raise outcome
                gather.take(block, outcome)
        return gather.result()

    def _outcomes(self, ray: Any, work: Work[Outcome]) -> Iterator[tuple[int, bytes]]:
        data = ray.data
        _quieten(data)
        shared = ray.put(work)
        count = min(self.actors or self._fitting(ray.cluster_resources()), len(work.sizes))
        # Numbers made here, not read or repartitioned there: no task of Ray's needs a CPU beside those of the actors.
        rows = [{"block": block} for block in range(len(work.sizes))]
        done = data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _Worker,
            fn_constructor_args=([shared], _versions()),
            batch_size=1,
            batch_format="pyarrow",
            compute=data.ActorPoolStrategy(size=count, max_tasks_in_flight_per_actor=2),
            num_cpus=self.cpus,
            num_gpus=self.gpus or None,
        )
        try:
            batches: Iterator[Any] = iter(done.iter_batches(batch_size=None, batch_format="pyarrow"))
            for batch in batches:
                yield from zip(batch["block"].to_pylist(), batch["outcome"].to_pylist(), strict=True)
        except ray.exceptions.RayError as error:
            raise ComputeError(
                f"{work.label}: the Ray cluster failed ({type(error).__name__}); look at its log, then run the round "
                "again, which picks what this run would have picked"
            ) from error

    def _fitting(self, resources: dict[str, float]) -> int:
        """How many actors there is room for."""
        room = [resources.get("CPU", 0.0) / self.cpus]
        room += [resources.get("GPU", 0.0) / self.gpus] if self.gpus else []
        count = int(min(room))
        if count < 1:
            raise ConfigError(
                f"compute: no actor of {self.cpus:g} CPUs and {self.gpus:g} GPUs fits on the Ray cluster, which has "
                f"{resources.get('CPU', 0):g} and {resources.get('GPU', 0):g} in all; ask for less, or add machines"
            )
        return count

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """Ray with a connection to the cluster; one that was there before stays open."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray.data
        except ImportError:
            raise ConfigError(_INSTALL) from None
        if ray.is_initialized():
            yield ray
            return
        self.check()
        try:
            ray.init(self._where or "local", log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise ComputeError(
                f"compute: Ray cannot be used at {self._where or 'this machine'} ({type(error).__name__}); check that "
                "the cluster runs, has this version of Ray and Python, and that RAY_AUTH_MODE and RAY_AUTH_TOKEN_PATH "
                "are set here as they are there"
            ) from error
        try:
            yield ray
        finally:
            ray.shutdown()


class _Worker:
    """The actor: takes the work once, and does the blocks that it is handed."""

    def __init__(self, shared: list[Any], versions: dict[str, str]) -> None:
        import ray

        self._work: Work[Any] = ray.get(shared[0])
        self._other = {name: there for name, there in versions.items() if _versions()[name] != there}

    def __call__(self, batch: pa.Table) -> pa.Table:
        blocks = batch["block"].to_pylist()
        outcomes = [pickle.dumps(self._outcome(block)) for block in blocks]
        return pa.table({"block": blocks, "outcome": pa.array(outcomes, pa.large_binary())})

    def _outcome(self, block: int) -> Any:
        """What the block comes to, or the error that it raises: as a value, it is neither retried nor wrapped."""
        if self._other:
            told = ", ".join(f"{name} {there}" for name, there in self._other.items())
            return ConfigError(f"compute: a machine of the Ray cluster lacks {told}; install there what is here")
        try:
            return self._work.run(block)
        except HitlError as error:
            return error


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _SAME}


def _check(address: str) -> None:
    """Refuse an address that Ray would spend a minute on; raises `ConfigError` or `ComputeError`."""
    host, _, port = address.rpartition(":")
    if "://" in address or (address not in ("auto", "local") and not (host and port.isdigit())):
        raise ConfigError(
            f"compute.address must be {_ADDRESS}; run this on a machine of the cluster (ray job submit), not through "
            "ray://"
        )
    if host:
        try:
            socket.create_connection((host, int(port)), timeout=_ANSWERS_WITHIN).close()
        except OSError as error:
            raise ComputeError(
                f"compute.address={address!r}: nothing answers there ({type(error).__name__}); check host and port "
                "(`ray status` on the head), and that the firewall lets this machine through"
            ) from error


def _quieten(data: Any) -> None:
    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    for name in ("ray.data", "ray"):
        logging.getLogger(name).setLevel(logging.ERROR)
