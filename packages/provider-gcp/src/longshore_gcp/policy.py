"""The least rights that a login needs for what this package asks of Google Cloud, as a custom role of IAM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from longshore_gcp.config import GcpConfig

__all__ = ["least_role"]

_PERMISSIONS = (
    "compute.disks.create",
    "compute.firewalls.create",
    "compute.firewalls.delete",
    "compute.firewalls.list",
    "compute.firewalls.update",
    "compute.globalOperations.get",
    "compute.instances.create",
    "compute.instances.delete",
    "compute.instances.get",
    "compute.instances.list",
    "compute.instances.setLabels",
    "compute.instances.setMetadata",
    "compute.instances.setTags",
    "compute.instances.start",
    "compute.instances.stop",
    "compute.machineTypes.list",
    "compute.networks.updatePolicy",
    "compute.projects.get",
    "compute.regions.get",
    "compute.subnetworks.use",
    "compute.zoneOperations.get",
)
_EXTERNAL = "compute.subnetworks.useExternalIp"
"""Of machines that have an address of their own."""
_ACT_AS = ("compute.instances.setServiceAccount", "iam.serviceAccounts.actAs")
"""Of machines that have the rights of a service account."""


def least_role(config: GcpConfig) -> Mapping[str, Any]:
    """Give the role as ``gcloud iam roles create --file`` takes it. Prices are for everybody who is logged in."""
    more = (*((_EXTERNAL,) if config.address == "public" else ()), *(_ACT_AS if config.service_account else ()))
    return {
        "title": "Longshore",
        "description": "What Longshore asks of Compute Engine",
        "stage": "GA",
        "includedPermissions": sorted((*_PERMISSIONS, *more)),
    }
