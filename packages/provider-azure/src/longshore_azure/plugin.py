"""Announces the provider; the SDK is imported when it is asked something."""

from __future__ import annotations

from collections.abc import Sequence

from longshore.plugin import Provider, ProviderRecord, hookimpl
from longshore_azure.config import AzureConfig
from longshore_azure.policy import least_role

__all__ = ["longshore_providers"]


def _make(config: AzureConfig) -> Provider:
    from longshore_azure.provider import AzureProvider  # noqa: PLC0415  most commands ask no cloud

    return AzureProvider(config)


@hookimpl
def longshore_providers() -> Sequence[ProviderRecord]:
    """Announce Azure."""
    tested = "a stand-in held to the models of its own library, with hosts that execute the boot data; not yet Azure"
    return [
        ProviderRecord(
            name="azure",
            config=AzureConfig,
            factory=_make,
            policy=least_role,
            logins=("credentials_file",),
            tested=tested,
            api=(0, 1),
        )
    ]
