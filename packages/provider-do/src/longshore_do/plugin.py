"""Announces the provider; the SDK is imported when it is asked something."""

from __future__ import annotations

from collections.abc import Sequence

from longshore.plugin import Provider, ProviderRecord, hookimpl
from longshore_do.config import DoConfig
from longshore_do.policy import least_scopes

__all__ = ["longshore_providers"]


def _make(config: DoConfig) -> Provider:
    from longshore_do.provider import DoProvider  # noqa: PLC0415  most commands ask no cloud

    return DoProvider(config)


@hookimpl
def longshore_providers() -> Sequence[ProviderRecord]:
    """Announce DigitalOcean."""
    tested = "a stand-in held to the API's own description, with hosts that execute the boot data; not yet DigitalOcean"
    return [ProviderRecord(name="do", config=DoConfig, factory=_make, policy=least_scopes, tested=tested, api=(0, 1))]
