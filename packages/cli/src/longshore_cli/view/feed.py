"""Between the controller's thread, which must not wait for a terminal, and the thread that shows what happens."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import Event as Flag
from threading import Thread
from typing import Protocol

from longshore.model.events import Event

__all__ = ["Display", "Feed", "Shown"]

_log = logging.getLogger("longshore.cli")

_PAUSE_SECONDS = 0.125
"""Nothing is shown more often than this, however much happens."""


class Display(Protocol):
    """Shows a run to somebody. Its methods are called in one thread."""

    @property
    def tick(self) -> float | None:
        """Seconds after which `take` is to be called though nothing has happened; None for never."""
        ...

    def take(self, events: Sequence[Event]) -> None:
        """Show what has happened."""
        ...

    def say(self, text: str) -> None:
        """Show a message of the command itself."""
        ...

    def close(self) -> None:
        """Leave the screen as the rest of the command may use it."""
        ...


class Feed:
    """Takes what happens at the cost of an append, and gives it on in batches, rarely enough for a screen."""

    def __init__(self) -> None:
        self._waiting: deque[Sequence[Event] | str] = deque()
        self._happened = Flag()
        self._closed = Flag()

    def listen(self, events: Sequence[Event]) -> None:
        """Take events; for the controller's thread."""
        self._waiting.append(events)
        # To set a flag that is set costs a lock; most batches come while the display pauses.
        if not self._happened.is_set():
            self._happened.set()

    def say(self, text: str) -> None:
        """Take a message; also from a signal handler."""
        self._waiting.append(text)
        self._happened.set()

    def close(self) -> None:
        """Say that nothing more comes."""
        self._closed.set()
        self._happened.set()

    def batches(self, tick: Callable[[], float | None]) -> Iterator[list[Sequence[Event] | str]]:
        """Give what has come, again and again, until the feed is closed and empty; an empty list when a tick passed."""
        while True:
            self._happened.wait(tick())
            closed = self._closed.is_set()
            self._happened.clear()
            yield [self._waiting.popleft() for _ in range(len(self._waiting))]
            if closed:
                return
            if self._closed.wait(_PAUSE_SECONDS):
                self._happened.set()


class Shown:
    """Displays at work, in a thread of their own, for the time of a ``with`` block."""

    def __init__(self, feed: Feed, displays: Sequence[Display]) -> None:
        self._feed = feed
        self._displays = displays
        self._thread = Thread(target=self._show, name="longshore-display", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._feed.close()
        self._thread.join()

    def _show(self) -> None:
        try:
            self._show_all()
        except Exception:  # noqa: BLE001  a terminal that has gone, or a fault of the view: the run is worth more
            _log.warning("progress is not shown any more", exc_info=_log.isEnabledFor(logging.DEBUG))

    def _show_all(self) -> None:
        try:
            for batch in self._feed.batches(self._tick):
                messages = [item for item in batch if isinstance(item, str)]
                events = [event for item in batch if not isinstance(item, str) for event in item]
                for display in self._displays:
                    for message in messages:
                        display.say(message)
                    display.take(events)
        finally:
            for display in self._displays:
                display.close()

    def _tick(self) -> float | None:
        return min((display.tick for display in self._displays if display.tick is not None), default=None)
