"""What the stand-in for Google Cloud has to rent: regions, machine types, and the parts that the bill is made of."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from attrs import frozen

__all__ = ["REGIONS", "TYPES", "Kind", "machine_type", "skus"]


@frozen
class Kind:
    """A machine type."""

    cpus: int
    memory_mib: int
    arch: str = "X86_64"
    gpu: str = ""


REGIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"europe-west4": ("europe-west4-a", "europe-west4-b"), "us-central1": ("us-central1-a",)}
)
TYPES: Mapping[str, Kind] = MappingProxyType(
    {
        "e2-small": Kind(2, 2048),
        "e2-standard-4": Kind(4, 16384),
        "n2-standard-4": Kind(4, 16384),
        "c4a-standard-4": Kind(4, 16384, "ARM64"),
        "a2-highgpu-1g": Kind(12, 87040, gpu="nvidia-tesla-a100"),
        "z9-never-priced": Kind(8, 8192),
    }
)
_RATES = (
    ("E2 Instance Core running in {}", 21_811_590, "OnDemand"),
    ("E2 Instance Ram running in {}", 2_923_530, "OnDemand"),
    ("Spot Preemptible E2 Instance Core running in {}", 8_724_000, "Preemptible"),
    ("Spot Preemptible E2 Instance Ram running in {}", 1_169_000, "Preemptible"),
    ("N2 Instance Core running in {}", 31_611_000, "OnDemand"),
    ("N2 Instance Ram running in {}", 4_237_000, "OnDemand"),
    ("C4A Arm Instance Core running in {}", 30_800_000, "OnDemand"),
    ("C4A Arm Instance Ram running in {}", 3_500_000, "OnDemand"),
    ("A2 Instance Core running in {}", 31_611_000, "OnDemand"),
    ("A2 Instance Ram running in {}", 4_237_000, "OnDemand"),
    ("Nvidia Tesla A100 GPU running in {}", 2_933_908_000, "OnDemand"),
    ("Network Inter Zone Egress in {}", 10_000_000, "OnDemand"),
)
_NANOS = 1_000_000_000


def machine_type(name: str, zone: str) -> dict[str, Any]:
    """Describe a type as the API does."""
    kind = TYPES[name]
    row: dict[str, Any] = {
        "kind": "compute#machineType",
        "name": name,
        "zone": zone,
        "guestCpus": kind.cpus,
        "memoryMb": kind.memory_mib,
        "architecture": kind.arch,
    }
    if kind.gpu:
        row["accelerators"] = [{"guestAcceleratorType": kind.gpu, "guestAcceleratorCount": 1}]
    return row


def skus() -> list[dict[str, Any]]:
    """List what the bill is made of, as the billing catalogue does."""
    return [
        _sku(number, text.format(region), nanos, usage, region)
        for region in REGIONS
        for number, (text, nanos, usage) in enumerate(_RATES)
    ]


def _sku(number: int, description: str, nanos: int, usage: str, region: str) -> dict[str, Any]:
    price = {"currencyCode": "USD", "units": str(nanos // _NANOS), "nanos": nanos % _NANOS}
    expression = {"usageUnit": "h", "tieredRates": [{"startUsageAmount": 0, "unitPrice": price}]}
    name = f"{number:04d}-{region}".upper()
    return {
        "name": f"services/6F81-5844-456A/skus/{name}",
        "skuId": name,
        "description": description,
        "category": {"serviceDisplayName": "Compute Engine", "resourceFamily": "Compute", "usageType": usage},
        "serviceRegions": [region],
        "pricingInfo": [{"pricingExpression": expression}],
        "serviceProviderName": "Google",
    }
