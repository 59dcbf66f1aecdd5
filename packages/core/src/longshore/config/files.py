"""The files that users write, as plain dicts; what is in them is looked at elsewhere."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longshore.config.problems import Key, Places
from longshore.errors import ConfigError, Problem

__all__ = ["DEFAULT_FILE", "parse_toml", "read_raw", "read_user_raw"]

DEFAULT_FILE = "longshore.toml"
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_raw(file: Path) -> tuple[Mapping[str, Any], Places]:
    """Read a workflow file as it was written, and what says where its keys stand.

    Raises:
        ConfigError: when there is no such file, or it cannot be read as what it is.
    """
    if not file.is_file():
        raise _missing(file)
    if file.suffix == ".py":
        from longshore.config.script import read_script  # noqa: PLC0415 - files of values need none of it

        return read_script(file)
    text = _text(file)
    if file.suffix == ".json":
        return _parse_json(text, file), lambda _: file.name
    return parse_toml(text, file.name), _toml_places(file.name, text)


def _toml_places(name: str, text: str) -> Places:
    places: Places | None = None

    def place(key: Key) -> str:
        from longshore.config.places import TomlPlaces  # noqa: PLC0415 - only a mistake has a place

        nonlocal places
        places = places or TomlPlaces(name, text)
        return places(key)

    return place


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """Parse TOML; ``name`` is what the file is called in errors.

    Raises:
        ConfigError: with line and column, and the line itself.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _AT.search(str(error))
        reason = _AT.sub("", str(error))
        if found is None or found[1] is None:
            line, column = text.count("\n") + 1, 0
            reason = f"{reason} at the end of the file"
        else:
            line, column = int(found[1]), int(found[2])
        raise _syntax(name, text, line, column, f"this is not TOML: {reason}") from error
    except ValueError as error:  # a whole number of 5,000 digits
        raise ConfigError([Problem(place=name, key="", message=str(error), remedy="write a shorter number")]) from error


def _parse_json(text: str, file: Path) -> Mapping[str, Any]:
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise _syntax(file.name, text, error.lineno, error.colno, f"this is not JSON: {error.msg}") from error
    if not isinstance(raw, dict):
        raise ConfigError(
            [
                Problem(
                    place=file.name,
                    key="",
                    message="the file holds no object",
                    remedy="write it as in longshore.toml, in JSON",
                )
            ]
        )
    return raw


def _syntax(name: str, text: str, line: int, column: int, message: str) -> ConfigError:
    lines = text.split("\n")
    shown = lines[line - 1].rstrip("\r").expandtabs(1) if line <= len(lines) else ""
    where = f"{name}:{line}:{column}" if column else f"{name}:{line}"
    caret = f"\n    {' ' * (column - 1)}^" if column else ""
    return ConfigError(
        [
            Problem(
                place=where,
                key="",
                message=f"{message}\n    {shown}{caret}",
                remedy="mend this line; what follows it was not read",
            )
        ]
    )


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        problem = Problem(
            place=file.name,
            key="",
            message=f"the file cannot be read: {error.strerror}",
            remedy="give yourself the right to read it",
        )
        raise ConfigError([problem]) from error
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        place = f"{file.name}:{content.count(bytes([10]), 0, error.start) + 1}"
        problem = Problem(
            place=place,
            key="",
            message=f"byte {content[error.start]:#04x} is not UTF-8",
            remedy="save the file as UTF-8",
        )
        raise ConfigError([problem]) from error


def _missing(file: Path) -> ConfigError:
    remedy = "`longshore init` writes an example"
    try:
        others = sorted(
            entry.name
            for entry in os.scandir(file.parent)
            if entry.name.endswith((".toml", ".py", ".json")) and entry.is_file()
        )
    except OSError:
        others = []
        remedy = "name a file that exists"
    if others:
        remedy = f"there are: {', '.join(others[:5])}; or {remedy}"
    what = "there is no such file" if not file.exists() else "this is no file"
    return ConfigError([Problem(place=str(file), key="", message=what, remedy=remedy)])


def read_user_raw(environment: Mapping[str, str]) -> tuple[Mapping[str, Any], Places]:
    """Read the user's own file as it was written, and what says where its keys stand; nothing when there is none.

    Raises:
        ConfigError: when it cannot be read, or is no TOML.
    """
    home = environment.get("XDG_CONFIG_HOME") or "~/.config"
    file = Path(home).expanduser() / "longshore" / "config.toml"
    if not file.is_file():
        return {}, lambda _: str(file)
    shown, text = str(file), _text(file)
    return parse_toml(text, shown), _toml_places(shown, text)
