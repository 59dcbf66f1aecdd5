"""Where tasks can be."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["TaskPhase"]


class TaskPhase(StrEnum):
    """Where a task is. docs/reference/states.md says what each means in the older systems' words."""

    WAITING = "waiting"
    """For other tasks, for its inputs to be looked at, for a retry's time, or for room on a machine."""
    STAGING = "staging"
    """Its inputs are on their way to its machine; or it has ended well, and its outputs are on their way home."""
    BUILDING = "building"
    """Its environment is being built."""
    QUEUED = "queued"
    """Handed to a machine, which will start it when there is room."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    UP_TO_DATE = "up to date"
    """Succeeded before with the same identity; not run again."""
    FAILED = "failed"
    LOST = "lost"
    """Nobody can know how its last attempt ended, and its budget for that is used up."""
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    """Something that it waits for did not succeed."""
