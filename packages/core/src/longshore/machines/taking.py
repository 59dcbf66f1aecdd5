"""Machines of a run whose controller is gone with its ledger: known by their tags, and ended before anybody goes on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from longshore.errors import ProviderError
from longshore.machines.fleet import Fleet
from longshore.model.lease import Lease, LeasePhase
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec, Tag
from longshore.model.offer import Offer
from longshore.model.times import read_time
from longshore.runtime.leases import LeaseKeeper

__all__ = ["end_machines_of"]

_REASON = "its controller is gone, and what ran on it is run elsewhere"
_SOONEST = timedelta(milliseconds=250)
_PATIENCE = timedelta(minutes=5)


def end_machines_of(fleet: Fleet, run: str, label: str = "") -> list[str]:
    """End all machines of a run, and those that are called ``label``; wait until they are proven gone, and name them.

    Each gets a lease in this ledger first, unless it has one, whatever ledger it was rented under.

    Raises:
        ProviderError: when a cloud cannot be asked, or still lists one after a long time.
        ConfigError: when nobody says whose machines are meant.
    """
    ended: list[str] = []
    for name in sorted({pool.provider for pool in fleet.renting.pools.values() if pool.provider}):
        keeper = fleet.keeper(name)
        listed = [each for each in keeper.look().machines if _is_meant(each, run, label)]
        unknown = _unknown(keeper, listed)
        leases = [*_known(keeper, listed, label), *(_taken(keeper, run, each, fleet) for each in unknown)]
        if leases:
            fleet.tell(f"ending {', '.join(machine.id for machine in listed)}")
            keeper.end_all(dict.fromkeys(leases, _REASON))
            _wait(fleet, keeper, leases)
        ended += [f"{name}/{machine.id}" for machine in listed]
    return ended


def _is_meant(machine: Machine, run: str, label: str) -> bool:
    return machine.tags.get(Tag.RUN) == run or (bool(label) and machine.tags.get(Tag.NAME) == label)


def _known(keeper: LeaseKeeper, listed: list[Machine], label: str) -> Iterator[str]:
    """List our own leases that are meant, also where the cloud shows nothing (any more)."""
    ids = {machine.id for machine in listed}
    for lease in keeper.ledger.leases():
        if lease.provider == keeper.name and (lease.machine in ids or (label and lease.spec.name == label)):
            yield lease.id


def _unknown(keeper: LeaseKeeper, listed: list[Machine]) -> list[Machine]:
    known = {lease.machine for lease in keeper.ledger.leases() if lease.provider == keeper.name}
    return [machine for machine in listed if machine.id not in known]


def _taken(keeper: LeaseKeeper, run: str, machine: Machine, fleet: Fleet) -> str:
    """Write a machine down that another ledger knew; give its lease."""
    tags, now = machine.tags, fleet.now()
    spec = MachineSpec(
        offer=Offer(
            type=machine.type or "unknown",
            region=machine.region or "unknown",
            zone=machine.zone,
            resources=machine.resources,
            spot=machine.spot,
        ),
        owner=keeper.owner,
        ledger=keeper.ledger.id,
        project=tags.get(Tag.PROJECT, ""),
        run="",
        pool=tags.get(Tag.POOL) or machine.pool,
        ends_at=read_time(tags.get(Tag.ENDS_AT, "")) or now,
        name=tags.get(Tag.NAME, ""),
    )
    name = f"taken/{run}/{machine.id}"
    born = machine.born or now
    ledger = keeper.ledger
    ledger.intend(Lease(id=name, provider=keeper.name, account=keeper.scope.account, spec=spec, since=born), budgets=())
    ledger.request(name, at=born)
    ledger.confirm(name, machine.id, at=now)
    return name


def _wait(fleet: Fleet, keeper: LeaseKeeper, leases: list[str]) -> None:
    lag = keeper.provider.terms.listing_lag
    until = fleet.now() + keeper.provider.terms.settle + 4 * lag + _PATIENCE
    while any(keeper.ledger.lease(name).phase is not LeasePhase.ABSENT for name in leases):
        if fleet.now() > until:
            raise ProviderError(f"{keeper.name} still lists machines that were to end; take the run over later")
        keeper.turn()
        fleet.wait(max(_SOONEST, lag / 4))
