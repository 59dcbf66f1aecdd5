"""What the stand-in for Azure has to rent: types of machines by region, and the price list."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from attrs import frozen

__all__ = ["REGIONS", "TYPES", "Kind", "prices", "skus"]


@frozen
class Kind:
    """A type of machines."""

    cpus: int
    memory_gib: float
    family: str
    arch: str = "x64"
    gpus: int = 0
    spot: bool = True
    generations: str = "V1,V2"
    denied: bool = False
    lacking: str = ""
    """A zone where the subscription may not have it."""


REGIONS = ("westeurope", "eastus")
TYPES: Mapping[str, Kind] = MappingProxyType(
    {
        "Standard_B2s": Kind(2, 4, "standardBSFamily", spot=False),
        "Standard_D2s_v5": Kind(2, 8, "standardDSv5Family"),
        "Standard_D4s_v5": Kind(4, 16, "standardDSv5Family", lacking="3"),
        "Standard_D4ps_v5": Kind(4, 16, "standardDPSv5Family", "Arm64"),
        "Standard_NC4as_T4_v3": Kind(4, 28, "standardNCASv3_T4Family", gpus=1),
        "Standard_Z9_never_priced": Kind(8, 8, "standardZFamily"),
        "Basic_A1": Kind(1, 1.75, "basicAFamily", generations="V1"),
        "Standard_M128s": Kind(128, 2048, "standardMSFamily", denied=True),
    }
)
_RATES = (
    ("Standard_B2s", "B2s", "Virtual Machines BS Series", 0.048),
    ("Standard_B2s", "B2s", "Virtual Machines BS Series Windows", 0.056),
    ("Standard_D2s_v5", "D2s v5", "Virtual Machines Dsv5 Series", 0.115),
    ("Standard_D2s_v5", "D2s v5 Spot", "Virtual Machines Dsv5 Series", 0.023),
    ("Standard_D4s_v5", "D4s v5", "Virtual Machines Dsv5 Series", 0.23),
    ("Standard_D4s_v5", "D4s v5 Spot", "Virtual Machines Dsv5 Series", 0.046),
    ("Standard_D4s_v5", "D4s v5 Low Priority", "Virtual Machines Dsv5 Series", 0.05),
    ("Standard_D4s_v5", "D4s v5 Spot", "Virtual Machines Dsv5 Series Windows", 0.12),
    ("Standard_D4s_v5", "D4s v5", "Dsv5 Series Cloud Services", 0.4),
    ("Standard_D4ps_v5", "D4ps v5", "Virtual Machines Dpsv5 Series", 0.184),
    ("Standard_NC4as_T4_v3", "NC4as T4 v3", "Virtual Machines NCasT4 v3 Series", 0.658),
)


def skus(region: str) -> list[dict[str, Any]]:
    """List what there is, with disks among it, as the API does."""
    disk = {"resourceType": "disks", "name": "Premium_LRS", "locations": [region], "capabilities": []}
    return [disk, *(_sku(name, kind, region) for name, kind in TYPES.items())]


def _sku(name: str, kind: Kind, region: str) -> dict[str, Any]:
    able = {
        "vCPUs": str(kind.cpus),
        "MemoryGB": f"{kind.memory_gib:g}",
        "CpuArchitectureType": kind.arch,
        "HyperVGenerations": kind.generations,
        "LowPriorityCapable": str(kind.spot),
        **({"GPUs": str(kind.gpus)} if kind.gpus else {}),
    }
    why = "NotAvailableForSubscription"
    zones = {"type": "Zone", "values": [region], "restrictionInfo": {"zones": [kind.lacking]}, "reasonCode": why}
    everywhere = {"type": "Location", "values": [region], "reasonCode": why}
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "tier": "Standard",
        "family": kind.family,
        "locations": [region],
        "locationInfo": [{"location": region, "zones": ["3", "1"]}],
        "capabilities": [{"name": key, "value": value} for key, value in able.items()],
        "restrictions": [*([zones] if kind.lacking else []), *([everywhere] if kind.denied else [])],
    }


def prices(region: str) -> list[dict[str, Any]]:
    """List prices as the retail price list does."""
    return [
        {
            "currencyCode": "USD",
            "retailPrice": rate,
            "unitPrice": rate,
            "armRegionName": region,
            "productName": product,
            "skuName": meter,
            "armSkuName": kind,
            "serviceName": "Virtual Machines",
            "unitOfMeasure": "1 Hour",
            "type": "Consumption",
        }
        for kind, meter, product, rate in _RATES
    ]
