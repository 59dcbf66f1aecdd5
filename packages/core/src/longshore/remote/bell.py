"""A bell that rings when a file of a folder is written to: inotify where there is one, else a glance now and then.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from longshore.remote.watch import Timer, Watch

__all__ = ["Bell"]

_MODIFY = 0x2  # linux/inotify.h: IN_MODIFY
_FLAGS = 0o4000 | 0o2000000  # IN_NONBLOCK, IN_CLOEXEC
_READ_BYTES = 1 << 16
_REST_SECONDS = 0.02
"""A bell that has rung is still for so long: whoever prints line by line must not cost a turn for each line."""
_GLANCE_SECONDS = 0.25
"""Where writing cannot be heard (no inotify, or a Python without ctypes)."""


class Bell:
    """Rings for one folder at a time."""

    def __init__(self, watch: Watch, ring: Callable[[], bool]) -> None:
        """Call ``ring`` in the loop some time after something was written; it says whether anybody may write on."""
        self._watch = watch
        self._ring = ring
        self._handle = -1
        self._timer: Timer | None = None

    def hang(self, folder: str) -> None:
        """Ring for this folder from now on, until `take_down`; the first time soon, whatever happens."""
        self.take_down()
        self._handle = _inotify(folder)
        self._rest()

    def take_down(self) -> None:
        """Be still."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        elif self._handle >= 0:
            self._watch.remove(self._handle)
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def wake(self) -> None:
        """Ring soon: somebody has begun to write before he could be heard."""
        if self._handle < 0 and self._timer is None:
            self._timer = self._watch.after(_GLANCE_SECONDS, self._rung)

    def _heard(self, _events: int) -> None:
        self._watch.remove(self._handle)
        self._rest()

    def _rest(self) -> None:
        self._timer = self._watch.after(_REST_SECONDS, self._rung)

    def _rung(self) -> None:
        self._timer = None
        if self._handle >= 0:
            try:
                while os.read(self._handle, _READ_BYTES):
                    pass
            except BlockingIOError:
                pass
            self._watch.add(self._handle, self._heard)
            self._ring()
        elif self._ring():
            self._timer = self._watch.after(_GLANCE_SECONDS, self._rung)


def _inotify(folder: str) -> int:
    """Watch the files of a folder; a negative number when that cannot be done."""
    try:
        import ctypes  # noqa: PLC0415  slow to import, and not in every Python

        libc = ctypes.CDLL(None, use_errno=True)
        handle = int(libc.inotify_init1(_FLAGS))
    except (ImportError, AttributeError, OSError):
        return -1
    if handle >= 0 and libc.inotify_add_watch(handle, os.fsencode(folder), _MODIFY) < 0:
        os.close(handle)
        return -1
    return handle
