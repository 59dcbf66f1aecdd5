"""Bringing the outputs of finished tasks home, small ones of several tasks in one go."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from longshore.errors import StagingError
from longshore.model.artifact import Artifact
from longshore.model.events import ResultsDelivered
from longshore.runtime.results import deliver

__all__ = ["Delivering"]

_TOGETHER = 25
_TOGETHER_BYTES = 1 << 20
"""Larger outputs are left to the next thread."""


class Delivering:
    """Delivers in whatever thread calls `some`, as often as there were tasks to `add`; any number of threads may."""

    def __init__(self, store: Path, results: Path, post: Callable[..., None]) -> None:
        """``post`` takes the events: each turn of the loop costs more than to copy a small file."""
        self._store = store
        self._results = results
        self._post = post
        self._waiting: deque[tuple[str, str, Sequence[Artifact]]] = deque()

    def add(self, task: str, folder: str, outputs: Sequence[Artifact]) -> None:
        """Have the outputs of a task brought into a folder of the results, by the next call of `some`."""
        self._waiting.append((task, folder, outputs))

    def some(self) -> None:
        """Deliver what waits longest, and more as long as that is little; nothing when other calls have done it all."""
        delivered: list[ResultsDelivered] = []
        size = 0
        while self._waiting and len(delivered) < _TOGETHER and size <= _TOGETHER_BYTES:
            try:
                task, folder, outputs = self._waiting.popleft()
            except IndexError:
                break
            delivered.append(self._delivered(task, folder, outputs))
            size += sum(each.size for each in outputs)
        if delivered:
            self._post(*delivered)

    def _delivered(self, task: str, folder: str, outputs: Sequence[Artifact]) -> ResultsDelivered:
        problem = ""
        try:
            deliver(self._store, outputs, self._results / folder)
        except (StagingError, OSError) as error:
            problem = f"the outputs of {task} did not come home: {error}"
        return ResultsDelivered(at=datetime.now(UTC), task=task, problem=problem)
