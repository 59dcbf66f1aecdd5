"""What machines and attempts use at a moment. Shown to whoever looks; part of no journal, and of no decision."""

from __future__ import annotations

from attrs import frozen

__all__ = ["AttemptLoad", "MachineLoad", "Used"]


@frozen
class Used:
    """How much of something is used, and how much there is of it, in bytes."""

    bytes: int
    of: int


@frozen
class AttemptLoad:
    """What an attempt that runs uses: the sum over its processes. None stands for what the machine does not tell."""

    attempt: str
    """Its id, or that of a build."""
    cpus: float | None = None
    """Cores kept busy since the last measurement."""
    memory_bytes: int | None = None
    written_bytes: int | None = None
    """Sent to disks since it began, as far as its processes are known."""


@frozen(kw_only=True)
class MachineLoad:
    """What a machine uses, for whomever. None stands for what it does not tell."""

    machine: str
    cpus: float | None = None
    """Cores kept busy since the last measurement."""
    memory: Used | None = None
    disk: Used | None = None
    """Of the disk that the run's folder is on."""
    attempts: tuple[AttemptLoad, ...] = ()
