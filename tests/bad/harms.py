"""What can happen to the files of a campaign that has begun, and what the command line must say then."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

RUN = "runs/trial"
LEDGER = f"{RUN}/ledger.db"


@dataclass(frozen=True)
class Harm:
    """Damage to a campaign's folder; the command that meets it, how it ends, and the words it says."""

    kind: str
    do: Callable[[Path], object]
    command: str
    code: int
    words: tuple[str, ...]


def write(name: str, content: bytes) -> Callable[[Path], object]:
    def do(home: Path) -> None:
        for beside in home.glob(f"{name}-*"):
            beside.unlink()
        (home / name).write_bytes(content)

    return do


def cut(name: str, keep: float) -> Callable[[Path], object]:
    def do(home: Path) -> None:
        content = (home / name).read_bytes()
        write(name, content[: int(len(content) * keep)])(home)

    return do


def gone(name: str) -> Callable[[Path], object]:
    def do(home: Path) -> None:
        path = home / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return do


def folder(name: str) -> Callable[[Path], object]:
    def do(home: Path) -> None:
        gone(name)(home)
        (home / name).mkdir()

    return do


def edit(name: str, old: str, new: str) -> Callable[[Path], object]:
    def do(home: Path) -> None:
        text = (home / name).read_text()
        assert old in text
        (home / name).write_text(text.replace(old, new))

    return do


def sql(*statements: str) -> Callable[[Path], object]:
    def do(home: Path) -> None:
        raw = sqlite3.connect(home / LEDGER)
        with raw:
            for statement in statements:
                raw.execute(statement)
        raw.close()

    return do


def _foreign(home: Path) -> None:
    gone(LEDGER)(home)
    raw = sqlite3.connect(home / LEDGER)
    with raw:
        raw.execute("CREATE TABLE recipes (name TEXT)")
    raw.close()


def _fewer_items(home: Path) -> None:
    path = home / "items.parquet"
    pq.write_table(pq.read_table(path).slice(0, 5), path)


def _model(home: Path) -> Path:
    return next(path for path in (home / RUN / "models").iterdir() if path.is_dir())


def _model_flipped(home: Path) -> None:
    path = _model(home) / "weights.safetensors"
    body = bytearray(path.read_bytes())
    body[-1] ^= 1
    path.write_bytes(bytes(body))


def _desk(home: Path) -> Path:
    return next((home / RUN / "reviewers").glob("*.jsonl"))


def _desk_line(line: bytes) -> Callable[[Path], object]:
    def do(home: Path) -> None:
        with _desk(home).open("ab") as file:
            file.write(line + b"\n")

    return do


def _answer_outside(home: Path) -> None:
    lines = _desk(home).read_text().splitlines()
    told = next(json.loads(line) for line in lines if json.loads(line)["do"] == "answer")
    del told["annotation"]["id"]
    _desk_line(json.dumps(told).encode())(home)


MORE_ROUNDS = ("rounds: 0", "rounds: 1")


def then_go_on(do: Callable[[Path], object]) -> Callable[[Path], object]:
    """The damage, met by a run that has a round to go."""

    def both(home: Path) -> None:
        do(home)
        edit("hitl.yaml", *MORE_ROUNDS)(home)

    return both


HARMS = [
    Harm("the record is a text", write(LEDGER, b"zonk"), "status", 1, ("ledger.db",)),
    Harm("the record is a text as long as a page", write(LEDGER, b"zonk" * 4096), "status", 1, ("ledger.db",)),
    Harm("the record is cut off", cut(LEDGER, 0.5), "status", 1, ("ledger.db",)),
    Harm("the record is another program's", _foreign, "status", 1, ("ledger.db",)),
    Harm("the record is a folder", folder(LEDGER), "status", 1, ("ledger.db",)),
    Harm("the record is of a later release", sql("UPDATE schema SET version = 999"), "status", 1, ("999",)),
    Harm("the record lost a table", sql("DROP TABLE resolutions"), "report", 1, ("ledger.db",)),
    Harm("the config is gone", gone("hitl.yaml"), "status", 78, ("hitl.yaml", "hitl init")),
    Harm("the config is cut off", cut("hitl.yaml", 0.6), "status", 78, ("hitl.yaml",)),
    Harm("the policy is gone", gone("policy.yaml"), "status", 78, ("policy.yaml",)),
    Harm("the policy is cut off", cut("policy.yaml", 0.9), "report", 78, ("policy.yaml",)),
    Harm("the pool is gone", gone("items.parquet"), "report", 65, ("items.parquet", "check the path")),
    Harm("the pool is cut off", cut("items.parquet", 0.5), "report", 65, ("items.parquet", "write it again")),
    Harm("the pool lost items", then_go_on(_fewer_items), "run", 78, ("the pool is not the one", "put it back")),
    Harm("the model was changed", then_go_on(_model_flipped), "run", 1, ("weights.safetensors", "restore it")),
    Harm("the model is gone", then_go_on(lambda home: shutil.rmtree(_model(home))), "run", 1, ("no saved model",)),
    Harm("the desk holds words", then_go_on(_desk_line(b"zonk")), "run", 69, ("line", "restore the file")),
    Harm("the desk holds a list", then_go_on(_desk_line(b"[]")), "run", 69, ("line", "restore the file")),
    Harm("an answer without a name", then_go_on(_answer_outside), "run", 69, ("line", "restore the file")),
    Harm(
        "the models' folder is a file", then_go_on(lambda home: _as_file(home / RUN / "models")), "run", 1, ("models",)
    ),
    Harm("the report is a folder", folder(f"{RUN}/report.html"), "report", 78, ("cannot be written",)),
]


def _as_file(path: Path) -> None:
    shutil.rmtree(path)
    path.write_bytes(b"zonk")
