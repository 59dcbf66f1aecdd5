"""What the scheduler wants done. The runner performs these; each ends in an event, also when it fails.

Actions are repeatable: while the event that answers one has not come, `decide` may ask again, and the runner does it
once.
"""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from longshore.model.artifact import Artifact
from longshore.scheduler.renting_actions import RentingAction

__all__ = [
    "Action",
    "BuildEnvironment",
    "CancelAttempt",
    "CancelBuild",
    "Deliver",
    "Discard",
    "EndRun",
    "Identify",
    "MakeMembers",
    "MakeTable",
    "Move",
    "StageAttempt",
    "StartAttempt",
    "WakeAt",
]


@frozen
class Identify:
    """Work out by what these tasks are to be known, and whether they have succeeded before."""

    tasks: tuple[str, ...]


@frozen
class MakeMembers:
    """Read the values of this task's parameters from what an earlier task wrote."""

    name: str


@frozen
class StartAttempt:
    """Hand this attempt to this machine, after its intent is in the journal."""

    task: str
    attempt: int
    machine: str


@frozen
class StageAttempt:
    """Bring what an intended attempt reads to its machine, and start it; all that must travel is at home."""

    task: str
    attempt: int
    machine: str


@frozen
class Move:
    """Bring an artifact from a machine's store into the project's, or into that of another machine; a folder as a file
    stands for its listing. Where there is no way between two machines, it may come home instead.
    """

    artifact: Artifact
    source: str
    """The machine."""
    failures: int = 0
    """How often it has been tried in vain: another try is another action."""
    target: str = ""
    """The other machine; empty for the project's store."""


@frozen
class Discard:
    """Tell a machine that nobody needs these objects there any more."""

    machine: str
    digests: tuple[str, ...]


@frozen
class CancelAttempt:
    """End a running attempt."""

    task: str
    attempt: int
    machine: str


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
class Deliver:
    """Bring the outputs of a task home to the results folder."""

    task: str


@frozen
class MakeTable:
    """Make the table of a task whose members have ended."""

    name: str
    edition: int = 0
    """Goes up when members run again, since another table is made of them then."""


@frozen
class WakeAt:
    """Nothing is to be done before this moment unless something happens."""

    at: datetime


@frozen
class EndRun:
    """Nothing is left to do; say how the run ended."""

    state: str


Action = (
    BuildEnvironment
    | CancelAttempt
    | CancelBuild
    | MakeTable
    | Deliver
    | Discard
    | EndRun
    | Identify
    | MakeMembers
    | Move
    | RentingAction
    | StageAttempt
    | StartAttempt
    | WakeAt
)
