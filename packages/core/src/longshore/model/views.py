"""What an assignment strategy sees, and what it answers."""

from __future__ import annotations

from collections.abc import Container

from attrs import field, frozen

from longshore.model.artifact import Input
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
    inputs: tuple[Input, ...] = ()
    """What it reads; empty as long as all machines of the run use the project's store, where nothing has to travel."""
    environment: str = ""
    """What must be on a machine before it goes there; empty for nothing. Only machines that have it are offered."""


class _Everything:
    """Has whatever is asked for."""

    def __contains__(self, sha256: object) -> bool:
        return True


_EVERYTHING: Container[str] = _Everything()


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
    has: Container[str] = field(default=_EVERYTHING, eq=False)
    """The digests that are in its store, as far as they are known; for a machine with the project's store all but
    those that only other machines have.
    """

    def lacks(self, task: TaskView) -> int:
        """Say how many bytes would have to travel if a task went there."""
        return sum(each.size for each in task.inputs if each.sha256 not in self.has)


@frozen
class Assignment:
    """This task on this machine, now."""

    task: str
    machine: str
