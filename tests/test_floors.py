"""The house's floors: a room imports downwards only, and rooms of one floor do not meet."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "hitl"
FLOORS = [
    {"errors", "markup"},
    {"types", "reading"},
    {"history"},
    {"policy", "pool", "deciding", "media"},
    {"tasks", "sampling", "labels", "workforce", "metrics"},
    {"models", "connectors", "ledger", "report", "compute", "hashes", "challenges"},
    {"rounds"},
    {"config", "console"},
    {"doctor", "serve"},
    {"cli", "demo"},
]
FREE = {"templates"}
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
PURE = ("tasks", "sampling", "labels", "workforce", "metrics")
EDGES = {"os", "time", "socket", "httpx", "requests", "sqlalchemy", "subprocess", "pathlib", "urllib.request"}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.module, node.lineno))
            found += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names if node.module == "hitl"]
        elif isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
    return found


def files() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def test_every_room_has_a_floor():
    assert {room_of(path) for path in files()} - FREE == set(FLOOR_OF)


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path):
    room = room_of(path)
    for module, line in imports(path):
        parts = module.split(".")
        if parts[0] != "hitl" or len(parts) < 2 or parts[1] not in FLOOR_OF or parts[1] == room:
            continue
        assert FLOOR_OF[parts[1]] < FLOOR_OF[room], f"{path}:{line}: {room} imports {parts[1]}"


@pytest.mark.parametrize("path", [path for path in files() if room_of(path) in PURE], ids=str)
def test_pure_rooms_know_no_edge(path):
    for module, line in imports(path):
        assert module not in EDGES, f"{path}:{line}: a pure room imports {module}"


def test_one_file_knows_the_sdk():
    knowing = {path for path in files() if any(m.split(".")[0] == "label_studio_sdk" for m, _ in imports(path))}
    assert len(knowing) <= 1


def test_rounds_never_reach_into_a_concrete_edge():
    concrete = ("hitl.connectors.", "hitl.models.text_linear")
    for path in files():
        if room_of(path) == "rounds":
            assert not [m for m, _ in imports(path) if m.startswith(concrete)], path
