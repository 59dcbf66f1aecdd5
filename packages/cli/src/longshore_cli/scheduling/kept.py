"""Schedules as files of our own, started by `longshore schedule keep`: where there is neither systemd nor cron, as in a
container.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from attrs import evolve

from longshore.errors import UsageError
from longshore_cli.scheduling.entry import Entry

__all__ = ["KeptTimers"]

_END = ".json"
_BELL = "bell"


class KeptTimers:
    """One file for each in a folder, and a bell (a FIFO) that tells whoever keeps them of a change."""

    name = "longshore"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def works(self) -> bool:
        """Say whether somebody keeps them now."""
        return self._ring()

    def add(self, entry: Entry) -> None:
        """Write its file, in the place of one with its name."""
        body = {"entry": entry.to_json(), "environment": dict(entry.environment)}
        beside = self._folder / f"{entry.name}.{secrets.token_hex(8)}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:
                json.dump(body, file)
            beside.rename(self._file(entry.name))
        except OSError as error:
            raise UsageError(f"{self._folder} cannot be written: {error.strerror}") from error
        self._ring()

    def entries(self) -> list[Entry]:
        """List ours, by name."""
        return list(self._entries())

    def remove(self, name: str) -> None:
        """Delete its file; what it has started goes on."""
        self._file(name).unlink(missing_ok=True)
        self._ring()

    @contextlib.contextmanager
    def bell(self) -> Iterator[int]:
        """Be told of changes: what can be read from this descriptor means that there was one."""
        path = self._folder / _BELL
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with contextlib.suppress(FileExistsError):
                os.mkfifo(path, 0o600)
            # Also for writing: there is no end of file while nobody else has it open.
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(f"{path} cannot be used: {error.strerror}") from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _entries(self) -> Iterator[Entry]:
        for file in sorted(self._folder.glob(f"*{_END}")):
            try:
                body = json.loads(file.read_text(encoding="utf-8"))
                environment = {str(key): str(value) for key, value in body["environment"].items()}
                yield evolve(Entry.from_json(body["entry"]), environment=environment)
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue  # it has just gone, or somebody has changed it by hand: it is not ours any more

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}{_END}"

    def _ring(self) -> bool:
        """Tell whoever keeps them, and say whether there is anybody."""
        try:
            descriptor = os.open(self._folder / _BELL, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in {errno.ENXIO, errno.ENOENT}:  # nobody hears it; there is none
                return False
            raise UsageError(f"{self._folder / _BELL} cannot be used: {error.strerror}") from error
        with contextlib.suppress(BlockingIOError):  # it rings already
            os.write(descriptor, b"\n")
        os.close(descriptor)
        return True
