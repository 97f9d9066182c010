"""Hugging Face encoders by name or by folder: found, checked, loaded without a word, and fingerprinted."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hitl.errors import ConfigError, ModelError

if TYPE_CHECKING:
    import torch

FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")
"""What is read of an encoder's folder, and taken from the Hub: never a pickle, never code."""

POOLER = ("pooler",)
"""A module that checkpoints often lack, and that is not used untrained."""

_PICKLES = ("pytorch_model*.bin", "model*.bin", "*.pt", "*.pth", "*.ckpt")
_VOCABULARIES = ("tokenizer.json", "vocab*", "*.model")
_LOCK = threading.RLock()
_PRINTS: dict[tuple[str, int, int], bytes] = {}


@dataclass(frozen=True)
class Loaded:
    """A torch module in evaluation mode on the CPU, and the names of weights that the checkpoint did not have."""

    module: Any
    untrained: tuple[str, ...]


def resolve(name: str | Path, revision: str | None = None) -> Path:
    """The folder with the files of an encoder: `name` itself when it is a folder, else the Hub's snapshot of that name.

    A folder never touches the network, and `revision` (a branch, tag or commit) says nothing about it. A Hub name is
    looked up at the Hub, and in the local cache where that cannot be reached or `HF_HUB_OFFLINE` is set. Only
    safetensors, configurations and tokenizers are fetched. Raises `ModelError` that names the remedy when there is no
    such folder or name, or no safetensors in it; `ConfigError` when transformers is not installed.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        _check_files(folder, str(name))
        return folder
    if is_path(str(name)):
        raise ModelError(f"encoder {name}: no such folder; give the path of a folder made by save_pretrained")
    return _from_hub(str(name), revision)


def fingerprint(folder: Path) -> str:
    """A hash (32 hex digits) of the weights, configuration and tokenizer in a folder: another revision has another.

    One pass over the files, in bounded memory; each file is read again only when its size or time of change differs.
    """
    told = hashlib.blake2b(digest_size=16)
    for path in files(folder):
        told.update(path.name.encode() + b"\0" + _print_of(path))
    return told.hexdigest()


def load_model(
    folder: Path,
    *,
    dtype: torch.dtype | None = None,
    auto: str = "AutoModel",
    may_lack: Sequence[str] = POOLER,
    seed: int = 0,
    **settings: Any,
) -> Loaded:
    """Load the model in `folder` by the transformers class `auto`, safetensors only, never code from the folder.

    `may_lack`: modules (parts of a weight's dotted name) that may be missing from the checkpoint, and are then drawn
    anew by `seed`; the global random state stays as it was. `settings` go to the configuration (`num_labels=3`). Raises
    `ModelError` when the files cannot be loaded, or other weights are missing.
    """
    torch, transformers = needed()
    with _telling(folder), quiet(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        module, info = getattr(transformers, auto).from_pretrained(
            folder,
            dtype=dtype or torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            **_LOCAL,
            **settings,
        )
    missing = tuple(sorted(info["missing_keys"]))
    lost = [key for key in missing if not set(key.split(".")) & set(may_lack)]
    if lost:
        raise ModelError(f"encoder {folder}: {len(lost)} weights are not in its files, {lost[0]} first; take another")
    return Loaded(module.eval(), missing)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer in `folder`, the fast one where there are two. Raises `ModelError` when it has none."""
    _, transformers = needed()
    if not any(path.match(pattern) for pattern in _VOCABULARIES for path in folder.iterdir()):
        # transformers would make an empty one
        raise ModelError(f"encoder {folder}: no tokenizer in its files; save one beside it with save_pretrained")
    with _telling(folder), quiet():
        return transformers.AutoTokenizer.from_pretrained(folder, **_LOCAL)


def load_image_processor(folder: Path) -> Any:
    """What prepares images for the encoder in `folder`, by Pillow, so that the figures are the same everywhere.

    Raises `ModelError` when the folder has none, `ConfigError` when Pillow is not installed.
    """
    _, transformers = needed()
    try:
        import PIL.Image  # noqa: F401 - without it transformers names a class, and no remedy
    except ImportError:
        raise ConfigError("images need a package that is not installed: pip install 'hitl[image]'") from None
    with _telling(folder), quiet():
        return transformers.AutoImageProcessor.from_pretrained(folder, backend="pil", **_LOCAL)


def needed() -> tuple[Any, Any]:
    """The modules torch and transformers. Raises `ConfigError` that names the extra when one is not installed."""
    try:
        import torch
        import transformers
    except ImportError:
        raise ConfigError("encoders need packages that are not installed: pip install 'hitl[transformers]'") from None
    return torch, transformers


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, transformers shows no progress bars and no warnings; afterwards its settings are what they were."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars

    _, transformers = needed()
    log = transformers.utils.logging
    with _LOCK:
        verbosity, bars, hub_silent = log.get_verbosity(), log.is_progress_bar_enabled(), are_progress_bars_disabled()
        log.set_verbosity(log.CRITICAL)
        log.disable_progress_bar()
        try:
            yield
        finally:
            log.set_verbosity(verbosity)
            if bars:
                log.enable_progress_bar()
            if bars and hub_silent:
                disable_progress_bars()


_LOCAL = {"local_files_only": True, "trust_remote_code": False}


def is_path(name: str) -> bool:
    """Whether a name cannot be meant for the Hub, where it is NAME or OWNER/NAME."""
    return name.startswith((".", "~", "/")) or name.count("/") > 1 or "\\" in name or ":" in name or not name


def _from_hub(name: str, revision: str | None) -> Path:
    needed()
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError

    at = f"{name} at {revision}" if revision else name
    download = f"`hf download {name}{f' --revision {revision}' if revision else ''}`"
    try:
        found = snapshot_download(name, revision=revision, allow_patterns=list(FILES), ignore_patterns=["*/*"])
    except GatedRepoError:
        raise ModelError(f"encoder {at}: gated; accept its terms at the Hub, `hf auth login`, {download}") from None
    except (HfHubHTTPError, HFValidationError, httpx.HTTPError, OSError) as error:
        raise ModelError(
            f"encoder {at}: neither a folder here, nor to be had from the Hub or its cache ({type(error).__name__}); "
            f"check the name, or run {download} once where there is a network, or give the path of a folder"
        ) from None
    _check_files(Path(found), f"{at} (if the Hub has more than the cache, run {download})")
    return Path(found)


def files(folder: Path) -> list[Path]:
    """The files of an encoder in its folder, by name."""
    return sorted(path for path in folder.iterdir() if path.is_file() and any(map(path.match, FILES)))


def _check_files(folder: Path, name: str) -> None:
    if not (folder / "config.json").is_file():
        raise ModelError(f"encoder {name}: no config.json in {folder}; give a folder made by save_pretrained")
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    found = (
        f"its weights are a pickle ({pickles[0]}), which can run code and is not opened" if pickles else "no weights"
    )
    raise ModelError(
        f"encoder {name}: {found}; take a revision or a model with *.safetensors, "
        "or convert it on a machine where you trust it: AutoModel.from_pretrained(NAME).save_pretrained(FOLDER)"
    )


def _print_of(path: Path) -> bytes:
    stat = path.stat()
    key = (str(path.resolve()), stat.st_size, stat.st_mtime_ns)
    if key not in _PRINTS:
        with path.open("rb") as file:
            _PRINTS[key] = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
    return _PRINTS[key]


@contextmanager
def _telling(folder: Path) -> Iterator[None]:
    """Whatever transformers raises while it reads a folder becomes a `ModelError` that says which."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError, MemoryError) as error:
        first = str(error).strip().splitlines()[0][:200] if str(error).strip() else ""
        raise ModelError(f"encoder {folder}: cannot be loaded ({type(error).__name__}: {first})") from error
    except Exception as error:  # safetensors and tokenizers raise classes of their own, or plain Exception
        raise ModelError(
            f"encoder {folder}: cannot be loaded, a file may be damaged ({type(error).__name__})"
        ) from error
