"""Renting for one run from one provider: a thread that owns its leases, and does what the scheduler decides about them.

The ledger is the truth. After each step what it says of this run is told to the runner, so that the journal has it too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Protocol

from attrs import field, frozen

from longshore.errors import (
    AccessDenied,
    BudgetExceeded,
    CloudUnreachable,
    CredentialsError,
    InvalidRequest,
    LongshoreError,
    OutOfCapacity,
    ProviderError,
    QuotaExceeded,
    RunError,
    Throttled,
)
from longshore.model.budget import Budget
from longshore.model.events import Event, MachineGone
from longshore.model.lease import Lease, LeasePhase
from longshore.model.lease_events import LeaseDraining, LeasesLeft, OffersFound, OffersMissing
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec
from longshore.model.offer import Offer
from longshore.model.outcome import FailureClass
from longshore.model.quantity import Money
from longshore.model.rented import RentedPool, WhenIdle
from longshore.model.workflow import PoolSpec
from longshore.plugin.protocols import Executor, Session
from longshore.plugin.provider import SpotNotices, Stoppable
from longshore.runtime.booting import dressed
from longshore.runtime.leases import LeaseKeeper, Turn
from longshore.runtime.ledger import Ledger
from longshore.runtime.mirror import Mirror
from longshore.runtime.offering import find_offers, find_room
from longshore.runtime.providers import OpenProvider
from longshore.runtime.rented_machines import RentedMachines
from longshore.scheduler.rented_state import LeaseState
from longshore.scheduler.renting_actions import FindOffers, GiveUp, Rent, StartAgain

__all__ = ["Host", "RentedRun", "Renter"]

_KEEPABLE = frozenset({LeasePhase.READY, LeasePhase.STOPPED})
_TEMPORARY = (CloudUnreachable, Throttled)
_CLASSES: Mapping[type[ProviderError], FailureClass] = {
    OutOfCapacity: FailureClass.CAPACITY,
    QuotaExceeded: FailureClass.QUOTA,
    CredentialsError: FailureClass.CREDENTIALS,
    AccessDenied: FailureClass.CREDENTIALS,
    InvalidRequest: FailureClass.PLUGIN_BUG,
}
_STEADY = timedelta(seconds=30)
"""The cloud is looked at so often, or as often as its lists change, while nothing is under way: it cannot tell."""
_SETTLING = timedelta(seconds=5)
_SOONEST = timedelta(milliseconds=250)
_PATIENCE = timedelta(minutes=1)
"""So much longer than the cloud's own terms say is waited for machines to be gone."""
_BEATS = 4
"""So many times within the unattended time a machine is told that it is attended to."""


class Host(Protocol):
    """What a renter needs of its run. All of it may be called from the renter's thread."""

    def post(self, *events: Event) -> None:
        """Tell the runner what has happened."""
        ...

    def fail(self, error: LongshoreError) -> None:
        """Stop the controller."""
        ...

    def attach(self, machine: Machine, session: Session, live: Sequence[str]) -> None:
        """Let attempts go to a machine; ``live`` are those that another controller has started there."""
        ...

    def detach(self, machine: str) -> None:
        """Close the link to a machine; silent when there is none."""
        ...

    def beat(self, machine: str, until: datetime) -> None:
        """Tell a machine that it is attended to; silent when there is no link."""
        ...


@frozen(kw_only=True)
class RentedRun:
    """What a renter must know of its run."""

    id: str
    project: str
    fence: int
    fresh: bool = False
    """Machines that were kept are ended and not used."""
    max_cost: Money | None = None
    pools: Mapping[str, PoolSpec]
    """Those that rent from this provider."""
    executors: Mapping[str, Executor]
    known: Mapping[str, LeaseState] = field(factory=dict[str, LeaseState])
    """The leases that the journal knows, as the controller begins."""
    live: Mapping[str, Sequence[str]] = field(factory=dict[str, Sequence[str]])
    """By machine: the attempts on it that may still run."""

    def rented(self, pool: str) -> RentedPool:
        """Say how a pool's machines are rented."""
        rented = self.pools[pool].rented
        if rented is None:
            raise RunError(f"pool {pool} rents nothing")
        return rented


class Renter:
    """Works from `start` until `close`. Orders are taken from any thread, and done one after the other."""

    def __init__(self, run: RentedRun, source: OpenProvider, host: Host) -> None:
        self._run = run
        self._source = source
        self._host = host
        self._orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._waiting: list[Callable[[], None]] = []
        self._leaving: dict[str, datetime] = {}
        self._announced: set[str] = set()
        self._asked: set[str] = set()
        """Pools whose provider has answered before: later troubles may pass."""
        self._look_at = self._beat_at = _now()
        self._over = False
        self._thread = threading.Thread(target=self._work, name=f"longshore-{source.name}", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def close(self, *, over: bool) -> None:
        """Stop working; when the run is ``over`` see to it first that what only its machines used is swept."""
        self._over = over
        self._orders.put(None)
        if self._thread.ident is not None:
            self._thread.join(self._source.provider.terms.deadline.total_seconds())

    def find_offers(self, action: FindOffers) -> None:
        """Ask what there is."""
        self._orders.put(lambda: self._find_offers(action))

    def rent(self, action: Rent) -> None:
        """Rent a machine."""
        self._orders.put(lambda: self._rent(action))

    def start_again(self, action: StartAgain) -> None:
        """Power a machine on."""
        self._orders.put(lambda: self._start_again(action.lease))

    def give_up(self, action: GiveUp) -> None:
        """End, stop or keep a machine."""
        self._orders.put(lambda: self._give_up(action))

    # --- the thread

    def _work(self) -> None:
        try:
            with Ledger.open() as ledger:
                self._ledger = ledger
                self._mirror = Mirror(ledger, self._run.id, self._source.name, post=self._host.post, now=_now)
                self._work_until_closed()
        except LongshoreError as error:
            self._host.fail(error)
        except Exception as error:  # noqa: BLE001  a bug must end the run in words, not a thread without any
            wrapped = RunError(f"renting from {self._source.name} failed: {type(error).__name__}: {error}")
            wrapped.__cause__ = error
            self._host.fail(wrapped)

    def _work_until_closed(self) -> None:
        joined = False
        while True:
            try:
                order = self._orders.get(timeout=self._patience())
            except Empty:
                order = _nothing
            if order is None:
                break
            self._waiting.append(order)
            joined = joined or self._join()
            if joined:
                waiting, self._waiting = self._waiting, []
                for each in waiting:
                    each()
                self._attend()
        if joined:
            self._machines.close()
            if self._over:
                self._turn()

    def _patience(self) -> float:
        return max(0.0, (min(self._look_at, self._beat_at) - _now()).total_seconds())

    def _join(self) -> bool:
        """Find out whose machines these are, what the ledger knows, and what is there; False when that must wait.

        Raises:
            LongshoreError: when nothing that comes later would change that it cannot be done.
        """
        try:
            self._keeper = LeaseKeeper(
                name=self._source.name,
                provider=self._source.provider,
                ledger=self._ledger,
                owner=self._source.owner,
                now=_now,
                another=self._refused,
                dress=self._dress,
            )
            self._machines = RentedMachines(
                run=self._run,
                keeper=self._keeper,
                mirror=self._mirror,
                host=self._host,
                order=self._orders.put,
                soon=self._soon,
            )
            if self._run.fresh:
                for lease in self._kept():
                    self._keeper.end(lease.id, f"run {self._run.id} begins with fresh machines")
            self._mirror.never_was(self._run.known)
            self._look()
        except _TEMPORARY as error:
            self._look_at = _now() + _SETTLING
            for pool in self._run.pools:
                self._host.post(OffersMissing(at=_now(), pool=pool, reason=str(error)))
            return False
        return True

    def _attend(self) -> None:
        """Do what is due, and tell what has changed."""
        if _now() >= self._look_at:
            try:
                self._look()
            except ProviderError:
                self._look_at = _now() + self._period()
        if _now() >= self._beat_at:
            self._beat()
        self._mirror.tell()

    def _turn(self) -> Turn | None:
        try:
            return self._keeper.turn(attended=[self._run.id])
        except ProviderError:
            return None

    def _look(self) -> None:
        turn = self._keeper.turn(attended=[self._run.id])
        self._machines.compare(turn.listing)
        self._mirror.tell()
        self._announce_takings()
        self._let_go()
        self._look_at = _now() + self._period()

    def _period(self) -> timedelta:
        """Say after how long to look again: soon while something is under way, and seldom while nothing is."""
        lag = self._source.provider.terms.listing_lag
        settled = all(
            lease.phase in {LeasePhase.READY, LeasePhase.STOPPED} and not lease.misses
            for lease in self._mirror.leases().values()
        )
        return max(lag, _STEADY) if settled else max(_SOONEST, min(lag / 4, _SETTLING))

    def _beat(self) -> None:
        """Attend to all machines: they live on for their unattended time from now."""
        now = _now()
        attended = [lease for lease in self._mirror.leases().values() if lease.phase is LeasePhase.READY]
        self._ledger.beat([lease.id for lease in attended], at=now)
        for lease in attended:
            self._host.beat(lease.machine, now + lease.spec.unattended)
        self._beat_at = now + min(self._run.rented(pool).unattended for pool in self._run.pools) / _BEATS

    def _announce_takings(self) -> None:
        """Give no more attempts to spot machines that the cloud will take back."""
        provider = self._source.provider
        spot = {
            lease.machine: name
            for name, lease in self._mirror.leases().items()
            if lease.phase is LeasePhase.READY and lease.spec.offer.spot and name not in self._announced
        }
        if not spot or not isinstance(provider, SpotNotices):
            return
        try:
            notices = provider.notices(list(spot))
        except ProviderError:
            return
        for notice in notices:
            self._announced.add(spot[notice.machine])
            reason = f"the cloud takes the machine back at {notice.at:%H:%M:%S} UTC"
            self._host.post(LeaseDraining(at=_now(), lease=spot[notice.machine], reason=reason))

    def _let_go(self) -> None:
        """Wait no longer for what should have been gone for some time."""
        terms = self._source.provider.terms
        bound = terms.deadline + terms.settle + 4 * terms.listing_lag + _PATIENCE
        late = tuple(name for name in self._mirror.leases() if _now() > self._leaving.get(name, _now()) + bound)
        if late:
            for name in late:
                del self._leaving[name]
            reason = f"{self._source.name} still lists them; `longshore gc` ends what is left"
            self._host.post(LeasesLeft(at=_now(), leases=late, reason=reason))

    # --- orders

    def _find_offers(self, action: FindOffers) -> None:
        rented = self._run.rented(action.pool)
        if rented.when_idle is WhenIdle.STOP and not isinstance(self._source.provider, Stoppable):
            raise RunError(
                f'pool {action.pool}: {self._source.name} cannot stop machines; write when_idle = "end" or "keep"'
            )
        try:
            offers = find_offers(self._source.provider, rented, action.largest, _now())
        except ProviderError as error:
            if not (isinstance(error, _TEMPORARY) or action.pool in self._asked):
                raise
            self._host.post(OffersMissing(at=_now(), pool=action.pool, reason=str(error)))
            return
        self._asked.add(action.pool)
        room = find_room(self._source.provider, offers)
        self._host.post(OffersFound(at=_now(), pool=action.pool, offers=offers, room=room))

    def _rent(self, action: Rent) -> None:
        name = self._mirror.id_of(action.lease)
        kept = next((lease for lease in self._kept() if self._would_do(lease, action)), None)
        budgets = self._budgets(action.pool)
        try:
            if kept is not None:
                self._ledger.hand_over(kept.id, name, run=self._run.id, pool=action.pool, budgets=budgets, at=_now())
            else:
                self._ledger.intend(self._intent(name, action), budgets=budgets)
        except BudgetExceeded as error:
            self._mirror.refused(_state_of(action), str(error), FailureClass.CAPACITY)
            return
        self._mirror.tell()
        if kept is None:
            self._ask(name)
        elif kept.phase is LeasePhase.STOPPED:
            self._start_again(action.lease)
        self._machines.open_known()
        self._look_at = _now() + self._period()

    def _ask(self, name: str) -> None:
        # What is refused was noted by `_refused`; otherwise the next look asks again.
        with suppress(ProviderError):
            self._keeper.launch(name)

    def _start_again(self, name: str) -> None:
        lease = self._ledger.lease(self._mirror.id_of(name))
        provider = self._source.provider
        if lease.phase is not LeasePhase.STOPPED or not isinstance(provider, Stoppable):
            return
        try:
            provider.start([lease.machine])
        except ProviderError as error:
            self._mirror.failed(name, FailureClass.CAPACITY, f"it cannot be started again: {error}")
            self._end(name, str(error))
            return
        self._ledger.advance(lease.id, LeasePhase.KNOWN, at=_now(), note="started again")
        self._machines.open_known()
        self._look_at = _now()

    def _give_up(self, action: GiveUp) -> None:
        lease = self._mirror.leases().get(action.lease)
        if lease is None:
            return
        # What was rented by hand is ended by hand.
        match WhenIdle.KEEP if lease.spec.name and lease.phase in _KEEPABLE else action.how:
            case WhenIdle.KEEP:
                self._machines.forget(action.lease)
                self._ledger.keep(lease.id, at=_now())
            case WhenIdle.STOP:
                self._stop(action.lease, lease)
            case WhenIdle.END:
                self._host.detach(lease.machine)
                self._end(action.lease, action.reason)
        if not action.closing and lease.machine:
            # Whatever lies there alone is not to be waited for.
            self._host.post(MachineGone(at=_now(), machine=lease.machine, reason=action.reason))

    def _stop(self, name: str, lease: Lease) -> None:
        provider = self._source.provider
        self._machines.forget(name)
        self._host.detach(lease.machine)
        try:
            if isinstance(provider, Stoppable):
                provider.stop([lease.machine])
        except ProviderError as error:
            self._end(name, f"it cannot be stopped: {error}")
            return
        self._ledger.advance(lease.id, LeasePhase.STOPPED, at=_now(), note="nobody needs it now")

    def _end(self, name: str, reason: str) -> None:
        """End a lease; what the cloud does not take now is asked for again by the looks that follow."""
        self._leaving.setdefault(name, _now())
        self._machines.forget(name)
        with suppress(ProviderError):
            self._keeper.end(self._mirror.id_of(name), reason)
        self._soon()

    def _soon(self) -> None:
        self._look_at = min(self._look_at, _now() + _SOONEST)

    # --- what a lease is made of

    def _intent(self, name: str, action: Rent) -> Lease:
        rented = self._run.rented(action.pool)
        spec = MachineSpec(
            offer=action.offer,
            image=rented.image,
            owner=self._source.owner,
            ledger=self._ledger.id,
            project=self._run.project,
            run=self._run.id,
            pool=action.pool,
            ends_at=action.ends_at,
            unattended=rented.unattended,
        )
        return Lease(id=name, provider=self._source.name, account=self._keeper.scope.account, spec=spec, since=_now())

    def _budgets(self, pool: str) -> list[Budget]:
        limits = {
            f"run/{self._run.id}": self._run.max_cost,
            f"pool/{self._run.id}/{pool}": self._run.rented(pool).max_cost,
        }
        return [Budget(name=name, limit=limit) for name, limit in limits.items() if limit is not None]

    def _dress(self, spec: MachineSpec, derived: Callable[[str], bytes]) -> MachineSpec:
        return dressed(self._run.executors.get(spec.pool), spec, derived)

    def _refused(self, lease: Lease, error: ProviderError) -> Offer | None:
        """Note a refusal: the scheduler chooses what to try instead, under another lease."""
        if lease.spec.run == self._run.id:
            name = lease.id.removeprefix(self._mirror.id_of(""))
            self._mirror.failed(name, _CLASSES.get(type(error), FailureClass.CAPACITY), str(error))
        return None

    def _kept(self) -> list[Lease]:
        """List the machines that earlier runs have left to this one; those that are up come first."""
        found = [
            lease
            for lease in self._ledger.leases()
            if lease.free
            and lease.provider == self._source.name
            and lease.spec.project == self._run.project
            and lease.spec.pool in self._run.pools
        ]
        return sorted(found, key=lambda lease: (lease.phase is LeasePhase.STOPPED, lease.id))

    def _would_do(self, lease: Lease, action: Rent) -> bool:
        """Say whether a machine that was kept is as good as a new one: of the same kind, with enough time left."""
        rented = self._run.rented(action.pool)
        kind = rented.kinds[action.kind]
        return (
            lease.spec.pool == action.pool
            and lease.spec.image == rented.image
            and lease.spec.offer.meets(kind.needs)
            and action.offer.resources.fits(lease.spec.offer.resources)
            and (kind.spot or not lease.spec.offer.spot)
            and lease.spec.ends_at - _now() > rented.lifetime / 10
        )


def _state_of(action: Rent) -> LeaseState:
    return LeaseState(
        id=action.lease, pool=action.pool, kind=action.kind, offer=action.offer.key, born=_now(), ends_at=action.ends_at
    )


def _nothing() -> None:
    """Wake up only."""


def _now() -> datetime:
    return datetime.now(UTC)
