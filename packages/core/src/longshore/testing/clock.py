"""Time that is moved by hand, for this process and for fakes in others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

__all__ = ["ManualClock"]


class ManualClock:
    """A clock whose time is the content of a file: whoever opens the same file sees the same time."""

    def __init__(self, path: Path, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        """Share a clock, or begin one at ``start`` where there is none."""
        self._path = path
        if not path.exists():
            self._write(start)

    def now(self) -> datetime:
        """Say what time it is: aware, UTC."""
        return datetime.fromisoformat(self._path.read_text())

    def advance(self, by: timedelta) -> datetime:
        """Let time pass; give the new time.

        Raises:
            ValueError: when it is to go back.
        """
        if by < timedelta(0):
            raise ValueError(f"time does not go back by {-by}")
        now = self.now() + by
        self._write(now)
        return now

    def _write(self, now: datetime) -> None:
        partial = self._path.with_name(f".{self._path.name}.new")
        partial.write_text(now.isoformat())
        partial.replace(self._path)
