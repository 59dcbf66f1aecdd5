"""Threads for what takes long: copying, digesting, removing. The loop goes on meanwhile.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from queue import SimpleQueue
    from typing import Any, Optional

    from longshore.remote.watch import Watch

    Job = Callable[[], Any]
    Then = Callable[[Any, Optional[BaseException]], None]

__all__ = ["Helpers"]

_MOST = 4


class Helpers:
    """Does jobs in threads, which are made when they are needed, and calls back in the loop."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._threads = 0
        self._busy = 0
        self._jobs: SimpleQueue[tuple[Job, Then]] | None = None
        self._done: list[tuple[Then, Any, BaseException | None]] = []
        self._wake_read = self._wake_write = -1

    def do(self, job: Job, then: Then) -> None:
        """Do a job elsewhere; then call ``then`` in the loop with what it gave, or with what it raised."""
        if self._jobs is None:
            self._open()
        self._busy += 1
        if self._threads < min(self._busy, _MOST):
            self._threads += 1
            import threading  # noqa: PLC0415  most runs have no use for it

            threading.Thread(target=self._work, daemon=True).start()
        assert self._jobs is not None
        self._jobs.put((job, then))

    @property
    def busy(self) -> bool:
        """Whether jobs are being done, or wait for a thread."""
        return bool(self._busy)

    def _open(self) -> None:
        import queue  # noqa: PLC0415  as above

        self._jobs = queue.SimpleQueue()
        self._wake_read, self._wake_write = os.pipe()
        self._watch.add(self._wake_read, self._finish)

    def _work(self) -> None:
        assert self._jobs is not None
        while True:
            job, then = self._jobs.get()
            try:
                self._done.append((then, job(), None))
            except BaseException as error:  # noqa: BLE001  whoever asked is told
                self._done.append((then, None, error))
            os.write(self._wake_write, b".")

    def _finish(self, _events: int) -> None:
        for _ in os.read(self._wake_read, 4096):
            self._busy -= 1
            then, result, error = self._done.pop(0)
            then(result, error)
