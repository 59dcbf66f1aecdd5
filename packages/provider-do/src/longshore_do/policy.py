"""The least rights that a token needs for what this package asks of DigitalOcean, as scopes of a custom token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from longshore_do.config import DoConfig

__all__ = ["least_scopes"]

_SCOPES = (
    "account:read",
    "droplet:create",
    "droplet:delete",
    "droplet:read",
    "droplet:update",
    "firewall:create",
    "firewall:delete",
    "firewall:read",
    "firewall:update",
    "sizes:read",
    "ssh_key:read",
    "tag:create",
    "tag:read",
)
_KEYS = ("ssh_key:create", "ssh_key:delete")


def least_scopes(config: DoConfig) -> Mapping[str, Any]:
    """Give the scopes to tick when a token is made (https://docs.digitalocean.com/reference/api/scopes/)."""
    return {"scopes": sorted((*_SCOPES, *(() if config.key.name else _KEYS)))}
