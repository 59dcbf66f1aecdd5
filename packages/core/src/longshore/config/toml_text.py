"""Writing workflow files: values as TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["key_of", "value_of", "workflow_text"]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_WIDTH = 100
_TABLES = ("params", "pools", "providers", "environments", "observers", "tasks")


def value_of(value: Any) -> str:
    """Write a text, a number, true or false, a list or a table of these as TOML, in one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            # What JSON escapes TOML reads alike, except for DEL, which JSON leaves as it is.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case int():
            return str(value)
        case float():
            return f"{value:.15g}" if value % 1 else f"{value:.1f}"
        case Mapping():
            inner = ", ".join(f"{key_of(key)} = {value_of(item)}" for key, item in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case _:
            return f"[{', '.join(map(value_of, value))}]"


def key_of(name: str) -> str:
    """Write a key, in quotes where it needs them."""
    return name if _BARE_KEY.fullmatch(name) else value_of(name)


def workflow_text(raw: Mapping[str, Any], remarks: Sequence[str] = ()) -> str:
    """Write a workflow as its file, with remarks as comments at the top; `longshore.load` reads the same from it."""
    lines = [f"# {line}" for remark in remarks for line in _wrapped(remark)]
    lines += [f"{key_of(key)} = {value_of(value)}" for key, value in raw.items() if key not in _TABLES]
    for kind in _TABLES:
        if kind == "params" and raw.get(kind):
            lines += ["", "[params]", *(f"{key_of(key)} = {value_of(value)}" for key, value in raw[kind].items())]
            continue
        for name, table in raw.get(kind, {}).items():
            lines += ["", f"[{kind}.{key_of(name)}]"]
            lines += [f"{key_of(key)} = {_long(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def _long(value: Any) -> str:
    """Write a long list over several lines; tables and texts stay in one."""
    text = value_of(value)
    if len(text) <= _WIDTH or isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        return text
    return "[\n" + "".join(f"    {value_of(item)},\n" for item in value) + "]"


def _wrapped(remark: str) -> list[str]:
    import textwrap  # noqa: PLC0415  for what is written once

    # What comes from elsewhere must not end the comment.
    plain = "".join(char if char.isprintable() else " " for char in remark)
    return textwrap.wrap(plain, _WIDTH, subsequent_indent="  ") or [""]
