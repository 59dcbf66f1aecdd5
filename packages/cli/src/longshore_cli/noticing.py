"""Hearing of what changes in a run, within an asyncio loop. Nothing is asked again and again: the kernel tells of files
that change, and of a controller's end; a controller tells what machines use.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

from longshore.errors import LongshoreError
from longshore.runtime.asking import Events
from longshore.runtime.changes import Changes
from longshore.runtime.lock import holder, is_held
from longshore.runtime.processes import watch
from longshore_cli.watching import Moment

__all__ = ["Loads", "Noticing"]

_PAUSE_SECONDS = 0.2
"""What changes a thousand times a second is told so often."""
_LAST_SECONDS = 1.0
"""SQLite writes to a file, which is told, just before what it wrote can be read. So it is told once more, when nothing
else has changed for so long.
"""


class Noticing:
    """Tells, in the loop's thread, that something has changed in some folders, or that a run has lost its controller.

    Not more often than five times a second. To be closed.
    """

    def __init__(self, folders: Sequence[Path], run: Path | None, tell: Callable[[], None]) -> None:
        self._run = run
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._pending: asyncio.TimerHandle | None = None
        self._last: asyncio.TimerHandle | None = None
        self._changes = Changes(folders)
        self._changes.__enter__()
        self._loop.add_reader(self._changes.fileno(), self._changed)
        self._controller: int | None = None
        self._find_controller()

    def close(self) -> None:
        """Hear no more."""
        self._loop.remove_reader(self._changes.fileno())
        self._changes.__exit__(None, None, None)
        self._forget_controller()
        for timer in (self._pending, self._last):
            if timer is not None:
                timer.cancel()

    def soon(self) -> None:
        """Tell, together with whatever else changes in this moment."""
        if self._pending is None:
            self._pending = self._loop.call_later(_PAUSE_SECONDS, self._now)

    def _now(self) -> None:
        self._pending = None
        if self._controller is None:
            self._find_controller()
        if self._last is not None:
            self._last.cancel()
        self._last = self._loop.call_later(_LAST_SECONDS, self._tell)
        self._tell()

    def _changed(self) -> None:
        self._changes.drain()
        self.soon()

    def _find_controller(self) -> None:
        """Hear of the end of whoever controls the run: nothing else would tell of it."""
        if self._run is None or not is_held(self._run):
            return
        who = holder(self._run)
        self._controller = None if who is None else watch(who.process.pid)
        if self._controller is not None:
            self._loop.add_reader(self._controller, self._controller_ended)

    def _controller_ended(self) -> None:
        self._forget_controller()
        self.soon()

    def _forget_controller(self) -> None:
        if self._controller is not None:
            self._loop.remove_reader(self._controller)
            os.close(self._controller)
            self._controller = None


class Loads:
    """What the machines of a run use, told by its controller to a thread while there is one, until this is closed.

    Calls ``tell`` in the loop's thread after each news.
    """

    def __init__(self, run_folder: Path, tell: Callable[[], None]) -> None:
        self.moment: Moment | None = None
        """What is known; None while nothing is. A new value each time, for any thread."""
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._folder = run_folder
        self._events: Events | None = None
        self._over = False
        self._thread: Thread | None = None
        self.renew()

    def renew(self) -> None:
        """Ask the run's controller, if there is one that is not asked yet; to be called when something has changed."""
        if (self._thread is None or not self._thread.is_alive()) and is_held(self._folder):
            self._thread = Thread(target=self._listen, name="longshore-loads", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Let machines measure no more, if nobody else looks."""
        self._over = True
        if self._events is not None:
            self._events.close()

    def _listen(self) -> None:
        # A run that has ended has nobody who would tell, and one whose controller ends tells no more. The loop may
        # have ended, too.
        with suppress(LongshoreError, OSError, ValueError, RuntimeError):
            self._events = Events(self._folder, op="watch")
            if self._over:
                self._events.close()
                return
            known = Moment(self._folder.name)
            for each in self._events.answer["machines"]:
                known.take(each)
            for each in self._events:
                known.take(each)
                self.moment = Moment(known.run, dict(known.machines))
                self._loop.call_soon_threadsafe(self._tell)
        self.moment = None
