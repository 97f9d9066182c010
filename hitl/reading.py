"""Files that people write: YAML read strictly, and mistakes in it told with file, line and key."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, cast
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from hitl.errors import ConfigError
from hitl.markup import visible

Read = TypeVar("Read", bound=BaseModel)

MOST_BYTES = 4 << 20
"""The largest file that is read: people write less, and a parser takes a hundred times as much memory."""

MOST_NODES, MOST_DEPTH = 100_000, 64
"""Values of a file with every alias (`*name`) written out, and how deep they may lie in one another."""

_MISTAKES = 8
_TAG = "tag:yaml.org,2002:"
_PLAIN = {
    "bool": (r"true|false|True|False", "tfTF"),
    "int": (r"[-+]?(?:0|[1-9][\d_]*)", "-+0123456789"),
    "float": (
        r"[-+]?(?:\d[\d_]*\.\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(?:inf|nan))",
        "-+0123456789.",
    ),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
}
"""How words that are no text look, and the letters they begin with."""


class _StrictLoader(yaml.SafeLoader):
    """YAML 1.2 where it matters: no key twice, `no` and dates are words, `1e-5` is a number; no tags, no bombs."""

    yaml_constructors: ClassVar[dict[Any, Any]] = {}
    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - as PyYAML has it

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node; raises `ConfigError` where a file grows beyond what people write."""
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise ConfigError(
                f"line {_line(cast(Any, self).peek_event())}: nested over {MOST_DEPTH} deep; write it flatter"
            )
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is not None and id(node) not in self._sizes:
            self._sizes[id(node)] = size = 1 + sum(self._sizes.get(id(child), 1) for child in _children(node))
            if size > MOST_NODES:
                raise ConfigError(
                    f"line {_line(node)}: over {MOST_NODES:,} values with aliases (*) written out; cut it"
                )
        return node


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _line(marked: Any) -> int:
    return int(marked.start_mark.line) + 1


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = _line(key_node)
        if not isinstance(key, Hashable):
            raise ConfigError(f"line {line}: a list or mapping stands where a key must be; write `key: value`")
        if key in seen:
            raise ConfigError(f"line {line}: the key {key!r} stands twice in one mapping; keep one of them")
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


def _text(loader: _StrictLoader, node: yaml.ScalarNode) -> str:
    text = str(loader.construct_scalar(node))
    if not text.isascii() and re.search("[\ud800-\udfff]", text):
        raise ConfigError(f"line {_line(node)}: half a character (U+D800 to U+DFFF); write the character itself")
    return text


def _number(loader: _StrictLoader, node: yaml.ScalarNode) -> int | float | bool:
    kind = node.tag.removeprefix(_TAG)
    try:
        read: int | float | bool = getattr(loader, f"construct_yaml_{kind}")(node)
    except (ValueError, KeyError):
        raise ConfigError(f"line {_line(node)}: this cannot be read as {kind}; mend it, or put it in quotes") from None
    return read


def _refuse(loader: _StrictLoader, node: yaml.Node) -> Any:
    raise ConfigError(f"line {_line(node)}: the tag {node.tag[:60]!r} is not read; write the value without it")


_READ: dict[str | None, Any] = {
    "map": _mapping,
    "seq": yaml.SafeLoader.construct_yaml_seq,
    "str": _text,
    "null": yaml.SafeLoader.construct_yaml_null,
    **dict.fromkeys(("int", "float", "bool"), _number),
}
for _kind, (_pattern, _first) in _PLAIN.items():
    _StrictLoader.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(f"^(?:{_pattern})$", re.ASCII), list(_first))
_StrictLoader.yaml_constructors |= {f"{_TAG}{kind}": read for kind, read in _READ.items()} | {None: _refuse}


class _Dumper(yaml.SafeDumper):
    """Quotes all that either reader, this one or one of YAML 1.1, would take for something other than text."""

    yaml_implicit_resolvers: dict[Any, Any] = {  # noqa: RUF012
        first: [
            *yaml.SafeDumper.yaml_implicit_resolvers.get(first, []),
            *_StrictLoader.yaml_implicit_resolvers.get(first, []),
        ]
        for first in {**yaml.SafeDumper.yaml_implicit_resolvers, **_StrictLoader.yaml_implicit_resolvers}
    }

    def ignore_aliases(self, data: Any) -> bool:
        """What stands twice is written twice."""
        return True


def _written(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # Unicode's own line breaks would come back as blanks if they stood there as they are.
    return dumper.represent_scalar(f"{_TAG}str", text, style='"' if re.search("[\x85\u2028\u2029]", text) else None)


_Dumper.add_representer(str, _written)


def write_yaml(values: Mapping[str, Any]) -> str:
    """A mapping of words, numbers, lists and mappings as YAML that `parse_yaml` reads back.

    >>> write_yaml({"version": "1e5", "region": "NO"})
    "version: '1e5'\\nregion: 'NO'\\n"
    """
    return yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def parse_yaml(text: str, source: str = "the text") -> dict[str, Any]:
    """Read a YAML mapping strictly; raises `ConfigError` with `source` and line.

    Words, numbers, true and false, lists and mappings are read, and aliases (`*name`) within bounds; dates and `no`
    stay words, tags are refused. O(size) time and memory.

    >>> parse_yaml("rate: 1e-5\\nregion: NO")
    {'rate': 1e-05, 'region': 'NO'}
    """
    try:
        loaded = _loaded(text)
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise ConfigError(
            f"{source}: line {line}: the character U+{error.character:04X} cannot stand in a file; take it out"
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError(f"{source}: {where}this is not YAML ({error.problem}); mend the file") from None
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None
    if not isinstance(loaded, dict):
        found = "nothing" if loaded is None else f"a {type(loaded).__name__}"
        raise ConfigError(f"{source}: the top of the file must be `key: value` lines, found {found}; write them")
    return loaded


def _loaded(text: str) -> Any:
    loader = _StrictLoader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file strictly; raises `ConfigError` when it is missing, over 4 MiB, or wrong."""
    try:
        path = Path(path)
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path}: is a folder or a device; name the file itself")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; `hitl init` writes one to start from") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no file can have this name"
        raise ConfigError(f"{str(path)[:200]!r}: cannot be read ({why}); check the file") from None
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{path}: is over {MOST_BYTES >> 20} MiB; a config or policy is smaller: check the path")
    try:
        return parse_yaml(content.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}: line {line}: this is not UTF-8; save the file in UTF-8") from None


def build(kind: type[Read], values: Any, source: str, error: type[ConfigError] = ConfigError) -> Read:
    """Check `values` against the pydantic class `kind`; raises `error` naming `source` and each wrong key."""
    try:
        return kind.model_validate(values)
    except ValidationError as invalid:
        raise error(f"{source}: {explain(invalid, kind)}") from None


def explain(invalid: ValidationError, kind: type[BaseModel] | None = None) -> str:
    """Each mistake as `key.path: what is wrong`, without the values (they may be secrets), the first eight of them.

    A key that the pydantic class `kind` does not have comes with the one that was meant, where one is near.
    """
    found = invalid.errors(include_input=False, include_url=False, include_context=False)
    mistakes = [_mistake(item, kind) for item in found[:_MISTAKES]]
    more = [f"and {len(found) - _MISTAKES:,} mistakes more"] if len(found) > _MISTAKES else []
    return "; ".join(mistakes + more)


def _mistake(item: Any, kind: type[BaseModel] | None) -> str:
    key = ".".join(str(part)[:60] for part in item["loc"][:12])
    if item["type"] == "extra_forbidden":
        return f"{key}: no such key; {_meant(str(item['loc'][-1]), kind)}"
    if item["type"] in ("missing", "union_tag_not_found"):
        return f"{key}{'' if item['type'] == 'missing' else '.kind'}: is missing; write it"
    problem = item["msg"].removeprefix("Value error, ")
    return f"{key}: {problem}" if key else problem


def _meant(key: str, kind: type[BaseModel] | None) -> str:
    """What was meant by a key: the nearest of those that the pydantic class or a part of it has."""
    schema = kind.model_json_schema() if kind else {}
    known = {name for part in (schema, *schema.get("$defs", {}).values()) for name in part.get("properties", ())}
    near = get_close_matches(key, sorted(known - {key}), n=1)
    return f"did you mean {near[0]!r}?" if near else "check the spelling"


def _name(name: str) -> str:
    if any(mark in name for mark in "/\\\n") or not name.strip(". ") or visible(name) != name:
        raise ValueError("the name must be one visible line without slashes: it names a folder and a project")
    if len(name.encode()) > 200:
        raise ValueError("the name takes over 200 bytes, too many for a folder's name; shorten it")
    return name


def _place(path: str) -> str:
    if not path.strip() or visible(path) != path or any(len(part.encode()) > 250 for part in re.split(r"[/\\]", path)):
        raise ValueError("no file can be called so: give a path without line breaks and invisible characters")
    return path


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.username or parts.password or not url.isprintable():
        raise ValueError("must read http(s)://host[:port], without a user or password; the token has a variable")
    if parts.query or parts.fragment or len(host) > 253 or " " in url:
        raise ValueError("must read http(s)://host[:port][/path], without ? or # and what follows them")
    return url


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", name) or re.fullmatch(r"[0-9A-Fa-f]{32,}", name):
        raise ValueError("must be the name of an environment variable; if it is the secret itself, make a new one")
    return name


FolderName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_name)]
"""A name that a folder may have anywhere."""

Place = Annotated[str, Field(max_length=2000), AfterValidator(_place)]
"""A path that a file may have, in one visible line."""

Address = Annotated[str, AfterValidator(_address)]
"""The address of a server, which holds no secret."""

Variable = Annotated[str, AfterValidator(_variable)]
"""The name of an environment variable, and not the secret that it holds."""
