"""Announces the provider; the SDK is imported when it is asked something."""

from __future__ import annotations

from collections.abc import Sequence

from longshore.plugin import Provider, ProviderRecord, hookimpl
from longshore_gcp.config import GcpConfig
from longshore_gcp.policy import least_role

__all__ = ["longshore_providers"]


def _make(config: GcpConfig) -> Provider:
    from longshore_gcp.provider import GcpProvider  # noqa: PLC0415  most commands ask no cloud

    return GcpProvider(config)


@hookimpl
def longshore_providers() -> Sequence[ProviderRecord]:
    """Announce Google Cloud."""
    tested = "a stand-in held to the API's own description, with hosts that execute the boot data; not yet Google Cloud"
    return [
        ProviderRecord(
            name="gcp",
            config=GcpConfig,
            factory=_make,
            policy=least_role,
            logins=("credentials_file",),
            tested=tested,
            api=(0, 1),
        )
    ]
