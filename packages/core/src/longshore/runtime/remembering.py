"""Noting successes in the index across runs, beside the run's loop.

Each note changes many pages of the index, so that few large ones cost a fraction of what many small ones do. While a
run floods it with successes, the thread rests after each note for much longer than that took; a success in a quiet hour
is noted at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread

from longshore.errors import LongshoreError, RunError
from longshore.runtime.cache import Cache, Success

__all__ = ["Remembering"]

_REST = 20.0
"""How many times as long as the last note took nothing is noted after it."""


class Remembering:
    """Takes successes from the loop and notes them. A crash loses what is not noted yet: later runs do that again."""

    def __init__(self, cache: Cache, failed: Callable[[LongshoreError], None]) -> None:
        """``failed`` is told, by another thread, when a mistake of ours keeps notes from being taken."""
        self._cache = cache
        self._failed = failed
        self._queue: SimpleQueue[Sequence[Success] | None] = SimpleQueue()
        self._thread: Thread | None = None

    def add(self, successes: Sequence[Success]) -> None:
        """Have these noted soon; returns at once."""
        if self._thread is None:
            self._thread = Thread(target=self._work, name="longshore-index", daemon=True)
            self._thread.start()
        self._queue.put(successes)

    def close(self) -> None:
        """Return when everything is noted."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        rested = time.monotonic()
        try:
            while True:
                taken, more = self._collect(rested)
                began = time.monotonic()
                self._cache.remember(taken)
                if not more:
                    return
                ended = time.monotonic()
                rested = ended + _REST * (ended - began)
        except Exception as error:  # noqa: BLE001  a bug must end the run in words, not a thread without any
            wrapped = RunError(f"successes cannot be noted: {type(error).__name__}: {error}")
            wrapped.__cause__ = error
            self._failed(wrapped)

    def _collect(self, rested: float) -> tuple[list[Success], bool]:
        """Wait for successes, at least until that moment; say whether there may be more."""
        taken: list[Success] = []
        while True:
            patience = rested - time.monotonic()
            try:
                news = self._queue.get(block=not taken or patience > 0, timeout=max(0.0, patience) if taken else None)
            except Empty:
                return taken, True
            if news is None:
                return taken, False
            taken += news
