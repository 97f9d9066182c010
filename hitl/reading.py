"""Files that people write: YAML read strictly, and mistakes in it told with file, line and key."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from hitl.errors import ConfigError

Read = TypeVar("Read", bound=BaseModel)


class _StrictLoader(yaml.SafeLoader):
    """YAML 1.2 where it matters: no key twice, `no` and `on` are words, `1e-5` is a number."""


_StrictLoader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in rules if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float")
    ]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false|True|False)$"), list("tfTF"))
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d[\d_]*\.\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(?:inf|nan))$"),
    list("-+0123456789."),
)


def _mapping_without_doubles(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, Hashable):
            raise ConfigError(f"line {line}: a list or mapping stands where a key must be; write `key: value`")
        if key in seen:
            raise ConfigError(f"line {line}: the key {key!r} stands twice in one mapping; keep one of them")
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping_without_doubles)


def parse_yaml(text: str, source: str = "the text") -> dict[str, Any]:
    """Read a YAML mapping strictly; raises `ConfigError` with `source` and line.

    >>> parse_yaml("rate: 1e-5\\nregion: NO")
    {'rate': 1e-05, 'region': 'NO'}
    """
    try:
        loaded = yaml.load(text, Loader=_StrictLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(f"{source}: {where}this is not YAML ({error.problem}); mend the file") from None
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = "a character that cannot be shown, an impossible date, or nesting without end"
        raise ConfigError(f"{source}: this is not YAML ({type(error).__name__}: {why}); mend the file") from None
    if not isinstance(loaded, dict):
        raise ConfigError(f"{source}: the top of the file must be `key: value` lines, found {type(loaded).__name__}")
    return loaded


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file strictly; raises `ConfigError` when it is missing or wrong."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; `hitl init` writes one to start from") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error.__class__.__name__}); check the file") from None
    return parse_yaml(text, str(path))


def build(kind: type[Read], values: Any, source: str, error: type[ConfigError] = ConfigError) -> Read:
    """Check `values` against the pydantic class `kind`; raises `error` naming `source` and each wrong key."""
    try:
        return kind.model_validate(values)
    except ValidationError as invalid:
        raise error(f"{source}: {explain(invalid)}") from None


def explain(invalid: ValidationError) -> str:
    """Each mistake as `key.path: what is wrong`, without the values (they may be secrets)."""
    mistakes = []
    for item in invalid.errors(include_input=False, include_url=False, include_context=False):
        key = ".".join(str(part) for part in item["loc"])
        problem = "no such key; check the spelling" if item["type"] == "extra_forbidden" else item["msg"]
        problem = problem.removeprefix("Value error, ")
        mistakes.append(f"{key}: {problem}" if key else problem)
    return "; ".join(mistakes)
