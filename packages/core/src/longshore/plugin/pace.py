"""Keeping to the rates at which a cloud takes requests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Pace"]


class Pace:
    """Lets so many calls through at once, and then so many a second: the bucket of tokens that clouds document.

    Any thread may wait; each waits for its own turn.
    """

    def __init__(
        self,
        *,
        burst: int,
        per_second: float,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``now`` and ``sleep`` are in seconds."""
        self._burst = burst
        self._seconds = 1 / per_second
        self._now = now
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = 0.0
        """When the bucket will have been full, had nothing been taken since."""

    def wait(self) -> None:
        """Wait until one more call may be made."""
        with self._lock:
            now = self._now()
            self._next = max(now, self._next) + self._seconds
            due = self._next - self._burst * self._seconds
        if due > now:
            self._sleep(due - now)  # the cloud does not say when it would take the next one
