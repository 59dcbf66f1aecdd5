"""A run whose machines are rented, played with a cloud that does what it is told to, or what chance says."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from attrs import evolve

from longshore.builtin.strategies import FirstFit
from longshore.model.command import Shell
from longshore.model.events import (
    AttemptEnded,
    AttemptIntended,
    Event,
    Identified,
    MachineAdded,
    MachineGone,
    ResultsDelivered,
    RunContinued,
    RunEnded,
    TasksIdentified,
)
from longshore.model.lease import LeasePhase
from longshore.model.lease_events import LeaseChanged, LeaseDraining, LeaseIntended, OffersFound, TasksRefused
from longshore.model.offer import Needs, Offer, Price, cost_between
from longshore.model.outcome import Exited, FailureClass
from longshore.model.quantity import Money
from longshore.model.rented import MachineKind, RentedPool, WhenIdle
from longshore.model.resources import Resources
from longshore.model.task import TaskSpec
from longshore.model.workflow import LOCAL_POOL, PoolSpec, WorkflowSpec
from longshore.scheduler.actions import Deliver, EndRun, Identify, StartAttempt, WakeAt
from longshore.scheduler.apply import apply
from longshore.scheduler.building import begin
from longshore.scheduler.decide import decide
from longshore.scheduler.pools import usable_offers
from longshore.scheduler.renting_actions import DrainMachine, FindOffers, GiveUp, RefuseTasks, Rent, StartAgain
from longshore.scheduler.state import RunState

EPOCH = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""A Monday."""
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def usd(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency="USD")


def offer(kind: str = "small", cpus: float = 2, rate: str | None = "0.10", *, spot: bool = False) -> Offer:
    price = None if rate is None else Price(per_hour=usd(rate), source="list", at=EPOCH)
    return Offer(type=kind, region="north", resources=Resources(cpus=cpus), price=price, spot=spot)


def pool(*, least: int = 0, most: int = 4, spot: bool = False, **words: object) -> RentedPool:
    kind = MachineKind(needs=Needs(), least=least, most=most, spot=spot)
    return evolve(RentedPool(kinds=(kind,), lifetime=timedelta(hours=2)), **words)  # type: ignore[arg-type]  # test sugar


def tasks(count: int, cpus: float = 2, name: str = "t") -> tuple[TaskSpec, ...]:
    return tuple(TaskSpec(name=f"{name}{n}", command=Shell("true"), needs=Resources(cpus=cpus)) for n in range(count))


def here() -> PoolSpec:
    """Give the pool of this computer."""
    return PoolSpec(name=LOCAL_POOL, executor="local")


class World:
    """The cloud rents at once and boots at once, unless told otherwise."""

    def __init__(
        self,
        rented: RentedPool,
        specs: tuple[TaskSpec, ...],
        *,
        offers: tuple[Offer, ...] = (offer(),),
        besides: tuple[PoolSpec, ...] = (),
        max_cost: Money | None = None,
        seed: int = 0,
    ) -> None:
        pools = (PoolSpec(name="cloud", executor="ssh", provider="fake", rented=rented), *besides)
        self.spec = WorkflowSpec(name="w", tasks=specs, pools=pools, max_cost=max_cost)
        self.rented = rented
        self.offers = offers
        self.now = EPOCH
        self.state: RunState = begin(self.spec)
        self.history: list[Event] = []
        self.random = random.Random(seed)
        self.refused: dict[str, FailureClass] = {}
        self.room: dict[str, int] = {}
        """How many more of a type the account may have."""
        """By type of machine: what the cloud says to launches."""
        self.rate: dict[str, str] = {}
        self.asked: set[object] = set()
        self.launched: list[LeaseIntended] = []
        self.given_up: list[GiveUp] = []
        self.boots = True
        self.wake: datetime | None = None
        self.take(RunContinued(at=self.now, fence=1))
        for each in besides:
            self.take(MachineAdded(at=self.now, machine=each.name, pool=each.name, resources=Resources(cpus=2)))

    def take(self, event: Event) -> None:
        self.history.append(event)
        apply(self.state, event)

    def settle(self, most: int = 400) -> World:
        """Decide, and do all of it, until nothing more is decided at this moment; attempts go on."""
        for _ in range(most):
            if not self.turn():
                return self
        raise AssertionError("it decides for ever")

    def turn(self) -> bool:
        before = len(self.history)
        asked: set[object] = set()
        self.wake = None
        for action in decide(self.state, FirstFit(), self.now):
            if isinstance(action, WakeAt):
                self.wake = action.at if self.wake is None else min(self.wake, action.at)
                continue
            asked.add(action)
            if action not in self.asked:
                self.do(action)
        self.asked = asked
        return len(self.history) > before

    def do(self, action: object) -> None:
        match action:
            case Identify(names):
                self.take(TasksIdentified(at=self.now, items=tuple(Identified(task=n, identity=n) for n in names)))
            case StartAttempt(task, attempt, machine):
                if machine in self.state.lease_of:
                    assert self.state.leases[self.state.lease_of[machine]].phase is LeasePhase.READY
                self.take(AttemptIntended(at=self.now, task=task, attempt=attempt, machine=machine))
            case Deliver(task):
                self.take(ResultsDelivered(at=self.now, task=task))
            case EndRun(state):
                self.take(RunEnded(at=self.now, state=state))
            case FindOffers(name):
                kinds = tuple(usable_offers(self.rented, kind, self.offers) for kind in self.rented.kinds)
                room = tuple((each.key, self.room[each.type]) for each in self.offers if each.type in self.room)
                self.take(OffersFound(at=self.now, pool=name, offers=kinds, room=room))
            case Rent(lease, name, kind, chosen, ends_at):
                intent = LeaseIntended(at=self.now, lease=lease, pool=name, kind=kind, offer=chosen, ends_at=ends_at)
                self.launched.append(intent)
                self.take(intent)
                self.answer(intent)
            case DrainMachine(lease, reason):
                self.take(LeaseDraining(at=self.now, lease=lease, reason=reason))
            case RefuseTasks(names, reason, failure):
                self.take(TasksRefused(at=self.now, tasks=names, reason=reason, failure=failure))
            case GiveUp(lease, how):
                self.given_up.append(action)
                self.give_up(lease, how)
            case StartAgain(lease):
                self.change(lease, LeasePhase.KNOWN)
                self.boot(lease)
            case _:
                raise AssertionError(f"nobody does {action}")

    def answer(self, intent: LeaseIntended) -> None:
        """Let the cloud answer a launch."""
        failure = self.refused.get(intent.offer.type)
        if failure is not None:
            self.change(intent.lease, LeasePhase.ABSENT, failure=failure)
            return
        self.change(intent.lease, LeasePhase.KNOWN, machine=f"m-{intent.lease}")
        if self.boots:
            self.boot(intent.lease)

    def boot(self, lease: str) -> None:
        known = self.state.leases[lease]
        self.change(lease, LeasePhase.READY)
        room = next(each.offer.resources for each in self.launched if each.lease == lease)
        self.take(MachineAdded(at=self.now, machine=known.machine, pool="cloud", resources=room, vanishes=True))

    def give_up(self, lease: str, how: WhenIdle) -> None:
        if how is WhenIdle.KEEP:
            self.change(lease, self.state.leases[lease].phase, kept=True)
        elif how is WhenIdle.STOP:
            self.change(lease, LeasePhase.STOPPED)
        else:
            self.change(lease, LeasePhase.ENDING)
            self.change(lease, LeasePhase.ABSENT)

    def lose(self, lease: str, failure: FailureClass = FailureClass.PREEMPTED) -> None:
        """Let a machine be gone."""
        machine = self.state.leases[lease].machine
        self.change(lease, LeasePhase.ABSENT, failure=failure)
        self.take(MachineGone(at=self.now, machine=machine, reason="it is gone", failure=failure))

    def change(
        self,
        name: str,
        phase: LeasePhase,
        *,
        machine: str = "",
        failure: FailureClass | None = None,
        kept: bool = False,
    ) -> None:
        lease = self.state.leases[name]
        intent = next(each for each in self.launched if each.lease == name)
        price = intent.offer.price
        until = lease.ends_at
        if phase is LeasePhase.ABSENT:
            until = lease.born if failure in {FailureClass.CAPACITY, FailureClass.QUOTA} else self.now
        self.take(
            LeaseChanged(
                at=self.now,
                lease=name,
                pool="cloud",
                phase=phase,
                machine=machine or lease.machine,
                offer=lease.offer,
                price=None if price is None else price.per_hour,
                cost=None if price is None else cost_between(price, lease.born, until),
                ends_at=lease.ends_at,
                kept=kept,
                failure=failure,
                reason="as arranged" if failure else "",
            )
        )

    def end(self, name: str, code: int = 0) -> None:
        """Let an attempt end."""
        task = self.state.tasks[name]
        self.take(
            AttemptEnded(
                at=self.now,
                task=name,
                attempt=task.attempts,
                outcome=Exited(code),
                failure=FailureClass.USER_CODE if code else None,
                started_at=self.now - SECOND,
                ended_at=self.now,
            )
        )

    def end_all(self) -> World:
        for name in list(self.state.live):
            self.end(name)
        return self.settle()

    def wait(self, duration: timedelta) -> World:
        self.now += duration
        return self.settle()

    def serving(self) -> list[str]:
        return [lease.id for lease in self.state.leases.values() if lease.phase is LeasePhase.READY and lease.open]

    def spent(self) -> Decimal:
        return sum((lease.cost.amount for lease in self.state.leases.values() if lease.cost), Decimal(0))

    def replayed(self) -> RunState:
        state = begin(self.spec)
        for event in self.history:
            apply(state, event)
        return state
