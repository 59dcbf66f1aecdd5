"""Renting by hand: machines that belong to no run, and that runs of their project may use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from itertools import islice

from attrs import frozen

from longshore.errors import CloudUnreachable, LongshoreError, OutOfCapacity, ProviderError, UsageError
from longshore.machines.describing import lease_name
from longshore.machines.fleet import Fleet
from longshore.machines.making import lease_id, renting_by_hand
from longshore.machines.values import MachineInfo, Quote
from longshore.model.budget import Budget
from longshore.model.lease import Lease, LeasePhase
from longshore.model.machine import Machine, MachineState
from longshore.model.machine_spec import MachineSpec
from longshore.model.names import check_name, near
from longshore.model.offer import Offer, cost_between
from longshore.model.quantity import Money
from longshore.model.rented import RentedPool
from longshore.model.resources import Resources
from longshore.model.workflow import PoolSpec
from longshore.runtime.booting import dressed
from longshore.runtime.leases import LeaseKeeper
from longshore.runtime.ledger_file import locked
from longshore.runtime.offering import find_offers

__all__ = ["rent"]

_LONGEST_LABEL = 40
_ANYTHING = Resources(cpus=0.0)
_REPEATS = 3
"""A launch without an answer is asked for again so often, under its token."""
_PAUSE = timedelta(seconds=1)
"""Between two looks whether machines run. A cloud cannot tell us by itself."""


@frozen(kw_only=True)
class _Wish:
    """What is to be rented, as far as it is decided before anybody agrees."""

    pool: PoolSpec
    provider: str
    rented: RentedPool
    offers: tuple[Offer, ...]
    """In the order in which they are tried."""
    count: int
    label: str
    taken: frozenset[str]
    """Names that the clouds have shown."""
    ends_at: datetime
    limit: Money | None

    def names(self, more: Collection[str] = ()) -> tuple[str, ...]:
        """Name the machines; ``more`` are names that are taken, too.

        Raises:
            UsageError: when the label is no good, or a machine has it already.
        """
        return _names(self.pool.name, self.count, self.label, self.taken.union(more))


def rent(
    fleet: Fleet,
    pool: str,
    *,
    count: int = 1,
    label: str = "",
    lifetime: timedelta | None = None,
    max_cost: Money | None = None,
    agree: Callable[[Quote], bool] = lambda _: True,
) -> list[MachineInfo]:
    """Rent machines of a pool, all or none, and wait until they run; none when ``agree`` says no to the quote.

    They live until their end time, ``lifetime`` from now (the pool's by default), unless they are ended before. What
    goes wrong half-way, Ctrl-C too, undoes all of it; what a crash leaves is undone by `gc`.

    Raises:
        UsageError: when there is no such pool, or a machine has the label already.
        BudgetExceeded: when ``max_cost`` (the pool's by default) does not bear all of them to their end.
        OutOfCapacity: when nobody has so many such machines now.
        ProviderError: when the cloud refuses otherwise.
    """
    if count < 1:
        raise UsageError(f"{count} machines are none; ask for one at least")
    spec = _pool(fleet, pool)
    rented, provider = spec.rented, spec.provider
    assert rented is not None
    assert provider is not None
    now = fleet.now().replace(microsecond=0)
    keeper = fleet.keeper(provider)
    offers = _offers(keeper, rented, fleet.now())
    wish = _Wish(
        pool=spec,
        provider=provider,
        rented=rented,
        offers=offers,
        count=count,
        label=label,
        taken=_taken(fleet),
        ends_at=now + (lifetime or rented.lifetime),
        limit=max_cost or rented.max_cost,
    )
    return _rent(fleet, wish) if agree(_quote(wish, now)) else []


def _pool(fleet: Fleet, name: str) -> PoolSpec:
    pools = {each.name: each for each in fleet.renting.pools.values() if each.rented is not None}
    if name not in pools:
        close = near(name, pools)
        there = f"there are: {', '.join(sorted(pools))}" if pools else 'write [pools.NAME] with provider = "..."'
        remedy = f"did you mean {' or '.join(close)}?" if close else there
        raise UsageError(f"there is no pool {name!r} that rents machines; {remedy}")
    return pools[name]


def _offers(keeper: LeaseKeeper, rented: RentedPool, now: datetime) -> tuple[Offer, ...]:
    """List what there is of the pool's kinds, in the order in which it is tried.

    Raises:
        OutOfCapacity: when nothing that is offered will do.
    """
    found = find_offers(keeper.provider, rented, _ANYTHING, now)
    if not any(found):
        raise OutOfCapacity(
            f"{keeper.name} offers no machine that the pool asks for; `longshore offers` shows what there is"
        )
    return tuple(offer for kind in found for offer in kind)


def _taken(fleet: Fleet) -> frozenset[str]:
    """List the names that the owner's machines have, on whatever cloud."""
    overview = fleet.overview()
    return frozenset(row.name for row in overview.machines) | {lease_name(lease) for lease in overview.unlisted}


def _names(pool: str, count: int, label: str, taken: Collection[str]) -> tuple[str, ...]:
    """Give each machine a name that no other has.

    Raises:
        UsageError: when one has it already, or the label is no good.
    """
    if not label:
        free = (f"{pool}-{number}" for number in range(1, len(taken) + count + 1) if f"{pool}-{number}" not in taken)
        return tuple(islice(free, count))
    try:
        check_name(label, "label")
    except ValueError as error:
        raise UsageError(str(error)) from error
    if len(label) > _LONGEST_LABEL:
        raise UsageError(f"the label has {len(label)} characters; {_LONGEST_LABEL} are the most")
    names = (label,) if count == 1 else tuple(f"{label}-{number}" for number in range(1, count + 1))
    clashes = [name for name in names if name in taken]
    if clashes:
        raise UsageError(f"there is a machine named {clashes[0]!r} already; choose another label, or end it first")
    return names


def _quote(wish: _Wish, now: datetime) -> Quote:
    offer = wish.offers[0]
    most = None
    if offer.price is not None:
        one = cost_between(offer.price, now, wish.ends_at)
        most = Money(amount=one.amount * wish.count, currency=one.currency)
    return Quote(
        pool=wish.pool.name,
        provider=wish.provider,
        offer=offer,
        names=wish.names(),
        ends_at=wish.ends_at,
        most=most,
        bounded=wish.limit is not None,
    )


def _rent(fleet: Fleet, wish: _Wish) -> list[MachineInfo]:
    with renting_by_hand(fleet.ledger) as making:
        executor = fleet.executor(wish.pool, making)
        keeper = LeaseKeeper(
            name=wish.provider,
            provider=fleet.keeper(wish.provider).provider,
            ledger=fleet.ledger,
            owner=fleet.keeper(wish.provider).owner,
            now=fleet.now,
            another=_another(wish.offers),
            dress=lambda spec, derived: dressed(executor, spec, derived),
        )
        leases = [lease_id(making, number) for number in range(1, wish.count + 1)]
        try:
            _intend(fleet, keeper, wish, leases)
            for name in leases:
                fleet.tell(f"renting {lease_name(fleet.ledger.lease(name))} from {wish.provider}")
                _launch(keeper, name)
            _wait_until_they_run(fleet, keeper, wish, leases)
            for name in reversed(leases):  # the first one last: with it all of this is done
                fleet.ledger.advance(name, LeasePhase.READY, at=fleet.now(), note="rented by hand")
        except BaseException as error:
            left = _undo(fleet, keeper, leases)
            if left:
                error.add_note(f"{', '.join(left)} may still cost money; `longshore gc` ends what was begun")
            raise
        rented = {fleet.ledger.lease(name).machine for name in leases}
    return [row for row in fleet.overview([wish.provider]).machines if row.id in rented]


def _another(offers: Sequence[Offer]) -> Callable[[Lease, ProviderError], Offer | None]:
    """Go on to the next offer after each refusal."""
    following = dict(zip((offer.key for offer in offers), offers[1:], strict=False))
    return lambda lease, _: following.get(lease.spec.offer.key)


def _intend(fleet: Fleet, keeper: LeaseKeeper, wish: _Wish, leases: Sequence[str]) -> None:
    """Write all of it down, or nothing that would cost: names are taken, and money is set aside."""
    budgets = [] if wish.limit is None else [Budget(name=f"by hand/{leases[0].rpartition('/')[0]}", limit=wish.limit)]
    with locked(fleet.ledger.path.with_suffix(".names.lock")):
        # Whoever has rented since is in the ledger.
        names = wish.names([lease_name(lease) for lease in fleet.ledger.leases()])
        for name, label in zip(leases, names, strict=True):
            spec = MachineSpec(
                offer=wish.offers[0],
                image=wish.rented.image,
                owner=keeper.owner,
                ledger=fleet.ledger.id,
                project=fleet.renting.project,
                run="",
                pool=wish.pool.name,
                name=label,
                ends_at=wish.ends_at,
                # Nobody attends to it: it waits for runs until its end.
                unattended=wish.ends_at - fleet.now(),
            )
            lease = Lease(id=name, provider=wish.provider, account=keeper.scope.account, spec=spec, since=fleet.now())
            fleet.ledger.intend(lease, budgets=budgets)


def _launch(keeper: LeaseKeeper, name: str) -> None:
    """Ask for one machine until there is an answer, of one offer after the other.

    Raises:
        OutOfCapacity: when no offer is left.
        CloudUnreachable: when no answer came, however often it was asked.
    """
    unanswered = 0
    while unanswered < _REPEATS:
        lease = keeper.launch(name)
        match lease.phase:
            case LeasePhase.INTENDED:
                continue
            case LeasePhase.REQUESTED:
                unanswered += 1
            case LeasePhase.KNOWN:
                return
            case _:
                said = lease.evidence.text if lease.evidence is not None else keeper.ledger.history(name)[-1].note
                raise OutOfCapacity(f"{lease_name(lease)} cannot be had: {said}")
    raise CloudUnreachable(f"{keeper.name} did not answer when asked for {lease_name(keeper.ledger.lease(name))}")


def _wait_until_they_run(fleet: Fleet, keeper: LeaseKeeper, wish: _Wish, leases: Sequence[str]) -> None:
    until = fleet.now() + wish.rented.boot
    waiting = {fleet.ledger.lease(name).machine: lease_name(fleet.ledger.lease(name)) for name in leases}
    while True:
        try:
            listed = {each.id: each for each in keeper.look().machines}
        except CloudUnreachable:
            listed = {}
        waiting = {machine: name for machine, name in waiting.items() if not _runs(listed.get(machine))}
        if not waiting:
            return
        if fleet.now() >= until:
            raise ProviderError(f"{', '.join(waiting.values())} did not come up within {wish.rented.boot}")
        fleet.tell(f"waiting for {', '.join(waiting.values())}")
        fleet.wait(_PAUSE)


def _runs(machine: Machine | None) -> bool:
    return machine is not None and machine.state is MachineState.RUNNING and bool(machine.address)


def _undo(fleet: Fleet, keeper: LeaseKeeper, leases: Sequence[str]) -> list[str]:
    """End all that was begun; name those whose end could not be asked for."""
    left = []
    living = {lease.id: lease for lease in fleet.ledger.leases(run="")}
    for name in leases:
        if name not in living:
            continue
        try:
            lease = keeper.end(name, "not all of what was asked for could be rented")
        except LongshoreError:
            left.append(lease_name(living[name]))
            continue
        if lease.phase is LeasePhase.ENDING and not lease.machine:
            left.append(lease_name(lease))
    return left
