"""How often the supervisor of a machine may die."""

from __future__ import annotations

import time
from collections import deque

from longshore.errors import MachineUnreachable

__all__ = ["Deaths"]

_MOST = 5
_SECONDS = 10.0


class Deaths:
    """Counts supervisors that had to be started, so that one that dies at once is not started for ever."""

    def __init__(self) -> None:
        self._starts: deque[float] = deque(maxlen=_MOST + 1)

    def note_start(self) -> None:
        """Take note that another one is about to be started.

        Raises:
            MachineUnreachable: when too many before it have died too soon.
        """
        self._starts.append(time.monotonic())
        if len(self._starts) == self._starts.maxlen and self._starts[-1] - self._starts[0] < _SECONDS:
            raise MachineUnreachable(f"its supervisor died {_MOST} times within {_SECONDS:g} seconds")
