"""The droplets of the account: listed, read, and ended."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from longshore.model.machine import Machine, MachineState
from longshore.model.machine_spec import Tag, login_address
from longshore.model.resources import Resources
from longshore.plugin.labels import as_label, of_label
from longshore.plugin.refusals import each_of
from longshore_do.clients import Client
from longshore_do.config import Address
from longshore_do.errors import translated

__all__ = ["Machines", "as_tag", "as_tags", "of_tags"]

_STATES: Mapping[str, MachineState] = {
    "new": MachineState.STARTING,
    "active": MachineState.RUNNING,
    "off": MachineState.STOPPED,
    "archive": MachineState.STOPPED,
}
_MIB, _GIB = 1 << 20, 1 << 30


def as_tag(key: str, value: str) -> str:
    """Write a tag as DigitalOcean has them: one word, whose capitals do not count."""
    return f"{as_label(key)}:{as_label(value)}"


def as_tags(tags: Mapping[str, str]) -> list[str]:
    """Write tags in one order: equal tags give equal requests."""
    return sorted(as_tag(key, value) for key, value in tags.items())


def of_tags(words: Iterable[str]) -> dict[str, str]:
    """Read tags; those that nobody of ours has written are left out."""
    found: dict[str, str] = {}
    for word in words:
        key, colon, value = word.partition(":")
        read = of_label(key), of_label(value)
        if colon and read[0] is not None and read[1] is not None:
            found[read[0]] = read[1]
    return found


class Machines:
    """Asks about droplets. Any thread may ask."""

    def __init__(self, client: Client, address: Address) -> None:
        """``address`` says by which of its addresses a machine is reached."""
        self._client = client
        self._address = address

    def tagged(self, key: Tag, value: str) -> list[Machine]:
        """List the machines that have a tag.

        Raises:
            ProviderError: when the list cannot be had whole.
        """
        found = list(self._rows(tag_name=as_tag(key, value)))
        with translated("listing machines"):
            machines = [self.read(row) for row in found]
        return [each for each in machines if each.tags.get(key) == value]

    def count(self) -> int:
        """Say how many droplets the account has, whoever's."""
        return sum(1 for _ in self._rows())

    def is_used(self, tag: str) -> bool:
        """Say whether a droplet, whoever's, has a tag as DigitalOcean writes it. Lists may lag, and tags count at once.

        Raises:
            ProviderError: when DigitalOcean cannot be asked.
        """
        doing = "looking who uses a firewall"
        answer = self._client.ask(doing, lambda client: client.tags.get, tag, gone=True)
        with translated(doing):
            return bool(answer) and int(answer["tag"]["resources"]["droplets"]["count"]) > 0

    def _rows(self, **only: str) -> Iterable[Mapping[str, Any]]:
        return self._client.listed("listing machines", lambda client: client.droplets.list, "droplets", **only)

    def read(self, row: Mapping[str, Any]) -> Machine:
        """Read one droplet as DigitalOcean describes it."""
        tags = of_tags(row.get("tags", ()))
        networks = (row.get("networks") or {}).get("v4") or ()
        host = next((each["ip_address"] for each in networks if each.get("type") == self._address), "")
        gpu = row.get("gpu_info") or {}
        return Machine(
            id=str(row["id"]),
            pool=tags.get(Tag.POOL, ""),
            resources=Resources(
                cpus=row["vcpus"],
                memory_bytes=row["memory"] * _MIB,
                gpus=int(gpu.get("count", 0) or 0),
                disk_bytes=row["disk"] * _GIB,
            ),
            address=login_address(host, tags),
            tags=tags,
            type=row["size_slug"],
            region=(row.get("region") or {}).get("slug", ""),
            state=_STATES.get(row["status"], MachineState.ENDING),
            born=datetime.fromisoformat(row["created_at"]),
        )

    def terminate(self, machine_ids: Collection[str]) -> None:
        """End machines; silent for unknown ones.

        Raises:
            ProviderError: the first refusal, after all others were tried.
        """
        numbers = {int(each) for each in machine_ids if each.isdecimal()}  # no droplet is called otherwise
        each_of(sorted(numbers), self._terminate)

    def _terminate(self, number: int) -> None:
        self._client.ask(f"ending {number}", lambda client: client.droplets.destroy, number, create=True, gone=True)

    def act(self, machine_id: str, kind: str, doing: str) -> None:
        """Begin an action on a droplet.

        Raises:
            ProviderError: when there is no such droplet, or it is refused.
        """
        number = int(machine_id) if machine_id.isdecimal() else 0
        self._client.ask(doing, lambda client: client.droplet_actions.post, number, body={"type": kind}, create=True)
