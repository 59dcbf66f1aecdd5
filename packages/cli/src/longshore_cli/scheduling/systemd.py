"""Schedules as timers of the user's systemd: two files each, whose names and content say that they are ours."""

from __future__ import annotations

import re
from pathlib import Path

from longshore.errors import UsageError
from longshore_cli.scheduling.entry import Entry, command_line
from longshore_cli.scheduling.programs import Answer, call

__all__ = ["SystemdTimers", "service_text", "timer_text"]

_MARK = "[X-Longshore]\nSchedule="
"""systemd passes over sections that begin with X-."""
_MINE = re.compile(r"^\[X-Longshore\]\nSchedule=(.*)$", re.MULTILINE)


class SystemdTimers:
    """The timers in a folder of units; ``systemctl`` is the program's path."""

    name = "systemd"

    def __init__(self, folder: Path, systemctl: str) -> None:
        self._folder = folder
        self._systemctl = systemctl

    def works(self) -> bool:
        """Say whether this user has a systemd that answers."""
        return self._call("show-environment").code == 0

    def add(self, entry: Entry) -> None:
        """Write the units and start the timer; nothing is left when that fails."""
        service, timer = self._files(entry.name)
        for file in (service, timer):
            if file.exists() and not _is_ours(file):
                raise UsageError(f"{file} is not of longshore; choose another name")
        self._folder.mkdir(parents=True, exist_ok=True)
        service.write_text(service_text(entry), encoding="utf-8")
        timer.write_text(timer_text(entry), encoding="utf-8")
        for words in (("daemon-reload",), ("enable", timer.name), ("restart", timer.name)):
            done = self._call(*words)
            if done.code:
                self._delete(entry.name)
                raise UsageError(f"systemctl --user {' '.join(words)} failed: {done.err or done.out}")

    def entries(self) -> list[Entry]:
        """List ours, by name."""
        found = []
        for file in sorted(self._folder.glob("longshore-*.service")):
            mine = _MINE.search(_read(file))
            if mine is not None:
                try:
                    found.append(Entry.from_json(mine[1]))
                except ValueError:
                    continue  # somebody has changed it by hand: it is not ours any more
        return found

    def remove(self, name: str) -> None:
        """Stop the timer and delete its units."""
        done = self._call("disable", "--now", self._files(name)[1].name)
        if done.code:
            raise UsageError(f"systemctl --user disable failed: {done.err or done.out}")
        self._delete(name)

    def _delete(self, name: str) -> None:
        for file in self._files(name):
            file.unlink(missing_ok=True)
        self._call("daemon-reload")

    def _files(self, name: str) -> tuple[Path, Path]:
        return self._folder / f"longshore-{name}.service", self._folder / f"longshore-{name}.timer"

    def _call(self, *words: str) -> Answer:
        return call(self._systemctl, "--user", *words)


def service_text(entry: Entry) -> str:
    """Write the unit that says what is done."""
    environment = "".join(f"Environment={_quoted(f'{key}={value}')}\n" for key, value in entry.environment.items())
    words = " ".join(_quoted(word).replace("$", "$$") for word in command_line(entry))
    return (
        f"[Unit]\nDescription=longshore: {entry.name}\n\n{_MARK}{entry.to_json()}\n\n"
        f"[Service]\nType=oneshot\nWorkingDirectory={_plain(str(entry.folder))}\n{environment}ExecStart={words}\n"
    )


def timer_text(entry: Entry) -> str:
    """Write the unit that says when."""
    return (
        f"[Unit]\nDescription=longshore: {entry.name}, {entry.when.text}\n\n{_MARK}{entry.to_json()}\n\n"
        f"[Timer]\n{entry.when.systemd()}\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
    )


def _plain(text: str) -> str:
    """Keep systemd from reading specifiers."""
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_plain(escaped)}"'


def _is_ours(file: Path) -> bool:
    return _MINE.search(_read(file)) is not None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
