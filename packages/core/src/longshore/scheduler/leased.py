"""How events change what a run knows of the machines that it rents."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_never

from longshore.model.environment_events import BuildIntended, EnvironmentBuilt, EnvironmentFailed
from longshore.model.events import AttemptEnded, AttemptIntended, Event, MachineAdded, MachineGone
from longshore.model.lease_events import (
    LeaseChanged,
    LeaseDraining,
    LeaseIntended,
    LeasesLeft,
    OffersFound,
    OffersMissing,
)
from longshore.model.lease_phase import LeasePhase
from longshore.model.offer import Offer, cost_between
from longshore.model.outcome import FailureClass
from longshore.scheduler.rented_state import LeaseState, Refusal, RentedState
from longshore.scheduler.state import RunState

__all__ = ["RentingEvent", "apply_renting", "note_use"]

RentingEvent = LeaseChanged | LeaseDraining | LeaseIntended | LeasesLeft | OffersFound | OffersMissing

_ELSEWHERE = frozenset({FailureClass.CAPACITY, FailureClass.QUOTA, FailureClass.NETWORK})
"""After these another offer may do, and this one again later."""
_NEVER = frozenset({FailureClass.CREDENTIALS, FailureClass.CONFIGURATION})
"""After these this offer is not tried again before the provider is asked anew."""
_BARRED_MOST = 3
_REMEMBERED = timedelta(hours=1)


def apply_renting(state: RunState, event: RentingEvent) -> None:
    """Let an event change the state. Those about pools that are not rented, or unknown leases, change nothing."""
    match event:
        case OffersFound(pool=name) if name in state.rented:
            _offers_found(state.rented[name], event)
        case OffersMissing(pool=name, reason=reason, at=at) if name in state.rented:
            state.rented[name].trouble, state.rented[name].trouble_at = reason, at
        case LeaseIntended(pool=name) if name in state.rented:
            _intended(state, event)
        case LeaseChanged():
            _changed(state, event)
        case LeaseDraining(lease=name, reason=reason, doomed=doomed):
            lease = state.leases.get(name)
            if lease is not None and lease.phase in {LeasePhase.READY, LeasePhase.DRAINING}:
                lease.phase, lease.reason = LeasePhase.DRAINING, reason
                lease.doomed = lease.doomed or doomed
        case LeasesLeft(leases=names):
            for name in names:
                if name in state.leases:
                    state.leases[name].left = True
        case OffersFound() | OffersMissing() | LeaseIntended():
            pass
        case _:
            assert_never(event)


def note_use(state: RunState, event: Event) -> None:
    """Keep since when rented machines have nothing to do, after an event has changed the rest."""
    match event:
        case AttemptIntended(machine=name) | BuildIntended(machine=name) | MachineGone(machine=name):
            state.idle.pop(name, None)
        case AttemptEnded(task=task):
            _note_idle(state, state.tasks[task].machine, event)
        case EnvironmentBuilt() | EnvironmentFailed():
            for machine in state.machines:
                _note_idle(state, machine, event)
        case MachineAdded(machine=name):
            state.idle.pop(name, None)
            _note_idle(state, name, event)
        case _:
            pass


def _note_idle(
    state: RunState, name: str, event: AttemptEnded | EnvironmentBuilt | EnvironmentFailed | MachineAdded
) -> None:
    machine = state.machines.get(name)
    if machine is not None and not machine.gone and machine.attempts == 0 and name in state.lease_of:
        state.idle.setdefault(name, event.at)


def _offers_found(pool: RentedState, event: OffersFound) -> None:
    pool.offers = event.offers
    pool.offers_at = event.at
    pool.room = dict(event.room)
    pool.trouble, pool.trouble_at = "", None


def _intended(state: RunState, event: LeaseIntended) -> None:
    offer: Offer = event.offer
    price = offer.price
    state.leases[event.lease] = LeaseState(
        id=event.lease,
        pool=event.pool,
        kind=event.kind,
        offer=offer.key,
        born=event.at,
        ends_at=event.ends_at,
        price=None if price is None else price.per_hour,
        cost=None if price is None else cost_between(price, event.at, event.ends_at),
    )
    state.rented[event.pool].rented += 1


def _changed(state: RunState, event: LeaseChanged) -> None:
    lease = state.leases.get(event.lease)
    pool = state.rented.get(event.pool)
    if lease is None or pool is None:
        return
    if event.machine:
        state.lease_of[event.machine] = event.lease
    if event.phase is LeasePhase.READY:
        pool.unreached = 0
    # Draining is the run's own decision, of which the ledger need not know yet.
    if not (lease.phase is LeasePhase.DRAINING and event.phase in {LeasePhase.KNOWN, LeasePhase.READY}):
        lease.phase = event.phase
    lease.machine = event.machine
    lease.offer = event.offer
    lease.price, lease.cost = event.price, event.cost
    lease.ends_at = event.ends_at
    lease.kept = event.kept
    if event.reason:
        lease.reason = event.reason
    if event.failure is not None and lease.failure is None:
        lease.failure = event.failure
        _count_failure(pool, event, event.failure)


def _count_failure(pool: RentedState, event: LeaseChanged, failure: FailureClass) -> None:
    pool.last_failure, pool.last_class = event.reason, failure
    if failure in _ELSEWHERE:
        pool.refusals = [each for each in pool.refusals if event.at - each.at < _REMEMBERED]
        pool.refusals.append(Refusal(offer=event.offer, at=event.at))
    if failure in _NEVER:
        pool.barred[event.offer] = event.reason
        if failure is FailureClass.CREDENTIALS or len(pool.barred) >= _BARRED_MOST:
            # What is wrong is wrong with all of them.
            pool.barred |= {offer.key: event.reason for kind in pool.offers or () for offer in kind}
    if failure is FailureClass.NETWORK:
        pool.unreached += 1
    if failure is FailureClass.PREEMPTED:
        pool.preemptions = [at for at in pool.preemptions if event.at - at < _REMEMBERED]
        pool.preemptions.append(event.at)
