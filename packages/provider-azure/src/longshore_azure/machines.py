"""The machines of a subscription: listed, read, and ended. One is called by its resource group and its name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from longshore.model.machine import Machine, MachineState
from longshore.model.machine_spec import Tag, login_address
from longshore.model.resources import Resources
from longshore.plugin.refusals import end_each
from longshore_azure.clients import Clients
from longshore_azure.config import Address
from longshore_azure.errors import is_gone, translated
from longshore_azure.names import group_of, last

__all__ = ["VMS", "Machines", "place_of"]

VMS = "compute.virtual_machines"
"""Where the SDK has what is asked of machines."""
_POWER = "PowerState/"
_STATES: Mapping[str, MachineState] = {
    "starting": MachineState.STARTING,
    "running": MachineState.RUNNING,
    "stopping": MachineState.STOPPED,
    "stopped": MachineState.STOPPED,
    "deallocating": MachineState.STOPPED,
    "deallocated": MachineState.STOPPED,
}
_GIB = 1 << 30
_LISTING = "listing machines"
_NOBODY = "longshore-that-never-was"


class Machines:
    """Asks about virtual machines. Any thread may ask."""

    def __init__(self, clients: Clients, address: Address) -> None:
        """``address`` says by which of its addresses a machine is reached."""
        self._clients = clients
        self._address = address

    def tagged(self, key: Tag, value: str) -> list[Machine]:
        """List the machines that have a tag, in all regions and resource groups.

        Raises:
            ProviderError: when the list cannot be had whole.
        """
        rows = self._listed(VMS, "list_all")
        with translated(_LISTING):
            rows = {each: row for each, row in rows.items() if (row.tags or {}).get(key) == value}
        if not rows:
            return []
        # How they are, and their addresses, are lists of their own.
        states = self._listed(VMS, "list_all", status_only="true")
        cards = self._listed("network.network_interfaces", "list_all")
        addresses = self._listed("network.public_ip_addresses", "list_all")
        with translated(_LISTING):
            return [self._read(row, states.get(each, row), cards.get, addresses.get) for each, row in rows.items()]

    def _listed(self, what: str, method: str, **options: Any) -> dict[str, Any]:
        rows = self._clients.listed(_LISTING, what, method, **options)
        with translated(_LISTING):
            return {row.id.lower(): row for row in rows}

    def named(self, machine_id: str) -> Machine | None:
        """Look for one machine; what Azure says of it is never late.

        Raises:
            ProviderError: when Azure cannot be asked.
        """
        doing = f"looking for {machine_id}"
        row = self._clients.look(doing, VMS, *place_of(machine_id), expand="instanceView")

        def looked(what: str) -> Callable[[str], Any]:
            return lambda each: self._clients.look(doing, what, group_of(each), last(each))

        with translated(doing):
            if row is None:
                return None
            return self._read(row, row, looked("network.network_interfaces"), looked("network.public_ip_addresses"))

    def missing(self, machine_ids: Collection[str]) -> set[str]:
        """Give those that there are not. Lists say most of it, and may be late; what they lack is asked for by name.

        Raises:
            ProviderError: when Azure cannot be asked.
        """
        if not machine_ids:
            return set()
        rows = self._listed(VMS, "list_all")
        with translated(_LISTING):
            there = {_id(row) for row in rows.values()}
        unlisted = set(machine_ids) - there
        return {each for each in unlisted if self._clients.look(f"looking for {each}", VMS, *place_of(each)) is None}

    def _read(self, row: Any, state: Any, card_of: Callable[[str], Any], address_of: Callable[[str], Any]) -> Machine:
        """Read one machine as Azure describes it; the functions give network interfaces and addresses by their ids."""
        tags = dict(row.tags or {})
        host = next((found for each in self._cards(row, card_of) if (found := self._host(each, address_of))), "")
        return Machine(
            id=_id(row),
            pool=tags.get(Tag.POOL, ""),
            resources=Resources(
                cpus=float(tags.get("longshore-cpus", "0")),
                memory_bytes=int(tags.get("longshore-memory-bytes", "0")),
                gpus=int(tags.get("longshore-gpus", "0")),
                disk_bytes=(row.storage_profile.os_disk.disk_size_gb or 0) * _GIB,
            ),
            address=login_address(host, tags),
            tags=tags,
            type=row.hardware_profile.vm_size,
            region=row.location,
            zone=next(iter(row.zones or ()), ""),
            spot=row.priority == "Spot",
            state=_state(row, state),
            born=row.time_created,
        )

    def _cards(self, row: Any, card_of: Callable[[str], Any]) -> list[Any]:
        profile = row.network_profile
        references = (profile.network_interfaces or ()) if profile is not None else ()
        cards = [card_of(each.id.lower()) for each in references]
        return [each for each in cards if each is not None]

    def _host(self, card: Any, address_of: Callable[[str], Any]) -> str:
        for each in card.ip_configurations or ():
            if self._address == "private":
                return each.private_ip_address or ""
            reference = each.public_ip_address
            address = address_of(reference.id.lower()) if reference is not None else None
            if address is not None:
                return address.ip_address or ""
        return ""

    def terminate(self, machine_ids: Collection[str]) -> None:
        """End machines; silent for unknown ones. Azure deletes the disk, the network interface and the address that
        were made with each, since that is how they were asked for, and nothing else.

        Raises:
            ProviderError: the first refusal, after all others were tried.
        """
        ours = {each for each in machine_ids if "/" in each}
        end_each(ours, lambda each: self.act(each, "begin_delete", f"ending {each}"), gone=is_gone)

    def act(self, machine_id: str, method: str, doing: str) -> None:
        """Begin to do something with a machine.

        Raises:
            ProviderError: when there is no such machine, or it is refused.
        """
        self._clients.ask(doing, VMS, method, *place_of(machine_id), polling=False)


def _id(row: Any) -> str:
    return f"{group_of(row.id)}/{last(row.id)}"


def place_of(machine_id: str) -> tuple[str, str]:
    """Say where a machine is; for a word that is no id of ours, where none is."""
    group, slash, name = machine_id.partition("/")
    return (group, name) if slash and group and name else (_NOBODY, _NOBODY)


def _state(row: Any, state: Any) -> MachineState:
    if row.provisioning_state == "Deleting":
        return MachineState.ENDING
    if row.provisioning_state == "Failed":
        return MachineState.IMPAIRED
    view = state.instance_view
    codes = [each.code or "" for each in ((view.statuses or ()) if view is not None else ())]
    power = next((code.removeprefix(_POWER) for code in codes if code.startswith(_POWER)), "starting")
    return _STATES.get(power, MachineState.IMPAIRED)
