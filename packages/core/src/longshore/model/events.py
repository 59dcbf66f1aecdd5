"""What has happened in a run. The journal is a list of these; the state is what follows from them.

Every event has ``at``, the moment when the controller learnt of it (aware, UTC). Journals are read back for years: a
field may be added with a default, and none may change its meaning.

What only runs with environments, rented machines or machines with stores of their own have is in
`longshore.model.environment_events`, `longshore.model.lease_events` and `longshore.model.move_events`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

from longshore.model.artifact import Artifact, Input
from longshore.model.outcome import FailureClass, Outcome, Usage
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.model.task import TaskSpec

if TYPE_CHECKING:
    from longshore.model.environment import EnvironmentSpec
    from longshore.model.environment_events import EnvironmentEvent
    from longshore.model.lease_events import LeaseEvent
    from longshore.model.move_events import MoveEvent

__all__ = [
    "AttemptEnded",
    "AttemptIntended",
    "AttemptStarted",
    "CancelAsked",
    "Event",
    "Identified",
    "InputsFailed",
    "MachineAdded",
    "MachineGone",
    "MachineResized",
    "MembersMade",
    "ResultsDelivered",
    "RetryAsked",
    "RunContinued",
    "RunEnded",
    "StopAsked",
    "TableMade",
    "TasksAdded",
    "TasksIdentified",
]


@frozen(kw_only=True)
class RunContinued:
    """A controller has taken the run up, the first time or after another; ``fence`` is higher than any before."""

    at: datetime
    fence: int


@frozen(kw_only=True)
class TasksAdded:
    """More tasks have joined the running workflow."""

    at: datetime
    tasks: tuple[TaskSpec, ...]
    environments: tuple[EnvironmentSpec, ...] = ()
    """Those that the run did not have before."""


@frozen(kw_only=True)
class MembersMade:
    """The values of a parameter that an earlier task's outputs give are known now, so the tasks exist."""

    at: datetime
    name: str
    values: tuple[tuple[str, ...], ...]
    """One tuple for each parameter of the task's ``for_each``, in its order. Of a `ColumnsOf` it has as many texts as
    that of the parameter before it: for each file a JSON list of its columns, or as a JSON text why there is none.
    """


@frozen(kw_only=True)
class MachineAdded:
    """A machine of a pool can take attempts."""

    at: datetime
    machine: str
    pool: str
    resources: Resources
    slots: int | None = None
    """At most so many attempts at once, whatever their needs; None for no such limit."""
    price_per_hour: Money | None = None
    """What it costs while it is rented; None when it costs nothing, or nobody knows."""
    alone: bool = True
    """As in `MachineResized`."""
    store: str = ""
    """Which store its attempts read and write; empty for the project's own. Machines that share one name the same."""
    vanishes: bool = False
    """Whether it can go at any time with all that it has, as what is rented: its outputs have to come home before
    their tasks have succeeded.
    """
    again: bool = False
    """Whether it has come back: this controller had lost it out of reach, or never reached it."""


@frozen(kw_only=True)
class MachineResized:
    """A machine that is shared with other runs has more or less room for this one."""

    at: datetime
    machine: str
    resources: Resources
    alone: bool = True
    """Whether all of the machine is this run's, so that tasks may wait on the machine itself."""


@frozen(kw_only=True)
class MachineGone:
    """A machine takes no attempts any more; ``reason`` says why."""

    at: datetime
    machine: str
    reason: str
    failure: FailureClass = FailureClass.MACHINE_LOST
    over_by: datetime | None = None
    """When it is only out of reach: the moment from which on the machine itself asks all to end that it was given,
    since nobody attends to it. Until then nothing of it is run again, and it may come back. None when all that it was
    given is over already.
    """


@frozen(kw_only=True)
class Identified:
    """What a task is to be known by, and whether it has succeeded before."""

    task: str
    identity: str
    outputs: tuple[Artifact, ...] | None = None
    """What it wrote when it succeeded before; None when it must run."""
    result: str | None = None
    source: str = ""
    """The run in which it succeeded before."""
    reason: str = ""
    """Why it must run: which field of its identity has changed since it last succeeded; empty when it never has."""
    inputs: tuple[Input, ...] = ()
    """What it reads, when it must run; empty in a run whose machines all use the project's store."""


@frozen(kw_only=True)
class TasksIdentified:
    """Some tasks whose inputs are all known have their identities."""

    at: datetime
    items: tuple[Identified, ...]


@frozen(kw_only=True)
class InputsFailed:
    """A task cannot start because an input cannot be had."""

    at: datetime
    task: str
    reason: str


@frozen(kw_only=True)
class AttemptIntended:
    """An attempt is about to be handed to a machine. Committed before it is."""

    at: datetime
    task: str
    attempt: int
    machine: str


@frozen(kw_only=True)
class AttemptStarted:
    """The command of an attempt is running."""

    at: datetime
    task: str
    attempt: int
    workdir: str = ""


@frozen(kw_only=True)
class AttemptEnded:
    """An attempt is over."""

    at: datetime
    task: str
    attempt: int
    outcome: Outcome
    failure: FailureClass | None = None
    """None when it succeeded or was cancelled."""
    evidence: str = ""
    """Proof of the failure's class, and the end of stderr: bounded text."""
    started_at: datetime | None = None
    """By the machine's clock; None when the command never started."""
    ended_at: datetime | None = None
    usage: Usage | None = None
    outputs: tuple[Artifact, ...] = ()
    result: str | None = None
    """What a Python call returned, as JSON text."""
    workdir: str = ""
    """Where it is kept, after a failure; empty when it is gone."""


@frozen(kw_only=True)
class ResultsDelivered:
    """The outputs of a task are at home in the results folder; ``problem`` says why not."""

    at: datetime
    task: str
    problem: str = ""


@frozen(kw_only=True)
class TableMade:
    """The table of a task's members is made, and at home in the results folder."""

    at: datetime
    name: str
    """The task as written."""
    edition: int
    """Which of its tables: of one that was asked for before members ran again nothing follows."""
    table: tuple[Artifact, ...]
    """It and the errors beside it; empty when they could not be made."""
    rows: int = 0
    errors: int = 0
    """How many members have no row."""
    problem: str = ""
    """Why members that have succeeded have no row, or there is no table."""


@frozen(kw_only=True)
class CancelAsked:
    """Somebody wants these tasks ended, or the whole run when there are none named."""

    at: datetime
    tasks: tuple[str, ...] = ()


@frozen(kw_only=True)
class RetryAsked:
    """Somebody wants these failed, cancelled or skipped tasks tried again with fresh budgets."""

    at: datetime
    tasks: tuple[str, ...]


@frozen(kw_only=True)
class StopAsked:
    """Start nothing more; what runs may end. The run can be continued later."""

    at: datetime


@frozen(kw_only=True)
class RunEnded:
    """Nothing is left to do; ``state`` is succeeded, failed, cancelled or interrupted."""

    at: datetime
    state: str


# As text: the last three bring modules that a run needs only when it builds, rents or moves something, and every start
# of a run waits for what is imported.
Event: TypeAlias = (
    "AttemptEnded | AttemptIntended | AttemptStarted | CancelAsked | InputsFailed | MachineAdded | MachineGone | "
    "MachineResized | MembersMade | ResultsDelivered | RetryAsked | RunContinued | RunEnded | StopAsked | TableMade | "
    "TasksAdded | TasksIdentified | EnvironmentEvent | LeaseEvent | MoveEvent"
)
