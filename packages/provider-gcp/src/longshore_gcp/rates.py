"""What a machine type costs, put together from the billing catalogue: so much for a processor, for memory, for a GPU.

The catalogue has no key for what a machine type is made of; its descriptions are all that tells ("N2 Instance Core
running in Netherlands"). A type of which one part is not found has no price, and no guess is made.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any

__all__ = ["rate_of", "read_sku"]

_PART = re.compile(
    r"(?P<spot>Spot Preemptible )?(?P<series>[A-Z][0-9]{1,2}[A-Z]?) (?:Predefined |AMD |Arm |Memory-optimized )?"
    r"Instance (?P<part>Core|Ram) running in .+"
)
_GPU = re.compile(r"Nvidia (?:Tesla )?(?P<model>.+?) GPU (?:attached to Spot Preemptible VMs )?running in .+")
_USAGE = {"OnDemand": "ondemand", "Preemptible": "spot"}
_SHARED = {"e2-micro": Decimal("0.25"), "e2-small": Decimal("0.5"), "e2-medium": Decimal(1)}
"""Of shared processors, these parts are paid for."""
_NANO = Decimal("1e-9")
_MIB_IN_GIB = 1024


def read_sku(sku: Any, regions: Collection[str]) -> Iterator[tuple[str, str]]:
    """Read what one entry says about the price of a part: its key by region, and USD an hour."""
    usage = _USAGE.get(sku.category.usage_type)
    part = _part(sku.description)
    if usage is None or not part:
        return
    for info in sku.pricing_info:
        # Of the steps by use the last one is for who uses most; the first may be free of charge.
        for tier in info.pricing_expression.tiered_rates:
            price = Decimal(int(tier.unit_price.units)) + int(tier.unit_price.nanos) * _NANO
            if price and tier.unit_price.currency_code == "USD":
                wanted = (region for region in sku.service_regions if region in regions)
                yield from ((_key(region, usage, part), str(price)) for region in wanted)


def _part(description: str) -> str:
    if found := _PART.fullmatch(description):
        return f"{found['series'].lower()}/{found['part'].lower()}"
    if found := _GPU.fullmatch(description):
        return f"gpu/{_plain(found['model'])}"
    return ""


def rate_of(row: Mapping[str, Any], rates: Mapping[str, str], *, region: str, spot: bool) -> Decimal | None:
    """Say what an hour of a machine type costs in a region; None when the price of one of its parts is not known."""
    usage = "spot" if spot else "ondemand"
    series = row["type"].partition("-")[0]
    parts = {
        f"{series}/core": _SHARED.get(row["type"], Decimal(row["cpus"])),
        f"{series}/ram": Decimal(row["memory_mib"]) / _MIB_IN_GIB,
    }
    if row["gpus"]:
        parts[f"gpu/{_plain(row['gpu_model'].removeprefix('nvidia-').removeprefix('tesla-'))}"] = Decimal(row["gpus"])
    known = {part: rates.get(_key(region, usage, part)) for part in parts}
    amounts = [amount * Decimal(rate) for part, amount in parts.items() if (rate := known[part]) is not None]
    return sum(amounts, Decimal(0)) if len(amounts) == len(parts) else None


def _key(region: str, usage: str, part: str) -> str:
    return f"{region}/{usage}/{part}"


def _plain(model: str) -> str:
    return re.sub(r"[^a-z0-9]", "", model.lower())
