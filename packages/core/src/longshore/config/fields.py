"""Parsers of single values: each takes what TOML or Python gave and returns what the model wants, or raises `Mistakes`.

Nothing is coerced: ``"4"`` is no number. This is done by hand and not by cattrs, since importing cattrs was measured to
take as long (30 ms) as importing all of this package, and since every mistake has to be found at once, with a remedy.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import PurePath
from typing import Any

from longshore.config.problems import Mistake, Mistakes, hint, mistakes_of, wrong
from longshore.config.urls import is_url
from longshore.model.names import clean_relative
from longshore.model.quantity import Money, parse_duration, parse_money, parse_size

__all__ = [
    "Parser",
    "describe",
    "duration",
    "encoding",
    "flag",
    "mapping_of",
    "money",
    "number",
    "plain",
    "relative",
    "size",
    "some_time",
    "table",
    "text",
    "texts",
    "variable",
    "whole",
]

Parser = Callable[[Any], Any]

_LONGEST_SHOWN = 60


def describe(value: object) -> str:
    """Say what a value is, in the words of TOML."""
    shown = repr(value)
    if len(shown) > _LONGEST_SHOWN:
        shown = f"{shown[:_LONGEST_SHOWN]}..."
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text {shown}"
        case int():
            return f"the whole number {shown}"
        case float():
            return f"the number {shown}"
        case Mapping():
            return "a table"
        case list() | tuple():
            return "a list"
        case date() | time():
            return f"the date or time {value}"
        case _:
            return f"{shown} ({type(value).__name__})"


def text(value: object) -> str:
    """A text that is not empty."""
    if isinstance(value, PurePath):
        value = value.as_posix()
    if not isinstance(value, str):
        quoted = f'write it in quotes: "{value}"' if isinstance(value, int | float) else 'write a text in quotes: "..."'
        raise wrong(f"{describe(value)} stands where a text is needed", quoted)
    if not value:
        raise wrong("the text is empty", "write something between the quotes, or leave the key out")
    if "\0" in value:
        raise wrong(f"{describe(value)} has a NUL character, which no command or file name can have", "take it out")
    return value


def variable(value: object) -> str:
    """What an environment variable is set to; may be empty."""
    return value if value == "" and isinstance(value, str) else text(value)


def money(value: object) -> Money:
    """An amount of money that is more than nothing."""
    if not isinstance(value, str):
        raise wrong(f"{describe(value)} is no amount of money", 'write it with its currency in quotes, as in "5 USD"')
    amount = parse_money(value)
    if not amount.amount:
        raise wrong(f"{value!r} is no money at all", "write how much may be spent, or leave the key out")
    return amount


def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise wrong(f"{describe(value)} stands where true or false is needed", "write true or false, without quotes")
    return value


def whole(least: int = 0) -> Callable[[object], int]:
    """Make the parser of whole numbers that are not below ``least``."""

    def parse(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong(f"{describe(value)} stands where a whole number is needed", "write digits only, without quotes")
        if value < least:
            raise wrong(f"{value} is too small", f"write {least} or more")
        return value

    return parse


def number(value: object) -> float:
    """A number that is not below zero; fractions are welcome."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise wrong(f"{describe(value)} stands where a number is needed", "write it without quotes, as in 4 or 0.5")
    if not 0 <= value < math.inf:
        raise wrong(f"{value} is no amount", "write a number that is not below 0")
    return value


def encoding(value: object) -> str:
    """The name of a text encoding that Python knows."""
    name = text(value)
    try:
        "".encode(codecs.lookup(name).name)
    except (LookupError, ValueError):
        raise wrong(f"{describe(name)} is no encoding", 'write it as in "latin-1"') from None
    return name


def size(value: object) -> int:
    """A number of bytes."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise wrong(f"{describe(value)} is no size", 'write it as in "500 MB" or "16 GiB", or as a number of bytes')
    return parse_size(value)


def duration(value: object) -> timedelta:
    """A length of time. A number without a unit is refused: some mean seconds by it and others minutes."""
    if isinstance(value, timedelta):
        if value < timedelta(0):
            raise wrong(f"{value} is less than no time", "write a length of time that is not negative")
        return value
    if not isinstance(value, str):
        raise wrong(
            f"{describe(value)} is no duration", 'write it with its unit in quotes, as in "30 s", "5 min" or "2 h"'
        )
    return parse_duration(value)


def some_time(value: object) -> Any:
    """Read a duration that is longer than nothing."""
    span = duration(value)
    if not span:
        raise wrong(f"{value!r} is no time at all", 'write a length of time, as in "30 min"')
    return span


def relative(value: object) -> str:
    """A path below the workflow file's folder or the workdir; a slash at its end stays."""
    path = text(value)
    if is_url(path):
        raise wrong(
            f"{path!r} is a URL, where a path is needed", "write a path relative to the folder of the workflow file"
        )
    return str(clean_relative(path)) + ("/" if path.endswith("/") else "")


def texts(value: object, parse: Parser = text) -> tuple[Any, ...]:
    """A list; each item by ``parse``, all mistakes at once."""
    if isinstance(value, str) or not isinstance(value, Sequence | set | frozenset):
        example = (
            f'write it in brackets: ["{value}"]'
            if isinstance(value, str)
            else 'write a list in brackets: ["...", "..."]'
        )
        raise wrong(f"{describe(value)} stands where a list is needed", example)
    items: Iterable[Any] = sorted(value) if isinstance(value, set | frozenset) else value
    return tuple(_each(((), item, parse) for item in items))


def mapping_of(name: Parser, parse: Parser) -> Callable[[object], dict[str, Any]]:
    """Make the parser of a table whose keys the user chooses."""

    def parse_mapping(value: object) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise wrong(f"{describe(value)} stands where a table is needed", 'write it as in { NAME = "value" }')
        keys = list(value)
        names = _each(((str(key),), key, name) for key in keys)
        return dict(zip(names, _each(((str(key),), value[key], parse) for key in keys), strict=True))

    return parse_mapping


def table(value: object, parsers: Mapping[str, Parser], example: str) -> dict[str, Any]:
    """Parse a table with fixed keys; unknown ones are mistakes, with the known ones they resemble."""
    if not isinstance(value, Mapping):
        raise wrong(f"{describe(value)} stands where a table is needed", f"write it as in {example}")
    parsed: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for key, item in value.items():
        parser = parsers.get(key)
        if parser is None:
            remedy = hint(str(key), parsers, f"use one of: {', '.join(sorted(parsers))}")
            mistakes.append(Mistake((str(key),), f"there is no key {key!r} here", remedy))
            continue
        try:
            parsed[key] = parser(item)
        except ValueError as error:
            mistakes += _moved((key,), error)
    if mistakes:
        raise Mistakes(*mistakes)
    return parsed


def plain(value: object) -> Any:
    """What a plugin's own config will check: anything that TOML can say, as plain dicts and lists."""
    match value:
        case str() | bool() | int() | float() | datetime() | date() | time():
            return value
        case PurePath():
            return value.as_posix()
        case Mapping():
            pairs = list(value.items())
            names = _each(((str(key),), key, text) for key, _ in pairs)
            return dict(zip(names, _each(((str(key),), item, plain) for key, item in pairs), strict=True))
        case list() | tuple():
            return _each(((), item, plain) for item in value)
        case _:
            raise wrong(
                f"{describe(value)} is nothing that a workflow file could say", "use text, numbers, lists and tables"
            )


def _each(items: Iterable[tuple[tuple[str, ...], object, Parser]]) -> list[Any]:
    parsed: list[Any] = []
    mistakes: list[Mistake] = []
    for below, item, parse in items:
        try:
            parsed.append(parse(item))
        except ValueError as error:
            mistakes += _moved(below, error)
    if mistakes:
        raise Mistakes(*mistakes)
    return parsed


def _moved(below: tuple[str, ...], error: ValueError) -> list[Mistake]:
    return [Mistake((*below, *mistake.below), mistake.message, mistake.remedy) for mistake in mistakes_of(error)]
