"""A stand-in for Azure: virtual machines with their disks, network interfaces and addresses, networks, resource groups,
operations and quotas of one subscription, as its API describes them; the login of a machine's own identity, and what
roles let machines do. What there is to rent is in `longshore.testing.clouds.azure_catalog`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from longshore.testing.clouds.azure_catalog import REGIONS, TYPES, prices, skus
from longshore.testing.clouds.azure_machines import MACHINE, AzureMachines
from longshore.testing.clouds.azure_resources import NAME, Route
from longshore.testing.clouds.azure_words import claims_of, not_found, page, refused, token_for
from longshore.testing.clouds.http_cloud import Answer, Check, Place, Request
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
_ASSIGNMENT = f"/providers/microsoft.authorization/roleassignments/{NAME}"
_COMPUTE = "Microsoft.Compute/virtualMachines"
_ACTIONS: Mapping[str, str] = {
    "virtualMachines.delete": f"{_COMPUTE}/delete",
    "virtualMachines.deallocate": f"{_COMPUTE}/deallocate/action",
}
"""What machines can be allowed to do."""
_MOST_TAGS = 50
_LONGEST_NAME = 64


class Azure(AzureMachines):
    """One subscription, with one identity. With ``hosts`` each machine is a host that executes its boot data."""

    place = Place(
        provider="azure",
        options="""
endpoint_url = "{url}"
prices_url = "{url}"
regions = ["westeurope"]
admit = ["203.0.113.7/32"]
""",
        pool='type = "Standard_D2s_v5"',
        user="longshore",
        spot=True,
    )
    limit = 24
    """Quota of cores, of each family of them, and of machines, in each region."""

    def __init__(self, subscription: str, account: str, *, check: Check | None = None) -> None:
        """``account`` is the application's id of who may do everything."""
        super().__init__(subscription, check=check)
        self._account = account
        self._others: set[str] = set()
        self.did: set[str] = set()
        """What was called: method, and kind of resource."""
        self.roles: dict[str, Collection[str]] = {}
        """What each role allows, by its id, as ``Microsoft.Compute/virtualMachines/delete``."""

    def routes(self) -> Sequence[Route]:
        """List what can be asked for, with machines and what there is to rent."""
        return [
            *super().routes(),
            ("virtualMachines.put", "PUT", MACHINE, self._create),
            ("roleAssignments.put", "PUT", f"{MACHINE}{_ASSIGNMENT}", self._assign),
            ("skus.list", "GET", "/providers/microsoft.compute/skus", self._skus),
            ("usages.list", "GET", f"/providers/microsoft.compute/locations/{NAME}/usages", self._usages),
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
        found = self._route(request)
        claims = claims_of(request.token)
        if claims.get("appid") != self._account and "oid" not in claims:
            return self.refusal(Fault.CREDENTIALS)
        if found is None:
            return self._unknown(request)
        name, act, words = found
        if "oid" in claims and not self._may(claims["oid"], name, request.path):
            return self.refusal(Fault.DENIED)
        self.did.add(name)
        if name == "virtualMachines.put":
            return self._create(request, *words, fault=fault)
        return self._unmet(request) or self._with_etag(request, act(request, *words))

    def _unknown(self, request: Request) -> Answer:
        subscription = request.path.split("/")[2]
        if subscription != self._subscription:
            return refused(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
        return refused(404, "InvalidResourceType", "The resource type could not be found.")

    # --- what a test does

    def crowd(self, group: str, name: str, body: Mapping[str, Any]) -> None:
        """Let a machine be there that somebody else has made."""
        with self._lock:
            self.add_group(group, {"location": body["location"], "tags": {}})
            row = self._birth(group, name, body)
            self._others.add(f"{group}/{name}".lower())
            row["properties"]["timeCreated"] = (self.now() - self.boot).isoformat()

    def token_of(self, machine: str) -> str:
        """Give what a machine's metadata service shows its identity by."""
        return token_for({"oid": self.rows()[machine]["identity"]["principalId"]})

    # --- who may do what

    def _assign(self, request: Request, group: str, name: str, _: str) -> Answer:
        if f"{group}/{name}" not in self.rows():
            return not_found(name)
        said = request.body["properties"]
        if said["roleDefinitionId"].rpartition("/")[2] not in self.roles:
            return refused(400, "RoleDefinitionDoesNotExist", "The specified role definition does not exist.")
        where = request.path.lower()
        if where in self.assignments:
            return refused(409, "RoleAssignmentExists", "The role assignment already exists.")
        self.assignments[where] = said
        return Answer(status=201, body={"id": request.path, "name": where.rpartition("/")[2], "properties": said})

    def _may(self, identity: str, what: str, path: str) -> bool:
        """Say whether a machine's identity may do something there: by the roles that it has been given."""
        return any(
            said["principalId"] == identity
            and path.lower().startswith(where.partition("/providers/microsoft.authorization/")[0])
            and _ACTIONS.get(what) in self.roles[said["roleDefinitionId"].rpartition("/")[2]]
            for where, said in self.assignments.items()
        )

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
        rows = [row for key, row in self.rows().items() if key not in self._others and row["location"] == region]
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
        if unmet := self._unmet(request):
            return unmet
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
