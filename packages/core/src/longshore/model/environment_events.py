"""What happens to environments in a run; part of `longshore.model.events`."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from longshore.model.outcome import FailureClass

__all__ = ["BuildIntended", "EnvironmentBuilt", "EnvironmentEvent", "EnvironmentFailed"]


@frozen(kw_only=True)
class BuildIntended:
    """A machine is about to be asked for an environment. Committed before it is."""

    at: datetime
    environment: str
    number: int
    """Counts the builds of the environment in the run, on all machines."""
    machine: str


@frozen(kw_only=True)
class EnvironmentBuilt:
    """An environment is on a machine: built now, or there already."""

    at: datetime
    environment: str
    number: int
    key: str
    """By what the machine knows it."""
    lock: str = ""
    """What pip has installed, as lines of a requirements file."""
    locks: tuple[tuple[str, str], ...] = ()
    """What else is installed: names and contents of files by which it can be installed again, as in ``conda.txt``."""
    python: str = ""
    """Version of its own Python, as in ``3.11.4``; empty when it has none."""
    reused: bool = False
    """Whether it was there already."""


@frozen(kw_only=True)
class EnvironmentFailed:
    """A build came to nothing. Without ``failure`` it was cancelled, or never began, and is nobody's fault."""

    at: datetime
    environment: str
    number: int
    failure: FailureClass | None = None
    evidence: str = ""
    """Which line failed, and what it printed: bounded text."""


EnvironmentEvent = BuildIntended | EnvironmentBuilt | EnvironmentFailed
