"""What the scheduler wants done. The runner performs these; each ends in an event, also when it fails.

Actions are repeatable: while the event that answers one has not come, `decide` may ask again, and the runner does it
once.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from longshore.scheduler.away_actions import AwayAction

__all__ = [
    "Action",
    "CancelAttempt",
    "Deliver",
    "EndRun",
    "Identify",
    "MakeMembers",
    "MakeTable",
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
class CancelAttempt:
    """End a running attempt."""

    task: str
    attempt: int
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


# As text: few runs have the last ones, and every start of a run waits for what is imported.
Action: TypeAlias = (
    "CancelAttempt | Deliver | EndRun | Identify | MakeMembers | MakeTable | StartAttempt | WakeAt | AwayAction"
)
