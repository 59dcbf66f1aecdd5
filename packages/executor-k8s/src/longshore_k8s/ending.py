"""How one attempt has ended: told once, whoever hears of it first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from longshore.model.attempt import split_attempt_id
from longshore.model.events import AttemptEnded
from longshore.model.outcome import Cancelled, FailureClass, Lost

__all__ = ["Ending"]


class Ending:
    """Any thread may use it."""

    def __init__(self, attempt: str, tell: Callable[[AttemptEnded], None]) -> None:
        _, self._task, self._number = split_attempt_id(attempt)
        self._tell = tell
        self._lock = threading.Lock()
        self._over = False

    @property
    def over(self) -> bool:
        """Whether it was told, or nobody wants to know any more."""
        return self._over

    def ask_again(self) -> None:
        """Let it be told once more."""
        with self._lock:
            self._over = False

    def forget(self) -> None:
        """Tell nothing any more."""
        with self._lock:
            self._over = True

    def tell(self, event: AttemptEnded) -> None:
        """Tell it, if it was not told."""
        with self._lock:
            if self._over:
                return
            self._over = True
        self._tell(event)

    def lose(self, failure: FailureClass, evidence: str, *, went: bool) -> None:
        """Tell that it was lost; ``went`` says whether its command may have been started."""
        reason = evidence if went else "never started"
        self.tell(AttemptEnded(**self._told(), outcome=Lost(reason), failure=failure, evidence=evidence))

    def cancel(self) -> None:
        """Tell that it was cancelled."""
        self.tell(AttemptEnded(**self._told(), outcome=Cancelled()))

    def _told(self) -> dict[str, Any]:
        return {"at": datetime.now(UTC), "task": self._task, "attempt": self._number}
