"""The Label Studio that is installed beside us: where it is, what it is told, and an empty database for it."""

from __future__ import annotations

import fcntl
import importlib.metadata
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hitl.errors import ConfigError, ServerUnreachable
from hitl.types import Progress, silent

ROOT = Path(__file__).resolve().parents[2]
MIGRATE_SECONDS = 900.0


def find_executable(named: Path | None = None) -> Path:
    """The `label-studio` to run; raises `ConfigError` when it is not installed."""
    told = named or os.environ.get("HITL_LABEL_STUDIO")
    places = [Path(told)] if told else [base / ".venv-server/bin/label-studio" for base in _bases()]
    for place in places:
        if place.is_file():
            return place.absolute()
    looked = ", ".join(str(place) for place in places)
    raise ConfigError(
        f"Label Studio is not installed (looked for {looked}); run `make setup`, or set HITL_LABEL_STUDIO"
    )


def server_version(executable: Path) -> str:
    """The version of the Label Studio that `executable` belongs to, without starting it."""
    packages = executable.parent.parent.glob("lib/python*/site-packages")
    for found in importlib.metadata.distributions(name="label-studio", path=[str(place) for place in packages]):
        return found.version
    raise ConfigError(f"{executable} belongs to no installed label-studio; run `make setup` again")


def template(executable: Path, progress: Progress = silent) -> Path:
    """A data directory with a migrated, empty database for this version; built once, by one process at a time."""
    place = _cache() / "label-studio" / server_version(executable)
    place.parent.mkdir(parents=True, exist_ok=True)
    with locked(place.with_name(f"{place.name}.lock")):
        if not place.is_dir():
            building = place.with_name(f"{place.name}.building")
            shutil.rmtree(building, ignore_errors=True)
            building.mkdir()
            _migrate(executable, building, progress)
            building.rename(place)
    return place


def _migrate(executable: Path, data: Path, progress: Progress) -> None:
    log = data.with_name(f"{data.name}.log")
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(executable), "version"], cwd=data, env=environment(data, {}), stdin=subprocess.DEVNULL, stdout=out,
            stderr=out,
        )  # fmt: skip
        began = time.monotonic()
        try:
            while process.poll() is None and (passed := time.monotonic() - began) < MIGRATE_SECONDS:
                progress("preparing Label Studio's database, once for this machine", int(passed), None)
                time.sleep(0.2)
        finally:
            process.kill()
            code = process.wait()
    if code != 0:
        raise ServerUnreachable(f"Label Studio could not prepare its database (exit {code}); see {log}")
    # Each copy draws its own secret key.
    (data / ".env").unlink(missing_ok=True)
    log.unlink()


def options(media: Path | None, webhooks_to_loopback: bool) -> dict[str, str]:
    """What opens a server that is closed by default: files below the parent of `media`, hosts on this machine.

    Raises `ConfigError` for a folder that is not there. Label Studio serves no folder that is its document root, hence
    the parent; it asks for a storage of a project besides, so that what lies next to `media` stays closed.
    """
    told = {"SSRF_PROTECTION_ENABLED": "false"} if webhooks_to_loopback else {}
    if media is None:
        return told
    folder = media.resolve()
    if not folder.is_dir() or folder == folder.parent:
        raise ConfigError(f"{media} is no folder that can be served; make it, or name another")
    return told | {"LOCAL_FILES_SERVING_ENABLED": "true", "LOCAL_FILES_DOCUMENT_ROOT": str(folder.parent)}


def environment(data: Path, more: dict[str, str]) -> dict[str, str]:
    """All that the server is told, with `more` settings; nothing of ours leaks in, and it calls nobody outside."""
    settings = {
        "BASE_DATA_DIR": str(data),
        "ENABLE_LEGACY_API_TOKEN": "true",
        "DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "FEATURE_FLAGS_OFFLINE": "true",
        "CORS_ALLOW_ALL_ORIGINS": "false",
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "LOCAL_FILES_SERVING_ENABLED": "false",
        **more,
    }
    home = str(data / "home")
    xdg = {f"XDG_{name}_HOME": f"{home}/{name.lower()}" for name in ("CONFIG", "DATA", "CACHE", "STATE")}
    plain = {"DJANGO_DB": "sqlite", "HOME": home, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "1"}
    return plain | xdg | {f"LABEL_STUDIO_{name}": value for name, value in settings.items()}


def _bases() -> list[Path]:
    return list(dict.fromkeys([ROOT, Path.cwd(), Path(sys.prefix).parent]))


def _cache() -> Path:
    told = os.environ.get("HITL_CACHE")
    if told:
        return Path(told)
    return ROOT / ".cache" if (ROOT / "pyproject.toml").is_file() else Path.home() / ".cache/hitl"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, waiting for whoever holds it; a process that dies lets go of it."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
