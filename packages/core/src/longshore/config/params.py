"""``[params]``: values that a workflow is run with, which the command line may replace."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from longshore.config.fields import describe, mapping_of, text
from longshore.config.problems import Mistakes, hint, wrong
from longshore.config.variables import VARIABLE, variables_in
from longshore.model.command import Argv, Call, Command, Shell
from longshore.model.names import check_parameter
from longshore.model.task import FileInput

__all__ = ["chosen_params", "params", "used_params"]

_NAMED = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")
# json.dumps writes an object with this one key in no other way.
_ARGUMENT = re.compile(r'\{"\$param": "([^"\\]*)"\}')
_TRUTH = {"true": True, "false": False}


def params(value: object) -> dict[str, str]:
    """Read the table ``params``: each value as the text that tasks see."""
    return {name: _text(each) for name, each in mapping_of(_name, _plain)(value).items()}


def chosen_params(raw: Mapping[str, Any], chosen: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Read ``-P NAME=VALUE`` words: values for the workflow's own parameters, of the types that these have, and
    values that are to be the only ones of parameters of a ``for_each``.

    Raises:
        Mistakes: for words that are none of these; names that are near are told.
    """
    declared = raw.get("params", {})
    declared = declared if isinstance(declared, Mapping) else {}
    members = {name for task in _tables(raw.get("tasks")) for name in _keys(task.get("for_each"))}
    ours: dict[str, Any] = {}
    only: dict[str, str] = {}
    mistakes: list[Mistakes] = []
    for word in chosen:
        name, equals, value = word.partition("=")
        name = name.strip()
        try:
            if not equals or not name:
                raise wrong(f"-P {word} is no NAME=VALUE", "write it as in -P year=2001")
            if name in declared:
                ours[name] = _as(declared[name], value, name)
            elif name in members:
                only[name] = value
            else:
                known = [*declared, *sorted(members)]
                remedy = f"there are: {', '.join(known)}" if known else "write it in the file, as in params.year = 2001"
                raise wrong(f"the workflow has no parameter {name!r}", hint(name, known, remedy))
        except Mistakes as mistake:
            mistakes.append(mistake)
    if mistakes:
        raise Mistakes(*(each for mistake in mistakes for each in mistake.mistakes))
    return ours, only


def used_params(
    known: Mapping[str, str], command: Command, inputs: Iterable[object], named: Iterable[str]
) -> tuple[tuple[str, str], ...]:
    """Give the parameters that a task uses: those that its command or inputs speak of, and those that it names.

    Raises:
        Mistakes: when it names one that there is not.
    """
    used = set(named)
    for name in used - known.keys():
        raise wrong(
            f"the workflow has no parameter {name!r}", hint(name, known, "write it under [params]"), ("params",)
        )
    for each in inputs:
        used |= variables_in(each.path if isinstance(each, FileInput) else getattr(each, "url", ""))
    match command:
        case Shell(words):
            used.update(_NAMED.findall(words))
        case Call(arguments=arguments):
            used.update(_ARGUMENT.findall(arguments))
        case Argv(arguments):
            used.update(found[1] or found[2] for each in arguments for found in VARIABLE.finditer(each))
    return tuple((name, value) for name, value in known.items() if name in used)


def _name(value: object) -> str:
    return check_parameter(text(value))


def _plain(value: object) -> str | int | float | bool:
    if isinstance(value, str) and "\0" not in value:
        return value
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise wrong(f"{describe(value)} cannot be a parameter", "write a text, a number, true or false")


def _text(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _as(default: object, value: str, name: str) -> str | int | float | bool:
    """Read a value as what the file's own is."""
    try:
        match default:
            case bool():
                return _TRUTH[value.strip().lower()]
            case int():
                return int(value)
            case float():
                return float(value)
            case _:
                return value
    except (KeyError, ValueError):
        kind = {bool: "true or false", int: "a whole number", float: "a number"}[type(default)]
        raise wrong(
            f"-P {name}={value}: the parameter {name!r} is {kind}, as in {_text(default)}",  # type: ignore[arg-type]  # one of these
            "write it so, or declare another value in the file",
        ) from None


def _tables(tasks: object) -> list[Mapping[str, Any]]:
    return [task for task in tasks.values() if isinstance(task, Mapping)] if isinstance(tasks, Mapping) else []


def _keys(table: object) -> list[str]:
    return [str(key) for key in table] if isinstance(table, Mapping) else []
