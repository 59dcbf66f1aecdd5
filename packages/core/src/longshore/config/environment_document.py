"""Environments as JSON and back, for `longshore.config.document`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from attrs import fields

from longshore.model.environment import EnvironmentSpec, Requirement, Script

__all__ = ["read_environment", "write_environment"]

_Rows = Sequence[Sequence[Any]]


def _script(script: Script | None) -> list[Any] | None:
    return None if script is None else [script.name, script.text]


def _read_script(words: Sequence[Any] | None) -> Script | None:
    return None if words is None else Script(name=words[0], text=words[1])


def _requirements(lines: Sequence[Requirement]) -> _Rows:
    return [[each.text, each.place] for each in lines]


def _read_requirements(rows: _Rows) -> tuple[Requirement, ...]:
    return tuple(Requirement(text, place) for text, place in rows)


_PARTS: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = MappingProxyType(
    {
        **dict.fromkeys(("before", "conda_file", "after"), (_script, _read_script)),
        **dict.fromkeys(("apt", "conda", "pip", "constraints", "julia"), (_requirements, _read_requirements)),
        "channels": (list, tuple),
        "julia_files": (
            lambda scripts: [_script(each) for each in scripts],
            lambda rows: tuple(_read_script(row) for row in rows),
        ),
    }
)
"""How each part that is no text is written, and read."""


def write_environment(spec: EnvironmentSpec) -> dict[str, Any]:
    """Write one. What it does not have is left out."""
    given = {each.name: getattr(spec, each.name) for each in fields(EnvironmentSpec)}
    return {name: _PARTS[name][0](value) if name in _PARTS else value for name, value in given.items() if value}


def read_environment(row: Mapping[str, Any]) -> EnvironmentSpec:
    """Read what `write_environment` wrote."""
    known = {each.name for each in fields(EnvironmentSpec)}
    words = {name: _PARTS[name][1](value) if name in _PARTS else value for name, value in row.items() if name in known}
    return EnvironmentSpec(**words)
