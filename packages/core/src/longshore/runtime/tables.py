"""Writing a table as CSV, Parquet or SQLite, row by row: what it takes in memory does not grow with its length."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from enum import IntEnum
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import IO, Any

from attrs import define, field

from longshore.model.jsontext import json_writer
from longshore.runtime.member_rows import Row, Value, Written

__all__ = ["Spool", "lacking", "write_csv", "write_table"]

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LARGEST = 2**63
_EXACT = 2**53
"""Whole numbers up to here are exact as floating point, too."""
_AT_ONCE = 1000
"""Rows of a Parquet file that are in memory at once."""


_Converter = Callable[[Any], Any]
"""Takes a value of a spooled row that is not null."""

_dumps = json_writer()


class _Kind(IntEnum):
    """What a column can hold so that every value in it keeps its meaning; the least that holds all is taken."""

    NOTHING = 0
    FLAG = 1
    WHOLE = 2
    LARGE = 3
    """Whole, and too large to stand beside other numbers."""
    DECIMAL = 4
    TEXT = 5


@define
class Spool:
    """The rows of a table on their way: each goes to a file at once, and what is kept is what their columns hold.

    There a text that may stand for a number is a list with the text in it: no value of a row is a list.
    """

    file: IO[str]
    columns: dict[str, _Kind] = field(factory=dict)
    """In the order in which they first came."""
    rows: int = 0

    def add_columns(self, names: Iterable[str]) -> None:
        """Have columns, whether a row has values there or not."""
        self.columns.update(dict.fromkeys(names, _Kind.NOTHING))

    def add(self, row: Row) -> None:
        """Add a row."""
        columns = self.columns
        for name, value in row.items():
            kind = columns.get(name, _Kind.NOTHING)
            if kind is not _Kind.TEXT:
                columns[name] = _wider(kind, _kind(value))
        plain = {name: [value.text] if type(value) is Written else value for name, value in row.items()}
        self.file.write(_dumps(plain) + "\n")
        self.rows += 1

    def read(self, converters: Sequence[_Converter]) -> Iterator[list[Any]]:
        """Give the rows, each with a value for every column, made by the column's converter."""
        wanted = list(zip(self.columns, converters, strict=True))
        self.file.seek(0)
        for line in self.file:
            row = json.loads(line)
            yield [None if (value := row.get(name)) is None else convert(value) for name, convert in wanted]


def _wider(kind: _Kind, found: _Kind) -> _Kind:
    """Say what a column must hold that has one value more."""
    if kind is found or _Kind.NOTHING in {kind, found}:
        return max(kind, found)
    if _Kind.FLAG in {kind, found} or {kind, found} == {_Kind.LARGE, _Kind.DECIMAL}:
        return _Kind.TEXT
    return max(kind, found)


def _kind(value: Value) -> _Kind:
    match value:
        case str():
            return _Kind.TEXT
        case float():
            return _Kind.DECIMAL
        case bool():
            return _Kind.FLAG
        case int():
            return _Kind.WHOLE if abs(value) <= _EXACT else _Kind.LARGE if abs(value) < _LARGEST else _Kind.TEXT
        case None:
            return _Kind.NOTHING
        case Written(text):
            if _WHOLE.fullmatch(text):
                return _kind(int(text))
            return _Kind.DECIMAL if _DECIMAL.fullmatch(text) else _Kind.TEXT if text else _Kind.NOTHING


def lacking(name: str) -> str:
    """Name the library that writing a table of this name needs and that is not installed; empty for none."""
    return "pyarrow" if name.endswith(".parquet") and find_spec("pyarrow") is None else ""


def write_table(path: Path, spool: Spool) -> None:
    """Write a table in the format that the file's suffix names.

    Raises:
        OSError, sqlite3.Error: when it cannot be written.
    """
    match path.suffix:
        case ".csv":
            write_csv(path, list(spool.columns), spool.read([_shown] * len(spool.columns)))
        case ".parquet":
            _write_parquet(path, spool)
        case _:
            _write_sqlite(path, spool)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write texts as CSV, in UTF-8, with a newline as line end; read it with any reader that knows quotes."""
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(_WithNewlines(file))
        writer.writerow(columns)
        writer.writerows(rows)


@define
class _WithNewlines:
    """Takes lines that end as RFC 4180 wants it: csv quotes a lone carriage return only when its lines end so."""

    file: IO[str]

    def write(self, line: str) -> object:
        return self.file.write(f"{line[:-2]}\n")


def _shown(value: Any) -> str:
    """Give a value as a text: as it was written, and what JSON has types for as Python and JSON write it."""
    if type(value) is list:
        return str(value[0])
    if type(value) is bool:
        return "true" if value else "false"
    return value if type(value) is str else repr(value)


def _text(value: Any) -> str | None:
    text = _shown(value)
    if text.isascii():
        return None if value == [""] else text
    # A file name that is not UTF-8 has bytes that neither format can hold.
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _whole(value: Any) -> int | None:
    if type(value) is list:
        return int(value[0]) if value[0] else None
    return int(value)


def _decimal(value: Any) -> float | None:
    if type(value) is list:
        return float(value[0]) if value[0] else None
    return float(value)


def _flag(value: Any) -> bool | None:
    return None if type(value) is list else bool(value)


_CONVERTERS: Mapping[_Kind, _Converter] = {
    _Kind.NOTHING: _flag,
    _Kind.FLAG: _flag,
    _Kind.WHOLE: _whole,
    _Kind.LARGE: _whole,
    _Kind.DECIMAL: _decimal,
    _Kind.TEXT: _text,
}


def _typed(spool: Spool) -> Iterator[list[Any]]:
    """Give the rows with each value of its column's type."""
    return spool.read([_CONVERTERS[kind] for kind in spool.columns.values()])


def _write_sqlite(path: Path, spool: Spool) -> None:
    types = {_Kind.WHOLE: "INTEGER", _Kind.LARGE: "INTEGER", _Kind.FLAG: "INTEGER", _Kind.DECIMAL: "REAL"}
    named = zip(_distinct(spool.columns), spool.columns.values(), strict=True)
    columns = ", ".join(f"{_quoted(name)} {types.get(kind, 'TEXT')}" for name, kind in named)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("BEGIN")
        db.execute(f"CREATE TABLE results ({columns})")
        marks = ", ".join("?" * len(spool.columns))
        db.executemany(
            f"INSERT INTO results VALUES ({marks})",  # noqa: S608  question marks, and nothing else
            _typed(spool),
        )
        db.execute("COMMIT")


def _distinct(names: Iterable[str]) -> list[str]:
    """Name columns for SQLite, which takes ``Power`` and ``power`` for the same: the later one gets a number."""
    taken: set[str] = set()
    found: list[str] = []
    for column in names:
        name = distinct = column.replace("\0", "")
        number = 1
        while distinct.casefold() in taken:
            number += 1
            distinct = f"{name}_{number}"
        taken.add(distinct.casefold())
        found.append(distinct)
    return found


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _write_parquet(path: Path, spool: Spool) -> None:
    import pyarrow as pa  # noqa: PLC0415  an extra, and slow to import
    from pyarrow import parquet  # noqa: PLC0415  as above

    types = {
        _Kind.FLAG: pa.bool_(),
        _Kind.WHOLE: pa.int64(),
        _Kind.LARGE: pa.int64(),
        _Kind.DECIMAL: pa.float64(),
    }
    schema = pa.schema([(name, types.get(kind, pa.string())) for name, kind in spool.columns.items()])
    rows = _typed(spool)
    with parquet.ParquetWriter(path, schema) as writer:
        while some := list(islice(rows, _AT_ONCE)):
            arrays = [
                pa.array(column, type=each.type) for column, each in zip(zip(*some, strict=True), schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
