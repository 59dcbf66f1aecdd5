"""Machines while they are filled, and the quick ways to fill them, with which the solver's answer is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from longshore.model.resources import Resources
from longshore.model.views import Assignment, MachineView, TaskView

__all__ = ["Room", "fill", "first_room", "freest_room"]

_TOLERANCE = 1e-9
"""As in `Resources`: sums of fractional cpus must not make a full machine look overfull."""


class Room:
    """What is left of a machine while assignments are made."""

    __slots__ = ("capacity", "cpus", "disk", "gpus", "id", "largest", "memory", "slots")

    def __init__(self, machine: MachineView) -> None:
        self.id = machine.id
        self.slots = machine.slots
        self.cpus = machine.free.cpus
        self.memory = machine.free.memory_bytes
        self.gpus = machine.free.gpus
        self.disk = machine.free.disk_bytes
        self.capacity = machine.capacity
        self.largest = machine.largest

    def takes(self, needs: Resources) -> bool:
        """Say whether a task with these needs still fits."""
        return (
            self.slots > 0
            and needs.cpus <= self.cpus + _TOLERANCE
            and needs.memory_bytes <= self.memory
            and needs.gpus <= self.gpus
            and needs.disk_bytes <= self.disk
            and needs.fits(self.largest)
        )

    def take(self, needs: Resources) -> None:
        """Put a task in."""
        self.slots -= 1
        self.cpus = max(0.0, self.cpus - needs.cpus)
        self.memory -= needs.memory_bytes
        self.gpus -= needs.gpus
        self.disk -= needs.disk_bytes

    def share_left(self, needs: Resources) -> float:
        """Say which part of its cpus or its memory, whichever is scarcer, would be free with a task in it."""
        share = (self.cpus - needs.cpus) / (self.capacity.cpus or 1.0)
        if self.capacity.memory_bytes and needs.memory_bytes:
            share = min(share, (self.memory - needs.memory_bytes) / self.capacity.memory_bytes)
        return share


Choice = Callable[[Resources, Sequence[Room]], Room | None]


def first_room(needs: Resources, rooms: Sequence[Room]) -> Room | None:
    """Choose the first room that takes a task."""
    return next((room for room in rooms if room.takes(needs)), None)


def freest_room(needs: Resources, rooms: Sequence[Room]) -> Room | None:
    """Choose the room that then has the greatest part free, so that all are about equally busy."""
    return max((room for room in rooms if room.takes(needs)), key=lambda room: room.share_left(needs), default=None)


def fill(tasks: Iterable[TaskView], rooms: Sequence[Room], choose: Choice) -> list[Assignment]:
    """Put each task into the room chosen for it, in their order, passing over those that fit nowhere."""
    chosen: list[Assignment] = []
    # Room only shrinks: needs that fitted nowhere once need no second look. Members of one task share their needs.
    hopeless: set[int] = set()
    for task in tasks:
        if id(task.needs) in hopeless:
            continue
        room = choose(task.needs, rooms)
        if room is None:
            hopeless.add(id(task.needs))
            continue
        room.take(task.needs)
        chosen.append(Assignment(task.id, room.id))
    return chosen
