"""Reading a workflow file: TOML, JSON, or Python that defines ``workflow``."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, frozen

from longshore.config.assemble import assemble
from longshore.config.bulk import bulk
from longshore.config.problems import Key, Places, Problems
from longshore.config.sketch import Sketch, read_tables
from longshore.errors import ConfigError, Problem
from longshore.model.workflow import WorkflowSpec

__all__ = ["DEFAULT_FILE", "Loaded", "load", "read_raw", "read_user", "read_user_raw"]

DEFAULT_FILE = "longshore.toml"
_USER_KEYS = ("pools", "environments", "providers", "observers")
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


@frozen(kw_only=True)
class Loaded:
    """A workflow and where it came from."""

    spec: WorkflowSpec
    folder: Path
    """Where the paths in it begin, and where ``.longshore/`` and ``results/`` lie."""
    file: Path
    chosen: Mapping[str, str] = field(factory=dict[str, str])
    """The only values that are wanted of parameters of a ``for_each``."""
    warnings: tuple[str, ...] = ()
    """What is no mistake but should be known."""
    place: Places = field(repr=False, eq=False)
    """Says where a key of it was written, for what is found out later."""


def load(
    path: Path | str = DEFAULT_FILE,
    overrides: Sequence[str] = (),
    *,
    strategy: str | None = None,
    params: Sequence[str] = (),
    adding_to: WorkflowSpec | None = None,
) -> Loaded:
    """Read a workflow from a file, or from the ``longshore.toml`` of a folder.

    A ``.py`` file is executed, with its folder on the path, and must define ``workflow``. ``overrides`` are texts like
    ``tasks.fit.timeout="2 h"`` that win over the file. ``strategy`` is the name of another than the file's, whose
    options do not count then. ``params`` are texts like ``year=2001``: values of the workflow's parameters, or the only
    values that are wanted of a parameter of a ``for_each``; `longshore.scheduler.narrow` keeps those. With
    ``adding_to`` the tasks are to join that workflow's run.

    Raises:
        ConfigError: with every mistake.
    """
    file = Path(path).absolute()
    if file.is_dir():
        file /= DEFAULT_FILE
    try:
        with bulk():
            return _load(file, overrides, strategy, params, adding_to)
    except RecursionError:
        message, remedy = "tables and lists are nested too deeply", "take some levels out"
        raise ConfigError([Problem(place=file.name, key="", message=message, remedy=remedy)]) from None


def _load(
    file: Path,
    overrides: Sequence[str],
    strategy: str | None,
    params: Sequence[str],
    adding_to: WorkflowSpec | None,
) -> Loaded:
    raw, places = read_raw(file)
    problems = Problems(places)
    if overrides or strategy is not None:
        from longshore.config.overrides import override  # noqa: PLC0415 - asked for by few

        raw, problems.places = override(raw, overrides, problems, strategy=strategy)
    chosen: dict[str, str] = {}
    if params:
        raw, chosen = _with_params(raw, params, problems)
    spec = assemble(raw, read_user(problems), file.parent, problems, adding_to)
    return Loaded(
        spec=spec,
        folder=file.parent,
        file=file,
        chosen=chosen,
        warnings=_warnings(spec, file.parent),
        place=problems.places,
    )


def _with_params(
    raw: Mapping[str, Any], words: Sequence[str], problems: Problems
) -> tuple[Mapping[str, Any], dict[str, str]]:
    from longshore.config.params import chosen_params  # noqa: PLC0415 - asked for by few

    try:
        ours, only = chosen_params(raw, words)
    except ValueError as error:
        problems.take_from("the command line", error)
        return raw, {}
    return ({**raw, "params": {**raw["params"], **ours}} if ours else raw), only


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


def read_user(problems: Problems) -> Sketch:
    """Read what all projects of the user share, from ``~/.config/longshore/config.toml`` if there is one."""
    sketch = Sketch()
    raw, places = read_user_raw(os.environ)
    theirs = Problems(places, problems.found)
    for key in raw:
        if key not in _USER_KEYS:
            theirs.add(
                (key,),
                f"there is no key {key!r} here",
                f"use one of: {', '.join(_USER_KEYS)}",
                misspelt=key,
                among=_USER_KEYS,
            )
    read_tables(raw, sketch, theirs)
    return sketch


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


def _warnings(spec: WorkflowSpec, folder: Path) -> tuple[str, ...]:
    if spec.env_file is None:
        return ()
    from longshore.config.env_file import tracked_by_git  # noqa: PLC0415 - few have one

    if not tracked_by_git(folder / spec.env_file):
        return ()
    name = spec.env_file
    remedy = f"`git rm --cached {name}` and add it to .gitignore"
    return (f"git keeps {name}, so whoever has the repository has what is in it; {remedy}",)
