"""What keeps an attempt from being started, as the end of the attempt."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from longshore.errors import DiskFull, ExecutorError, LongshoreError, StagingError
from longshore.model.events import AttemptEnded
from longshore.model.outcome import FailureClass, Lost

__all__ = ["failure_of", "never_started", "words_of"]

_log = logging.getLogger(__name__)


def never_started(task: str, attempt: int, error: Exception) -> AttemptEnded:
    """Tell that an attempt could not be started."""
    _log.debug("attempt %s/%s did not start", task, attempt, exc_info=error)
    return AttemptEnded(
        at=datetime.now(UTC),
        task=task,
        attempt=attempt,
        outcome=Lost("never started"),
        failure=failure_of(error),
        evidence=words_of(error),
    )


def failure_of(error: Exception) -> FailureClass:
    """Say to which class an error of a plugin belongs."""
    if isinstance(error, DiskFull):
        return FailureClass.DISK_FULL
    if isinstance(error, StagingError):
        return FailureClass.STAGING
    if isinstance(error, ExecutorError):
        return FailureClass.MACHINE_LOST
    return FailureClass.PLUGIN_BUG


def words_of(error: Exception) -> str:
    """Say what went wrong; of what no plugin should raise, its kind too."""
    return str(error) if isinstance(error, LongshoreError) else f"{type(error).__name__}: {error}"
