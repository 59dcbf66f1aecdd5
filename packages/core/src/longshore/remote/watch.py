"""Waiting for everything at once: sockets, ends of processes, times, and work done in threads. One thread, no polling.

Ends of our own children are told by SIGCHLD through a wake-up pipe, on every system: that is as fast as one pidfd for
each child (measured), it coalesces when many end together, and it tells of orphans that we have adopted too. Ends of
processes that are not our children are told by a pidfd on Linux and by kqueue elsewhere; that difference is in
`exit_handle` and nowhere else.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import heapq
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["Timer", "Watch", "exit_handle"]

READ = 1  # POLLIN and EPOLLIN
WRITE = 4  # POLLOUT and EPOLLOUT
_MANY_TIMERS = 1000
_LINUX = sys.platform.startswith("linux")
_SYS_PIDFD_OPEN = 434  # the same number on every Linux architecture that is still in use but alpha


def exit_handle(pid: int) -> Any:
    """Open a handle that becomes readable when a process has ended, whoever its parent is.

    Raises:
        ProcessLookupError: when there is no such process.
    """
    if _LINUX:
        if hasattr(os, "pidfd_open"):
            return os.fdopen(os.pidfd_open(pid), "rb", buffering=0)
        return os.fdopen(_pidfd_by_number(pid), "rb", buffering=0)
    return _exit_queue(pid)


def _pidfd_by_number(pid: int) -> int:
    import ctypes  # noqa: PLC0415  Python 3.8 only

    handle = ctypes.CDLL(None, use_errno=True).syscall(_SYS_PIDFD_OPEN, pid, 0)
    if handle < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.set_inheritable(handle, False)
    return int(handle)


def _exit_queue(pid: int) -> Any:
    bsd: Any = select
    queue = bsd.kqueue()
    event = bsd.kevent(pid, bsd.KQ_FILTER_PROC, bsd.KQ_EV_ADD, bsd.KQ_NOTE_EXIT)
    try:
        queue.control([event], 0, 0)
    except BaseException:
        queue.close()
        raise
    return queue


class Timer:
    """Something to do at a time, unless it is cancelled first."""

    __slots__ = ("act", "at", "order")

    def __init__(self, at: float, order: int, act: Callable[[], None]) -> None:
        self.at = at
        self.order = order
        self.act: Callable[[], None] | None = act

    def __lt__(self, other: Timer) -> bool:
        return (self.at, self.order) < (other.at, other.order)

    def cancel(self) -> None:
        """Do not do it. Harmless afterwards."""
        self.act = None


class Watch:
    """The one place where the supervisor waits."""

    def __init__(self, reap: Callable[[], None]) -> None:
        """Call ``reap`` whenever a child may have ended."""
        self._linux = hasattr(select, "epoll")
        self._poll: Any = select.epoll() if self._linux else select.poll()
        self._actions: dict[int, Callable[[int], None]] = {}
        self._timers: list[Timer] = []
        self._count = 0
        self._most = _MANY_TIMERS
        self._reap = reap
        self._wake_read, self._wake_write = os.pipe()
        for handle in (self._wake_read, self._wake_write):
            os.set_blocking(handle, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)
        self.add(self._wake_read, self._woken)

    def _woken(self, _events: int) -> None:
        os.read(self._wake_read, 4096)
        self._reap()

    def add(self, handle: int, act: Callable[[int], None], events: int = READ) -> None:
        """Call ``act`` with what is ready whenever the handle is."""
        self._actions[handle] = act
        self._poll.register(handle, events)

    def change(self, handle: int, events: int) -> None:
        """Wait for other things of a handle."""
        self._poll.modify(handle, events)

    def remove(self, handle: int) -> None:
        """Forget a handle; always before it is closed, since a stale event would otherwise never end."""
        del self._actions[handle]
        self._poll.unregister(handle)

    def after(self, seconds: float, act: Callable[[], None]) -> Timer:
        """Do something that much later, once."""
        self._count += 1
        if len(self._timers) > self._most:
            # Timeouts of hours, of attempts that took seconds.
            self._timers = [timer for timer in self._timers if timer.act is not None]
            heapq.heapify(self._timers)
            self._most = max(_MANY_TIMERS, 2 * len(self._timers))
        timer = Timer(time.monotonic() + seconds, self._count, act)
        heapq.heappush(self._timers, timer)
        return timer

    def when_over(self, pid: int, act: Callable[[], None]) -> None:
        """Do something when a process that is not our child has ended; at once when it has."""
        try:
            opened = exit_handle(pid)
        except (ProcessLookupError, FileNotFoundError):
            self.after(0, act)
            return

        def over(_events: int) -> None:
            self.remove(opened.fileno())
            opened.close()
            act()

        self.add(opened.fileno(), over)

    def turn(self) -> None:
        """Wait until something happens, then do what is due."""
        while self._timers and self._timers[0].act is None:
            heapq.heappop(self._timers)
        wait = max(0.0, self._timers[0].at - time.monotonic()) if self._timers else None
        # epoll takes seconds, poll milliseconds; rounding up keeps a timer from being looked at too early again and
        # again.
        ready = self._poll.poll(wait if self._linux else None if wait is None else int(wait * 1000) + 1)
        for handle, events in ready:
            act = self._actions.get(handle)
            if act is not None:
                act(events)
        if self._timers:
            self._ring()

    def _ring(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0].at <= now:
            timer = heapq.heappop(self._timers)
            if timer.act is not None:
                timer.act()


def _nothing(_number: int, _frame: Any) -> None:
    """Take the signal; the wake-up pipe has told the loop already."""
