"""How long one call of a provider may still take, when it asks its cloud several times (law P5)."""

from __future__ import annotations

import time
from datetime import timedelta

from longshore.errors import CloudUnreachable

__all__ = ["Patience"]


class Patience:
    """Begins to count when it is made."""

    def __init__(self, cloud: str, allowed: timedelta) -> None:
        """Name the cloud for its error, and say how long all may take."""
        self._cloud = cloud
        self._until = time.monotonic() + allowed.total_seconds()

    def check(self, doing: str) -> None:
        """Go on only when there is time for it.

        Raises:
            CloudUnreachable: when there is none left.
        """
        if time.monotonic() >= self._until:
            raise CloudUnreachable(f"{doing}: {self._cloud} has not answered all of it in time")
