"""The rented machines of a run: opened when they are up, and given up for lost when they are not there any more.

What ran on a machine that is out of reach runs elsewhere only when the cloud has taken its end, and shows it running no
more: nothing is executed twice at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from longshore.errors import ProviderError
from longshore.model.environment_events import EnvironmentBuilt, EnvironmentFailed
from longshore.model.events import AttemptEnded, AttemptStarted, MachineAdded, MachineGone
from longshore.model.lease import Lease, LeasePhase
from longshore.model.lease_events import LeaseDraining
from longshore.model.machine import Machine, MachineState
from longshore.model.outcome import FailureClass
from longshore.plugin.abilities import HearsNotices
from longshore.plugin.protocols import Session, SessionEvent
from longshore.plugin.provider import Takings
from longshore.runtime.openings import Opened, Opening
from longshore.runtime.reach import store_of

if TYPE_CHECKING:
    from longshore.runtime.leases import LeaseKeeper
    from longshore.runtime.mirror import Mirror
    from longshore.runtime.rented_run import Host, RentedRun
    from longshore.scheduler.leases import Listing

__all__ = ["RentedMachines"]

_UP = frozenset({MachineState.STARTING, MachineState.RUNNING, MachineState.IMPAIRED})


@frozen(kw_only=True)
class _Dying:
    """A machine whose end was asked for, since it was lost."""

    lease: str
    failure: FailureClass | None
    """None while the cloud has not said why."""
    reason: str


class RentedMachines:
    """For the renter's thread. ``order`` puts something into that thread's queue, ``soon`` lets it look soon.

    Machines have the ids that the run knows them by; what is the cloud's own has them in leases and lists.
    """

    def __init__(
        self,
        *,
        run: RentedRun,
        keeper: LeaseKeeper,
        mirror: Mirror,
        host: Host,
        order: Callable[[Callable[[], None]], None],
        soon: Callable[[], None],
    ) -> None:
        self._run = run
        self._keeper = keeper
        self._mirror = mirror
        self._host = host
        self._order = order
        self._soon = soon
        self._opening: dict[str, Opening] = {}
        self._open: dict[str, str] = {}
        """Lease by machine, of those that have a link."""
        self._dying: dict[str, _Dying] = {}
        self._doomed: set[str] = set()
        """Machines that get no more attempts, whatever their pool wants."""
        self._lost: set[str] = set()
        self._announced: set[str] = set()
        """Machines that the cloud has said it will take."""

    def compare(self, listing: Listing) -> None:
        """Draw the conclusions from a list of what the cloud has, after the ledger has taken it in."""
        leases = self._mirror.leases()
        listed = self._named(listing)
        for machine, name in list(self._open.items()):
            lease = leases.get(name)
            shown = listed.get(machine)
            if lease is None:
                self._gone(machine, name, "the cloud does not list it any more")
            elif lease.phase is LeasePhase.READY and shown is not None and shown.state not in _UP:
                self.lost(machine, f"the cloud shows it as {shown.state}")
            elif shown is not None and shown.state is MachineState.IMPAIRED:
                self._doom(machine, "the cloud's own checks say that something is wrong with the machine")
        for machine, dying in list(self._dying.items()):
            if not _is_up(machine, listed):
                self._bury(machine, dying)
        self.open_known()

    def _named(self, listing: Listing) -> Mapping[str, Machine]:
        return {self._mirror.named(machine.id): machine for machine in listing.machines}

    def open_known(self) -> None:
        """Begin to open each machine that has a lease and no link."""
        for name, lease in self._mirror.leases().items():
            wanted = lease.phase in {LeasePhase.KNOWN, LeasePhase.READY} and not lease.kept
            if wanted and self._mirror.named(lease.machine) not in self._open and name not in self._opening:
                self._opening[name] = self._begin(name, lease)

    def forget(self, name: str) -> None:
        """Open a machine no more, and do not miss it; silent for unknown leases."""
        opening = self._opening.pop(name, None)
        if opening is not None:
            opening.stop()
        self._open = {machine: lease for machine, lease in self._open.items() if lease != name}

    def close(self) -> None:
        """Open none any more."""
        for name in list(self._opening):
            self.forget(name)

    def lost(self, machine: str, reason: str) -> None:
        """Take note that a machine does not answer any more; end it, so that its attempts can run elsewhere."""
        name = self._open.get(machine)
        lease = self._mirror.leases().get(name) if name is not None else None
        if name is None or lease is None or machine in self._dying:
            return
        self._give_up(name, lease, self._why(lease), reason)

    def is_lost(self, machine: str) -> bool:
        """Say whether a machine was given up for lost, which the run hears with the reason."""
        return machine in self._lost

    def announced(self, machine: str, at: datetime) -> None:
        """Take note that the cloud will take a machine back; silent for one that is not in use."""
        self._announced.add(machine)
        self._doom(machine, f"the cloud takes the machine back at {at:%H:%M:%S} UTC")

    def _doom(self, machine: str, reason: str) -> None:
        """Let a machine get no more attempts, and go when nothing runs on it."""
        name = self._open.get(machine)
        if name is not None and machine not in self._doomed:
            self._doomed.add(machine)
            self._host.post(LeaseDraining(at=_now(), lease=name, reason=reason, doomed=True))

    def _give_up(self, name: str, lease: Lease, failure: FailureClass | None, reason: str) -> None:
        if failure is not None:
            self._mirror.failed(name, failure, reason)
        self.forget(name)
        machine = self._mirror.named(lease.machine)
        self._lost.add(machine)
        self._host.detach(machine)
        self._dying[machine] = _Dying(lease=name, failure=failure, reason=reason)
        try:
            self._keeper.end(lease.id, reason)
            listing = self._keeper.look()
        except ProviderError:
            self._soon()
            return
        if not _is_up(machine, self._named(listing)):
            self._bury(machine, self._dying[machine])
        self._soon()

    def _why(self, lease: Lease, *, ended: bool = False) -> FailureClass | None:
        """Say what has become of a machine; None when the cloud does not answer.

        Once it is ``ended``, which may be our doing, only a cloud that gives reasons can say it.
        """
        if not lease.spec.offer.spot:
            return FailureClass.MACHINE_LOST
        provider, machine = self._keeper.provider, self._mirror.named(lease.machine)
        try:
            if machine in self._announced:
                taken = True
            elif isinstance(provider, Takings):
                taken = lease.machine in provider.taken([lease.machine])
            else:
                taken = not ended and not _is_up(machine, self._named(self._keeper.look()))
        except ProviderError:
            return None
        return FailureClass.PREEMPTED if taken else FailureClass.MACHINE_LOST

    def _gone(self, machine: str, name: str, reason: str) -> None:
        """Take note of a machine that is proven to be gone."""
        failure = self._why(self._keeper.ledger.lease(self._mirror.id_of(name)))
        self.forget(name)
        self._lost.add(machine)
        self._host.detach(machine)
        self._bury(machine, _Dying(lease=name, failure=failure, reason=reason))

    def _bury(self, machine: str, dying: _Dying) -> None:
        self._dying.pop(machine, None)
        failure = dying.failure
        if failure is None:
            lease = self._keeper.ledger.lease(self._mirror.id_of(dying.lease))
            failure = self._why(lease, ended=True) or FailureClass.MACHINE_LOST
        self._mirror.failed(dying.lease, failure, dying.reason)
        self._host.post(MachineGone(at=_now(), machine=machine, reason=dying.reason, failure=failure))

    def _begin(self, name: str, lease: Lease) -> Opening:
        bare = Machine(id=lease.machine, pool=lease.spec.pool, resources=lease.spec.offer.resources)

        def machine() -> Machine:
            seen = self._keeper.seen.get(lease.machine, bare)
            id_ = self._mirror.named(lease.machine)
            return evolve(seen, id=id_, pool=lease.spec.pool, resources=lease.spec.offer.resources)

        return Opening(
            executor=self._run.executors[lease.spec.pool],
            machine=machine,
            fence=self._run.fence,
            sink=self._sink,
            until=_now() + self._run.rented(lease.spec.pool).boot,
            now=_now,
            done=lambda opened: self._order(lambda: self._opened(name, opened)),
        )

    def _opened(self, name: str, opened: Opened) -> None:
        lease = self._mirror.leases().get(name)
        needed = self._opening.pop(name, None) is not None
        if opened.error is not None:
            self._host.fail(opened.error)
        elif lease is None or not needed:
            if opened.session is not None:
                opened.session.close()
        elif opened.session is None:
            ready = lease.phase is LeasePhase.READY
            failure = FailureClass.MACHINE_LOST if ready else FailureClass.NETWORK
            self._give_up(name, lease, failure, f"it cannot be reached: {opened.reason}")
        else:
            self._ready(name, lease, opened.machine, opened.session)

    def _ready(self, name: str, lease: Lease, machine: Machine, session: Session) -> None:
        if lease.phase is LeasePhase.KNOWN:
            self._keeper.ledger.advance(lease.id, LeasePhase.READY, at=_now())
        self._open[machine.id] = name
        self._mirror.tell()
        if isinstance(session, HearsNotices):
            session.on_notice(lambda at: self._order(lambda: self.announced(machine.id, at)))
        self._host.attach(machine, session)
        price = lease.best_price
        self._host.post(
            MachineAdded(
                at=_now(),
                machine=machine.id,
                pool=lease.spec.pool,
                resources=lease.spec.offer.resources,
                price_per_hour=None if price is None else price.per_hour,
                store=store_of(machine),
                vanishes=True,
            )
        )

    def _sink(self, *events: SessionEvent) -> None:
        """Pass on what a session tells; that a machine is gone is looked into first."""
        told: list[AttemptStarted | AttemptEnded | EnvironmentBuilt | EnvironmentFailed] = []
        for event in events:
            if isinstance(event, MachineGone):
                self._order(_call(self.lost, event.machine, event.reason))
            else:
                told.append(event)
        if told:
            self._host.post(*told)


def _is_up(machine: str, listed: Mapping[str, Machine]) -> bool:
    return machine in listed and listed[machine].state in _UP


def _call(do: Callable[[str, str], None], one: str, other: str) -> Callable[[], None]:
    return lambda: do(one, other)


def _now() -> datetime:
    return datetime.now(UTC)
