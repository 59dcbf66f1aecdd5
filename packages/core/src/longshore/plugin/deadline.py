"""How long one call of a provider may still take, when it asks its cloud several times (law P5)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from longshore.errors import CloudUnreachable

__all__ = ["Calls", "Patience"]


class Patience:
    """Begins to count when it is made."""

    def __init__(self, cloud: str, allowed: timedelta) -> None:
        """Name the cloud for its error, and say how long all may take."""
        self._cloud = cloud
        self._until = time.monotonic() + allowed.total_seconds()

    def check(self, doing: str) -> float:
        """Go on only when there is time for it; give how many seconds there are.

        Raises:
            CloudUnreachable: when there are none left.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise CloudUnreachable(f"{doing}: {self._cloud} has not answered all of it in time")
        return left


class Calls:
    """One patience for each call, whatever it asks and waits for: `one` is around the call, `patience` within it."""

    def __init__(self, cloud: str, allowed: timedelta) -> None:
        """Name the cloud, and say how long one call may take."""
        self._cloud = cloud
        self._allowed = allowed
        self._thread = threading.local()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Let all that this thread does in the block be one call; a call within a call has no time of its own."""
        if getattr(self._thread, "patience", None) is not None:
            yield
            return
        self._thread.patience = Patience(self._cloud, self._allowed)
        try:
            yield
        finally:
            self._thread.patience = None

    def patience(self) -> Patience:
        """Give the patience of the call that this thread is in; a new one when it is in none."""
        return getattr(self._thread, "patience", None) or Patience(self._cloud, self._allowed)
