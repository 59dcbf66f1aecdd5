"""A run in which nothing is executed: the scheduler's own decisions, under a clock that jumps from event to event.

Attempts take as long as they are said to take, and all succeed. Equal arguments give equal results.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from heapq import heappop, heappush
from typing import Any

from attrs import define, field, frozen

from longshore.errors import RunError
from longshore.model.events import (
    AttemptEnded,
    AttemptIntended,
    Event,
    Identified,
    MachineAdded,
    MembersMade,
    ResultsDelivered,
    RunContinued,
    RunEnded,
    TasksIdentified,
)
from longshore.model.offer import Price, cost_between
from longshore.model.outcome import Exited
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.model.task import Task
from longshore.model.workflow import WorkflowSpec
from longshore.plugin.protocols import AssignmentStrategy
from longshore.scheduler.actions import Deliver, EndRun, Identify, MakeMembers, StartAttempt, WakeAt
from longshore.scheduler.apply import apply
from longshore.scheduler.building import begin
from longshore.scheduler.decide import decide
from longshore.scheduler.state import RunState

__all__ = ["BEGIN", "MachineUse", "Played", "Stay", "VirtualMachine", "World", "play"]

BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""When runs begin unless they are told: some Monday morning, the same each time."""


@frozen(kw_only=True)
class VirtualMachine:
    """A machine that a run can have from its beginning."""

    id: str
    pool: str
    resources: Resources
    slots: int | None = None
    price_per_hour: Money | None = None
    """None when it costs nothing, or nobody knows."""
    boot: timedelta = timedelta()
    """So long after the beginning it takes its first attempt; it is paid for from the beginning."""


@frozen(kw_only=True)
class World:
    """All that a run meets."""

    machines: Sequence[VirtualMachine]
    seconds: Callable[[Task], float]
    """How long an attempt of a task takes."""
    members: Mapping[str, Sequence[Sequence[str]]] = field(factory=dict[str, Sequence[Sequence[str]]])
    """By task as written: the values of each of its parameters that an earlier task's outputs give. One member of a
    task that is not in it stands for all.
    """
    up_to_date: Collection[str] = ()
    """Tasks that need not run."""
    begin: datetime = BEGIN


@frozen
class Stay:
    """One attempt: where it was, and when, counted from the beginning of the run."""

    task: str
    machine: str
    begin: timedelta
    end: timedelta


@frozen(kw_only=True)
class MachineUse:
    """What one machine did."""

    machine: VirtualMachine
    attempts: int
    cpu_seconds: float
    """The cpus that its attempts had, each times its seconds."""
    up: timedelta
    """For how long it was there, and paid for."""
    cost: Money | None

    @property
    def utilisation(self) -> float:
        """Which part of its cpus were in use while it was there."""
        there = self.machine.resources.cpus * self.up.total_seconds()
        return self.cpu_seconds / there if there else 0.0


@frozen(kw_only=True)
class Played:
    """How a run went."""

    strategy: str
    state: str
    """As that of a real run: ``succeeded`` unless something in the workflow cannot be."""
    makespan: timedelta
    attempts: tuple[Stay, ...]
    """In the order in which they ended."""
    machines: tuple[MachineUse, ...]

    @property
    def utilisation(self) -> float:
        """Which part of all cpus were in use, from the beginning to the end."""
        there = sum(each.machine.resources.cpus * each.up.total_seconds() for each in self.machines)
        return sum(each.cpu_seconds for each in self.machines) / there if there else 0.0

    @property
    def costs(self) -> tuple[Money, ...]:
        """What all machines cost, in each currency."""
        sums: Counter[str] = Counter()
        for each in self.machines:
            if each.cost is not None:
                sums[each.cost.currency] += each.cost.amount  # type: ignore[assignment]  # counts add up as ints do
        return tuple(Money(amount=Decimal(amount), currency=currency) for currency, amount in sorted(sums.items()))


def play(spec: WorkflowSpec, strategy: AssignmentStrategy, world: World) -> Played:
    """Play a resolved workflow to its end.

    Raises:
        RunError: when tasks wait for machines that never come.
        PluginBroken: when the strategy breaks its promises.
    """
    return _Play(spec, strategy, world).to_the_end()


@define
class _Place:
    """What a machine does with its attempts: those that do not fit at once wait in their order, as in a real one."""

    machine: VirtualMachine
    free: Resources
    waiting: deque[tuple[str, int, Resources, float]] = field(factory=deque)
    attempts: int = 0
    cpu_seconds: float = 0.0

    def next_starts(self) -> list[tuple[str, int, Resources, float]]:
        starts = []
        while self.waiting and self.waiting[0][2].fits(self.free):
            starts.append(self.waiting.popleft())
            self.free -= starts[-1][2]
        return starts

    def end(self, needs: Resources, seconds: float) -> None:
        self.free += needs
        self.attempts += 1
        self.cpu_seconds += needs.cpus * seconds


class _Play:
    def __init__(self, spec: WorkflowSpec, strategy: AssignmentStrategy, world: World) -> None:
        self._strategy = strategy
        self._world = world
        self._state: RunState = begin(spec)
        self._now = world.begin
        self._agenda: list[tuple[datetime, int, Event | None]] = []
        self._entries = 0
        self._wakes: set[datetime] = set()
        self._stays: list[Stay] = []
        self._places = {machine.id: _Place(machine, machine.resources) for machine in world.machines}

    def to_the_end(self) -> Played:
        self._take(RunContinued(at=self._now, fence=1))
        for machine in self._world.machines:
            at = self._now + machine.boot
            self._enter(
                at,
                MachineAdded(
                    at=at,
                    machine=machine.id,
                    pool=machine.pool,
                    resources=machine.resources,
                    slots=machine.slots,
                    price_per_hour=machine.price_per_hour,
                ),
            )
        while self._state.ended is None:
            if not self._agenda:
                raise RunError(f"{self._waiting()} for machines that never come")
            self._now = self._agenda[0][0]
            while self._agenda and self._agenda[0][0] == self._now:
                event = heappop(self._agenda)[2]
                if event is not None:
                    self._take(event)
            self._settle()
        return self._played(self._state.ended)

    def _settle(self) -> None:
        """Do all that is decided until nothing more is."""
        happened = True
        while happened:
            happened = False
            for action in decide(self._state, self._strategy, self._now):
                happened |= self._perform(action)

    def _perform(self, action: Any) -> bool:
        """Do one thing; answer whether something has happened by that already."""
        match action:
            case StartAttempt(task, attempt, machine):
                self._take(AttemptIntended(at=self._now, task=task, attempt=attempt, machine=machine))
                state = self._state.tasks[task]
                seconds = self._world.seconds(state.task)
                self._places[machine].waiting.append((task, attempt, state.view.needs, seconds))
                self._start_on(self._places[machine])
            case Identify(tasks):
                done = self._world.up_to_date
                items = (Identified(task=task, identity=task, outputs=() if task in done else None) for task in tasks)
                self._take(TasksIdentified(at=self._now, items=tuple(items)))
            case MakeMembers(name):
                unknown = (("1",),) * len(self._state.groups[name].spec.for_each)
                values = self._world.members.get(name, unknown)
                self._take(MembersMade(at=self._now, name=name, values=tuple(map(tuple, values))))
            case Deliver(task):
                self._take(ResultsDelivered(at=self._now, task=task))
            case EndRun(state):
                self._take(RunEnded(at=self._now, state=state))
            case WakeAt(at):
                if at not in self._wakes:
                    self._wakes.add(at)
                    self._enter(at, None)
                return False
            case _:
                raise RunError(f"a simulated run cannot {type(action).__name__}")
        return True

    def _start_on(self, place: _Place) -> None:
        for task, attempt, _, seconds in place.next_starts():
            at = self._now + timedelta(seconds=seconds)
            ended = AttemptEnded(
                at=at, task=task, attempt=attempt, outcome=Exited(0), started_at=self._now, ended_at=at
            )
            self._enter(at, ended)

    def _take(self, event: Event) -> None:
        if isinstance(event, AttemptEnded):
            task = self._state.tasks[event.task]
            place = self._places[task.machine]
            begin = self._now if event.started_at is None else event.started_at
            self._stays.append(Stay(event.task, task.machine, begin - self._world.begin, self._now - self._world.begin))
            place.end(task.view.needs, (self._now - begin).total_seconds())
            self._start_on(place)
        apply(self._state, event)

    def _enter(self, at: datetime, event: Event | None) -> None:
        self._entries += 1
        heappush(self._agenda, (at, self._entries, event))

    def _waiting(self) -> str:
        waiting = [view.id for queue in self._state.ready.values() for view in queue]
        return f"{', '.join(waiting[:3])}{', ...' if len(waiting) > 3 else ''} would wait"

    def _played(self, state: str) -> Played:
        makespan = self._now - self._world.begin
        return Played(
            strategy=self._state.workflow.strategy.name,
            state=state,
            makespan=makespan,
            attempts=tuple(self._stays),
            machines=tuple(self._use(place, makespan) for place in self._places.values()),
        )

    def _use(self, place: _Place, up: timedelta) -> MachineUse:
        rate = place.machine.price_per_hour
        price = None if rate is None else Price(per_hour=rate, source="simulation", at=self._world.begin)
        return MachineUse(
            machine=place.machine,
            attempts=place.attempts,
            cpu_seconds=place.cpu_seconds,
            up=up,
            cost=None if price is None else cost_between(price, self._world.begin, self._world.begin + up),
        )
