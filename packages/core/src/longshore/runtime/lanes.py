"""Threads that do jobs in their order."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

__all__ = ["Job", "Lane", "do_all"]

_log = logging.getLogger(__name__)

_TOGETHER = 500
"""So many orders go in one piece at most, so that what happens meanwhile is acted upon."""

Job = Callable[[], None]


class Lane:
    """A thread that does jobs in their order."""

    def __init__(self, name: str, together: Callable[[Sequence[Job]], None] | None = None) -> None:
        """Start the thread; ``together`` does many jobs at once, those that have come meanwhile."""
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._together = together
        self._last: Job | None = None
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def add(self, job: Job) -> None:
        """Let a job be done, from any thread."""
        self._jobs.put(job)

    def close(self, last: Job | None = None) -> None:
        """Let the thread end when all that was asked for is done, and then one thing more, alone."""
        self._last = last
        self._jobs.put(None)

    def join(self, seconds: float) -> None:
        """Wait until it has ended, but no longer than this."""
        self._thread.join(seconds)

    def _work(self) -> None:
        while True:
            jobs = self._take()
            todo = [job for job in jobs if job is not None]
            try:
                (self._together or do_all)(todo)
            except Exception:  # noqa: BLE001  whatever a plugin raises, the thread goes on
                # The link fails in the middle of a piece: the session takes it up again, or says that it cannot.
                _log.debug("%s", self._thread.name, exc_info=True)
            if None in jobs:
                do_all([self._last] if self._last is not None else [])
                return

    def _take(self) -> list[Job | None]:
        jobs = [self._jobs.get()]
        while self._together is not None and len(jobs) < _TOGETHER:
            try:
                jobs.append(self._jobs.get_nowait())
            except Empty:
                break
        return jobs


def do_all(jobs: Sequence[Job]) -> None:
    """Do jobs, whatever becomes of others."""
    for job in jobs:
        try:
            job()
        except Exception:  # noqa: BLE001  one that fails is not to take the others with it
            # What matters is told by events; the rest (a release to a machine that is gone) harms nobody.
            _log.debug("an order was not carried out", exc_info=True)
