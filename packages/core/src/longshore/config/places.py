"""Where the keys of a TOML text stand, since tomllib does not say. Looked at only when something is wrong."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from attrs import define, field

from longshore.config.problems import Key

__all__ = ["TomlPlaces", "key_lines", "key_path"]

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_KEY = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_BARE = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_HEADER = re.compile(rf"\[\[?[ \t]*({_KEY})[ \t]*\]\]?")
_ASSIGNMENT = re.compile(rf"({_KEY})[ \t]*=")
_IDLE = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)+")
_VALUE_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|'
    r"'''.*?'{3,5}|"
    r'"(?:\\.|[^"\\\n])*"|'
    r"'[^'\n]*'|#[^\n]*|[\[{]|[\]}]|\n|[^\"'#\[\]{}\n]+|.",
    re.DOTALL,
)


@define
class TomlPlaces:
    """Says ``longshore.toml:12`` for a key, or for the nearest table around it that was written."""

    name: str
    text: str = field(repr=False)
    _lines: Mapping[Key, int] | None = field(default=None, init=False)

    def __call__(self, key: Key) -> str:
        """Say file and line of a key, or of what is around it."""
        line = self.line(key)
        return self.name if line is None else f"{self.name}:{line}"

    def line(self, key: Key) -> int | None:
        """Find the line of the longest part of the key's path that stands in the text."""
        if self._lines is None:
            self._lines = key_lines(self.text)
        for length in range(len(key), 0, -1):
            line = self._lines.get(key[:length])
            if line is not None:
                return line
        return None


def key_lines(text: str) -> dict[Key, int]:
    """Find the line, counted from 1, of every key and table header of a valid TOML text.

    Keys inside inline tables have none of their own; they stand where the table does.
    """
    line_ends = [found.start() for found in re.finditer("\n", text)]
    lines: dict[Key, int] = {}
    table: Key = ()
    position = 0
    while position < len(text):
        idle = _IDLE.match(text, position)
        if idle is not None:
            position = idle.end()
            continue
        header = _HEADER.match(text, position)
        found = header or _ASSIGNMENT.match(text, position)
        if found is None:  # not TOML; what follows cannot be told apart
            break
        try:
            path = key_path(found.group(1))
        except tomllib.TOMLDecodeError:
            break  # as above
        line = bisect_right(line_ends, position - 1) + 1
        if header:
            table = path
            _note(lines, (), path, line)
        else:
            _note(lines, table, path, line)
        position = found.end() if header else _value_end(text, found.end())
    return lines


def key_path(written: str) -> Key:
    """Read a dotted key as TOML does.

    Raises:
        tomllib.TOMLDecodeError: when it is none.
    """
    if _BARE.fullmatch(written):
        return tuple(written.split("."))
    path: list[str] = []
    level: Any = tomllib.loads(f"{written} = 0")
    while isinstance(level, dict):
        ((part, level),) = level.items()
        path.append(part)
    return tuple(path)


def _note(lines: dict[Key, int], table: Key, path: Key, line: int) -> None:
    for length in range(1, len(path) + 1):
        lines.setdefault((*table, *path[:length]), line)


def _value_end(text: str, position: int) -> int:
    depth = 0
    while position < len(text):
        token = _VALUE_TOKEN.match(text, position)
        assert token is not None  # its last alternative takes any character
        position = token.end()
        if token.group() in "[{":
            depth += 1
        elif token.group() in "]}":
            depth -= 1
        elif token.group() == "\n" and depth <= 0:
            break
    return position
