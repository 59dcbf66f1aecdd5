"""What an assignment strategy sees, and what it answers."""

from __future__ import annotations

from attrs import frozen

from longshore.model.quantity import Money
from longshore.model.resources import Resources

__all__ = ["Assignment", "MachineView", "TaskView"]


@frozen(kw_only=True, eq=False)
class TaskView:
    """A task that could start now."""

    id: str
    name: str
    """The task as written that it comes from."""
    needs: Resources
    priority: float
    """Higher is more urgent: the user's priority, then the longest path to the end of the workflow, in tasks."""
    order: int
    """Position in the workflow; unique."""


@frozen(kw_only=True)
class MachineView:
    """A machine that could take tasks now."""

    id: str
    pool: str
    capacity: Resources
    free: Resources
    """Room for assignments. It may exceed what is idle when tasks are so short that some should wait on the machine
    itself.
    """
    slots: int
    """How many more tasks it takes, whatever their needs."""
    largest: Resources
    """The biggest single task that it can take when idle."""
    price_per_hour: Money | None = None
    """What it costs while it is rented; None when it costs nothing, or nobody knows."""
    shares_files: bool = True
    """Whether attempts on it share a file system."""


@frozen
class Assignment:
    """This task on this machine, now."""

    task: str
    machine: str
