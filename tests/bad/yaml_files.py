"""Files that people write as YAML, whatever they are for."""

from __future__ import annotations

from pathlib import Path

from bad import Bad, file

from hitl.errors import ConfigError
from hitl.reading import MOST_BYTES, read_yaml

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]\n" for at in range(1, 9)
)


def _loop(folder: Path) -> Path:
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    return folder / "loop.yaml"


def _dangling(folder: Path) -> Path:
    (folder / "link.yaml").symlink_to(folder / "nowhere.yaml")
    return folder / "link.yaml"


def text(kind: str, content: str | bytes, *words: str) -> Bad:
    return Bad(f"YAML: {kind}", file("some.yaml", content), read_yaml, ConfigError, ("some.yaml", *words))


CASES = [
    text("nothing", "", "found nothing", "write them"),
    text("a comment alone", "# nothing\n", "found nothing"),
    text("a list on top", "- a\n", "found a list"),
    text("a word on top", "zonk", "found a str"),
    text("a key twice", "a: 1\nb: 2\na: 3\n", "line 3", "'a' stands twice", "keep one"),
    text("a key twice, deep down", "a:\n  - {b: 1, b: 2}\n", "line 2", "'b' stands twice"),
    text("a tab as indent", "a:\n\tb: 1\n", "line 2, column 1", "mend the file"),
    text("a quote that never closes", "a: 'zonk\nb: 2\n", "line", "not YAML"),
    text("two colons in a line", "a: b: c\n", "line 1, column 5", "not YAML"),
    text("two documents", "a: 1\n---\nb: 2\n", "line 2", "another document"),
    text("a version of YAML that nobody knows", "%YAML 9.9\n---\na: 1\n", "line 1", "not YAML"),
    text("an alias of nothing", "a: *zonk\n", "line 1", "undefined alias 'zonk'"),
    text("a list that holds itself", "a: &a [*a]\n", "line 1", "recursive"),
    text("a mapping that holds itself", "a: &a {b: *a}\n", "line 1", "recursive"),
    text("aliases that grow to a billion values", BOMB, "line 6", "aliases", "cut it"),
    text("lists nested without end", "a: " + "[" * 5000, "line 1", "nested over 64 deep", "flatter"),
    text("mappings nested without end", "".join(f"{' ' * at}a:\n" for at in range(500)), "nested over 64 deep"),
    text("a tag that makes an object", "a: !!python/object/apply:os.getcwd []\n", "line 1", "tag", "without it"),
    text("a tag of one's own", "a:\n  b: !zonk 1\n", "line 2", "'!zonk'", "without it"),
    text("bytes by a tag", "a: !!binary aGk=\n", "line 1", "tag"),
    text("a set by a tag", "a: !!set {x}\n", "line 1", "tag"),
    text("a time by a tag", "a: !!timestamp yesterday\n", "line 1", "tag"),
    text("a number that is none", "a: !!int zonk\n", "line 1", "cannot be read as int"),
    text("a fraction that is none", "a: !!float zonk\n", "line 1", "cannot be read as float"),
    text("a truth value that is none", "a: !!bool zonk\n", "line 1", "cannot be read as bool"),
    text("a number of five thousand digits", f"a: {'9' * 5000}\n", "line 1", "cannot be read as int"),
    text("a list as a key", "[a, b]: 1\n", "line 1", "`key: value`"),
    text("a mapping as a key", "{a: 1}: 1\n", "line 1", "`key: value`"),
    text("a zero character", b"a: 1\nb: x\0y\n", "line 2", "U+0000", "take it out"),
    text("a bell", b"a: \x07\n", "line 1", "U+0007"),
    text("half a character, escaped", 'a: "\\ud800"\n', "line 1", "half a character"),
    text("half a character, in bytes", b"a: \xed\xa0\x80\n", "line 1", "not UTF-8"),
    text("Latin-1", "a: 1\nb: café\n".encode("latin-1"), "line 2", "save the file in UTF-8"),
    text("UTF-16", "a: 1\n".encode("utf-16"), "line 1", "save the file in UTF-8"),
    text("UTF-32", "a: 1\n".encode("utf-32-be"), "line 1", "U+0000"),
    text("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "line 1", "not UTF-8"),
    text("over four megabytes", b"a: 1\n" + b"#" * MOST_BYTES, "over 4 MiB", "check the path"),
    Bad("YAML: no file", lambda folder: folder / "none.yaml", read_yaml, ConfigError, ("none.yaml", "hitl init")),
    Bad("YAML: a folder for a file", lambda folder: folder, read_yaml, ConfigError, ("a folder", "name the file")),
    Bad("YAML: a link to itself", _loop, read_yaml, ConfigError, ("loop.yaml", "symbolic links")),
    Bad("YAML: a link to nothing", _dangling, read_yaml, ConfigError, ("link.yaml", "no such file")),
    Bad("YAML: a zero in its path", lambda _: "zonk\0.yaml", read_yaml, ConfigError, ("zonk", "no file can")),
    Bad("YAML: a path too long", lambda _: "z" * 5000, read_yaml, ConfigError, ("zzz", "File name too long")),
    Bad("YAML: half a character in its path", lambda _: "\ud800", read_yaml, ConfigError, ("no file can",)),
]
