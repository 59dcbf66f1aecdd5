"""The plain part of YAML that settings are written in: scalars, and lists and tables of them, by indentation.

What else YAML has (anchors, tags, several lines of text, several documents) is refused: a guess would be worse.
"""

from __future__ import annotations

import json
import re
from typing import Any

from longshore.errors import ConfigError, Problem

__all__ = ["read_yaml"]

_KEY = re.compile(r"""(?P<key>"[^"]*"|'[^']*'|[^\s#'"\[\]{}&*!|>%@`,-][^:#]*?)\s*:(?:\s+(?P<value>.*))?""")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WORDS = {"true": True, "false": False, "yes": True, "no": False, "null": None, "~": None, "": None}
_SPECIAL = tuple("&*!|>%@`{")

_Line = tuple[int, int, str]
"""Its number, its indentation, and its text without comment."""


def read_yaml(text: str, place: str) -> dict[str, Any]:
    """Read a table.

    Raises:
        ConfigError: with the first line that is more than is read here.
    """
    lines = [
        (number, len(line) - len(line.lstrip(" ")), stripped)
        for number, line in enumerate(text.splitlines(), start=1)
        if (stripped := _without_comment(line).strip()) and stripped != "---"
    ]
    try:
        value, rest = _block(lines)
        if rest:
            raise _Unread(rest[0], "it stands further left or right than what is before it")
    except _Unread as unread:
        message = f"this line is more than is read of YAML here: {unread.reason}"
        remedy = "write plain keys, values and lists"
        problem = Problem(place=f"{place}:{unread.line[0]}", key="", message=message, remedy=remedy)
        raise ConfigError([problem]) from None
    if not isinstance(value, dict):
        problem = Problem(place=place, key="", message="this is no table of settings", remedy="write KEY: VALUE lines")
        raise ConfigError([problem])
    return value


class _Unread(Exception):
    def __init__(self, line: _Line, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


def _without_comment(line: str) -> str:
    quote = ""
    for place, char in enumerate(line):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "#" and (place == 0 or line[place - 1] in " \t"):
            return line[:place]
    return line


def _block(lines: list[_Line]) -> tuple[Any, list[_Line]]:
    """Read what stands at the indentation of the first line; give it and the lines that are left."""
    if not lines:
        return {}, []
    indent = lines[0][1]
    if lines[0][2].startswith("- ") or lines[0][2] == "-":
        items: list[Any] = []
        while lines and lines[0][1] == indent and (lines[0][2].startswith("- ") or lines[0][2] == "-"):
            items.append(_scalar(lines[0], lines[0][2][1:].strip()))
            lines = lines[1:]
        return items, lines
    table: dict[str, Any] = {}
    while lines and lines[0][1] == indent:
        line, lines = lines[0], lines[1:]
        found = _KEY.fullmatch(line[2])
        if found is None:
            raise _Unread(line, "it is no KEY: VALUE")
        key = found["key"].strip().strip("'\"")
        if key in table:
            raise _Unread(line, f"{key!r} stands twice")
        below = lines and (lines[0][1] > indent or (lines[0][1] == indent and lines[0][2].startswith("- ")))
        if (found["value"] or "").strip():
            table[key] = _scalar(line, found["value"].strip())
        elif below:
            table[key], lines = _block(lines)
        else:
            table[key] = None
    return table, lines


def _scalar(line: _Line, text: str) -> Any:
    if text.startswith("[") and text.endswith("]"):
        inner = text[1:-1].strip()
        if "[" in inner or "{" in inner:
            raise _Unread(line, "a list in a list")
        return [_scalar(line, part.strip()) for part in inner.split(",")] if inner else []
    if text.startswith(_SPECIAL):
        raise _Unread(line, f"{text[0]!r} has a meaning of its own")
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return json.loads(text)
        except ValueError:
            raise _Unread(line, "an escape") from None
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _NUMBER.fullmatch(text):
        return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else float(text)
    return text
