"""What AWS rents: machine types by zone, and what they cost. Remembered on disk, with the date of each answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from attrs import frozen

from longshore.errors import ProviderError
from longshore.model.offer import Needs, Offer, Price
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.plugin.catalogue import Catalogue, Entry
from longshore.plugin.offers import cheapest_first
from longshore_aws.clients import Clients

__all__ = ["Catalog"]

_log = logging.getLogger(__name__)

_TYPES_KEPT = timedelta(days=7)
_PRICES_KEPT = timedelta(days=1)
_SPOT_KEPT = timedelta(minutes=10)
_FORM = 2
"""Of what is kept: another number when it changes, so that nobody reads what an older release has written."""
_MIB = 1 << 20
_ARCHITECTURES = ("x86_64", "arm64")
_PRICE_REGION = "us-east-1"
"""The price list is served from few regions, this one among them, and knows all of them."""
_PRICE_FILTERS = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}


@frozen(kw_only=True)
class _Type:
    """One row of a region's list of types."""

    name: str
    cores: int
    threads: int
    """For each core."""
    memory_mib: int
    arch: str
    gpus: int
    gpu_model: str
    spot: bool
    on_demand: bool


class Catalog:
    """Offers of some regions."""

    def __init__(
        self, clients: Clients, kept: Catalogue, *, account: str, disk_bytes: int, threads: int | None = None
    ) -> None:
        """``account`` separates what different logins may see; every machine's disk has ``disk_bytes``, and each of its
        cores at most so many ``threads``.
        """
        self._clients = clients
        self._kept = kept
        self._account = account
        self._disk_bytes = disk_bytes
        self._threads = threads

    def offers(self, needs: Needs, regions: Sequence[str]) -> list[Offer]:
        """List what meets the needs, the cheapest first and unknown prices last.

        Raises:
            ProviderError: when types cannot be listed. Prices that cannot be had are unknown.
        """
        found = [offer for region in regions for offer in self._region(needs, region)]
        return cheapest_first(found, needs)

    def price(self, offer: Offer) -> Price | None:
        """Say what an offer costs now; None when nobody knows.

        Raises:
            ProviderError: when AWS cannot be asked.
        """
        if offer.spot:
            return self._spot(offer.region).get((offer.type, offer.zone))
        return self._on_demand(offer.region).get(offer.type)

    def _region(self, needs: Needs, region: str) -> Iterator[Offer]:
        types = [each for each in self._types(region) if self._meets(each, needs)]
        if not types:
            return
        zones = self._zones(region)
        on_demand = self._known(region)
        spot = self._spot(region)
        for each in types:
            for zone in zones.get(each.name, ()):
                if each.on_demand:
                    yield self._offer(each, region, zone, on_demand.get(each.name), spot=False)
                if each.spot:
                    yield self._offer(each, region, zone, spot.get((each.name, zone)), spot=True)

    def _offer(self, row: _Type, region: str, zone: str, price: Price | None, *, spot: bool) -> Offer:
        return Offer(
            type=row.name,
            region=region,
            zone=zone,
            resources=self._resources(row),
            arch=row.arch,
            gpu_model=row.gpu_model,
            price=price,
            spot=spot,
        )

    def _resources(self, row: _Type) -> Resources:
        cpus = row.cores * min(row.threads, self._threads or row.threads)
        return Resources(cpus=cpus, memory_bytes=row.memory_mib * _MIB, gpus=row.gpus, disk_bytes=self._disk_bytes)

    def _meets(self, row: _Type, needs: Needs) -> bool:
        return self._offer(row, "any", "", None, spot=False).meets(needs)

    def resources(self, region: str, name: str) -> Resources | None:
        """Say what a machine of a type has; None when there is no such type.

        Raises:
            ProviderError: when AWS cannot be asked.
        """
        row = self._type(region, name)
        return None if row is None else self._resources(row)

    def cpu_options(self, region: str, name: str) -> Mapping[str, int]:
        """Say what a create call must name so that a machine has the threads that are wanted; empty when it has them.

        Raises:
            ProviderError: when AWS cannot be asked.
        """
        row = None if self._threads is None else self._type(region, name)
        if row is None or self._threads is None or row.threads <= self._threads:
            return {}
        return {"CoreCount": row.cores, "ThreadsPerCore": self._threads}

    # --- what AWS is asked

    def _type(self, region: str, name: str) -> _Type | None:
        def ask() -> list[dict[str, Any]]:
            rows = self._clients.listed(
                "looking at a machine type",
                region,
                "describe_instance_types",
                "InstanceTypes",
                Filters=[{"Name": "instance-type", "Values": [name]}],
            )
            return [row for each in rows if (row := _type_row(each)) is not None]

        rows = self._get(f"type/{region}/{name}", ask, _TYPES_KEPT).value
        return _Type(**rows[0]) if rows else None

    def _types(self, region: str) -> list[_Type]:
        def ask() -> list[dict[str, Any]]:
            rows = self._clients.listed("listing machine types", region, "describe_instance_types", "InstanceTypes")
            return [row for each in rows if (row := _type_row(each)) is not None]

        return [_Type(**row) for row in self._get(f"types/{region}", ask, _TYPES_KEPT).value]

    def _zones(self, region: str) -> Mapping[str, Sequence[str]]:
        def ask() -> dict[str, list[str]]:
            zones: dict[str, list[str]] = {}
            rows = self._clients.listed(
                "listing machine types by zone",
                region,
                "describe_instance_type_offerings",
                "InstanceTypeOfferings",
                LocationType="availability-zone",
            )
            for each in rows:
                zones.setdefault(each["InstanceType"], []).append(each["Location"])
            return {name: sorted(places) for name, places in zones.items()}

        value: Mapping[str, Sequence[str]] = self._get(f"zones/{region}", ask, _TYPES_KEPT).value
        return value

    def _known(self, region: str) -> Mapping[str, Price]:
        """Prices on demand, or none when the price list cannot be read: many logins may rent but not ask that."""
        try:
            return self._on_demand(region)
        except ProviderError as error:
            _log.warning("on-demand prices are not known: %s", error)
            return {}

    def _on_demand(self, region: str) -> Mapping[str, Price]:
        def ask() -> dict[str, str]:
            filters = {**_PRICE_FILTERS, "regionCode": region}
            rows = self._clients.listed(
                "reading the price list",
                _PRICE_REGION,
                "get_products",
                "PriceList",
                service="pricing",
                ServiceCode="AmazonEC2",
                Filters=[{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in filters.items()],
            )
            return dict(filter(None, map(_price_row, rows)))

        entry = self._get(f"prices/{region}", ask, _PRICES_KEPT)
        return {name: _price(rate, "price list", entry.at) for name, rate in entry.value.items()}

    def _spot(self, region: str) -> Mapping[tuple[str, str], Price]:
        """Spot prices by type and zone, of all types: one question for a region is a few pages."""

        def ask() -> list[tuple[str, str, str]]:
            rows = self._clients.listed(
                "reading spot prices",
                region,
                "describe_spot_price_history",
                "SpotPriceHistory",
                ProductDescriptions=["Linux/UNIX"],
                StartTime=datetime.now(UTC),
            )
            newest: dict[tuple[str, str], tuple[datetime, str]] = {}
            for each in rows:
                key = each["InstanceType"], each["AvailabilityZone"]
                if key not in newest or newest[key][0] < each["Timestamp"]:
                    newest[key] = each["Timestamp"], each["SpotPrice"]
            return [(name, zone, rate) for (name, zone), (_, rate) in newest.items()]

        entry = self._get(f"spot/{region}", ask, _SPOT_KEPT)
        return {(name, zone): _price(rate, "spot history", entry.at) for name, zone, rate in entry.value}

    def _get(self, what: str, ask: Any, keep: timedelta) -> Entry:
        return self._kept.get(f"aws/{_FORM}/{self._account}/{what}", ask, keep=keep)


def _price(rate: str, source: str, at: datetime) -> Price:
    shortest = f"{Decimal(rate).normalize():f}"  # AWS writes ten digits after the point
    return Price(per_hour=Money(amount=Decimal(shortest), currency="USD"), source=source, at=at)


def _type_row(each: Mapping[str, Any]) -> dict[str, Any] | None:
    """Take what matters of a type; None for those that cannot run our images, or are bare metal, which boots slowly."""
    arch = next((a for a in _ARCHITECTURES if a in each["ProcessorInfo"].get("SupportedArchitectures", ())), "")
    if not arch or each.get("BareMetal"):
        return None
    cores = each["VCpuInfo"].get("DefaultCores") or each["VCpuInfo"]["DefaultVCpus"]
    gpus = each.get("GpuInfo", {}).get("Gpus", ())
    usage = each.get("SupportedUsageClasses", ("on-demand", "spot"))
    return {
        "name": each["InstanceType"],
        "cores": cores,
        "threads": each["VCpuInfo"]["DefaultVCpus"] // cores,
        "memory_mib": each["MemoryInfo"]["SizeInMiB"],
        "arch": arch,
        "gpus": sum(gpu.get("Count", 0) for gpu in gpus),
        "gpu_model": str(gpus[0].get("Name", "")) if gpus else "",
        "spot": "spot" in usage,
        "on_demand": "on-demand" in usage,
    }


def _price_row(text: Any) -> tuple[str, str] | None:
    """Read one product of the price list: its type and what an hour costs in dollars."""
    product = json.loads(text)
    name = product.get("product", {}).get("attributes", {}).get("instanceType", "")
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term.get("priceDimensions", {}).values():
            rate = dimension.get("pricePerUnit", {}).get("USD", "")
            try:
                if name and dimension.get("unit") == "Hrs" and Decimal(rate) > 0:
                    return name, rate
            except InvalidOperation:
                continue
    return None
