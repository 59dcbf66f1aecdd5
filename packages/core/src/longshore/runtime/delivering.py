"""Bringing the outputs of finished tasks home, small ones of several tasks in one go; and on to buckets."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from longshore.errors import LongshoreError, StagingError
from longshore.model.artifact import Artifact
from longshore.model.events import ResultsDelivered
from longshore.runtime.results import deliver
from longshore.runtime.stores import Stores

__all__ = ["Delivering"]

_TOGETHER = 25
_TOGETHER_BYTES = 1 << 20
"""Larger outputs are left to the next thread."""


class Delivering:
    """Delivers in whatever thread calls `some`, as often as there were tasks to `add`; any number of threads may."""

    def __init__(self, store: Path, results: Path, post: Callable[..., None], stores: Stores | None = None) -> None:
        """``post`` takes the events: each turn of the loop costs more than to copy a small file."""
        self._store = store
        self._results = results
        self._post = post
        self._stores = stores or Stores()
        self._waiting: deque[tuple[str, str, Sequence[Artifact], str]] = deque()

    def add(self, task: str, folder: str, outputs: Sequence[Artifact], to: str = "") -> None:
        """Have the outputs of a task brought into a folder of the results, by the next call of `some`; and into that
        folder below a URL, where one is given.
        """
        self._waiting.append((task, folder, outputs, to))

    def some(self) -> None:
        """Deliver what waits longest, and more as long as that is little; nothing when other calls have done it all."""
        delivered: list[ResultsDelivered] = []
        size = 0
        while self._waiting and len(delivered) < _TOGETHER and size <= _TOGETHER_BYTES:
            try:
                task, folder, outputs, to = self._waiting.popleft()
            except IndexError:
                break
            delivered.append(self._delivered(task, folder, outputs, to))
            # What goes on to a bucket takes a while, whatever its size.
            size += sum(each.size for each in outputs) if not to else _TOGETHER_BYTES + 1
        if delivered:
            self._post(*delivered)

    def _delivered(self, task: str, folder: str, outputs: Sequence[Artifact], to: str) -> ResultsDelivered:
        problem = ""
        try:
            deliver(self._store, outputs, self._results / folder)
        except (StagingError, OSError) as error:
            problem = f"the outputs of {task} did not come home: {error}"
        else:
            try:
                for each in outputs if to else ():
                    self._stores.put(self._results / folder / each.path, f"{to}/{folder}/{each.path}")
            except (LongshoreError, OSError) as error:
                problem = f"the outputs of {task} are at home, but did not get to {to}: {error}"
        return ResultsDelivered(at=datetime.now(UTC), task=task, problem=problem)
