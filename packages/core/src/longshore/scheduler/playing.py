"""A run in which nothing is executed, moved or rented: the scheduler's own decisions, under a clock that jumps from
event to event.

Attempts take as long as they are said to take, and all succeed; what is rented comes. Equal arguments give equal
results.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from typing import assert_never

from longshore.errors import RunError
from longshore.model.artifact import Artifact
from longshore.model.environment_events import BuildIntended, EnvironmentBuilt
from longshore.model.events import (
    AttemptEnded,
    AttemptIntended,
    Event,
    Identified,
    MachineAdded,
    MachineGone,
    MembersMade,
    ResultsDelivered,
    RunContinued,
    RunEnded,
    TableMade,
    TasksIdentified,
)
from longshore.model.lease_events import LeaseChanged, LeaseDraining, LeaseIntended, OffersFound, TasksRefused
from longshore.model.lease_phase import LeasePhase
from longshore.model.move_events import InputsStaged, Moved, ObjectsDiscarded
from longshore.model.outcome import Exited
from longshore.model.rented import WhenIdle
from longshore.model.workflow import WorkflowSpec
from longshore.plugin.protocols import AssignmentStrategy
from longshore.scheduler.actions import (
    Action,
    CancelAttempt,
    Deliver,
    EndRun,
    Identify,
    MakeMembers,
    MakeTable,
    StartAttempt,
    WakeAt,
)
from longshore.scheduler.apply import apply
from longshore.scheduler.away_actions import BuildEnvironment, CancelBuild, Discard, LoseMachine, Move, StageAttempt
from longshore.scheduler.building import begin
from longshore.scheduler.decide import decide
from longshore.scheduler.renting_actions import DrainMachine, FindOffers, GiveUp, RefuseTasks, Rent, StartAgain
from longshore.scheduler.state import LIVE, RunState, TaskState
from longshore.scheduler.virtual import Played, Stay, VirtualMachine, World
from longshore.scheduler.virtual_places import Place, reads

__all__ = ["play"]


def play(spec: WorkflowSpec, strategy: AssignmentStrategy, world: World) -> Played:
    """Play a resolved workflow to its end.

    Raises:
        RunError: when tasks wait for machines that never come.
        PluginBroken: when the strategy breaks its promises.
    """
    return _Play(spec, strategy, world).to_the_end()


class _Play:
    def __init__(self, spec: WorkflowSpec, strategy: AssignmentStrategy, world: World) -> None:
        self._strategy = strategy
        self._world = world
        self._state: RunState = begin(spec)
        self._now = world.begin
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._entries = 0
        self._asked: set[Action] = set()
        self._wakes: set[datetime] = set()
        self._stays: list[Stay] = []
        self._moved_bytes = 0
        self._refusals: dict[str, None] = {}
        self._places: dict[str, Place] = {}
        self._away = any(machine.store for machine in world.machines) or bool(self._state.rented)

    def to_the_end(self) -> Played:
        self._take(RunContinued(at=self._now, fence=1))
        for machine in self._world.machines:
            self._places[machine.id] = Place(machine, machine.resources, since=self._now)
            self._add(machine, vanishes=False)
        self._settle()
        while self._state.ended is None:
            if not self._agenda:
                raise RunError(f"{self._waiting()} for machines that never come")
            self._now = self._agenda[0][0]
            while self._agenda and self._agenda[0][0] == self._now:
                heappop(self._agenda)[2]()
            self._settle()
        makespan = self._now - self._world.begin
        return Played(
            strategy=self._state.workflow.strategy.name,
            state=self._state.ended,
            makespan=makespan,
            attempts=tuple(self._stays),
            machines=tuple(place.used(self._now) for place in self._places.values()),
            moved_bytes=self._moved_bytes,
            refusals=tuple(self._refusals),
        )

    def _settle(self) -> None:
        """Do all that is decided until nothing more is."""
        happened = True
        while happened and self._state.ended is None:
            happened = False
            for action in decide(self._state, self._strategy, self._now):
                happened |= self._perform(action)

    def _perform(self, action: Action) -> bool:
        """Do one thing; answer whether something has happened by that already."""
        match action:
            case StartAttempt(task, attempt, machine):
                self._take(AttemptIntended(at=self._now, task=task, attempt=attempt, machine=machine))
                if task not in self._state.where.staging:
                    self._begin(self._state.tasks[task])
            case Identify(tasks):
                self._take(TasksIdentified(at=self._now, items=tuple(map(self._identified, tasks))))
            case MakeMembers(name):
                unknown = (("1",),) * len(self._state.groups[name].spec.for_each)
                values = self._world.members.get(name, unknown)
                self._take(MembersMade(at=self._now, name=name, values=tuple(map(tuple, values))))
            case Deliver(task):
                self._take(ResultsDelivered(at=self._now, task=task))
            case MakeTable(name, edition):
                self._take(TableMade(at=self._now, name=name, edition=edition, table=()))
            case Discard(machine, digests):
                self._take(ObjectsDiscarded(at=self._now, machine=machine, digests=digests))
            case StageAttempt(task, attempt, machine):
                return self._ask(action, self._missing(task), partial(self._stage, task, attempt))
            case Move(artifact, source, _, target):
                return self._ask(action, artifact.size, partial(self._arrive, artifact, source, target))
            case BuildEnvironment(environment, number, machine):
                # How long a build takes nobody can say; it is not played.
                self._take(BuildIntended(at=self._now, environment=environment, number=number, machine=machine))
                self._take(EnvironmentBuilt(at=self._now, environment=environment, number=number, key=environment))
            case LoseMachine(machine, reason):
                self._take(MachineGone(at=self._now, machine=machine, reason=reason))
            case EndRun(state):
                self._take(RunEnded(at=self._now, state=state))
            case WakeAt(at):
                if at not in self._wakes:
                    self._wakes.add(at)
                    self._enter(at, lambda: None)
                return False
            case CancelAttempt() | CancelBuild():
                return False
            case DrainMachine() | FindOffers() | GiveUp() | RefuseTasks() | Rent() | StartAgain():
                self._rent(action)
            case _:
                assert_never(action)
        return True

    def _rent(self, action: DrainMachine | FindOffers | GiveUp | RefuseTasks | Rent | StartAgain) -> None:
        match action:
            case FindOffers(pool, largest):
                self._take(OffersFound(at=self._now, pool=pool, offers=self._world.offers(pool, largest)))
            case Rent(lease, pool, kind, offer, ends_at):
                self._take(LeaseIntended(at=self._now, lease=lease, pool=pool, kind=kind, offer=offer, ends_at=ends_at))
                price = None if offer.price is None else offer.price.per_hour
                machine = VirtualMachine(
                    id=lease, pool=pool, resources=offer.resources, price_per_hour=price, store=lease
                )
                self._places[lease] = Place(machine, machine.resources, since=self._now)
                self._enter(self._now + self._world.boot, partial(self._come_up, lease))
                self._enter(ends_at, partial(self._expire, lease))
            case StartAgain(lease):
                self._places[lease].since = self._now
                self._change(lease, LeasePhase.KNOWN)
                self._enter(self._now + self._world.boot, partial(self._come_up, lease))
            case DrainMachine(lease, reason):
                self._take(LeaseDraining(at=self._now, lease=lease, reason=reason))
            case GiveUp(lease, how, reason):
                self._give_up(lease, how, reason)
            case RefuseTasks(tasks, reason, failure):
                self._refusals[reason] = None
                self._take(TasksRefused(at=self._now, tasks=tasks, reason=reason, failure=failure))

    # --- what comes of it

    def _come_up(self, lease: str) -> None:
        if self._state.leases[lease].phase in {LeasePhase.INTENDED, LeasePhase.KNOWN}:
            self._change(lease, LeasePhase.READY)
            self._add(self._places[lease].machine, vanishes=True)

    def _give_up(self, lease: str, how: WhenIdle, reason: str) -> None:
        if how is WhenIdle.KEEP:
            self._change(lease, self._state.leases[lease].phase, kept=True)
            return
        self._leave(lease, reason)
        self._change(lease, LeasePhase.STOPPED if how is WhenIdle.STOP else LeasePhase.ABSENT)

    def _expire(self, lease: str) -> None:
        """End a machine at the hard end of its life; what runs on it is lost."""
        if self._state.leases[lease].open:
            self._leave(lease, "its life is over")
            self._change(lease, LeasePhase.ABSENT)

    def _leave(self, lease: str, reason: str) -> None:
        self._places[lease].leave(self._now)
        if lease in self._state.machines and not self._state.machines[lease].gone:
            self._take(MachineGone(at=self._now, machine=lease, reason=reason))

    def _change(self, lease: str, phase: LeasePhase, *, kept: bool = False) -> None:
        known, place = self._state.leases[lease], self._places[lease]
        self._take(
            LeaseChanged(
                at=self._now,
                lease=lease,
                pool=known.pool,
                phase=phase,
                machine=lease,
                offer=known.offer,
                price=known.price,
                cost=place.used(self._now).cost if phase is LeasePhase.ABSENT else known.cost,
                ends_at=known.ends_at,
                kept=kept,
            )
        )

    def _add(self, machine: VirtualMachine, *, vanishes: bool) -> None:
        self._take(
            MachineAdded(
                at=self._now,
                machine=machine.id,
                pool=machine.pool,
                resources=machine.resources,
                slots=machine.slots,
                price_per_hour=machine.price_per_hour,
                store=machine.store,
                vanishes=vanishes,
            )
        )

    def _identified(self, name: str) -> Identified:
        task = self._state.tasks[name].task
        if name in self._world.up_to_date:
            return Identified(task=name, identity=name, outputs=tuple(self._world.outputs(task)))
        return Identified(task=name, identity=name, inputs=reads(self._state, task) if self._away else ())

    def _ask(self, action: Action, size: int, arrive: Callable[[], None]) -> bool:
        """Let something travel, once, however often it is asked for."""
        if action in self._asked:
            return False
        self._asked.add(action)
        self._moved_bytes += size

        def answer() -> None:
            self._asked.discard(action)
            arrive()

        if not (size and self._world.bandwidth):
            answer()
            return True
        self._enter(self._now + timedelta(seconds=size / self._world.bandwidth), answer)
        return False

    def _missing(self, name: str) -> int:
        task = self._state.tasks[name]
        store = self._state.where.stores.get(self._state.machines[task.machine].store)
        return 0 if store is None else sum(each.size for each in task.view.inputs if each.sha256 not in store)

    def _stage(self, task: str, attempt: int) -> None:
        state = self._state.tasks[task]
        if task in self._state.where.staging and state.attempts == attempt:
            self._take(InputsStaged(at=self._now, task=task, attempt=attempt))
            self._begin(state)

    def _arrive(self, artifact: Artifact, source: str, target: str) -> None:
        self._take(Moved(at=self._now, artifacts=(artifact,), source=source, target=target))

    def _begin(self, task: TaskState) -> None:
        place = self._places[task.machine]
        place.waiting.append((task.task.id, task.attempts, task.view.needs, self._world.seconds(task.task)))
        self._start_on(place)

    def _start_on(self, place: Place) -> None:
        for task, attempt, _, seconds in place.next_starts():
            self._enter(self._now + timedelta(seconds=seconds), partial(self._end, task, attempt, self._now))

    def _end(self, name: str, attempt: int, began: datetime) -> None:
        task = self._state.tasks[name]
        if task.phase not in LIVE or task.attempts != attempt:
            return  # its machine has gone before
        place = self._places[task.machine]
        self._stays.append(Stay(name, task.machine, began - self._world.begin, self._now - self._world.begin))
        place.end(task.view.needs, (self._now - began).total_seconds())
        self._start_on(place)
        self._take(
            AttemptEnded(
                at=self._now,
                task=name,
                attempt=attempt,
                outcome=Exited(0),
                started_at=began,
                ended_at=self._now,
                outputs=tuple(self._world.outputs(task.task)),
            )
        )

    def _take(self, event: Event) -> None:
        apply(self._state, event)

    def _enter(self, at: datetime, act: Callable[[], None]) -> None:
        self._entries += 1
        heappush(self._agenda, (at, self._entries, act))

    def _waiting(self) -> str:
        waiting = [view.id for queue in self._state.ready.values() for view in queue]
        return f"{', '.join(waiting[:3])}{', ...' if len(waiting) > 3 else ''} would wait"
