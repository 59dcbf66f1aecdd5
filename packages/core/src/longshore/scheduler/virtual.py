"""What a run that is played meets, and how it went: values of `longshore.scheduler.playing`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from attrs import field, frozen

from longshore.model.artifact import Artifact
from longshore.model.offer import Offer
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.model.task import Task

__all__ = ["BEGIN", "MachineUse", "Played", "Stay", "VirtualMachine", "World"]

BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""When runs begin unless they are told: some Monday morning, the same each time."""


@frozen(kw_only=True)
class VirtualMachine:
    """A machine that a run has from its beginning, or rents."""

    id: str
    pool: str
    resources: Resources
    slots: int | None = None
    price_per_hour: Money | None = None
    """None when it costs nothing, or nobody knows."""
    store: str = ""
    """Which store its attempts read and write; empty for the project's own. Machines that share one name the same."""


def _no_outputs(_: Task) -> Sequence[Artifact]:
    return ()


def _no_offers(_: str, __: Resources) -> tuple[tuple[Offer, ...], ...]:
    return ()


@frozen(kw_only=True)
class World:
    """All that a run meets."""

    machines: Sequence[VirtualMachine] = ()
    """Those that are there from the beginning."""
    seconds: Callable[[Task], float]
    """How long an attempt of a task takes."""
    outputs: Callable[[Task], Sequence[Artifact]] = _no_outputs
    """What a task writes, with the sizes."""
    bandwidth: float | None = None
    """Bytes a second, which each transfer has for itself; None when transfers take no time."""
    offers: Callable[[str, Resources], tuple[tuple[Offer, ...], ...]] = _no_offers
    """Given a pool and its largest task: what can be rented for each kind of its machines, in the order to try."""
    boot: timedelta = timedelta()
    """From the launch of a rented machine, from which on it is paid for, to its first attempt."""
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
    moved_bytes: int = 0
    """What travelled between machines and the project."""
    refusals: tuple[str, ...] = ()
    """Why tasks of rented pools were refused."""

    @property
    def utilisation(self) -> float:
        """Which part of all cpus were in use while their machines were there."""
        there = sum(each.machine.resources.cpus * each.up.total_seconds() for each in self.machines)
        return sum(each.cpu_seconds for each in self.machines) / there if there else 0.0

    @property
    def costs(self) -> tuple[Money, ...]:
        """What all machines cost, in each currency."""
        sums: dict[str, Decimal] = {}
        for each in self.machines:
            if each.cost is not None:
                sums[each.cost.currency] = sums.get(each.cost.currency, Decimal(0)) + each.cost.amount
        return tuple(Money(amount=amount, currency=currency) for currency, amount in sorted(sums.items()))
