"""What Google rents, and what it costs: machine types of each zone, and the billing catalogue. Remembered on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from longshore.model.offer import Needs, Offer, Price
from longshore.model.quantity import Money
from longshore.model.resources import Resources
from longshore.plugin.catalogue import Catalogue, Entry
from longshore.plugin.offers import cheapest_first
from longshore_gcp.clients import Clients
from longshore_gcp.config import GcpConfig
from longshore_gcp.errors import translated
from longshore_gcp.machines import region_of
from longshore_gcp.rates import rate_of, read_sku

__all__ = ["Catalog"]

_KEPT = timedelta(days=1)
_SERVICE = "services/6F81-5844-456A"
"""Compute Engine, in the billing catalogue."""
_LOGIN = ("GOOGLE_CLOUD_PROJECT", "GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG")
"""Variables that lead to a login and its project."""
_MIB, _GIB = 1 << 20, 1 << 30
_ARM = ("t2a-", "c4a-", "n4a-", "a4x-")
"""Types whose processor is not told by some zones."""


class Catalog:
    """Offers of some regions."""

    def __init__(self, clients: Clients, kept: Catalogue, config: GcpConfig) -> None:
        self._clients = clients
        self._kept = kept
        self._config = config

    def offers(self, needs: Needs) -> Sequence[Offer]:
        """List what meets the needs, the cheapest first and unknown prices last.

        Raises:
            ProviderError: when types or prices cannot be listed.
        """
        types = self._types()
        rates = self._rates()
        found = (offer for row in types.value for offer in self._of(row, rates))
        return cheapest_first(found, needs)

    def price(self, offer: Offer) -> Price | None:
        """Say what an offer costs now; None when nobody knows.

        Raises:
            ProviderError: when Google cannot be asked.
        """
        row = next((row for row in self._types().value if (row["type"], row["zone"]) == (offer.type, offer.zone)), None)
        return None if row is None else _price(row, self._rates(), spot=offer.spot)

    def _of(self, row: Mapping[str, Any], rates: Entry) -> Iterator[Offer]:
        for spot in (False, True):
            yield Offer(
                type=row["type"],
                region=region_of(row["zone"]),
                zone=row["zone"],
                resources=Resources(
                    cpus=row["cpus"],
                    memory_bytes=row["memory_mib"] * _MIB,
                    gpus=row["gpus"],
                    disk_bytes=self._config.disk_gib * _GIB,
                ),
                arch=row["arch"],
                gpu_model=row["gpu_model"],
                price=_price(row, rates, spot=spot),
                spot=spot,
            )

    def _types(self) -> Entry:
        def ask() -> list[dict[str, Any]]:
            return [row for region in self._config.regions for row in self._types_in(region)]

        where = f"{_project(self._config)}\n{self._config.endpoint_url}\n{self._config.regions}"
        return self._kept.get(f"gcp/1/{sha256(where.encode()).hexdigest()[:16]}/types", ask, keep=_KEPT)

    def _types_in(self, region: str) -> Iterator[dict[str, Any]]:
        project = self._clients.project()
        for zone in self._clients.zones(region):
            doing = f"listing machine types in {zone}"
            for page in self._clients.listed(doing, "MachineTypes", "list", project=project, zone=zone):
                with translated(doing):
                    rows = [_row(each, zone) for each in page.items if not each.deprecated.state]
                yield from rows

    def _rates(self) -> Entry:
        def ask() -> dict[str, str]:
            doing = "listing prices"
            rates: dict[str, str] = {}
            for page in self._clients.listed(doing, "CloudCatalog", "list_skus", parent=_SERVICE):
                with translated(doing):
                    for sku in page.skus:
                        rates.update(read_sku(sku, self._config.regions))
            return rates

        where = f"{self._config.billing_url}\n{self._config.regions}"
        return self._kept.get(f"gcp/1/{sha256(where.encode()).hexdigest()[:16]}/rates", ask, keep=_KEPT)


def _project(config: GcpConfig) -> str:
    """Say for which project types are remembered, or by which login. Nobody logs in for that: it takes half a second,
    and far longer where nobody can.
    """
    found = (os.environ.get(name, "") for name in _LOGIN)
    return config.project or "\n".join((config.credentials_file, *found))


def _row(kind: Any, zone: str) -> dict[str, Any]:
    gpu = next(iter(kind.accelerators), None)
    return {
        "type": kind.name,
        "zone": zone,
        "cpus": kind.guest_cpus,
        "memory_mib": kind.memory_mb,
        "arch": "arm64" if kind.architecture == "ARM64" or kind.name.startswith(_ARM) else "x86_64",
        "gpus": gpu.guest_accelerator_count if gpu else 0,
        "gpu_model": gpu.guest_accelerator_type if gpu else "",
    }


def _price(row: Mapping[str, Any], rates: Entry, *, spot: bool) -> Price | None:
    rate = rate_of(row, rates.value, region=region_of(row["zone"]), spot=spot)
    if rate is None:
        return None
    return Price(per_hour=Money(amount=rate, currency="USD"), source="billing catalogue", at=rates.at)
