"""Text for people: safe to show, aligned, and in plain words. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

__all__ = ["Cleaner", "ago", "clean", "counted", "counts", "duration", "last_lines", "moment", "shorten", "table"]

# Escape sequences as ECMA-48 has them: CSI up to its final byte; a string (OSC, DCS, SOS, PM, APC) up to ST or BEL; and
# those of two or three characters.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b(?:[ -/]+[0-~]|[0-OQ-WYZ\\`-~])"
)
_BEGUN = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*\x1b?|\x1b[ -/]*"
# A carriage return is one line end with a newline after it, also when sequences (here zeros) stand between the two.
_UNFINISHED = re.compile(rf"(?:\r\0*(?:{_BEGUN})?|{_BEGUN})\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LONGEST_SEQUENCE = 4096
"""What goes on for longer without an end is no sequence, or one meant to swallow the text after it."""
_LINE_END = re.compile(r"\r\n?")


def clean(text: str) -> str:
    """Take out what would steer a terminal; newlines and tabs stay, and a carriage return becomes a newline."""
    return _CONTROL.sub("", _LINE_END.sub("\n", _SEQUENCE.sub("", text)))


class Cleaner:
    """`clean` for text that comes in pieces: a sequence may begin in one and end in the next."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """Give what can be shown so far."""
        text = self._held + text
        unfinished = _UNFINISHED.search(_SEQUENCE.sub(lambda found: "\0" * len(found[0]), text))
        self._held = ""
        if unfinished and unfinished.end() - unfinished.start() <= _LONGEST_SEQUENCE:
            text, self._held = text[: unfinished.start()], text[unfinished.start() :]
        return clean(text)

    def close(self) -> str:
        """Give what was held back."""
        held, self._held = self._held, ""
        return clean(held)


def last_lines(text: str, lines: int, width: int = 240) -> list[str]:
    """Give the last lines of a text that are not blank, cleaned, none longer than ``width``."""
    kept = [line.rstrip() for line in clean(text).splitlines() if line.strip()]
    return [shorten(line, width) for line in kept[-lines:]]


def shorten(text: str, width: int) -> str:
    """Cut a text to ``width`` characters, in the middle, since both ends tell names apart."""
    if len(text) <= width or width < 4:
        return text
    left = (width - 1) // 2
    return f"{text[:left]}…{text[len(text) - (width - 1 - left) :]}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Say ``1 task`` or ``2,000 tasks``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def counts(phases: Mapping[str, int]) -> str:
    """Say ``3 succeeded, 1 failed`` of what is not zero, in the mapping's order."""
    return ", ".join(f"{count:,} {phase}" for phase, count in phases.items() if count)


def duration(time: timedelta) -> str:
    """Say how long something took, as in ``1.3 s`` or ``2 h 5 min``."""
    # Imported here because most of what uses this module shows no times.
    from longshore.model.quantity import format_duration

    return format_duration(time)


def moment(instant: datetime | None) -> str:
    """Show an instant in the user's own time zone."""
    return "" if instant is None else f"{instant.astimezone():%Y-%m-%d %H:%M:%S}"


def ago(instant: datetime, now: datetime) -> str:
    """Say how long ago something was, in one unit."""
    seconds = max(0, int((now - instant).total_seconds()))
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{counted(seconds // size, word)} ago"
    return "just now" if seconds < 1 else f"{counted(seconds, 'second')} ago"


def table(rows: Sequence[Sequence[str]], headings: Sequence[str] = (), *, right: Sequence[int] = ()) -> str:
    """Align columns by spaces; columns numbered in ``right`` to the right. The last column is never padded."""
    lines = [list(headings), *map(list, rows)] if headings else list(map(list, rows))
    if not lines:
        return ""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    last = len(widths) - 1

    def cell(column: int, text: str) -> str:
        if column in right:
            return text.rjust(widths[column])
        return text if column == last else text.ljust(widths[column])

    return "\n".join("  ".join(cell(column, text) for column, text in enumerate(line)).rstrip() for line in lines)
