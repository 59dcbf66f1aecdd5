"""Schedules in the user's crontab: a comment that says that the next line is ours, and that line."""

from __future__ import annotations

import shlex

from longshore.errors import UsageError
from longshore_cli.scheduling.entry import Entry, command_line
from longshore_cli.scheduling.programs import call

__all__ = ["CronTimers", "cron_line"]

_MARK = "# longshore schedule: "


class CronTimers:
    """The lines of a crontab; ``crontab`` is the program's path."""

    name = "cron"

    def __init__(self, crontab: str) -> None:
        self._crontab = crontab

    def add(self, entry: Entry) -> None:
        """Put its two lines at the end, or in the place of those of its name."""
        lines = _without(self._lines(), entry.name)
        self._write([*lines, f"{_MARK}{entry.to_json()}", cron_line(entry)])

    def entries(self) -> list[Entry]:
        """List ours, as they stand there."""
        return [entry for line in self._lines() if (entry := _entry(line)) is not None]

    def remove(self, name: str) -> None:
        """Take exactly its two lines out."""
        self._write(_without(self._lines(), name))

    def _lines(self) -> list[str]:
        found = call(self._crontab, "-l")
        if found.code and "no crontab" not in found.err.lower():
            raise UsageError(f"crontab -l failed: {found.err or found.out}")
        return found.out.splitlines() if not found.code else []

    def _write(self, lines: list[str]) -> None:
        done = call(self._crontab, "-", text="".join(f"{line}\n" for line in lines))
        if done.code:
            raise UsageError(f"crontab refused: {done.err or done.out}")


def cron_line(entry: Entry) -> str:
    """Write the line that does it: quoted for sh, and with cron's own meaning of % taken away."""
    settings = [f"{key}={shlex.quote(value)}" for key, value in entry.environment.items()]
    words = [shlex.quote(word) for word in command_line(entry)]
    command = f"cd {shlex.quote(str(entry.folder))} && {' '.join([*settings, *words])}"
    return f"{entry.when.cron()} " + command.replace("%", "\\%")


def _entry(line: str) -> Entry | None:
    if not line.startswith(_MARK):
        return None
    try:
        return Entry.from_json(line.removeprefix(_MARK))
    except ValueError:
        return None


def _without(lines: list[str], name: str) -> list[str]:
    kept, drop = [], False
    for line in lines:
        entry = _entry(line)
        if drop:
            drop = False
        elif entry is not None and entry.name == name:
            drop = True
        else:
            kept.append(line)
    return kept
