"""The core's own assignment strategies.

All are pure and work through the waiting tasks one by one; a task that fits nowhere now is passed over, so that smaller
ones behind it use the room. They differ in the order of the tasks and in the choice of the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from attrs import field, frozen
from attrs.validators import ge

from longshore.model.resources import Resources
from longshore.model.views import Assignment, MachineView, TaskView
from longshore.plugin import API_VERSION, StrategyRecord, hookimpl

__all__ = [
    "Cheapest",
    "CriticalPath",
    "DataLocal",
    "FirstFit",
    "NoOptions",
    "Random",
    "RandomOptions",
    "RoundRobin",
    "Spread",
]

# Sums of fractional cpus (0.1 + 0.2) must not make a full machine look overfull; the same as in `Resources`.
_TOLERANCE = 1e-9
_MASK = (1 << 64) - 1


class _Room:
    """What is left of a machine while assignments are made: plain numbers, since values would cost more than the
    decision.
    """

    __slots__ = ("capacity", "cpus", "disk", "gpus", "has", "id", "largest", "memory", "passed", "slots")

    def __init__(self, machine: MachineView) -> None:
        free = machine.free
        self.has = machine.has
        self.id = machine.id
        self.slots = machine.slots
        self.cpus = free.cpus
        self.memory = free.memory_bytes
        self.gpus = free.gpus
        self.disk = free.disk_bytes
        self.capacity = machine.capacity
        self.largest = machine.largest
        self.passed: Resources | None = None
        """The needs last found to be within ``largest``."""

    def takes(self, needs: Resources) -> bool:
        if (
            self.slots <= 0
            or needs.cpus > self.cpus + _TOLERANCE
            or needs.memory_bytes > self.memory
            or needs.gpus > self.gpus
            or needs.disk_bytes > self.disk
        ):
            return False
        if needs is not self.passed:
            if not needs.fits(self.largest):
                return False
            self.passed = needs
        return True

    def take(self, needs: Resources) -> None:
        self.slots -= 1
        self.cpus = max(0.0, self.cpus - needs.cpus)
        self.memory -= needs.memory_bytes
        self.gpus -= needs.gpus
        self.disk -= needs.disk_bytes

    def share_left(self, needs: Resources) -> float:
        """How much of the machine would be free with this task on it: of its cpus or its memory, whichever is
        scarcer.
        """
        share = (self.cpus - needs.cpus) / (self.capacity.cpus or 1.0)
        if self.capacity.memory_bytes and needs.memory_bytes:
            share = min(share, (self.memory - needs.memory_bytes) / self.capacity.memory_bytes)
        return share


_Choice = Callable[[TaskView, list[_Room]], _Room | None]
"""Of all rooms (none of them without slots) one that takes the task; None when there is none."""


def _assign(waiting: Sequence[TaskView], machines: Sequence[MachineView], choose: _Choice) -> list[Assignment]:
    rooms = [_Room(machine) for machine in machines if machine.slots > 0]
    chosen: list[Assignment] = []
    # Room only shrinks, so needs that fitted nowhere once need no second look. By identity first, which costs nothing:
    # members of one task share their needs.
    seen: set[int] = set()
    hopeless: set[tuple[float, int, int, int]] = set()
    for task in waiting:
        if not rooms:
            break
        needs = task.needs
        if id(needs) in seen:
            continue
        if hopeless and _amounts(needs) in hopeless:
            continue
        room = choose(task, rooms)
        if room is None:
            seen.add(id(needs))
            hopeless.add(_amounts(needs))
            continue
        room.take(needs)
        chosen.append(Assignment(task.id, room.id))
        if not room.slots:
            rooms.remove(room)
    return chosen


def _amounts(needs: Resources) -> tuple[float, int, int, int]:
    return needs.cpus, needs.memory_bytes, needs.gpus, needs.disk_bytes


def _first(task: TaskView, rooms: list[_Room]) -> _Room | None:
    for room in rooms:
        if room.takes(task.needs):
            return room
    return None


def _freest(task: TaskView, rooms: list[_Room]) -> _Room | None:
    best, most = None, 0.0
    for room in rooms:
        if room.takes(task.needs):
            share = room.share_left(task.needs)
            if best is None or share > most:
                best, most = room, share
    return best


class CriticalPath:
    """The most urgent task first (the user's priority, then the longest path to the end), on the first machine with
    room.
    """

    def assign(
        self, waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime
    ) -> Sequence[Assignment]:
        """Choose assignments."""
        # By contract the most urgent come first already; to sort hundreds again for the one that fits would cost more
        # than all else.
        return _assign(waiting, machines, _first)


class FirstFit:
    """In the order of the workflow file, whatever is urgent, on the first machine with room."""

    def assign(
        self, waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime
    ) -> Sequence[Assignment]:
        """Choose assignments."""
        return _assign(sorted(waiting, key=lambda task: task.order), machines, _first)


class Cheapest:
    """The most urgent task first, on the machine with room that costs least per hour; what has no price comes first,
    and equal ones are filled in turn, so that the last can be given back.
    """

    def assign(
        self, waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime
    ) -> Sequence[Assignment]:
        """Choose assignments."""
        return _assign(waiting, sorted(machines, key=_price), _first)


def _price(machine: MachineView) -> Decimal:
    return machine.price_per_hour.amount if machine.price_per_hour is not None else Decimal(0)


class DataLocal:
    """The most urgent tasks first; of equal ones those that find all that they read on a machine with room. A task goes
    where the fewest bytes would have to travel, and of equal machines to that which then has the greatest part free.
    """

    def assign(
        self, waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime
    ) -> Sequence[Assignment]:
        """Choose assignments."""
        rooms = [_Room(machine) for machine in machines if machine.slots > 0]
        hopeless: set[tuple[float, int, int, int]] = set()
        chosen: list[Assignment] = []
        for _, equals in groupby(waiting, key=lambda task: task.priority):
            tasks = list(equals)
            for most in (0, None):
                tasks = [task for task in tasks if not _taken(task, rooms, most, hopeless, chosen)]
        return chosen


def _taken(
    task: TaskView,
    rooms: list[_Room],
    most: int | None,
    hopeless: set[tuple[float, int, int, int]],
    chosen: list[Assignment],
) -> bool:
    """Give a task the nearest room, if there is one to which no more than ``most`` bytes must travel."""
    amounts = _amounts(task.needs)
    if amounts in hopeless:
        return True
    room, lacks = _nearest(task, rooms)
    if room is None:
        hopeless.add(amounts)
        return True
    if most is not None and lacks > most:
        return False
    room.take(task.needs)
    chosen.append(Assignment(task.id, room.id))
    return True


def _nearest(task: TaskView, rooms: list[_Room]) -> tuple[_Room | None, int]:
    inputs = [(each.sha256, each.size) for each in task.inputs]
    if not inputs:
        return _freest(task, rooms), 0
    best, least, greatest = None, 0, 0.0
    for room in rooms:
        if room.takes(task.needs):
            lacks, has = 0, room.has
            for sha256, size in inputs:  # as `MachineView.lacks`, which would be called 100,000 times here
                if sha256 not in has:
                    lacks += size
            if best is None or lacks <= least:
                share = room.share_left(task.needs)
                if best is None or lacks < least or share > greatest:
                    best, least, greatest = room, lacks, share
    return best, least


class Spread:
    """The most urgent task first, on the machine that then has the greatest part free: all machines are about equally
    busy.
    """

    def assign(
        self, waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime
    ) -> Sequence[Assignment]:
        """Choose assignments."""
        return _assign(waiting, machines, _freest)


class RoundRobin:
    """Task number k of the workflow on machine k modulo their number, or the next one with room."""

    def assign(
        self, waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime
    ) -> Sequence[Assignment]:
        """Choose assignments."""
        turn = {machine.id: place for place, machine in enumerate(machines)}

        def choose(task: TaskView, rooms: list[_Room]) -> _Room | None:
            start = task.order % len(machines)
            able = [room for room in rooms if room.takes(task.needs)]
            return min(able, key=lambda room: (turn[room.id] - start) % len(machines), default=None)

        return _assign(waiting, machines, choose)


@frozen(kw_only=True)
class NoOptions:
    """For strategies that have nothing to choose."""


@frozen(kw_only=True)
class RandomOptions:
    """Options of the strategy ``random``."""

    seed: int = field(default=0, validator=ge(0))
    """The same seed puts the same task on the same machine, as long as the same machines have room."""


class Random:
    """The most urgent task first, on any machine with room; all are equally likely."""

    def __init__(self, options: RandomOptions) -> None:
        self._seed = options.seed

    def assign(
        self, waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime
    ) -> Sequence[Assignment]:
        """Choose assignments."""

        def choose(task: TaskView, rooms: list[_Room]) -> _Room | None:
            able = [room for room in rooms if room.takes(task.needs)]
            return able[_mixed(self._seed, task.order) % len(able)] if able else None

        return _assign(waiting, machines, choose)


def _mixed(seed: int, order: int) -> int:
    """Mix two numbers so that neighbours have nothing in common (SplitMix64): a generator with a state would make equal
    inputs differ.
    """
    mixed = (seed * 0x9E3779B97F4A7C15 + order + 1) * 0x9E3779B97F4A7C15 & _MASK
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    return mixed ^ mixed >> 31


@hookimpl
def longshore_strategies() -> Sequence[StrategyRecord]:
    """Announce the core's own strategies."""
    return (
        StrategyRecord(name="cheapest", config=NoOptions, factory=lambda _: Cheapest(), api=API_VERSION),
        StrategyRecord(name="critical-path", config=NoOptions, factory=lambda _: CriticalPath(), api=API_VERSION),
        StrategyRecord(name="data-local", config=NoOptions, factory=lambda _: DataLocal(), api=API_VERSION),
        StrategyRecord(name="first-fit", config=NoOptions, factory=lambda _: FirstFit(), api=API_VERSION),
        StrategyRecord(name="random", config=RandomOptions, factory=Random, api=API_VERSION),
        StrategyRecord(name="round-robin", config=NoOptions, factory=lambda _: RoundRobin(), api=API_VERSION),
        StrategyRecord(name="spread", config=NoOptions, factory=lambda _: Spread(), api=API_VERSION),
    )
