"""How many machines the account may have, by AWS's own limits on running virtual cpus."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from longshore.model.offer import Offer
from longshore.plugin.provider import Quota
from longshore_aws.catalog import Catalog
from longshore_aws.clients import Clients

__all__ = ["Limits"]

_FAMILIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **dict.fromkeys("acdhimrtz", ("L-1216C47A", "L-34B43A08")),
        "dl": ("L-6E869C2A", "L-85EED4F7"),
        "f": ("L-74FC7D96", "L-88CF9481"),
        **dict.fromkeys(("g", "vt"), ("L-DB2E81BA", "L-3819A6DF")),
        "inf": ("L-1945791B", "L-B5D1601B"),
        "p": ("L-417A185B", "L-7212CCBC"),
        "trn": ("L-2C3B7624", "L-6B0D517C"),
        "x": ("L-7295265B", "L-E3A00192"),
    }
)
"""Families of types, by their letters or the first one, and the codes of their limits, on demand and spot
(https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html).
"""
_UNLIMITED = frozenset({"hpc", "mac", "u"})
"""Families with limits of another sort."""
_LETTERS = re.compile(r"[a-z]+")
_RUNNING = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]


class Limits:
    """Reads limits and what is used of them."""

    def __init__(self, clients: Clients, catalog: Catalog) -> None:
        self._clients = clients
        self._catalog = catalog

    def room(self, offer: Offer) -> int | None:
        """Say how many more machines like an offer may run; None when there is no such limit or it cannot be read."""
        code = _code(offer.type, spot=offer.spot)
        limit = self._limits(offer.region).get(code)
        if limit is None or offer.resources.cpus <= 0:
            return None
        used = self._used(offer.region).get(code, 0)
        return max(0, int((limit - used) // offer.resources.cpus))

    def quotas(self, regions: Sequence[str]) -> Sequence[Quota]:
        """List the limits that matter for machines, in virtual cpus."""
        found = []
        for region in regions:
            used = self._used(region)
            for code, limit in sorted(self._limits(region).items()):
                name = f"{'Spot' if code in _SPOT_CODES else 'On-Demand'} {_NAMES[code]} (vCPUs, {code})"
                found.append(Quota(name=name, region=region, limit=limit, used=used.get(code, 0)))
        return found

    def _limits(self, region: str) -> dict[str, float]:
        rows = self._clients.listed(
            "reading the account's limits",
            region,
            "list_service_quotas",
            "Quotas",
            service="service-quotas",
            ServiceCode="ec2",
        )
        return {row["QuotaCode"]: float(row["Value"]) for row in rows if row["QuotaCode"] in _NAMES}

    def _used(self, region: str) -> dict[str, float]:
        used: dict[str, float] = {}
        for reservation in self._clients.listed(
            "counting what runs", region, "describe_instances", "Reservations", Filters=_RUNNING
        ):
            for machine in reservation["Instances"]:
                kind = machine["InstanceType"]
                code = _code(kind, spot=machine.get("InstanceLifecycle") == "spot")
                resources = self._catalog.resources(region, kind)
                used[code] = used.get(code, 0) + (resources.cpus if resources else 0)
        return used


def _code(kind: str, *, spot: bool) -> str:
    """Give the code of the limit that a type counts for; empty for a family that is not known."""
    match = _LETTERS.match(kind)
    letters = match.group() if match else ""
    if not letters or letters in _UNLIMITED:
        return ""
    codes = _FAMILIES.get(letters) or _FAMILIES.get(letters[0])
    return codes[spot] if codes else ""


_SPOT_CODES = frozenset(spot for _, spot in _FAMILIES.values())
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        code: "/".join(family.upper() for family, codes in _FAMILIES.items() if code in codes) + " instances"
        for pair in _FAMILIES.values()
        for code in pair
    }
)
