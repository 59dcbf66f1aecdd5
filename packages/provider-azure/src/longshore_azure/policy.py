"""The least rights that a login needs for what this package asks of Azure, as a custom role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from longshore_azure.config import AzureConfig

__all__ = ["least_role"]

_ACTIONS = (
    "Microsoft.Compute/disks/delete",
    "Microsoft.Compute/disks/write",
    "Microsoft.Compute/locations/operations/read",
    "Microsoft.Compute/locations/usages/read",
    "Microsoft.Compute/skus/read",
    "Microsoft.Compute/sshPublicKeys/read",
    "Microsoft.Compute/virtualMachines/deallocate/action",
    "Microsoft.Compute/virtualMachines/delete",
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Compute/virtualMachines/start/action",
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.Network/locations/operations/read",
    "Microsoft.Network/networkInterfaces/delete",
    "Microsoft.Network/networkInterfaces/join/action",
    "Microsoft.Network/networkInterfaces/read",
    "Microsoft.Network/networkInterfaces/write",
    "Microsoft.Network/networkSecurityGroups/delete",
    "Microsoft.Network/networkSecurityGroups/join/action",
    "Microsoft.Network/networkSecurityGroups/read",
    "Microsoft.Network/networkSecurityGroups/securityRules/read",
    "Microsoft.Network/networkSecurityGroups/securityRules/write",
    "Microsoft.Network/networkSecurityGroups/write",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Resources/subscriptions/resources/read",
)
_NETWORK = (
    "Microsoft.Network/virtualNetworks/delete",
    "Microsoft.Network/virtualNetworks/read",
    "Microsoft.Network/virtualNetworks/write",
)
"""Where the config names no subnetwork."""
_ADDRESS = (
    "Microsoft.Network/publicIPAddresses/delete",
    "Microsoft.Network/publicIPAddresses/join/action",
    "Microsoft.Network/publicIPAddresses/write",
)
"""Of machines that have an address of their own."""
_GROUP = (
    "Microsoft.Resources/subscriptions/resourceGroups/delete",
    "Microsoft.Resources/subscriptions/resourceGroups/resources/read",
    "Microsoft.Resources/subscriptions/resourceGroups/write",
)
"""Where the config names no resource group."""


def least_role(config: AzureConfig) -> Mapping[str, Any]:
    """Give the role as ``az role definition create --role-definition`` takes it. Prices are for everybody."""
    actions = {
        *_ACTIONS,
        *(() if config.subnet else _NETWORK),
        *(_ADDRESS if config.address == "public" else ()),
        # Addresses are listed in any case.
        "Microsoft.Network/publicIPAddresses/read",
        *(() if config.resource_group else _GROUP),
        *(("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",) if config.identity else ()),
        *(("Microsoft.Authorization/roleAssignments/write",) if config.end_role else ()),
    }
    return {
        "Name": "Longshore",
        "IsCustom": True,
        "Description": "What Longshore asks of Azure",
        "Actions": sorted(actions),
        "AssignableScopes": [f"/subscriptions/{config.subscription or 'SUBSCRIPTION'}"],
    }
