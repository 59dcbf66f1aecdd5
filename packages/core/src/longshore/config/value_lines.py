"""The lines of a file, as values of a parameter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["unfit", "value_lines"]

_MOST_BYTES = 120 << 10
"""Values reach commands as variables, of which Linux takes none above 128 KiB, their names included."""


def unfit(value: str) -> str:
    """Say what keeps a value out of a variable, after "it has"; empty when nothing does."""
    if "\0" in value:
        return "a NUL character, which no variable can hold"
    if len(value) > _MOST_BYTES or len(value.encode(errors="surrogatepass")) > _MOST_BYTES:
        return f"more than {_MOST_BYTES >> 10} KiB, which no variable can hold"
    return ""


def value_lines(file: Path) -> Iterator[tuple[int, str]]:
    """Give the lines that are not blank, with their numbers; of one that is too long only the beginning is read.

    Raises:
        ValueError: for the first line that cannot be a value; continues a sentence that begins with the file's name.
        OSError: when the file cannot be read.
    """
    with file.open(encoding="utf-8-sig") as lines:
        number = 0
        while True:
            number += 1
            try:
                line = lines.readline(_MOST_BYTES + 1)
            except UnicodeDecodeError as error:
                raise ValueError("is not UTF-8 text") from error
            if not line:
                return
            if reason := unfit(line):
                raise ValueError(f"has a line {number} with {reason}")
            if value := line.strip():
                yield number, value
