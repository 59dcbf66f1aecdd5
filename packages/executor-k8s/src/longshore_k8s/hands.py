"""Threads that do what takes time: for each key one thing after the other, for different keys at once."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import deque
from collections.abc import Callable

__all__ = ["Hands"]

_log = logging.getLogger(__name__)

Job = Callable[[], None]


class Hands:
    """A few threads, begun as they are needed, and one that waits for what is to be done later."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._most = most
        self._changed = threading.Condition()
        self._jobs: dict[str, deque[Job]] = {}
        """Of each key what is to be done, the first of which may be under way."""
        self._ready: deque[str] = deque()
        self._later: list[tuple[float, int, str, Job]] = []
        self._number = 0
        self._idle = 0
        self._threads: list[threading.Thread] = []
        self._closed = False

    def do(self, key: str, job: Job) -> None:
        """Do something, after all that was to be done for this key. Nothing when closed."""
        with self._changed:
            self._add(key, job)

    def after(self, seconds: float, key: str, job: Job) -> None:
        """Do something in so many seconds."""
        with self._changed:
            if self._closed:
                return
            self._number += 1
            heapq.heappush(self._later, (time.monotonic() + seconds, self._number, key, job))
            if self._number == 1:
                self._begin(self._wait, "later")
            self._changed.notify_all()

    def close(self, seconds: float) -> None:
        """Begin nothing more; wait for what is under way, but no longer than this."""
        end = time.monotonic() + seconds
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))

    def _add(self, key: str, job: Job) -> None:
        if self._closed:
            return
        jobs = self._jobs.setdefault(key, deque())
        jobs.append(job)
        if len(jobs) > 1:
            return
        self._ready.append(key)
        if self._idle < len(self._ready) and len(self._threads) < self._most:
            self._begin(self._work, str(len(self._threads)))
        self._changed.notify_all()

    def _begin(self, work: Job, name: str) -> None:
        thread = threading.Thread(target=work, name=f"longshore-{self._name}-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                self._changed.wait_for(lambda: self._ready or self._closed)
                self._idle -= 1
                if self._closed:
                    return
                key = self._ready.popleft()
                job = self._jobs[key][0]
            try:
                job()
            except Exception:  # noqa: BLE001  a thread that ends does nothing for anybody
                _log.exception("what was to be done for %s failed", key)
            with self._changed:
                jobs = self._jobs[key]
                jobs.popleft()
                if jobs:
                    self._ready.append(key)
                    self._changed.notify_all()
                else:
                    del self._jobs[key]

    def _wait(self) -> None:
        with self._changed:
            while not self._closed:
                left = self._later[0][0] - time.monotonic() if self._later else None
                if left is not None and left <= 0:
                    _, _, key, job = heapq.heappop(self._later)
                    self._add(key, job)
                else:
                    self._changed.wait(left)
