"""Time that is moved by hand, for this process and for fakes in others."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

__all__ = ["ManualClock"]


class ManualClock:
    """A clock whose time is the content of a file: whoever opens the same file sees the same time.

    Who waits for a time makes a FIFO in the folder that has the file's name and ``.listeners``; a byte in it says that
    the time was moved.
    """

    def __init__(self, path: Path, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        """Share a clock, or begin one at ``start`` where there is none."""
        self._path = path
        self.listeners = path.with_name(f"{path.name}.listeners")
        if not path.exists():
            self._write(start)

    def now(self) -> datetime:
        """Say what time it is: aware, UTC."""
        return datetime.fromisoformat(self._path.read_text())

    def advance(self, by: timedelta) -> datetime:
        """Let time pass, and tell who listens; give the new time.

        Raises:
            ValueError: when it is to go back.
        """
        if by < timedelta(0):
            raise ValueError(f"time does not go back by {-by}")
        with self._alone():
            now = self.now() + by
            self._write(now)
        self._tell()
        return now

    def wait(self, duration: timedelta) -> None:
        """Let time pass at once, instead of waiting for it."""
        self.advance(max(timedelta(0), duration))

    def listen(self, name: str) -> int:
        """Give a descriptor that can be read when the time was moved; ``name`` is the listener's, and nobody else's."""
        self.listeners.mkdir(exist_ok=True)
        fifo = self.listeners / name
        with suppress(FileExistsError):
            os.mkfifo(fifo, 0o600)
        # Open for writing too: else it would be at its end whenever nobody moves the time.
        return os.open(fifo, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def _tell(self) -> None:
        with suppress(FileNotFoundError):
            for fifo in sorted(self.listeners.iterdir()):
                with suppress(OSError):  # nobody listens there any more, or has not yet heard of the time before
                    handle = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                    try:
                        os.write(handle, b".")
                    finally:
                        os.close(handle)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._path.with_name(f".{self._path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, now: datetime) -> None:
        partial = self._path.with_name(f".{self._path.name}.{os.urandom(4).hex()}")
        partial.write_text(now.isoformat())
        partial.replace(self._path)
