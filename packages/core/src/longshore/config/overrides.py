"""``--set KEY.PATH=VALUE`` and ``--strategy NAME``: single values put over those of the workflow file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from longshore.config.places import key_path
from longshore.config.problems import Key, Places, Problems, hint, wrong

__all__ = ["override"]


def override(
    raw: Mapping[str, Any], overrides: Sequence[str], problems: Problems, *, strategy: str | None = None
) -> tuple[Mapping[str, Any], Places]:
    """Give what was written with some values replaced, and the places of it all; ``raw`` itself stays as it is.

    A value is read as TOML; what is no TOML is a text. Mistakes go to ``problems``. The name ``strategy`` counts before
    the others, so that they can set its options.
    """
    changed = dict(raw)
    ours: dict[Key, str] = {}
    if strategy is not None and strategy != _strategy_of(raw):
        changed["strategy"] = strategy
        ours["strategy",] = f"--strategy {strategy}"
    for text in overrides:
        try:
            key, value = _parse(text)
            _put(changed, key, value)
        except ValueError as error:
            problems.take_from(f"--set {text}", error)
        else:
            ours[key] = f"--set {text}"
    return changed, _with(problems.places, ours)


def _with_name(strategy: Any, option: str) -> Any:
    """Give the strategy as a table, in which an option can be set."""
    if isinstance(strategy, str):
        return {"name": strategy}
    if not strategy and option != "name":
        raise wrong("no strategy is named whose option this could be", "name it before, by --strategy NAME")
    return strategy


def _strategy_of(raw: Mapping[str, Any]) -> object:
    written = raw.get("strategy")
    return written.get("name") if isinstance(written, Mapping) else written


def _with(places: Places, ours: Mapping[Key, str]) -> Places:
    def place(key: Key) -> str:
        for length in range(len(key), 0, -1):
            if key[:length] in ours:
                return ours[key[:length]]
        return places(key)

    return place


def _parse(text: str) -> tuple[Key, Any]:
    written, equals, value = text.partition("=")
    try:
        if not equals:
            raise ValueError
        key = key_path(written.strip())
    except ValueError:
        raise wrong("this is no KEY.PATH=VALUE", 'write it as in tasks.fit.timeout="2 h"') from None
    return key, _value(value.strip())


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text


def _put(table: dict[str, Any], key: Key, value: Any) -> None:
    """Put a value into nested tables, copying those on the way."""
    for depth, part in enumerate(key[:-1]):
        below = table.get(part, {})
        if (depth, part) == (0, "strategy"):
            below = _with_name(below, key[1])
        if not isinstance(below, Mapping):
            raise wrong(f"{'.'.join(key[: depth + 1])} is no table, so nothing can be set in it", "name the key itself")
        if depth == 1 and key[0] == "tasks" and part not in table:
            raise wrong(f"there is no task {part!r}", hint(part, table, "name a task of the workflow"))
        table[part] = dict(below)
        table = table[part]
    table[key[-1]] = value
