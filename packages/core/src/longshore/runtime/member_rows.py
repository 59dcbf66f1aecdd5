"""What one member of a task gives as its row of a table: names and values, with the types that its file keeps.

JSON has types; what a CSV file or a parameter says is text that may look like a number. So such a text is kept apart,
as `Written`, until all of its column is known.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from longshore.model.artifact import Artifact
from longshore.model.jsontext import json_writer
from longshore.model.quantity import format_size
from longshore.remote.store import object_path

__all__ = ["MOST_COLUMNS", "NoRow", "Row", "Value", "Written", "read_file", "read_result"]

MOST_COLUMNS = 2000
"""Of a table; SQLite takes no more."""
_MOST_BYTES = 16 << 20
"""Of one row: what is larger is no row, and is not read."""
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")

_write = json_writer()


@frozen
class Written:
    """A text that may stand for a number."""

    text: str


Value = None | bool | int | float | str | Written
Row = dict[str, Value]


class NoRow(ValueError):
    """What a member gave is no row; says why, and what would be."""


def read_file(store: Path, artifact: Artifact, encoding: str) -> Row:
    """Read a row from a member's output: a JSON object, or CSV with a header and one line.

    Raises:
        NoRow: when it is something else.
        OSError: when the store does not have it.
    """
    if artifact.kind != "file":
        raise NoRow(f"{artifact.path} is a folder; a row is a file")
    if artifact.size > _MOST_BYTES:
        raise NoRow(f"{artifact.path} has {format_size(artifact.size)}; a row has at most {format_size(_MOST_BYTES)}")
    content = Path(object_path(str(store), artifact.sha256)).read_bytes()
    try:
        text = content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NoRow(
            f"{artifact.path} is not {encoding}: byte {content[error.start]:#04x} in line {line}; "
            'write it so, or say what it is, as in encoding = "latin-1"'
        ) from None
    return _csv_row(text, artifact.path) if artifact.path.endswith(".csv") else _json_row(text, artifact.path)


def read_result(text: str | None) -> Row:
    """Read a row from what a Python call returned.

    Raises:
        NoRow: when it returned no mapping.
    """
    return _json_row("null" if text is None else text, "what the call returned")


def _json_row(text: str, what: str) -> Row:
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except NoRow:
        raise
    except RecursionError:
        raise NoRow(f"{what} is nested too deeply") from None
    except ValueError as error:
        raise NoRow(f"{what} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise NoRow(f'{what} is {_KINDS.get(type(found), "a number")}; a row is an object, as in {{"score": 1.5}}')
    if "\\u" in text and not _is_unicode(found):
        raise NoRow(f'{what} has half a character, as in "\\ud800", which no file can hold')
    row: Row = {}
    for name, value in _flat(found, ""):
        if name in row:
            raise NoRow(f"{what} has the name {name!r} twice: once with a dot in it, once by nesting")
        row[name] = value
    return row


_KINDS: Mapping[type, str] = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in found if names.count(name) > 1)
        raise NoRow(f"the name {double!r} stands twice in one object")
    return found


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Value]]:
    """Give what is nested by names with dots; lists, which have no columns, as JSON text."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _write(value) if isinstance(value, dict | list) else value


def _is_unicode(found: dict[str, Any]) -> bool:
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _csv_row(text: str, what: str) -> Row:
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error as error:
        raise NoRow(f"{what} is not CSV: {error}") from None
    if not lines:
        raise NoRow(f"{what} is empty; a row has a line of names and one of values")
    header, *rows = lines
    if any(not name.strip() or _NUMBER.fullmatch(name.strip()) for name in header):
        raise NoRow(f"{what} has no header: its first line is {_shown(header)}, where names of columns are needed")
    if len(set(header)) < len(header):
        double = next(name for name in header if header.count(name) > 1)
        raise NoRow(f"{what} has two columns named {double!r}")
    if len(rows) != 1:
        raise NoRow(f"{what} has {len(rows):,} lines of values after its header; a row is one")
    if len(rows[0]) != len(header):
        raise NoRow(f"{what} has {len(header)} names and {len(rows[0])} values")
    return {name: Written(value) for name, value in zip(header, rows[0], strict=True)}


def _shown(line: Sequence[str]) -> str:
    text = ",".join(line)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
