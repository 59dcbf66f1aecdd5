"""What goes wrong with clouds, by name; and time that is moved by hand, so that waiting for it costs nothing."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

__all__ = ["Fault", "RealTime", "Time", "VirtualTime"]


class Fault(StrEnum):
    """How one request goes wrong."""

    CAPACITY = "capacity"
    QUOTA = "quota"
    CREDENTIALS = "credentials"
    DENIED = "denied"
    THROTTLED = "throttled"
    INVALID = "invalid"
    UNKNOWN = "unknown"
    """An error that nobody has heard of."""
    HANG = "hang"
    """Nothing is done, and no answer comes."""
    REPLY_LOST = "reply lost"
    """All is done, and no answer comes."""
    PARTIAL = "partial"
    """Only a part of what was asked for is done, and the answer says so."""
    DUPLICATE = "duplicate"
    """The request arrives twice."""


class Time(Protocol):
    """A clock, and a way to wait by it."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        ...

    def wait(self, duration: timedelta) -> None:
        """Let time pass."""
        ...


class VirtualTime:
    """Time that passes only when somebody waits."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        """The present moment."""
        return self._now

    def wait(self, duration: timedelta) -> None:
        """Move the clock on at once."""
        self._now += max(timedelta(0), duration)


class RealTime:
    """The computer's own time."""

    def now(self) -> datetime:
        """The present moment."""
        return datetime.now(UTC)

    def wait(self, duration: timedelta) -> None:
        """Sleep."""
        time.sleep(max(0.0, duration.total_seconds()))
