"""The body of the call that makes a machine: it follows from the spec and the token alone (laws P2 and P7)."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from attrs import evolve

from longshore.model.machine_spec import MachineSpec, Tag
from longshore.plugin.boot import first_boot
from longshore_gcp.config import GcpConfig, image_path
from longshore_gcp.labels import TAGS_ITEM, labels, write_tags
from longshore_gcp.notice import NOTICE
from longshore_gcp.sides import network_tag

__all__ = ["body_of"]

_LONGEST_BOOT = 256 * 1024
_HYPERDISK_ONLY = frozenset({"a4", "a4x", "c4", "c4a", "c4d", "h4d", "m4", "n4", "n4a", "n4d", "x4"})
"""Series that take no ``pd-balanced``."""
_ONCE = "#!/bin/sh\n[ ! -e /var/lib/longshore/boot/done ] || exit 0\n"
"""Google executes the boot data at each boot."""
_ALL = "https://www.googleapis.com/auth/cloud-platform"
_RFC3339 = "%Y-%m-%dT%H:%M:%SZ"


def body_of(spec: MachineSpec, config: GcpConfig, *, token: str, key: str, project: str) -> dict[str, Any]:
    """Write it, but for the name; ``key`` may log in besides those of the spec.

    Raises:
        InvalidRequest: when the boot data cannot be written.
    """
    dressed = spec if key in {"", *spec.keys} else evolve(spec, keys=(*spec.keys, key))
    tags = {**config.tags, **spec.tags(token), **_size(spec), Tag.USER: config.user}
    return {
        "machine_type": f"zones/{spec.offer.zone}/machineTypes/{spec.offer.type}",
        "labels": labels(tags),
        "tags": {"items": [network_tag(spec)]},
        "metadata": {"items": [{"key": name, "value": value} for name, value in _metadata(dressed, config, tags)]},
        "scheduling": _scheduling(spec),
        "disks": [_disk(spec, config, project)],
        "network_interfaces": [_network(spec, config)],
        **_rights(config),
    }


def _rights(config: GcpConfig) -> dict[str, Any]:
    """Say whose rights programs there have; what these are is said of the account, and not of its scopes."""
    if not config.service_account:
        return {}
    return {"service_accounts": [{"email": config.service_account, "scopes": [_ALL]}]}


def _size(spec: MachineSpec) -> dict[str, str]:
    """Say how large a machine is: what Google tells of it later names its type alone."""
    size = spec.offer.resources
    return {
        "longshore-cpus": f"{size.cpus:g}",
        "longshore-memory-bytes": str(size.memory_bytes),
        "longshore-gpus": str(size.gpus),
    }


def _metadata(spec: MachineSpec, config: GcpConfig, tags: dict[str, str]) -> list[tuple[str, str]]:
    notice = NOTICE if spec.offer.spot else ""
    boot = first_boot(
        spec, user=config.user, scripts=(config.user_data,), notice=notice, longest=_LONGEST_BOOT - len(_ONCE)
    )
    return [
        (TAGS_ITEM, write_tags(tags)),
        ("startup-script", f"{_ONCE}{boot}"),
        # Nobody else's keys, and none that come and go.
        ("block-project-ssh-keys", "TRUE"),
        ("enable-oslogin", "FALSE"),
        ("enable-guest-attributes", "TRUE"),
    ]


def _scheduling(spec: MachineSpec) -> dict[str, Any]:
    """Let the machine end itself by the cloud's own clock. A time, and no duration: a repeat says the same."""
    moves = not spec.offer.spot and not spec.offer.resources.gpus
    return {
        "provisioning_model": "SPOT" if spec.offer.spot else "STANDARD",
        "instance_termination_action": "DELETE",
        "termination_time": spec.ends_at.astimezone(UTC).strftime(_RFC3339),
        # One that has lost its memory is of no use to anybody.
        "automatic_restart": False,
        "on_host_maintenance": "MIGRATE" if moves else "TERMINATE",
    }


def _disk(spec: MachineSpec, config: GcpConfig, project: str) -> dict[str, Any]:
    series = spec.offer.type.partition("-")[0]
    kind = config.disk_type or ("hyperdisk-balanced" if series in _HYPERDISK_ONLY else "pd-balanced")
    return {
        "boot": True,
        "auto_delete": True,
        "initialize_params": {
            "source_image": image_path(spec.image or config.image, spec.offer.arch, project),
            "disk_size_gb": config.disk_gib,
            "disk_type": f"zones/{spec.offer.zone}/diskTypes/{kind}",
        },
    }


def _network(spec: MachineSpec, config: GcpConfig) -> dict[str, Any]:
    network: dict[str, Any] = {"network": f"global/networks/{config.network}"}
    if config.subnetwork:
        network["subnetwork"] = f"regions/{spec.offer.region}/subnetworks/{config.subnetwork}"
    if config.address == "public":
        network["access_configs"] = [{"name": "External NAT", "type_": "ONE_TO_ONE_NAT"}]
    return network
