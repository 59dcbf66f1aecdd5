"""What DigitalOcean rents, and what it costs: sizes carry their prices. Remembered on disk, with the date."""

from __future__ import annotations

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
from longshore_do.clients import Client
from longshore_do.config import DoConfig
from longshore_do.errors import translated

__all__ = ["Catalog"]

_KEPT = timedelta(days=1)
_MIB, _GIB = 1 << 20, 1 << 30


class Catalog:
    """Offers of some regions."""

    def __init__(self, client: Client, kept: Catalogue, config: DoConfig) -> None:
        self._client = client
        self._kept = kept
        self._regions = frozenset(config.regions)
        # What a token may see is told apart by the variable that holds it; the token itself is in no file.
        self._whose = sha256(f"{config.token_env}\n{config.endpoint_url}".encode()).hexdigest()[:16]

    def offers(self, needs: Needs) -> Sequence[Offer]:
        """List what meets the needs, the cheapest first and unknown prices last.

        Raises:
            ProviderError: when sizes cannot be listed.
        """
        entry = self._sizes()
        found = (offer for row in entry.value for offer in self._of(row, entry))
        return cheapest_first(found, needs)

    def price(self, offer: Offer) -> Price | None:
        """Say what an offer costs now; None when nobody knows, and for spot machines, which there are none of.

        Raises:
            ProviderError: when DigitalOcean cannot be asked.
        """
        entry = self._sizes()
        row = next((row for row in entry.value if row["type"] == offer.type), None)
        return None if row is None or offer.spot else _price(row, entry)

    def _of(self, row: Mapping[str, Any], entry: Entry) -> Iterator[Offer]:
        for region in row["regions"]:
            if not self._regions or region in self._regions:
                yield Offer(
                    type=row["type"],
                    region=region,
                    resources=Resources(
                        cpus=row["cpus"],
                        memory_bytes=row["memory_mib"] * _MIB,
                        gpus=row["gpus"],
                        disk_bytes=row["disk_gib"] * _GIB,
                    ),
                    gpu_model=row["gpu_model"],
                    price=_price(row, entry),
                )

    def _sizes(self) -> Entry:
        def ask() -> list[dict[str, Any]]:
            doing = "listing sizes"
            rows = self._client.listed(doing, lambda client: client.sizes.list, "sizes")
            with translated(doing):
                return [_row(each) for each in rows if each.get("available")]

        return self._kept.get(f"do/1/{self._whose}/sizes", ask, keep=_KEPT)


def _row(size: Mapping[str, Any]) -> dict[str, Any]:
    gpu = size.get("gpu_info") or {}
    rate = size.get("price_hourly")
    return {
        "type": size["slug"],
        "cpus": size["vcpus"],
        "memory_mib": size["memory"],
        "disk_gib": size["disk"],
        "regions": sorted(size.get("regions", ())),
        "gpus": int(gpu.get("count", 0) or 0),
        "gpu_model": str(gpu.get("model", "") or ""),
        "rate": str(rate) if rate else "",
    }


def _price(row: Mapping[str, Any], entry: Entry) -> Price | None:
    if not row["rate"]:
        return None
    return Price(per_hour=Money(amount=Decimal(row["rate"]), currency="USD"), source="list of sizes", at=entry.at)
