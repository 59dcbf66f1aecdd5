"""The machines of the stand-in for Azure: each with its disk, network interface and address."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from longshore.testing.clouds.azure_resources import GROUP, NAME, AzureResources, Route
from longshore.testing.clouds.azure_words import ADDRESS, CARD, DISK, VM, not_found, page
from longshore.testing.clouds.http_cloud import Answer, Check, Request

__all__ = ["MACHINE", "AzureMachines"]

_COMPUTE = "/providers/microsoft.compute"
MACHINE = f"{GROUP}{_COMPUTE}/virtualmachines/{NAME}"
"""A pattern."""


class AzureMachines(AzureResources):
    """What there is in one subscription, with machines; who may make them is another class's to say."""

    def __init__(self, subscription: str, *, check: Check | None = None) -> None:
        """Begin with nothing."""
        super().__init__(subscription, check=check)
        self.births: dict[str, Mapping[str, Any]] = {}
        """The body of the call that made each machine, by its resource group and name, as in ``group/vm``."""
        self.assignments: dict[str, Mapping[str, str]] = {}
        """What machines may do, by the id of the role's assignment."""

    def routes(self) -> Sequence[Route]:
        """List what can be asked for, with machines that there are."""
        return [
            *super().routes(),
            ("virtualMachines.list", "GET", f"{_COMPUTE}/virtualmachines", self._list_machines),
            ("virtualMachines.get", "GET", MACHINE, self._get_machine),
            ("virtualMachines.delete", "DELETE", MACHINE, self._delete_machine),
            ("virtualMachines.deallocate", "POST", f"{MACHINE}/deallocate", self._stop),
            ("virtualMachines.start", "POST", f"{MACHINE}/start", self._start),
        ]

    # --- what all stand-ins say

    def machines(self) -> Collection[str]:
        """List the machines that there are, by resource group and name."""
        return list(self.rows())

    def sides(self) -> Sequence[str]:
        """Name groups, and what is in them beside machines."""
        with self._lock:
            return [*self.groups, *(each for each in self.resources if f"/{VM.lower()}/" not in each)]

    def reclaim(self, machine: str) -> None:
        """Take a spot machine back, and do with it what it was asked for with.

        Raises:
            ValueError: when it is none.
        """
        with self._lock:
            row = self.rows()[machine]
            if row["properties"].get("priority") != "Spot":
                raise ValueError(f"{machine} is no spot machine")
            if row["properties"]["evictionPolicy"] == "Delete":
                self._remove(*machine.split("/"))
            else:
                self._power(row, "deallocated")

    def powered_off(self, machine: str) -> None:
        """Show it as stopped; it goes on costing."""
        with self._lock:
            if machine in self.rows():
                self._power(self.rows()[machine], "stopped")

    # --- what a test does

    def rows(self) -> Mapping[str, dict[str, Any]]:
        """Show the machines that there are, by resource group and name."""
        with self._lock:
            return {
                f"{each.split('/')[4]}/{each.rpartition('/')[2]}": row
                for each, row in self.resources.items()
                if f"/{VM.lower()}/" in each
            }

    # --- what is asked for

    def _list_machines(self, request: Request) -> Answer:
        rows = [row for row in self.rows().values() if self.now() >= _born(row) + self.lag]
        states = request.query.get("statusOnly") == "true"
        return page(request, [self._shown(row, state=states) for row in rows])

    def _shown(self, row: Mapping[str, Any], *, state: bool) -> dict[str, Any]:
        shown = {key: value for key, value in row["properties"].items() if key != "power"}
        if state:
            up = self.now() >= _born(row) + self.boot
            power = row["properties"]["power"]
            codes = ["ProvisioningState/succeeded", f"PowerState/{power if up or power != 'running' else 'starting'}"]
            shown["instanceView"] = {"statuses": [{"code": code, "level": "Info"} for code in codes]}
        return {**row, "properties": shown}

    def _get_machine(self, request: Request, group: str, name: str) -> Answer:
        row = self.rows().get(f"{group}/{name}")
        state = request.query.get("$expand") == "instanceView"
        return not_found(name) if row is None else Answer(status=200, body=self._shown(row, state=state))

    def _birth(self, group: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self._next += 1
        key, region, tags = f"{group}/{name}".lower(), body["location"], body.get("tags", {})
        said = dict(body["properties"])
        profile = said.pop("networkProfile", {"networkInterfaceConfigurations": []})
        references, hosts = [], []
        for each in profile["networkInterfaceConfigurations"]:
            card, addresses = self._card(group, region, each)
            references.append({"id": card["id"], "properties": {"primary": True, "deleteOption": "Delete"}})
            hosts += addresses
        disk = said["storageProfile"]["osDisk"]
        if "name" in disk:
            self.add(group, DISK, disk["name"], {"location": region, "tags": tags})
        system = said.get("osProfile", {})
        boot = base64.b64decode(system.get("customData", "")).decode()
        said["osProfile"] = {word: value for word, value in system.items() if word != "customData"}
        said |= {"networkProfile": {"networkInterfaces": references}, "timeCreated": self.now().isoformat()}
        identity = (
            {"identity": {**body["identity"], "principalId": f"principal-{self._next}"}} if "identity" in body else {}
        )
        row = self.add(group, VM, name, {**body, **identity, "properties": {**said, "power": "running"}})
        self.births[key] = body
        if self.hosts is not None:
            self.hosts.boot(key, hosts, boot)
        return row

    def _card(self, group: str, region: str, asked: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        self._next += 1
        low = f"{self._next // 250 % 250}.{self._next % 250}"
        hosts = [f"10.0.{low}"]
        inside = asked["properties"]["ipConfigurations"][0]
        configuration: dict[str, Any] = {
            "subnet": inside["properties"]["subnet"],
            "primary": True,
            "privateIPAddress": hosts[0],
        }
        public = inside["properties"].get("publicIPAddressConfiguration")
        if public is not None:
            hosts.append(f"203.0.{low}")
            settings = {"ipAddress": hosts[1], "publicIPAllocationMethod": "Static"}
            body = {"location": region, "tags": public.get("tags", {}), "sku": public["sku"], "properties": settings}
            configuration["publicIPAddress"] = {"id": self.add(group, ADDRESS, public["name"], body)["id"]}
        properties = {
            "ipConfigurations": [{"name": inside["name"], "properties": configuration}],
            "networkSecurityGroup": asked["properties"]["networkSecurityGroup"],
        }
        body = {"location": region, "tags": asked.get("tags", {}), "properties": properties}
        return self.add(group, CARD, asked["name"], body), hosts

    def _remove(self, group: str, name: str) -> None:
        """Delete a machine, and what was made with it to be deleted with it."""
        where = self._id(group, VM, name).lower()
        row = self.resources.pop(where)
        self.assignments = {key: said for key, said in self.assignments.items() if not key.startswith(f"{where}/")}
        disk = row["properties"]["storageProfile"]["osDisk"]
        if disk.get("deleteOption") == "Delete":
            self.resources.pop(self._id(group, DISK, disk["name"]).lower(), None)
        asked = self.births[f"{group}/{name}"]["properties"].get("networkProfile", {})
        for each in asked.get("networkInterfaceConfigurations", ()):
            if each["properties"].get("deleteOption") != "Delete":
                continue
            self.resources.pop(self._id(group, CARD, each["name"]).lower(), None)
            public = each["properties"]["ipConfigurations"][0]["properties"].get("publicIPAddressConfiguration")
            if public is not None and public["properties"].get("deleteOption") == "Delete":
                self.resources.pop(self._id(group, ADDRESS, public["name"]).lower(), None)
        if self.hosts is not None:
            self.hosts.cut(f"{group}/{name}")

    def _delete_machine(self, request: Request, group: str, name: str) -> Answer:
        if group not in self.groups:
            return self._no_group(group)
        if f"{group}/{name}" not in self.rows():
            return Answer(status=204)
        self._remove(group, name)
        return self._begun(request, 202)

    def _power(self, row: dict[str, Any], power: str) -> None:
        row["properties"]["power"] = power

    def _stop(self, request: Request, group: str, name: str) -> Answer:
        row = self.rows().get(f"{group}/{name}")
        if row is None:
            return not_found(name)
        self._power(row, "deallocated")
        if self.hosts is not None:
            self.hosts.cut(f"{group}/{name}", keep=True)
        return self._begun(request, 202)

    def _start(self, request: Request, group: str, name: str) -> Answer:
        row = self.rows().get(f"{group}/{name}")
        if row is None:
            return not_found(name)
        stopped = row["properties"]["power"] != "running"
        self._power(row, "running")
        if self.hosts is not None and stopped:
            self.hosts.boot(f"{group}/{name}", self._hosts_of(row))
        return self._begun(request, 202)

    def _hosts_of(self, row: Mapping[str, Any]) -> list[str]:
        cards = [
            self.resources[each["id"].lower()] for each in row["properties"]["networkProfile"]["networkInterfaces"]
        ]
        inside = [card["properties"]["ipConfigurations"][0]["properties"] for card in cards]
        public = [each["publicIPAddress"]["id"].lower() for each in inside if "publicIPAddress" in each]
        return [
            *(each["privateIPAddress"] for each in inside),
            *(self.resources[each]["properties"]["ipAddress"] for each in public),
        ]


def _born(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(row["properties"]["timeCreated"])
