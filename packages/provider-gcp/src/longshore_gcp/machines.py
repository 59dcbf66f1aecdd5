"""The machines of a project: listed, read, and ended. One is called by its name and its zone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from longshore.model.machine import Machine, MachineState
from longshore.model.machine_spec import Tag, login_address
from longshore.model.resources import Resources
from longshore.plugin.refusals import end_each
from longshore_gcp.clients import Clients
from longshore_gcp.config import Address
from longshore_gcp.errors import is_gone, translated
from longshore_gcp.labels import TAGS_ITEM, label_value, read_tags

__all__ = ["Machines", "region_of"]

_STATES: Mapping[str, MachineState] = {
    "PROVISIONING": MachineState.STARTING,
    "STAGING": MachineState.STARTING,
    "RUNNING": MachineState.RUNNING,
    "REPAIRING": MachineState.IMPAIRED,
    "SUSPENDED": MachineState.STOPPED,
    "TERMINATED": MachineState.STOPPED,
}
_GIB = 1 << 30
_LISTING = "listing machines"
_NOBODY = "longshore-that-never-was"


def region_of(zone: str) -> str:
    """Give the region that a zone is in."""
    return zone.rpartition("-")[0]


class Machines:
    """Asks about instances. Any thread may ask."""

    def __init__(self, clients: Clients, address: Address, anywhere: str) -> None:
        """``address`` says by which of its addresses a machine is reached; ``anywhere`` is a zone that there is."""
        self._clients = clients
        self._address = address
        self._anywhere = anywhere

    def tagged(self, key: Tag, value: str) -> list[Machine]:
        """List the machines that have a tag, in all zones.

        Raises:
            ProviderError: when the list cannot be had whole.
        """
        parts = self._clients.gathered(_LISTING, "Instances", project=self._clients.project(), filter=_only(key, value))
        return self._having(key, value, [row for part in parts for row in part.instances])

    def tagged_in(self, regions: Collection[str], key: Tag, value: str) -> list[Machine]:
        """List the machines that have a tag, zone by zone. A zone knows its own, and a list of all may lag behind them.

        Raises:
            ProviderError: when the list cannot be had whole.
        """
        place = {"project": self._clients.project(), "filter": _only(key, value)}
        zones = [zone for region in regions for zone in self._clients.zones(region)]
        pages = (
            page for zone in zones for page in self._clients.listed(_LISTING, "Instances", "list", zone=zone, **place)
        )
        return self._having(key, value, [row for page in pages for row in page.items])

    def _having(self, key: Tag, value: str, rows: Sequence[Any]) -> list[Machine]:
        with translated(_LISTING):
            machines = [self.read(row) for row in rows]
        return [each for each in machines if each.tags.get(key) == value]

    def named(self, name: str, zone: str) -> Machine | None:
        """Look for one machine; what Google says of it is never late.

        Raises:
            ProviderError: when Google cannot be asked.
        """
        doing = f"looking for {name}"
        place = {"project": self._clients.project(), "zone": zone, "instance": name}
        row = self._clients.look(doing, "Instances", "get", **place)
        with translated(doing):
            return None if row is None else self.read(row)

    def read(self, row: Any) -> Machine:
        """Read one instance as Google describes it."""
        zone, kind = _last(row.zone), _last(row.machine_type)
        tags = read_tags(item.value for item in row.metadata.items if item.key == TAGS_ITEM)
        return Machine(
            id=f"{row.name}.{zone}",
            pool=tags.get(Tag.POOL, ""),
            resources=Resources(
                cpus=float(tags.get("longshore-cpus", "0")),
                memory_bytes=int(tags.get("longshore-memory-bytes", "0")),
                gpus=int(tags.get("longshore-gpus", "0")),
                disk_bytes=sum(disk.disk_size_gb for disk in row.disks) * _GIB,
            ),
            address=login_address(next(self._addresses(row), ""), tags),
            tags=tags,
            type=kind,
            region=region_of(zone),
            zone=zone,
            spot=row.scheduling.provisioning_model == "SPOT",
            state=_STATES.get(row.status, MachineState.ENDING),
            born=datetime.fromisoformat(row.creation_timestamp) if row.creation_timestamp else None,
        )

    def _addresses(self, row: Any) -> Iterator[str]:
        for network in row.network_interfaces:
            if self._address == "private":
                yield network.network_i_p
            else:
                yield from (access.nat_i_p for access in network.access_configs if access.nat_i_p)

    def terminate(self, machine_ids: Collection[str]) -> None:
        """End machines; silent for unknown ones.

        Raises:
            ProviderError: the first refusal, after all others were tried.
        """
        ours = {each for each in machine_ids if "." in each}
        end_each(ours, lambda each: self.act(each, "delete_unary", f"ending {each}"), gone=is_gone)

    def act(self, machine_id: str, method: str, doing: str) -> None:
        """Begin to do something with a machine.

        Raises:
            ProviderError: when there is no such machine, or it is refused.
        """
        self._clients.ask(doing, "Instances", method, **self.place(machine_id))

    def place(self, machine_id: str) -> dict[str, Any]:
        """Say where a machine is; for a word that is no id of ours, where none is."""
        name, dot, zone = machine_id.partition(".")
        return {
            "project": self._clients.project(),
            "zone": zone if dot else self._anywhere,
            "instance": name if dot else _NOBODY,
        }


def _only(key: Tag, value: str) -> str:
    return f'labels.{key} = "{label_value(value)}"'


def _last(url: str) -> str:
    return url.rpartition("/")[2]
