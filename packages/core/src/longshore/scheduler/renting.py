"""Which machines a run rents and gives up. Pure, as `longshore.scheduler.decide`, of which this is a part."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from attrs import evolve

from longshore.model.lease_phase import LeasePhase
from longshore.model.offer import Offer
from longshore.model.outcome import FailureClass
from longshore.model.rented import MachineKind, WhenIdle
from longshore.model.views import TaskView
from longshore.scheduler.actions import Action, StartAttempt, WakeAt
from longshore.scheduler.away_actions import BuildEnvironment
from longshore.scheduler.lease_actions import Drain, Intend
from longshore.scheduler.pools import (
    UNREACHED_MOST,
    affordable,
    is_open,
    no_money,
    open_offers,
    rule_of,
    view_of,
)
from longshore.scheduler.rented_state import LeaseState, RentedState
from longshore.scheduler.renting_actions import (
    DrainMachine,
    FindOffers,
    GiveUp,
    RefuseTasks,
    Rent,
    StartAgain,
)
from longshore.scheduler.state import ENDED, RunState
from longshore.scheduler.supply import SERVING, supply
from longshore.scheduler.workload import machines_wanted, misfits, waiting_tasks

__all__ = ["close_leases", "rent"]

_ASK_AGAIN = timedelta(minutes=15)
"""Offers older than this are asked for anew before a machine is rented."""
_TROUBLE = timedelta(seconds=15)
"""So long after a provider could not be asked it is asked again."""
_ENDED = {"cancelled": "been cancelled"}
_LAST_PART = 20
"""In this part of its life, the last, a machine gets no more attempts."""


def rent(state: RunState, now: datetime, starts: Sequence[Action] = ()) -> list[Action]:
    """Say what the pools whose machines are rented need next; among it, when to look again at the latest.

    ``starts`` are what their machines have just been given to do.
    """
    taken = {start.machine for start in starts if isinstance(start, BuildEnvironment | StartAttempt)}
    actions: list[Action] = []
    wakes: list[datetime] = []
    for name, pool in state.rented.items():
        actions += _rent(state, name, pool, now, taken)
        wakes += _wakes(state, name, pool, now)
    actions += [
        GiveUp(lease.id, _fate(state, lease, now), lease.reason)
        for lease in state.leases.values()
        if lease.phase is LeasePhase.DRAINING and lease.open and _is_free(state, lease)
    ]
    # What has no time left to be started again for only keeps money from others.
    actions += [
        GiveUp(lease.id, WhenIdle.END, _time_is_over(lease))
        for lease in state.leases.values()
        if lease.phase is LeasePhase.STOPPED and lease.open and now >= _last_part(state.rented[lease.pool], lease)
    ]
    later = [at for at in wakes if at > now]
    return [*actions, WakeAt(min(later))] if later else actions


def close_leases(state: RunState, ended: str, now: datetime) -> list[Action] | None:
    """Say what becomes of a run's machines when it has ended this way; None when nothing is left to be done.

    A run that is interrupted leaves them to their two times, so that it can be continued.
    """
    leases = [lease for lease in state.leases.values() if lease.open]
    if ended == "interrupted" or not leases:
        return None
    return [
        GiveUp(
            lease.id,
            WhenIdle.END if ended == "cancelled" else _fate(state, lease, now),
            f"the run has {_ENDED.get(ended, ended)}",
            closing=True,
        )
        for lease in leases
        if lease.phase is not LeasePhase.ENDING
    ]


def _rent(state: RunState, name: str, pool: RentedState, now: datetime, taken: Collection[str]) -> Iterator[Action]:
    """Say what one pool needs."""
    waiting = waiting_tasks(state, name, now)
    busy = bool(waiting) or state.live_in_pool[name] > 0
    serving = [each for each in state.leases.values() if each.pool == name and each.phase in SERVING and each.open]
    if not (busy or serving):
        return
    in_trouble = pool.trouble_at is not None and now < pool.trouble_at + _TROUBLE
    stale = pool.offers_at is None or (waiting and (pool.trouble or now >= pool.offers_at + _ASK_AGAIN))
    if stale and not in_trouble:
        yield FindOffers(name, pool.largest)
    if pool.offers is None:
        return
    refused = _hopeless(state, name, pool, waiting, now)
    if refused is not None:
        yield refused
        return
    yield from _drains(pool, serving, now)
    number = pool.rented
    for kind, wanted in enumerate(_wanted(state, name, pool, now, busy=busy)):
        for action in _supply(state, name, pool, kind, wanted, number, now, taken):
            number += isinstance(action, Rent)
            yield action


def _hopeless(
    state: RunState, name: str, pool: RentedState, waiting: Sequence[TaskView], now: datetime
) -> RefuseTasks | None:
    """Refuse tasks that no machine could take, and all of them when there can never be a machine."""
    offers = [offer for kind in pool.offers or () for offer in kind]
    tasks = misfits(state, waiting, [offer.resources for offer in offers])
    if tasks:
        rooms = "no machine that the pool asks for" if not offers else "none of the machines that the pool may have"
        found = "the provider rents" if not offers else "they fit on"
        return RefuseTasks(tasks, f"{found} {rooms}; ask for less, or change needs, type or max_price of pool {name}")
    if not waiting or any(lease.open for lease in state.leases.values()):
        return None
    failure = pool.last_class
    if pool.unreached >= UNREACHED_MOST:
        reason = f"{pool.unreached} machines in a row could not be reached: {pool.last_failure}"
    elif not any(open_offers(pool)):
        reason = f"the cloud refuses all that the pool may have: {pool.last_failure}"
    elif not affordable(state, name, now):
        reason, failure = no_money(state, name, now), FailureClass.CAPACITY
    else:
        return None
    return RefuseTasks(tuple(view.id for view in waiting), reason, failure)


def _wanted(state: RunState, name: str, pool: RentedState, now: datetime, *, busy: bool) -> list[int]:
    """Say how many machines of each kind there should be; kinds are filled in their order."""
    wanted: list[int] = []
    unmet = 1.0 if is_open(pool.spec, now) else 0.0
    for kind, offers in zip(pool.spec.kinds, open_offers(pool), strict=True):
        demand = machines_wanted(state, name, offers[0].resources, now) if offers else 0.0
        least = kind.least if busy and unmet else 0
        count = max(least, min(_most(pool, kind, offers), math.ceil(round(unmet * demand, 6))))
        wanted.append(count)
        unmet = max(0.0, unmet - count / demand) if demand else unmet
    return wanted


def _most(pool: RentedState, kind: MachineKind, offers: Sequence[Offer]) -> int:
    if pool.spec.spread_cpus is None or not offers:
        return kind.most
    return max(1, math.ceil(round(pool.spec.spread_cpus / offers[0].resources.cpus, 6)))


def _supply(
    state: RunState,
    name: str,
    pool: RentedState,
    kind: int,
    wanted: int,
    number: int,
    now: datetime,
    taken: Collection[str],
) -> Iterator[Action]:
    """Start again what was stopped, which is paid for, and turn what `supply` says of the rest into actions."""
    leases = [lease for lease in state.leases.values() if (lease.pool, lease.kind) == (name, kind) and lease.open]
    missing = max(0, wanted - sum(lease.phase in SERVING for lease in leases))
    usable = (lease for lease in leases if lease.phase is LeasePhase.STOPPED and now < _last_part(pool, lease))
    started = [StartAgain(lease.id) for lease in islice(usable, missing)]
    yield from started
    wanted -= len(started)
    rule = rule_of(name, pool, wanted)
    if not pool.open and _goes_on(state):
        # Nothing will come that would be worth the wait.
        rule = evolve(rule, idle=timedelta(0))
    decided = supply(rule, view_of(state, name, kind, wanted), open_offers(pool)[kind], now)
    for each in decided:
        match each:
            case Drain(lease, reason):
                if pool.spec.when_idle is not WhenIdle.KEEP and state.leases[lease].machine not in taken:
                    yield DrainMachine(lease, reason)
            case Intend(_, offer) if pool.unreached < UNREACHED_MOST:
                number += 1
                yield Rent(f"{name}-{number}", name, kind, offer, now + pool.spec.lifetime)
            case _:
                pass


def _goes_on(state: RunState) -> bool:
    """Say whether any task has not ended; where none is left the run's own end is near."""
    return sum(state.phases[phase] for phase in ENDED) < len(state.tasks)


def _drains(pool: RentedState, serving: Sequence[LeaseState], now: datetime) -> Iterator[DrainMachine]:
    """Take machines out of service whose time is over, whatever runs on them."""
    for lease in serving:
        if lease.phase is not LeasePhase.READY:
            continue
        if now >= _last_part(pool, lease):
            yield DrainMachine(lease.id, _time_is_over(lease))
        elif not is_open(pool.spec, now):
            yield DrainMachine(lease.id, f"machines may be up in the hours {pool.spec.hours} only")


def _time_is_over(lease: LeaseState) -> str:
    return f"its end time {lease.ends_at:%Y-%m-%d %H:%M:%S} UTC comes"


def _last_part(pool: RentedState, lease: LeaseState) -> datetime:
    return lease.ends_at - pool.spec.lifetime / _LAST_PART


def _is_free(state: RunState, lease: LeaseState) -> bool:
    """Say whether nothing runs on a machine, and nothing that is wanted has yet to come from it."""
    machine = state.machines.get(lease.machine)
    if machine is None or machine.gone:
        return True
    return not machine.attempts and all(state.tasks[name].machine != lease.machine for name in state.where.settling)


def _fate(state: RunState, lease: LeaseState, now: datetime) -> WhenIdle:
    """Say what becomes of a machine that is not needed: what its pool wants, when that can still be."""
    pool = state.rented[lease.pool]
    usable = lease.phase in {LeasePhase.READY, LeasePhase.DRAINING, LeasePhase.STOPPED}
    if not usable or lease.doomed or now >= _last_part(pool, lease):
        return WhenIdle.END
    if pool.spec.when_idle is WhenIdle.STOP and lease.phase is LeasePhase.STOPPED:
        return WhenIdle.KEEP
    return pool.spec.when_idle


def _wakes(state: RunState, name: str, pool: RentedState, now: datetime) -> Iterator[datetime]:
    """Give the moments at which something else may be decided though nothing has happened."""
    if pool.trouble_at is not None:
        yield pool.trouble_at + _TROUBLE
    for lease in state.leases.values():
        if lease.pool == name and lease.phase in {LeasePhase.READY, LeasePhase.STOPPED} and lease.open:
            yield _last_part(pool, lease)
            if lease.phase is LeasePhase.READY and lease.machine in state.idle:
                yield state.idle[lease.machine] + pool.spec.idle
    if waiting_tasks(state, name, now):
        yield from (refusal.at + rule_of(name, pool, 1).cool_off for refusal in pool.refusals)
    change = pool.spec.hours.next_change(now) if pool.spec.hours is not None else None
    if change is not None:
        yield change
