"""Learning that files have changed, without looking again and again: inotify on Linux, kqueue elsewhere."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Changes"]

# From sys/inotify.h.
_IN_MODIFY = 0x002
_IN_MOVED_TO = 0x080
_IN_CREATE = 0x100
_IN_DELETE_SELF = 0x400
_IN_NONBLOCK = os.O_NONBLOCK
_IN_CLOEXEC = os.O_CLOEXEC


class Changes:
    """Tells that something in some folders, or in their files, has changed. Open it with ``with``."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = list(folders)
        self._watch: _Inotify | _Kqueue | None = None

    def __enter__(self) -> Self:
        self._watch = _Inotify(self._folders) if sys.platform.startswith("linux") else _Kqueue(self._folders)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def wait(self, also: Iterable[int] = ()) -> list[int]:
        """Wait until something has changed since the last call (or since the block was entered).

        Or until one of the file descriptors ``also`` is readable; gives those that are.
        """
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        for descriptor in also:
            poll.register(descriptor, select.POLLIN)
        ready = [descriptor for descriptor, _ in poll.poll()]
        if self.fileno() in ready:
            ready.remove(self.fileno())
            self.drain()
        return ready

    def fileno(self) -> int:
        """Give a descriptor that is readable when something has changed, for who waits for much else, too."""
        assert self._watch is not None, "used outside of its block"
        return self._watch.fileno()

    def drain(self) -> None:
        """Let what has changed until now count as known."""
        assert self._watch is not None, "used outside of its block"
        self._watch.drain()


class _Inotify:
    """One queue for all folders; the kernel tells of their files, too."""

    def __init__(self, folders: Iterable[Path]) -> None:
        import ctypes  # noqa: PLC0415  only those who follow something need it

        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor: int = libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        mask = _IN_MODIFY | _IN_MOVED_TO | _IN_CREATE | _IN_DELETE_SELF
        for folder in folders:
            if libc.inotify_add_watch(self._descriptor, os.fsencode(folder), mask) < 0:
                number = ctypes.get_errno()
                self.close()
                raise OSError(number, os.strerror(number), str(folder))

    def fileno(self) -> int:
        return self._descriptor

    def drain(self) -> None:
        try:
            while os.read(self._descriptor, 65536):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        os.close(self._descriptor)


class _Kqueue:
    """Watches each folder and each of its files by a descriptor of its own."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._bsd: Any = select  # its kqueue part exists on macOS and the BSDs only
        self._queue = self._bsd.kqueue()
        self._folders = list(folders)
        self._open: dict[Path, int] = {}
        self._look()

    def _look(self) -> None:
        """Watch what has come since the last look."""
        found = [path for folder in self._folders for path in (folder, *folder.iterdir())]
        for path in found:
            if path in self._open:
                continue
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                continue  # it has gone already
            self._open[path] = descriptor
            flags = self._bsd.KQ_EV_ADD | self._bsd.KQ_EV_CLEAR
            notes = self._bsd.KQ_NOTE_WRITE | self._bsd.KQ_NOTE_EXTEND | self._bsd.KQ_NOTE_RENAME
            self._queue.control([self._bsd.kevent(descriptor, self._bsd.KQ_FILTER_VNODE, flags, notes)], 0, 0)

    def fileno(self) -> int:
        return int(self._queue.fileno())

    def drain(self) -> None:
        while self._queue.control([], 64, 0):
            pass
        self._look()

    def close(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._queue.close()
