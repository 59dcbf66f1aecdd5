"""Rented Kubernetes clusters by hand: machines of providers that have the ability, with their nodes and the way in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from pathlib import Path

from attrs import field, frozen

from longshore.errors import LongshoreError, UsageError
from longshore.machines.ending import chosen
from longshore.machines.fleet import Fleet, Progress, open_fleet
from longshore.machines.renting import rent
from longshore.machines.values import Deed, MachineInfo, Quote, Unasked
from longshore.model.lease import Lease
from longshore.model.machine import MachineState
from longshore.model.quantity import Money
from longshore.plugin.clusters import ClusterAccess, Kubernetes

__all__ = ["RentedCluster", "access_to_cluster", "rent_cluster", "rented_clusters", "scale_clusters"]


@frozen(kw_only=True)
class RentedCluster:
    """A cluster as its cloud shows it now."""

    machine: MachineInfo
    nodes: int | None
    """How many it is to have; None when its cloud does not say."""
    error: LongshoreError | None = field(default=None, eq=False)


def rented_clusters(
    folder: Path | str, *, providers: Collection[str] = (), tell: Progress
) -> tuple[list[RentedCluster], tuple[Unasked, ...]]:
    """List all clusters of the owner, as `longshore.machines.list` does, and who could not be asked."""
    with open_fleet(Path(folder), tell=tell) as fleet:
        overview = fleet.overview(providers)
        rows = [row for row in overview.machines if _provider(fleet, row) is not None]
        return [_looked_at(fleet, row) for row in rows], overview.unasked


def rent_cluster(
    pool: str,
    *,
    folder: Path | str,
    label: str = "",
    lifetime: timedelta | None = None,
    max_cost: Money | None = None,
    agree: Callable[[Quote], bool],
    tell: Progress,
) -> list[MachineInfo]:
    """Rent the cluster of a pool, and wait until it is there; its nodes have been asked for then.

    Raises:
        UsageError: when there is no such pool, or its provider rents no clusters.
        ProviderError: and others, as `longshore.machines.up` does; what was begun is ended then.
    """
    with open_fleet(Path(folder), tell=tell) as fleet:
        spec = fleet.renting.pools.get(pool)
        if spec is None or spec.provider is None or not isinstance(fleet.keeper(spec.provider).provider, Kubernetes):
            raise UsageError(f"there is no pool {pool!r} whose provider rents clusters")
        rows = rent(fleet, pool, label=label, lifetime=lifetime, max_cost=max_cost, agree=agree)
        for row in rows:
            _way_in(fleet, row)
        return rows


def scale_clusters(
    names: Sequence[str], nodes: int, *, folder: Path | str, providers: Collection[str] = (), tell: Progress
) -> list[Deed]:
    """Let clusters that are named have so many nodes each; what failed is in the deeds.

    Raises:
        UsageError: when a name fits nothing, several, something of another ledger, or no cluster.
    """
    with open_fleet(Path(folder), tell=tell) as fleet:
        rows = [_as_cluster(fleet, each) for each in chosen(fleet, names, providers=providers)]
        return [_scaled(fleet, row, nodes) for row in rows]


def access_to_cluster(name: str, *, folder: Path | str, tell: Progress) -> ClusterAccess:
    """Say how a cluster that is named is reached.

    Raises:
        UsageError: as `scale_clusters` does, and while the cluster is being made.
        ProviderError: when its cloud does not say.
    """
    with open_fleet(Path(folder), tell=tell) as fleet:
        [picked] = chosen(fleet, [name])
        return _way_in(fleet, _as_cluster(fleet, picked))


def _provider(fleet: Fleet, row: MachineInfo) -> Kubernetes | None:
    provider = fleet.keeper(row.provider).provider
    return provider if isinstance(provider, Kubernetes) else None


def _as_cluster(fleet: Fleet, picked: MachineInfo | Lease) -> MachineInfo:
    if isinstance(picked, MachineInfo) and _provider(fleet, picked) is not None:
        return picked
    name = picked.name if isinstance(picked, MachineInfo) else picked.id
    raise UsageError(f"{name} is no cluster that is there; `longshore clusters` lists them")


def _looked_at(fleet: Fleet, row: MachineInfo) -> RentedCluster:
    provider = _provider(fleet, row)
    assert provider is not None
    if row.state is MachineState.ENDING:
        return RentedCluster(machine=row, nodes=None)
    try:
        return RentedCluster(machine=row, nodes=provider.nodes(row.address))
    except LongshoreError as error:
        return RentedCluster(machine=row, nodes=None, error=error)


def _way_in(fleet: Fleet, row: MachineInfo) -> ClusterAccess:
    provider = _provider(fleet, row)
    assert provider is not None
    access = provider.access(row.address)
    if access is None:
        raise UsageError(f"cluster {row.name} is being made, or ended; look again in some minutes")
    return access


def _scaled(fleet: Fleet, row: MachineInfo, nodes: int) -> Deed:
    provider = _provider(fleet, row)
    assert provider is not None
    error: LongshoreError | None = None
    try:
        provider.scale(row.address, nodes)
    except LongshoreError as caught:
        error = caught
    return Deed(provider=row.provider, what=f"scaled {row.name} to {nodes} nodes", error=error)
