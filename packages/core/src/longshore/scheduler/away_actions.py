"""What the scheduler wants done that only some runs need: those that move data between machines, build environments or
rent. The others do not import this.
"""

from __future__ import annotations

from attrs import frozen

from longshore.model.artifact import Artifact
from longshore.scheduler.renting_actions import RentingAction

__all__ = ["AwayAction", "BuildEnvironment", "CancelBuild", "Discard", "LoseMachine", "Move", "StageAttempt"]


@frozen
class StageAttempt:
    """Bring what an intended attempt reads to its machine, and start it; all that must travel is at home."""

    task: str
    attempt: int
    machine: str


@frozen
class Move:
    """Bring an artifact from a machine's store, or from a bucket, into the project's, into that of another machine, or
    into a bucket; a folder as a file stands for its listing. Where there is no way, it may come home instead.
    """

    artifact: Artifact
    source: str
    """The machine, or the URL of the bucket."""
    failures: int = 0
    """How often it has been tried in vain: another try is another action."""
    target: str = ""
    """The other machine, or the bucket; empty for the project's store."""


@frozen
class Discard:
    """Tell a machine that nobody needs these objects there any more."""

    machine: str
    digests: tuple[str, ...]


@frozen
class BuildEnvironment:
    """Ask a machine for an environment, after its intent is in the journal."""

    environment: str
    number: int
    machine: str


@frozen
class CancelBuild:
    """End a build that nobody needs."""

    environment: str
    number: int
    machine: str


@frozen
class LoseMachine:
    """Say that a machine is gone which has been out of reach for so long that nothing of it can be running there."""

    machine: str
    reason: str


AwayAction = BuildEnvironment | CancelBuild | Discard | LoseMachine | Move | RentingAction | StageAttempt
