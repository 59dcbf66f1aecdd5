"""Telling pages that a run has changed. Nothing is asked again and again: the kernel tells of files that change, and of
a controller's end; a controller tells what machines use.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

from longshore.errors import LongshoreError
from longshore.runtime.asking import Events
from longshore.runtime.changes import Changes
from longshore.runtime.lock import holder, is_held
from longshore.runtime.processes import watch
from longshore_cli.watching import Moment

__all__ = ["Notices"]

_PAUSE_SECONDS = 0.2
"""What changes a thousand times a second is told so often."""
_WORD = b"data: changed\n\n"


class Notices:
    """Who looks at what. Everything but `loads` is for the loop's thread."""

    def __init__(self) -> None:
        self._folders: dict[tuple[Path, ...], _Watched] = {}
        self._used: dict[Path, _Used] = {}
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Let all who listen go."""
        self._closing.set()
        for each in self._folders.values():
            each.tell()

    def loads(self, run_folder: Path) -> Moment | None:
        """Give what the machines of a run use now, as far as somebody looks; for any thread."""
        used = self._used.get(run_folder)
        return None if used is None else used.moment

    async def changes(self, folders: tuple[Path, ...], *, run: Path | None, loads: bool) -> AsyncIterator[bytes]:
        """Tell again and again that something in these folders has changed, as server-sent events.

        Also when the controller of ``run`` ends; with ``loads`` also when its machines tell what they use.
        """
        with self._watching(folders, run) as watched, self._using(run if loads else None, watched.soon):
            yield b"retry: 1000\n\n"
            seen = watched.count
            while not self._closing.is_set():
                await watched.after(seen)
                seen = watched.count
                yield _WORD

    @contextmanager
    def _watching(self, folders: tuple[Path, ...], run: Path | None) -> Iterator[_Watched]:
        watched = self._folders.get(folders)
        if watched is None:
            watched = self._folders[folders] = _Watched(folders, run)
        watched.listeners += 1
        try:
            yield watched
        finally:
            watched.listeners -= 1
            if not watched.listeners:
                del self._folders[folders]
                watched.close()

    @contextmanager
    def _using(self, run: Path | None, tell: Callable[[], None]) -> Iterator[None]:
        if run is None:
            yield
            return
        used = self._used.get(run)
        if used is None:
            used = self._used[run] = _Used(run)
        used.tell[id(tell)] = tell
        try:
            yield
        finally:
            del used.tell[id(tell)]
            if not used.tell:
                del self._used[run]
                used.close()


class _Watched:
    """Some folders, and the process that changes them."""

    def __init__(self, folders: tuple[Path, ...], run: Path | None) -> None:
        self.listeners = 0
        self.count = 0
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._told = asyncio.Event()
        self._pending: asyncio.TimerHandle | None = None
        self._changes = Changes(folders)
        self._changes.__enter__()
        self._loop.add_reader(self._changes.fileno(), self._changed)
        self._controller: int | None = None
        self._find_controller()

    def close(self) -> None:
        self._loop.remove_reader(self._changes.fileno())
        self._changes.__exit__(None, None, None)
        self._forget_controller()
        if self._pending is not None:
            self._pending.cancel()

    async def after(self, count: int) -> None:
        """Wait until more has been told than so many times."""
        while self.count == count:
            self._told.clear()
            await self._told.wait()

    def soon(self) -> None:
        """Tell those who listen, together with whatever else changes in this moment."""
        if self._pending is None:
            self._pending = self._loop.call_later(_PAUSE_SECONDS, self.tell)

    def tell(self) -> None:
        """Tell those who listen."""
        self._pending = None
        self.count += 1
        self._told.set()
        if self._controller is None:
            self._find_controller()

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


class _Used:
    """What machines use, told by the controller to a thread while somebody looks."""

    def __init__(self, run_folder: Path) -> None:
        self.tell: dict[int, Callable[[], None]] = {}
        self.moment: Moment | None = None
        self._loop = asyncio.get_running_loop()
        self._folder = run_folder
        self._events: Events | None = None
        self._over = False
        Thread(target=self._listen, name="longshore-web-loads", daemon=True).start()

    def close(self) -> None:
        self._over = True
        if self._events is not None:
            self._events.close()

    def _listen(self) -> None:
        with suppress(LongshoreError, OSError, ValueError):  # a run that has ended has nobody who would tell
            self._events = Events(self._folder, op="watch")
            if self._over:
                self._events.close()
                return
            moment = Moment(self._folder.name)
            for each in self._events.answer["machines"]:
                moment.take(each)
            for each in self._events:
                moment.take(each)
                self.moment = moment
                self._loop.call_soon_threadsafe(self._say)
        self.moment = None

    def _say(self) -> None:
        for tell in list(self.tell.values()):
            tell()
