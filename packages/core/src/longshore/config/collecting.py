"""``collect``: one table of what the members of a task give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from longshore.config.fields import Parser, encoding, relative, table, text
from longshore.config.globs import is_glob
from longshore.config.problems import hint, wrong
from longshore.model.task import ERRORS_TABLE, Collect

__all__ = ["collect", "completed"]

_EXAMPLE = '{ into = "results.csv" }'
_TABLES = (".csv", ".parquet", ".sqlite", ".db")
_ROWS = (".json", ".csv")


def collect(value: object) -> Collect:
    """Read ``collect``: the name of a table, or a table with it and more."""
    words: Mapping[str, Any] = table(value, _KEYS, _EXAMPLE) if isinstance(value, Mapping) else {"into": _into(value)}
    if "into" not in words:
        raise wrong("nothing says what the table is called", f"write it as in {_EXAMPLE}")
    return Collect(into=words["into"], source=words.get("from", ""), encoding=words.get("encoding", "utf-8"))


def completed(collect: Collect, outputs: Sequence[str], *, is_call: bool, expands: bool) -> Collect:
    """Say which output holds a row, now that they are known; of a call what it returns, unless one is named.

    Raises:
        Mistakes: when the task has no such output, or no members.
    """
    if not expands:
        raise wrong("the task has no members to collect from", "add for_each or repeat, or take it out")
    if collect.source:
        if collect.source not in outputs:
            known = ", ".join(outputs) or "none"
            remedy = hint(collect.source, outputs, f"name one of: {known}; or add it to the outputs")
            raise wrong(f"the task has no output {collect.source!r}", remedy, ("from",))
        return collect
    if is_call:
        return collect
    if not outputs:
        raise wrong("the task declares no output to collect", 'add outputs = ["row.json"]')
    if len(outputs) > 1:
        raise wrong(f"the task has {len(outputs)} outputs, and nothing says which holds a row", 'add from = "..."')
    return evolve(collect, source=_source(outputs[0]))


def _into(value: object) -> str:
    name = relative(text(value))
    if "/" in name:
        raise wrong(f"{name!r} lies in a folder", "name a file; it comes into the results folder of the task")
    if not name.endswith(_TABLES):
        raise wrong(f"{name!r} is no kind of table that can be made", f"let it end in one of: {', '.join(_TABLES)}")
    if name == ERRORS_TABLE:
        raise wrong(f"{name!r} is made beside the table, of the members that failed", "give the table another name")
    return name


def _source(value: object) -> str:
    name = text(value)
    if is_glob(name) or not name.endswith(_ROWS):
        raise wrong(f"{name!r} is no single file with a row", f"name an output that ends in {' or '.join(_ROWS)}")
    return name


_KEYS: dict[str, Parser] = {"into": _into, "from": _source, "encoding": encoding}
