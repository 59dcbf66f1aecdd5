"""Ending, stopping and starting exactly the machines that were named."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from longshore.errors import LongshoreError, UsageError
from longshore.machines.describing import lease_name, pick, unseen
from longshore.machines.fleet import Fleet
from longshore.machines.values import Deed, MachineInfo, Overview, Whose
from longshore.model.lease import Lease, LeasePhase
from longshore.plugin.provider import Stoppable

__all__ = ["chosen", "end", "start", "stop"]

_REASON = "it was ended by hand"


def chosen(
    fleet: Fleet, words: Sequence[str], *, providers: Collection[str] = (), pool: str = "", foreign: bool = False
) -> list[MachineInfo | Lease]:
    """Find the machines that are meant: each that is named, and, with ``pool``, ours of this pool.

    Raises:
        UsageError: when a word names nothing or several, or a machine of another ledger without ``foreign``.
    """
    overview = fleet.overview(providers)
    picked = pick(words, overview)
    known = {(each.provider, each.id) for each in picked}
    picked += [each for each in _of_pool(fleet, overview, pool) if (each.provider, each.id) not in known]
    for each in picked:
        if isinstance(each, MachineInfo) and each.whose is Whose.FOREIGN and not foreign:
            raise UsageError(
                f"{each.provider}/{each.id} is of another ledger: a second computer of yours, a colleague, a CI job; "
                "if it is to be ended or changed all the same, say so by --foreign"
            )
    return picked


def _of_pool(fleet: Fleet, overview: Overview, pool: str) -> list[MachineInfo | Lease]:
    if not pool:
        return []
    project = fleet.renting.project
    return [
        *(
            row
            for row in overview.machines
            if (row.pool, row.project) == (pool, project) and row.whose is not Whose.FOREIGN
        ),
        *(each for each in overview.unlisted if (each.spec.pool, each.spec.project) == (pool, project)),
    ]


def end(fleet: Fleet, machines: Sequence[MachineInfo | Lease]) -> list[Deed]:
    """End these, and nothing else. That they are gone is proven later, by `gc` or the next run."""
    return [_tried(fleet, each, "ended", _end_one) for each in machines]


def _end_one(fleet: Fleet, machine: MachineInfo | Lease) -> None:
    keeper = fleet.keeper(machine.provider)
    lease = machine.id if isinstance(machine, Lease) else machine.lease
    if lease:
        if hidden := unseen(fleet.ledger.lease(lease), keeper.scope):
            raise UsageError(f"it was not ended: {hidden}")
        keeper.end(lease, _REASON)
    if isinstance(machine, MachineInfo) and (not lease or fleet.ledger.lease(lease).machine != machine.id):
        # No lease is on it, or its launch was done twice and the lease is on the other one.
        keeper.provider.terminate([machine.id])


def stop(fleet: Fleet, machines: Sequence[MachineInfo | Lease]) -> list[Deed]:
    """Power these off; what is on their disks stays, and costs. Their end time stays, too."""
    return [_tried(fleet, each, "stopped", _stop_one) for each in machines]


def start(fleet: Fleet, machines: Sequence[MachineInfo | Lease]) -> list[Deed]:
    """Power these on; their addresses may be others then."""
    return [_tried(fleet, each, "started", _start_one) for each in machines]


def _stop_one(fleet: Fleet, machine: MachineInfo | Lease) -> None:
    lease = _lease_of(fleet, machine)
    if lease is not None and lease.phase not in {LeasePhase.KNOWN, LeasePhase.READY, LeasePhase.STOPPED}:
        raise UsageError(f"{lease_name(lease)} is {lease.phase}, and is not stopped any more")
    _switch(fleet, machine).stop([_id_of(machine)])
    if lease is not None:
        fleet.ledger.advance(lease.id, LeasePhase.STOPPED, at=fleet.now(), note="stopped by hand")


def _start_one(fleet: Fleet, machine: MachineInfo | Lease) -> None:
    lease = _lease_of(fleet, machine)
    if lease is not None and lease.phase not in {LeasePhase.KNOWN, LeasePhase.READY, LeasePhase.STOPPED}:
        raise UsageError(f"{lease_name(lease)} is {lease.phase}, and is not started any more")
    _switch(fleet, machine).start([_id_of(machine)])
    if lease is not None and lease.phase is LeasePhase.STOPPED:
        fleet.ledger.advance(lease.id, LeasePhase.KNOWN, at=fleet.now(), note="started by hand")
        fleet.ledger.advance(lease.id, LeasePhase.READY, at=fleet.now())


def _switch(fleet: Fleet, machine: MachineInfo | Lease) -> Stoppable:
    provider = fleet.keeper(machine.provider).provider
    if not isinstance(provider, Stoppable):
        raise UsageError(f"machines of {machine.provider} can be ended, and not stopped or started")
    return provider


def _lease_of(fleet: Fleet, machine: MachineInfo | Lease) -> Lease | None:
    if isinstance(machine, Lease):
        return machine
    return fleet.ledger.lease(machine.lease) if machine.lease else None


def _id_of(machine: MachineInfo | Lease) -> str:
    if isinstance(machine, MachineInfo):
        return machine.id
    if not machine.machine:
        raise UsageError(f"{lease_name(machine)} has no machine yet; look again in a minute")
    return machine.machine


def _tried(
    fleet: Fleet,
    machine: MachineInfo | Lease,
    verb: str,
    act: Callable[[Fleet, MachineInfo | Lease], None],
) -> Deed:
    """Do it to one; what goes wrong with it keeps the others from nothing."""
    name = lease_name(machine) if isinstance(machine, Lease) else machine.name
    error: LongshoreError | None = None
    fleet.tell(f"{name} is being {verb}")
    try:
        act(fleet, machine)
    except LongshoreError as caught:
        error = caught
    return Deed(provider=machine.provider, what=f"{verb} {name} ({machine.provider}/{machine.id})", error=error)
