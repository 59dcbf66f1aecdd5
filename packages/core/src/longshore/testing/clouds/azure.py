"""A stand-in for Azure: virtual machines with their disks, network interfaces and addresses, networks, resource groups,
operations and quotas of one subscription, as its API describes them, and the login of a machine's own identity. What
there is to rent is in `longshore.testing.clouds.azure_catalog`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from longshore.testing.clouds.azure_catalog import REGIONS, TYPES, prices, skus
from longshore.testing.clouds.azure_resources import GROUP, NAME, AzureResources, Route
from longshore.testing.clouds.azure_words import ADDRESS, CARD, DISK, VM, claims_of, not_found, page, refused, token_for
from longshore.testing.clouds.http_cloud import Answer, Check, Hosts, Request
from longshore.testing.faults import Fault

__all__ = ["Azure"]

_LOGIN = "/msi/token"
_PRICES = "/api/retail/prices"
_REFUSALS: Mapping[Fault, tuple[int, str, str]] = {
    Fault.CAPACITY: (409, "SkuNotAvailable", "The requested size is currently not available in location."),
    Fault.QUOTA: (409, "OperationNotAllowed", "Operation results in exceeding approved Total Regional Cores quota."),
    Fault.CREDENTIALS: (401, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than now."),
    Fault.DENIED: (403, "AuthorizationFailed", "The client does not have authorization to perform action."),
    Fault.THROTTLED: (429, "TooManyRequests", "The request is being throttled."),
    Fault.INVALID: (400, "InvalidParameter", "The value of a parameter is invalid."),
    Fault.UNKNOWN: (400, "SomethingNew", "Nobody has heard of this"),
}
_IMAGE = re.compile(
    r"Canonical:(?:ubuntu-24_04-lts|0001-com-ubuntu-server-jammy):.+:latest|Debian:debian-12:12-.+:latest"
)
_MOST_TAGS = 50
_LONGEST_NAME = 64


class Azure(AzureResources):
    """One subscription, with one identity. With ``hosts`` each machine is a host that executes its boot data."""

    boot = timedelta(seconds=30)
    """How long a machine is starting."""
    lag = timedelta(seconds=10)
    """How long it may be missing in lists."""
    limit = 24
    """Quota of cores, of each family of them, and of machines, in each region."""

    def __init__(self, subscription: str, account: str, *, check: Check | None = None) -> None:
        """``account`` is the application's id of who may do everything."""
        super().__init__(subscription, check=check)
        self.hosts: Hosts | None = None
        self._account = account
        self.births: dict[str, Mapping[str, Any]] = {}
        """The body of the call that made each machine, by its resource group and name, as in ``group/vm``."""
        self._others: set[str] = set()
        self.did: set[str] = set()
        """What was called: method, and kind of resource."""

    def routes(self) -> Sequence[Route]:
        """List what can be asked for, with machines and what there is to rent."""
        compute = "/providers/microsoft.compute"
        machine = f"{GROUP}{compute}/virtualmachines/{NAME}"
        return [
            *super().routes(),
            ("virtualMachines.list", "GET", f"{compute}/virtualmachines", self._list_machines),
            ("virtualMachines.put", "PUT", machine, self._create),
            ("virtualMachines.get", "GET", machine, self._get_machine),
            ("virtualMachines.delete", "DELETE", machine, self._delete_machine),
            ("virtualMachines.deallocate", "POST", f"{machine}/deallocate", self._stop),
            ("virtualMachines.start", "POST", f"{machine}/start", self._start),
            ("skus.list", "GET", f"{compute}/skus", self._skus),
            ("usages.list", "GET", f"{compute}/locations/{NAME}/usages", self._usages),
        ]

    # --- what all stand-ins say

    def handle(self, request: Request) -> Answer | None:
        """Answer one request; who logs in is let in whatever goes wrong otherwise."""
        if request.path != _LOGIN:
            return super().handle(request)
        token = token_for({"appid": self._account, "aud": request.query.get("resource", "")})
        expires = str(int((datetime.now(UTC) + timedelta(days=1)).timestamp()))
        return Answer(status=200, body={"access_token": token, "expires_on": expires, "token_type": "Bearer"})

    def action_of(self, request: Request) -> str:
        """Name the three that the laws of providers are about."""
        found = self._route(request)
        name = found[0] if found else f"{request.method} {request.path}"
        known = {"virtualMachines.put": "create", "virtualMachines.list": "list", "virtualMachines.delete": "end"}
        return known.get(name, name)

    def refusal(self, fault: Fault) -> Answer:
        """Say no in Azure's words."""
        return refused(*_REFUSALS[fault])

    def answer(self, request: Request, fault: Fault | None) -> Answer:
        """Do what is asked for."""
        if request.path == _PRICES:
            region = request.query.get("$filter", "").rpartition("eq '")[2].rstrip("'")
            return page(request, prices(region), key="Items", following="NextPageLink")
        if claims_of(request.token).get("appid") != self._account:
            return self.refusal(Fault.CREDENTIALS)
        found = self._route(request)
        if found is None:
            return refused(404, "InvalidResourceType", "The resource type could not be found.")
        name, act, words = found
        self.did.add(name)
        return self._create(request, *words, fault=fault) if name == "virtualMachines.put" else act(request, *words)

    # --- what a test does

    def machines(self) -> Mapping[str, dict[str, Any]]:
        """Show the machines that there are, by resource group and name."""
        with self._lock:
            return {
                f"{each.split('/')[4]}/{each.rpartition('/')[2]}": row
                for each, row in self.resources.items()
                if f"/{VM.lower()}/" in each
            }

    def crowd(self, group: str, name: str, body: Mapping[str, Any]) -> None:
        """Let a machine be there that somebody else has made."""
        with self._lock:
            self.add_group(group, {"location": body["location"], "tags": {}})
            row = self._birth(group, name, body)
            self._others.add(f"{group}/{name}".lower())
            row["properties"]["timeCreated"] = (self.now() - self.boot).isoformat()

    def evict(self, machine: str) -> None:
        """Take a spot machine back, and do with it what it was asked for with."""
        with self._lock:
            row = self.machines()[machine]
            if row["properties"].get("priority") != "Spot":
                raise ValueError(f"{machine} is no spot machine")
            if row["properties"]["evictionPolicy"] == "Delete":
                self._remove(*machine.split("/"))
            else:
                self._power(row, "deallocated")

    def powered_off(self, machine: str) -> None:
        """Take note that a machine's host has powered itself off; it goes on costing."""
        with self._lock:
            if machine in self.machines():
                self._power(self.machines()[machine], "stopped")

    # --- what there is to rent

    def _skus(self, request: Request) -> Answer:
        region = request.query.get("$filter", "").removeprefix("location eq '").rstrip("'")
        return page(request, skus(region) if region in REGIONS else [])

    def _usages(self, request: Request, region: str) -> Answer:
        if region not in REGIONS:
            return refused(400, "NoRegisteredProviderFound", f"No registered provider for location '{region}'")
        names = [
            "virtualMachines",
            "cores",
            "lowPriorityCores",
            "availabilitySets",
            *(k.family for k in TYPES.values()),
        ]
        rows = [
            {
                "unit": "Count",
                "currentValue": self._used(name, region),
                "limit": self.limit,
                "name": {"value": name, "localizedValue": name},
            }
            for name in names
        ]
        return page(request, rows)

    def _used(self, quota: str, region: str) -> int:
        """Count; those of others are of no account."""
        rows = [row for key, row in self.machines().items() if key not in self._others and row["location"] == region]
        if quota == "virtualMachines":
            return len(rows)
        used = 0
        for row in rows:
            kind = TYPES[row["properties"]["hardwareProfile"]["vmSize"]]
            spot = row["properties"].get("priority") == "Spot"
            counted = quota == "lowPriorityCores" if spot else quota in {"cores", kind.family}
            used += kind.cpus if counted else 0
        return used

    # --- machines

    def _list_machines(self, request: Request) -> Answer:
        rows = [row for row in self.machines().values() if self.now() >= _born(row) + self.lag]
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
        row = self.machines().get(f"{group}/{name}")
        state = request.query.get("$expand") == "instanceView"
        return not_found(name) if row is None else Answer(status=200, body=self._shown(row, state=state))

    def _create(self, request: Request, group: str, name: str, *, fault: Fault | None = None) -> Answer:
        body = request.body
        if fault is Fault.DUPLICATE:
            self._create(request, group, name)
        wrong = self._why_not(request, group, name, body)
        if wrong is not None:
            return wrong
        row = self._birth(group, name, body)
        error = None
        if fault is Fault.PARTIAL:
            row["properties"]["provisioningState"] = "Failed"
            error = {"code": "AllocationFailed", "message": "Allocation failed. There is not enough capacity."}
        return self._begun(request, 201, self._shown(row, state=False), error=error)

    def _why_not(self, request: Request, group: str, name: str, body: Mapping[str, Any]) -> Answer | None:
        said, region = body["properties"], body["location"]
        kind = said["hardwareProfile"]["vmSize"]
        if group not in self.groups:
            return self._no_group(group)
        if f"{group}/{name}" in self.machines() and request.headers.get("if-none-match") == "*":
            return refused(412, "PreconditionFailed", f"The resource '{name}' exists, and must not.")
        if region not in REGIONS:
            return refused(400, "LocationNotAvailableForResourceType", f"The location '{region}' is not available")
        if kind not in TYPES or TYPES[kind].denied:
            return refused(400, "InvalidParameter", f"The value {kind} provided for the VM size is not valid.")
        spot = said.get("priority") == "Spot"
        quotas = ["lowPriorityCores"] if spot else ["cores", TYPES[kind].family]
        if any(self._used(each, region) + TYPES[kind].cpus > self.limit for each in quotas):
            return self.refusal(Fault.QUOTA)
        image = said["storageProfile"]["imageReference"]
        if not _IMAGE.fullmatch(":".join(image.get(word, "") for word in ("publisher", "offer", "sku", "version"))):
            return refused(404, "PlatformImageNotFound", f"The platform image '{image}' is not available.")
        (card,) = said["networkProfile"]["networkInterfaceConfigurations"]
        inside = card["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"].lower()
        firewall = card["properties"]["networkSecurityGroup"]["id"].lower()
        for each in (firewall, inside.partition("/subnets/")[0]):
            if each not in self.resources:
                return refused(400, "InvalidResourceReference", f"Resource {each} referenced by {name} was not found.")
        boot = base64.b64decode(said["osProfile"].get("customData", ""))
        wrong = len(name) > _LONGEST_NAME or len(body.get("tags", {})) > _MOST_TAGS or len(boot) > 65_535
        return refused(400, "InvalidParameter", "The value of parameter 'vm' is invalid.") if wrong else None

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
        row = self.add(group, VM, name, {**body, "properties": {**said, "power": "running"}})
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
        row = self.resources.pop(self._id(group, VM, name).lower())
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
        if f"{group}/{name}" not in self.machines():
            return Answer(status=204)
        self._remove(group, name)
        return self._begun(request, 202)

    def _power(self, row: dict[str, Any], power: str) -> None:
        row["properties"]["power"] = power

    def _stop(self, request: Request, group: str, name: str) -> Answer:
        row = self.machines().get(f"{group}/{name}")
        if row is None:
            return not_found(name)
        self._power(row, "deallocated")
        if self.hosts is not None:
            self.hosts.cut(f"{group}/{name}", keep=True)
        return self._begun(request, 202)

    def _start(self, request: Request, group: str, name: str) -> Answer:
        row = self.machines().get(f"{group}/{name}")
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
