"""How often a failed attempt is followed by another, and after how long."""

from __future__ import annotations

from datetime import timedelta

from attrs import field, frozen
from attrs.validators import ge

from longshore.model.outcome import FailureClass

__all__ = ["INFRASTRUCTURE_ATTEMPTS", "RetryPolicy"]

# Losses that are no fault of the task have a budget of their own, so that a preempted machine never eats the retries
# meant for bugs.
INFRASTRUCTURE_ATTEMPTS = {
    FailureClass.PREEMPTED: 10,
    FailureClass.MACHINE_LOST: 5,
    FailureClass.NETWORK: 5,
    FailureClass.STAGING: 3,
}
"""Attempts that may end in each of these classes before the task fails, whatever its own policy says."""


_SECOND = timedelta(seconds=1)
_LONGEST = timedelta(minutes=1)


@frozen(kw_only=True)
class RetryPolicy:
    """How failures of the task's own making are repeated."""

    attempts: int = field(default=1, validator=ge(1))
    """Attempts in all that may end in one of the classes ``on``; 1 means no retry."""
    delay: timedelta = timedelta(0)
    """Wait before the second attempt; each later wait is twice as long."""
    max_delay: timedelta = timedelta(minutes=5)
    on: frozenset[FailureClass] = frozenset(
        {
            FailureClass.USER_CODE,
            FailureClass.OUT_OF_MEMORY,
            FailureClass.DISK_FULL,
            FailureClass.TIMEOUT,
            FailureClass.ENVIRONMENT,
        }
    )

    def budget(self, failure: FailureClass) -> int:
        """Say how many attempts may end in this class before the task has failed."""
        if failure in INFRASTRUCTURE_ATTEMPTS:
            return INFRASTRUCTURE_ATTEMPTS[failure]
        return self.attempts if failure in self.on else 1

    def wait(self, failure: FailureClass, failures: int) -> timedelta:
        """Say how long to wait after the ``failures``-th failure of a class (counted from 1).

        What is no fault of the task is tried again at once, and from the second time on after 1 s, 2 s, 4 s...
        """
        # The exponent is bounded so that a large count cannot overflow timedelta.
        if failure in INFRASTRUCTURE_ATTEMPTS:
            return min(_SECOND * (1 << min(failures - 2, 20)), _LONGEST) if failures > 1 else timedelta(0)
        return min(self.delay * (1 << min(failures - 1, 20)), self.max_delay)
