"""Who looks at what: those who look at the same share what is heard of it. For the loop's thread, but for `loads`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from longshore_cli.noticing import Loads, Noticing
from longshore_cli.watching import Moment

__all__ = ["Notices"]

_BEGIN = b"retry: 1000\n\n"
_CHANGED = b"data: changed\n\n"


class Notices:
    """All who listen to server-sent events."""

    def __init__(self) -> None:
        self._subjects: dict[tuple[tuple[Path, ...], bool], _Subject] = {}
        self._closing = False

    def close(self) -> None:
        """Let all who listen go."""
        self._closing = True
        for each in self._subjects.values():
            each.tell()

    def loads(self, run_folder: Path) -> Moment | None:
        """Give what the machines of a run use now, as far as somebody looks; for any thread."""
        subject = self._subjects.get(((run_folder,), True))
        return None if subject is None or subject.loads is None else subject.loads.moment

    async def changes(self, folders: tuple[Path, ...], *, run: Path | None, loads: bool) -> AsyncIterator[bytes]:
        """Tell again and again that something in these folders has changed, as server-sent events.

        Also when the controller of ``run`` ends; with ``loads`` also when its machines tell what they use.
        """
        with self._listening(folders, run, loads) as subject:
            yield _BEGIN
            seen = subject.count
            while not self._closing:
                await subject.after(seen)
                seen = subject.count
                yield _CHANGED

    @contextmanager
    def _listening(self, folders: tuple[Path, ...], run: Path | None, loads: bool) -> Iterator[_Subject]:
        key = folders, loads
        subject = self._subjects.get(key)
        if subject is None:
            subject = self._subjects[key] = _Subject(folders, run, loads)
        subject.listeners += 1
        try:
            yield subject
        finally:
            subject.listeners -= 1
            if not subject.listeners:
                del self._subjects[key]
                subject.close()


class _Subject:
    """Something that is looked at by somebody."""

    def __init__(self, folders: tuple[Path, ...], run: Path | None, loads: bool) -> None:
        self.listeners = 0
        self.count = 0
        self._told = asyncio.Event()
        self.loads: Loads | None = None
        self._noticing = Noticing(folders, run, self.tell)
        if loads and run is not None:
            self.loads = Loads(run, self._noticing.soon)

    def close(self) -> None:
        self._noticing.close()
        if self.loads is not None:
            self.loads.close()

    def tell(self) -> None:
        """Wake those who listen."""
        self.count += 1
        self._told.set()
        if self.loads is not None:
            self.loads.renew()

    async def after(self, count: int) -> None:
        """Wait until more has been told than so many times."""
        while self.count == count:
            self._told.clear()
            await self._told.wait()
