"""The ways into machines that are rented: where they are, by which key they are known, and that they let us in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from longshore.errors import UsageError
from longshore.machines.ending import chosen
from longshore.machines.fleet import open_fleet
from longshore.machines.hosts import make_executor
from longshore.machines.values import MachineInfo
from longshore.model.machine import MachineState
from longshore.model.workflow import PoolSpec
from longshore.runtime.admission import Admission
from longshore.runtime.registry import Registry

__all__ = ["enter_machine", "enter_pool"]


def enter_pool(
    pool: PoolSpec, folder: Path, aside: Path, tell: Callable[[str], None]
) -> tuple[object, Mapping[str, tuple[str, str]]]:
    """Give the executor of a pool, and its machines that run: by name, address and host key."""
    with open_fleet(folder, tell=tell) as fleet:
        rented = [
            each
            for each in chosen(fleet, [], pool=pool.name)
            if isinstance(each, MachineInfo) and each.state is MachineState.RUNNING and each.address
        ]
        for provider in {each.provider for each in rented}:
            keeper = fleet.keeper(provider)
            Admission(keeper.provider, keeper.owner).follow()
        return make_executor(Registry(), pool, folder, aside), {
            each.name: (each.address, each.host_key) for each in rented
        }


def enter_machine(name: str, folder: Path, aside: Path, tell: Callable[[str], None]) -> tuple[object, str, str]:
    """Give the executor of a machine's pool, its address and its host key.

    Raises:
        UsageError: when there is none of this name, several, or one that nobody can log in to.
    """
    with open_fleet(folder, tell=tell) as fleet:
        [machine] = chosen(fleet, [name], foreign=True)
        if not isinstance(machine, MachineInfo) or not machine.address:
            raise UsageError(f"{name} has no address yet; look again in a minute")
        pool = fleet.renting.pools.get(machine.pool)
        if pool is None:
            raise UsageError(f"{name} is of pool {machine.pool!r}, which nothing here describes; go to its project")
        keeper = fleet.keeper(machine.provider)
        Admission(keeper.provider, keeper.owner).follow()
        return make_executor(Registry(), pool, folder, aside), machine.address, machine.host_key
