"""Waiting tasks that are alike in all that counts, and what each is worth."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from longshore.model.resources import Resources
from longshore.model.views import MachineView, TaskView

__all__ = ["Kind", "kinds_of", "worths"]

_SCALE = 1_000_000_000
"""Worth of a task that takes all of the machines, if it is the least urgent: the solver counts in whole numbers."""


@frozen(eq=False)
class Kind:
    """Tasks with the same needs and the same urgency: any of them is as good as any other."""

    needs: Resources
    worth: int
    tasks: tuple[TaskView, ...]


def kinds_of(tasks: Sequence[TaskView], worth: dict[str, int]) -> list[Kind]:
    """Sort tasks into kinds, in the order in which each kind appears first."""
    alike: dict[tuple[Resources, int], list[TaskView]] = {}
    for task in tasks:
        alike.setdefault((task.needs, worth[task.id]), []).append(task)
    return [Kind(needs, each, tuple(members)) for (needs, each), members in alike.items()]


def worths(tasks: Sequence[TaskView], machines: Sequence[MachineView]) -> dict[str, int]:
    """Say what each task is worth: the share of the free machines that it takes, and up to twice that when it is
    urgent.
    """
    totals = (
        sum(machine.free.cpus for machine in machines),
        sum(machine.free.memory_bytes for machine in machines),
        sum(machine.free.gpus for machine in machines),
        sum(machine.free.disk_bytes for machine in machines),
    )
    slots = sum(machine.slots for machine in machines)
    levels = sorted({task.priority for task in tasks})
    urgency = {level: 1 + number / max(1, len(levels) - 1) for number, level in enumerate(levels)}

    def share(needs: Resources) -> float:
        amounts = (needs.cpus, needs.memory_bytes, needs.gpus, needs.disk_bytes)
        # What needs nothing in particular still takes one of the places.
        return max(
            (amount / total for amount, total in zip(amounts, totals, strict=True) if amount and total),
            default=1 / slots,
        )

    return {task.id: max(1, round(_SCALE * share(task.needs) * urgency[task.priority])) for task in tasks}
