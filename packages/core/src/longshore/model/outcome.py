"""How an attempt ended, and what kind of failure it was if it was one."""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from attrs import field, frozen

__all__ = ["Cancelled", "Exited", "FailureClass", "Lost", "Outcome", "Usage", "describe_outcome"]


class FailureClass(StrEnum):
    """Why an attempt failed. Each class has its own retry budget and its own remedy."""

    USER_CODE = "user code"
    OUT_OF_MEMORY = "out of memory"
    DISK_FULL = "disk full"
    TIMEOUT = "timeout"
    PREEMPTED = "preempted"
    MACHINE_LOST = "machine lost"
    CAPACITY = "capacity"
    QUOTA = "quota"
    CREDENTIALS = "credentials"
    CONFIGURATION = "configuration"
    NETWORK = "network"
    STAGING = "staging"
    ENVIRONMENT = "environment"
    PLUGIN_BUG = "plugin bug"


@frozen
class Exited:
    """The command ended by itself or by a signal: its exit code, or the signal's number below zero."""

    code: int


@frozen
class Lost:
    """Nobody can know how the attempt ended; ``reason`` says what is known."""

    reason: str


@frozen
class Cancelled:
    """The attempt was ended because somebody asked for it."""


Outcome = Exited | Lost | Cancelled


@frozen(kw_only=True)
class Usage:
    """What an attempt used, as the machine's kernel counted it."""

    cpu_seconds: float = field(default=0.0)
    peak_memory_bytes: int = field(default=0)


def describe_outcome(outcome: Outcome) -> str:
    """Say an outcome in a few words, as in ``exit code 3`` or ``signal 9``."""
    match outcome:
        case Exited(code):
            return f"signal {-code}" if code < 0 else f"exit code {code}"
        case Lost(reason):
            return f"lost: {reason}"
        case Cancelled():
            return "cancelled"
        case _:
            assert_never(outcome)
