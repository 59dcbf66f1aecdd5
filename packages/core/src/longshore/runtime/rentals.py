"""What a renter does for one run: it asks what there is, rents, starts again, and gives up. For the renter's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from longshore.errors import (
    AccessDenied,
    BudgetExceeded,
    CloudUnreachable,
    CredentialsError,
    InvalidRequest,
    OutOfCapacity,
    ProviderError,
    QuotaExceeded,
    RunError,
    Throttled,
)
from longshore.model.budget import Budget
from longshore.model.events import MachineGone
from longshore.model.lease import Lease, LeasePhase
from longshore.model.lease_events import OffersFound, OffersMissing
from longshore.model.machine_spec import MachineSpec
from longshore.model.offer import Offer
from longshore.model.outcome import FailureClass
from longshore.model.rented import WhenIdle
from longshore.plugin.provider import Stoppable
from longshore.runtime.admission import Admission
from longshore.runtime.booting import dressed
from longshore.runtime.launches import Launches
from longshore.runtime.leases import LeaseKeeper
from longshore.runtime.ledger import Ledger
from longshore.runtime.mirror import Mirror
from longshore.runtime.offering import find_offers, find_room
from longshore.runtime.rented_machines import RentedMachines
from longshore.scheduler.rented_state import LeaseState
from longshore.scheduler.renting_actions import FindOffers, GiveUp, Rent

if TYPE_CHECKING:
    from longshore.runtime.providers import OpenProvider
    from longshore.runtime.rented_run import Host, RentedRun

__all__ = ["TEMPORARY", "Rentals"]

TEMPORARY = (CloudUnreachable, Throttled)
"""Troubles that pass by themselves."""
_KEEPABLE = frozenset({LeasePhase.READY, LeasePhase.STOPPED})
_CLASSES: Mapping[type[ProviderError], FailureClass] = {
    OutOfCapacity: FailureClass.CAPACITY,
    QuotaExceeded: FailureClass.QUOTA,
    CredentialsError: FailureClass.CREDENTIALS,
    AccessDenied: FailureClass.CREDENTIALS,
    InvalidRequest: FailureClass.CONFIGURATION,
}
_ENOUGH_LEFT = 10
"""A machine that was kept is taken only when this part of a pool's lifetime, or more, is left to it."""


class Rentals:
    """The leases of one run on one provider. ``order`` puts something into the renter's queue, ``soon`` lets it look
    soon.
    """

    def __init__(
        self,
        *,
        run: RentedRun,
        source: OpenProvider,
        ledger: Ledger,
        mirror: Mirror,
        host: Host,
        order: Callable[[Callable[[], None]], None],
        soon: Callable[[], None],
    ) -> None:
        """Find out whose machines they are; with a run that is to be fresh, end what was kept for it.

        Raises:
            ProviderError: when the cloud does not say.
            ConfigError: when nobody says it.
        """
        self._run = run
        self._source = source
        self._ledger = ledger
        self._mirror = mirror
        self._host = host
        self._soon = soon
        self._asked: set[str] = set()
        """Pools whose provider has answered before: later troubles may pass."""
        self.leaving: dict[str, datetime] = {}
        """Since when leases are to end."""
        self.keeper = LeaseKeeper(
            name=source.name,
            provider=source.provider,
            ledger=ledger,
            owner=source.owner,
            now=_now,
            another=self._refused,
            dress=self._dress,
        )
        self.launches = Launches(self.keeper, order=order, done=self._launched)
        self._later: dict[str, GiveUp] = {}
        """What is to become of machines once it is known which they are, by lease."""
        self.admission = Admission(source.provider, source.owner)
        self.machines = RentedMachines(run=run, keeper=self.keeper, mirror=mirror, host=host, order=order, soon=soon)
        if run.fresh:
            for lease in self._free():
                if lease.kept and not lease.spec.name:
                    self.keeper.end(lease.id, f"run {run.id} begins with fresh machines")

    def find_offers(self, action: FindOffers) -> None:
        """Ask what there is.

        Raises:
            ProviderError: the first time, when it is no trouble that passes.
            RunError: when the provider cannot do what the pool wants.
        """
        rented = self._run.rented(action.pool)
        if rented.when_idle is WhenIdle.STOP and not isinstance(self._source.provider, Stoppable):
            raise RunError(
                f'pool {action.pool}: {self._source.name} cannot stop machines; write when_idle = "end" or "keep"'
            )
        try:
            offers = find_offers(self._source.provider, rented, action.largest, _now())
        except ProviderError as error:
            if not (isinstance(error, TEMPORARY) or action.pool in self._asked):
                raise
            self._host.post(OffersMissing(at=_now(), pool=action.pool, reason=str(error)))
            return
        self._asked.add(action.pool)
        room = find_room(self._source.provider, offers)
        self._host.post(OffersFound(at=_now(), pool=action.pool, offers=offers, room=room))

    def rent(self, actions: Sequence[Rent]) -> None:
        """Rent machines: those that wait for a run of the project, else new ones, which are asked for together."""
        wanted = [self._mirror.id_of(action.lease) for action in actions if self._intended(action)]
        self._mirror.tell()
        self.launches.add(wanted)
        self.machines.open_known()
        self._soon()

    def _launched(self, lease: str) -> None:
        """Use a machine that was launched, or do what was decided about it meanwhile."""
        decided = self._later.pop(lease, None)
        if decided is not None:
            self.give_up([decided])
        self.machines.open_known()
        self._soon()

    def _intended(self, action: Rent) -> bool:
        """Write a lease down; say whether its machine must be asked for."""
        try:
            taken = self._take_over(action)
            if taken is None:
                self._ledger.intend(self._intent(action), budgets=self._budgets(action.pool))
                return True
        except BudgetExceeded as error:
            self._mirror.refused(_state_of(action), str(error), FailureClass.CAPACITY)
            return False
        self._mirror.warmed(action.lease)
        if taken.phase is LeasePhase.STOPPED:
            self._mirror.tell()
            self.start_again(action.lease)
        return False

    def _take_over(self, action: Rent) -> Lease | None:
        """Go on with a machine that is free, if there is one that would do; another run may be faster."""
        for lease in self._suitable(action):
            with suppress(ValueError):
                return self._ledger.hand_over(
                    lease.id,
                    self._mirror.id_of(action.lease),
                    run=self._run.id,
                    pool=action.pool,
                    budgets=self._budgets(action.pool),
                    at=_now(),
                )
        return None

    def start_again(self, name: str) -> None:
        """Power a machine on that was stopped."""
        lease = self._ledger.lease(self._mirror.id_of(name))
        provider = self._source.provider
        if lease.phase is not LeasePhase.STOPPED or not isinstance(provider, Stoppable):
            return
        try:
            provider.start([lease.machine])
        except ProviderError as error:
            self._mirror.failed(name, FailureClass.CAPACITY, f"it cannot be started again: {error}")
            self._end({name: str(error)})
            return
        self._ledger.advance(lease.id, LeasePhase.KNOWN, at=_now(), note="started again")
        self.machines.open_known()
        self._soon()

    def give_up(self, actions: Sequence[GiveUp]) -> None:
        """End, stop or keep machines; those that are to end are ended together."""
        ends: dict[str, str] = {}
        living = self._mirror.leases()
        now = [action for action in actions if self._is_told(action) and action.lease in living]
        done = [(action, living[action.lease]) for action in now]
        for action, lease in done:
            # What was rented by hand is ended by hand.
            match WhenIdle.KEEP if lease.spec.name and lease.phase in _KEEPABLE else action.how:
                case WhenIdle.KEEP:
                    self.machines.forget(action.lease)
                    if not action.closing:
                        self._host.detach(self._mirror.named(lease.machine))
                    self._ledger.keep(lease.id, at=_now())
                case WhenIdle.STOP:
                    self._stop(action.lease, lease)
                case WhenIdle.END:
                    self._host.detach(self._mirror.named(lease.machine))
                    ends[action.lease] = action.reason
        self._end(ends)
        for action, lease in done:
            machine = self._mirror.named(lease.machine)
            told = lease.phase is LeasePhase.STOPPED or self.machines.is_lost(machine)
            if not action.closing and machine and not told:
                # Whatever lies there alone is not to be waited for.
                self._host.post(MachineGone(at=_now(), machine=machine, reason=action.reason))

    def _is_told(self, action: GiveUp) -> bool:
        """Say whether it is known which machine a lease has, or that it has none; else do what is asked later."""
        name = self._mirror.id_of(action.lease)
        self.launches.drop(name)
        if name in self.launches.asked:
            self._later[name] = action
        return name not in self._later

    def _stop(self, name: str, lease: Lease) -> None:
        provider = self._source.provider
        self.machines.forget(name)
        self._host.detach(self._mirror.named(lease.machine))
        try:
            if isinstance(provider, Stoppable):
                provider.stop([lease.machine])
        except ProviderError as error:
            self._end({name: f"it cannot be stopped: {error}"})
            return
        self._ledger.advance(lease.id, LeasePhase.STOPPED, at=_now(), note="nobody needs it now")

    def _end(self, reasons: Mapping[str, str]) -> None:
        """End leases; what the cloud does not take now is asked for again by the looks that follow."""
        for name in reasons:
            self.leaving.setdefault(name, _now())
            self.machines.forget(name)
        with suppress(ProviderError):
            self.keeper.end_all({self._mirror.id_of(name): reason for name, reason in reasons.items()})
        self._soon()

    def _intent(self, action: Rent) -> Lease:
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
        return Lease(
            id=self._mirror.id_of(action.lease),
            provider=self._source.name,
            account=self.keeper.scope.account,
            spec=spec,
            since=_now(),
        )

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

    def _free(self) -> list[Lease]:
        """List the machines that a run of the project may take; those that are up come first."""
        found = [
            lease
            for lease in self._ledger.leases()
            if lease.free
            and lease.provider == self._source.name
            and lease.spec.project == self._run.project
            and lease.spec.pool in self._run.pools
        ]
        return sorted(found, key=lambda lease: (lease.phase is LeasePhase.STOPPED, lease.id))

    def _suitable(self, action: Rent) -> Iterator[Lease]:
        """List the free machines that are as good as a new one: of the same kind, with enough time left."""
        rented = self._run.rented(action.pool)
        kind = rented.kinds[action.kind]
        for lease in [] if self._run.fresh else self._free():
            offer = lease.spec.offer
            if (
                lease.spec.pool == action.pool
                and lease.spec.image == rented.image
                and offer.meets(kind.needs)
                and action.offer.resources.fits(offer.resources)
                and (kind.spot or not offer.spot)
                and lease.spec.ends_at - _now() > rented.lifetime / _ENOUGH_LEFT
            ):
                yield lease


def _state_of(action: Rent) -> LeaseState:
    return LeaseState(
        id=action.lease, pool=action.pool, kind=action.kind, offer=action.offer.key, born=_now(), ends_at=action.ends_at
    )


def _now() -> datetime:
    return datetime.now(UTC)
