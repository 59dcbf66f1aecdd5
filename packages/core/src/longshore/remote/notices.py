"""Hearing from the machine's own watch that the machine will be taken away: it writes a file, and the kernel says so.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from longshore.remote.watch import Watch

__all__ = ["Notices"]

_NAME = "notice"
_IN_MOVED_TO = 0x80
_IN_CLOEXEC = 0o2000000
_LONGEST = 100


class Notices:
    """Looks at a folder that may get a file with the time (seconds since 1970) at which the machine goes."""

    def __init__(self, watch: Watch, told: Callable[[float], None]) -> None:
        """Call ``told`` once, when the file is there; nothing is looked at before `use`."""
        self._watch = watch
        self._told = told
        self._folder = ""
        self.at: float | None = None
        """When the machine goes; None while nobody has said that it will."""

    def use(self, folder: str) -> None:
        """Look at this folder from now on, unless one is looked at already; silent when there is none."""
        if self._folder or not os.path.isdir(folder):
            return
        self._folder = folder
        self._listen()
        self._look()

    def _listen(self) -> None:
        """Let the kernel tell when a file is moved into the folder; systems that cannot have no such watches."""
        import ctypes  # noqa: PLC0415  for rented machines only

        libc = ctypes.CDLL(None, use_errno=True)
        try:
            handle = libc.inotify_init1(_IN_CLOEXEC)
            if handle < 0 or libc.inotify_add_watch(handle, os.fsencode(self._folder), _IN_MOVED_TO) < 0:
                return
        except AttributeError:
            return

        def heard(_events: int) -> None:
            os.read(handle, 65536)
            self._look()

        self._watch.add(handle, heard)

    def _look(self) -> None:
        if self.at is not None:
            return
        try:
            with open(os.path.join(self._folder, _NAME), encoding="ascii") as file:
                self.at = float(file.read(_LONGEST))
        except (OSError, ValueError):
            return
        self._told(self.at)
