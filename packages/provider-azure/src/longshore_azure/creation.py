"""The body of the call that makes a machine, with all that is its own: it follows from the spec and the token alone
(laws P2 and P7).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from longshore.errors import InvalidRequest
from longshore.model.machine_spec import MachineSpec, Tag
from longshore.plugin.boot import first_boot
from longshore_azure.config import AzureConfig, image_reference
from longshore_azure.ending import finally_of, identity_of
from longshore_azure.notice import NOTICE

__all__ = ["Around", "body_of"]

_LONGEST_BOOT = 65_535
_NETWORK_API = "2022-11-01"
"""Of those that virtual machines may be asked to make their network interfaces by."""


@frozen(kw_only=True)
class Around:
    """What is there before a machine."""

    firewall: str
    """The id of its network security group."""
    subnet: str
    """The id of its subnetwork."""


def _tags(spec: MachineSpec, config: AzureConfig, token: str) -> dict[str, str]:
    """Give the tags of a machine, with how large it is: what Azure tells of it later names its type alone."""
    size = spec.offer.resources
    return {
        **config.tags,
        **spec.tags(token),
        "longshore-cpus": f"{size.cpus:g}",
        "longshore-memory-bytes": str(size.memory_bytes),
        "longshore-gpus": str(size.gpus),
        str(Tag.USER): config.user,
    }


def body_of(
    spec: MachineSpec, config: AzureConfig, around: Around, *, name: str, token: str, key: str
) -> dict[str, Any]:
    """Write it; ``key`` may log in besides those of the spec.

    Raises:
        InvalidRequest: when the boot data cannot be written, or nobody could log in.
    """
    keys = [each for each in dict.fromkeys((*spec.keys, key)) if each]
    if not keys:
        raise InvalidRequest('Azure makes no machine without a key; write key = { public_key = "..." }')
    notice = NOTICE if spec.offer.spot else ""
    boot = first_boot(
        spec,
        user=config.user,
        scripts=(config.user_data,),
        notice=notice,
        finally_=finally_of(config),
        longest=_LONGEST_BOOT,
    )
    tags = _tags(spec, config, token)
    body: dict[str, Any] = {
        "location": spec.offer.region,
        "tags": tags,
        **identity_of(config),
        "properties": {
            "hardwareProfile": {"vmSize": spec.offer.type},
            "storageProfile": _storage(spec, config, name),
            "osProfile": _system(config, name, boot, keys),
            "networkProfile": {
                "networkApiVersion": _NETWORK_API,
                "networkInterfaceConfigurations": [_card(config, around, name, tags)],
            },
            **(_spot(config) if spec.offer.spot else {}),
        },
    }
    return {**body, "zones": [spec.offer.zone]} if spec.offer.zone else body


def _storage(spec: MachineSpec, config: AzureConfig, name: str) -> dict[str, Any]:
    return {
        "imageReference": image_reference(spec.image or config.image, spec.offer.arch),
        "osDisk": {
            "name": f"{name}-disk",
            "createOption": "FromImage",
            "deleteOption": "Delete",
            "diskSizeGB": config.disk_gib,
            "managedDisk": {"storageAccountType": config.disk_type},
        },
    }


def _system(config: AzureConfig, name: str, boot: str, keys: Sequence[str]) -> dict[str, Any]:
    path = f"/home/{config.user}/.ssh/authorized_keys"
    return {
        "computerName": name,
        "adminUsername": config.user,
        # Azure never shows it again.
        "customData": base64.b64encode(boot.encode()).decode(),
        "linuxConfiguration": {
            "disablePasswordAuthentication": True,
            "ssh": {"publicKeys": [{"path": path, "keyData": each} for each in keys]},
        },
    }


def _card(config: AzureConfig, around: Around, name: str, tags: dict[str, str]) -> dict[str, Any]:
    address = {
        "name": f"{name}-address",
        "sku": {"name": "Standard", "tier": "Regional"},
        "tags": tags,
        "properties": {"deleteOption": "Delete", "publicIPAllocationMethod": "Static"},
    }
    inside: dict[str, Any] = {"primary": True, "subnet": {"id": around.subnet}}
    if config.address == "public":
        inside["publicIPAddressConfiguration"] = address
    return {
        "name": f"{name}-nic",
        "tags": tags,
        "properties": {
            "primary": True,
            "deleteOption": "Delete",
            "networkSecurityGroup": {"id": around.firewall},
            "ipConfigurations": [{"name": "inside", "properties": inside}],
        },
    }


def _spot(config: AzureConfig) -> dict[str, Any]:
    """One that is taken back is deleted: what is merely switched off goes on costing."""
    return {"priority": "Spot", "evictionPolicy": "Delete", "billingProfile": {"maxPrice": config.max_price}}
