"""``columns_of``: the names in the first line of CSV files, as values of a parameter."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable

from longshore.config.urls import is_url
from longshore.errors import LongshoreError
from longshore.model.task import ColumnsOf

__all__ = ["Peek", "find_columns"]

Peek = Callable[[str, int], bytes]
"""Gives the beginning of a file or an object, at most so many bytes; raises what says why it cannot be had."""

_FIRST_BYTES = 1 << 16
_MOST_BYTES = 1 << 20
"""A first line that is longer is no header."""
_AT_ONCE = 32
"""Objects far away are asked for together: each takes a round trip, and hardly anything else."""
_SHOWN = 80


def find_columns(source: ColumnsOf, files: Iterable[str], peek: Peek) -> dict[str, tuple[str, ...] | str]:
    """Give for each file its columns that match, in their order; or why there is none, in one sentence."""

    def look(file: str) -> tuple[str, ...] | str:
        try:
            return _matching(source, file, _header(source, file, peek))
        except (LongshoreError, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return f"the columns of {file} cannot be read: {reason}"
        except ValueError as error:
            return f"{file} {error}"

    names = list(files)
    if not any(map(is_url, names)):
        return {name: look(name) for name in names}
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - what is on this computer needs no threads

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="longshore-columns") as threads:
        return dict(zip(names, threads.map(look, names), strict=True))


def _header(source: ColumnsOf, file: str, peek: Peek) -> list[str]:
    """Read the first line of a file as names.

    Raises:
        ValueError: when it is no header; continues a sentence that begins with the file's name.
    """
    size = _FIRST_BYTES
    content = peek(file, size)
    while len(content) == size and b"\n" not in content and b"\r" not in content:
        if size >= _MOST_BYTES:
            raise ValueError("has a first line of more than 1 MiB, which is no header")
        size *= 4
        content = peek(file, size)
    if len(content) == size:
        # What comes after the last line end may be half a character.
        content = content[: max(content.rfind(b"\n"), content.rfind(b"\r")) + 1]
    try:
        text = content.decode("utf-8-sig" if source.encoding == "utf-8" else source.encoding)
    except UnicodeDecodeError as error:
        byte = content[error.start]
        raise ValueError(
            f'is not {source.encoding} (byte {byte:#04x}); say what it is, as in encoding = "latin-1"'
        ) from None
    try:
        line = next(csv.reader(io.StringIO(text, newline=""), strict=True), None)
    except csv.Error as error:
        raise ValueError(f"is not CSV: {error}") from None
    if not line:
        raise ValueError("is empty, or begins with an empty line, and has no header")
    return line


def _matching(source: ColumnsOf, file: str, header: list[str]) -> tuple[str, ...] | str:
    wanted = re.compile(source.matching)
    found = tuple(dict.fromkeys(name for name in header if name and wanted.search(name) and "\0" not in name))
    shown = ", ".join(header)
    shown = shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 3]}..."
    return found or f"{file} has no column that matches {source.matching!r}; it has {shown}"
