"""Rents machines from a sandbox."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from longshore.model.machine_spec import MachineSpec
from longshore.plugin.provider import Terms
from longshore.testing import FakeProvider
from longshore_sandbox.config import SandboxConfig
from longshore_sandbox.door import CloudClient
from longshore_sandbox.errors import translated

__all__ = ["SandboxProvider"]


class SandboxProvider(FakeProvider):
    """The fake cloud's provider, at the door of a process. Its machines can be used by the executor ``sandbox``."""

    def __init__(self, config: SandboxConfig) -> None:
        self._client = CloudClient(config.folder)
        super().__init__(self._client.login(config.account), _CloudTime(self._client), Terms())

    @property
    def terms(self) -> Terms:
        """What this sandbox is like, by its settings."""
        with translated():
            settings = self._client.settings
        return Terms(
            listing_lag=settings.listing_lag,
            settle=settings.listing_lag * 2,
            deadline=settings.deadline,
            power_off_still_costs=settings.power_off_still_costs,
        )

    def _request(self, spec: MachineSpec, token: str, count: int) -> dict[str, Any]:
        return {**super()._request(spec, token, count), "unattended": spec.unattended.total_seconds()}

    def _call(
        self, action: str, body: Mapping[str, Any], until: datetime, *, fine: Collection[str] = ()
    ) -> dict[str, Any]:
        with translated():
            return super()._call(action, body, until, fine=fine)


class _CloudTime:
    """The sandbox's clock, looked for when it is first asked."""

    def __init__(self, client: CloudClient) -> None:
        self._client = client

    def now(self) -> datetime:
        with translated():
            return self._client.time.now()

    def wait(self, duration: timedelta) -> None:
        with translated():
            self._client.time.wait(duration)
