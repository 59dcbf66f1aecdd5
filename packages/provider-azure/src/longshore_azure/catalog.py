"""What Azure rents, and what it costs: resource SKUs, and the retail price list. Remembered on disk."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from longshore.model.offer import Needs, Offer, Price
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.plugin.catalogue import Catalogue, Entry
from longshore.plugin.offers import cheapest_first
from longshore_azure.clients import Clients
from longshore_azure.config import AzureConfig
from longshore_azure.errors import translated

__all__ = ["Catalog"]

_KEPT = timedelta(days=1)
_GIB = 1 << 30
_GPU = re.compile(r"_(A\d+|H\d+|L\d+s?|MI\d+X|T4|V\d+|GB\d+)_|Standard_(NC|ND)\d*s?_(v\d)")
"""What a type is called says which GPU it has: nothing else does."""
_OLD_GPUS = {("NC", "v3"): "V100"}
_HOUR = "1 Hour"


class Catalog:
    """Offers of some regions."""

    def __init__(self, clients: Clients, kept: Catalogue, config: AzureConfig) -> None:
        self._clients = clients
        self._kept = kept
        self._config = config

    def offers(self, needs: Needs) -> Sequence[Offer]:
        """List what meets the needs, the cheapest first and unknown prices last.

        Raises:
            ProviderError: when types or prices cannot be listed.
        """
        found = [
            offer
            for region in self._config.regions
            for rates in [self._rates(region)]
            for row in self._types(region).value
            for offer in self._of(row, region, rates)
        ]
        return cheapest_first(found, needs)

    def price(self, offer: Offer) -> Price | None:
        """Say what an offer costs now; None when nobody knows.

        Raises:
            ProviderError: when Azure cannot be asked.
        """
        if self.family(offer) is None:
            return None
        return _price(offer.type, self._rates(offer.region), spot=offer.spot)

    def family(self, offer: Offer) -> str | None:
        """Give the name of the quota that an offer's processors count for; None when there is no such type.

        Raises:
            ProviderError: when Azure cannot be asked.
        """
        rows = self._types(offer.region).value
        return next((str(row["family"]) for row in rows if row["type"] == offer.type), None)

    def _of(self, row: Mapping[str, Any], region: str, rates: Entry) -> Iterator[Offer]:
        zones = [zone for zone in self._config.zones if zone in row["zones"]] if self._config.zones else [""]
        for zone in zones:
            for spot in (False, True) if row["spot"] else (False,):
                yield Offer(
                    type=row["type"],
                    region=region,
                    zone=zone,
                    resources=Resources(
                        cpus=row["cpus"],
                        memory_bytes=row["memory_bytes"],
                        gpus=row["gpus"],
                        disk_bytes=self._config.disk_gib * _GIB,
                    ),
                    arch=row["arch"],
                    gpu_model=row["gpu_model"],
                    price=_price(row["type"], rates, spot=spot),
                    spot=spot,
                )

    def _types(self, region: str) -> Entry:
        def ask() -> list[dict[str, Any]]:
            doing = f"listing machine types in {region}"
            wanted = f"location eq '{region}'"
            rows = self._clients.listed(doing, "compute.resource_skus", "list", filter=wanted)
            with translated(doing):
                return [_row(row) for row in rows if row.resource_type == "virtualMachines" and _can_be_had(row)]

        where = f"{self._clients.subscription()}\n{self._config.endpoint_url}\n{region}"
        return self._kept.get(f"azure/1/{sha256(where.encode()).hexdigest()[:16]}/types", ask, keep=_KEPT)

    def _rates(self, region: str) -> Entry:
        def ask() -> dict[str, str]:
            doing = f"listing prices in {region}"
            wanted = f"serviceName eq 'Virtual Machines' and priceType eq 'Consumption' and armRegionName eq '{region}'"
            rates: dict[str, str] = {}
            for row in self._clients.prices(doing, wanted):
                with translated(doing):
                    rates.update(_rate(row))
            return rates

        where = f"{self._config.prices_url}\n{region}"
        return self._kept.get(f"azure/1/{sha256(where.encode()).hexdigest()[:16]}/rates", ask, keep=_KEPT)


def _capabilities(sku: Any) -> dict[str, str]:
    return {each.name: each.value for each in sku.capabilities or ()}


def _can_be_had(sku: Any) -> bool:
    """Leave out what the subscription may not have anywhere in the region, and what boots no image of today."""
    denied = any(each.type == "Location" for each in sku.restrictions or ())
    return not denied and "V2" in _capabilities(sku).get("HyperVGenerations", "V2").split(",")


def _denied_zones(sku: Any) -> set[str]:
    denials = [each.restriction_info for each in sku.restrictions or () if each.type == "Zone"]
    return {zone for each in denials if each is not None for zone in each.zones or ()}


def _row(sku: Any) -> dict[str, Any]:
    able = _capabilities(sku)
    gpus = int(float(able.get("GPUs", "0")))
    return {
        "type": sku.name,
        "family": sku.family or "",
        "zones": sorted({zone for place in sku.location_info or () for zone in place.zones or ()} - _denied_zones(sku)),
        "cpus": int(able.get("vCPUsAvailable") or able["vCPUs"]),
        "memory_bytes": int(Decimal(able["MemoryGB"]) * _GIB),
        "arch": "arm64" if able.get("CpuArchitectureType") == "Arm64" else "x86_64",
        "gpus": gpus,
        "gpu_model": _gpu_model(sku.name) if gpus else "",
        "spot": able.get("LowPriorityCapable") == "True",
    }


def _gpu_model(name: str) -> str:
    found = _GPU.search(name)
    if found is None:
        return ""
    return found[1] or _OLD_GPUS.get((found[2], found[3]), "")


def _rate(row: Mapping[str, Any]) -> dict[str, str]:
    """Read a row of the price list: USD an hour by type, or nothing when it is about something else."""
    meter = str(row["skuName"])
    other = (
        row["unitOfMeasure"] != _HOUR
        or row["currencyCode"] != "USD"
        or row["type"] != "Consumption"
        or "Windows" in row["productName"]
        or "CloudServices" in row["productName"].replace(" ", "")
        or meter.endswith("Low Priority")
        or not row["retailPrice"]
    )
    if other:
        return {}
    usage = "spot" if meter.endswith(" Spot") else "ordinary"
    return {f"{row['armSkuName']}/{usage}": str(row["retailPrice"])}


def _price(kind: str, rates: Entry, *, spot: bool) -> Price | None:
    rate = rates.value.get(f"{kind}/{'spot' if spot else 'ordinary'}")
    if rate is None:
        return None
    return Price(per_hour=Money(amount=Decimal(rate), currency="USD"), source="retail price list", at=rates.at)
