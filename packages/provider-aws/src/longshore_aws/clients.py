"""The SDK's clients: made once for each service and region, with deadlines, and without retries where that matters."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from longshore.errors import InvalidRequest
from longshore.model.names import near
from longshore.plugin.deadline import Patience
from longshore_aws.config import AwsConfig
from longshore_aws.errors import translated

if TYPE_CHECKING:
    import boto3

__all__ = ["Clients"]

_READS = 2
"""So often is a read tried within its deadline."""


class _HideBootData(logging.Filter):
    """Keeps first-boot data, which holds keys, out of the SDK's own debug log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG or "UserData" not in record.getMessage()


_hide = _HideBootData()


class Clients:
    """All that is asked of AWS goes through here. Any thread may ask; nothing is sent before the first question."""

    def __init__(self, config: AwsConfig, *, answer: timedelta, deadline: timedelta) -> None:
        """Take the options, how long one answer may take, and how long one call of the core's may."""
        self._config = config
        self._answer = answer.total_seconds()
        self._deadline = deadline
        self._lock = threading.Lock()
        self._session: boto3.Session | None = None
        self._made: dict[tuple[str, str, bool], Any] = {}
        for name in ("botocore.endpoint", "botocore.hooks", "botocore.parsers", "botocore.regions"):
            logging.getLogger(name).addFilter(_hide)

    def __repr__(self) -> str:
        """Show no login."""
        return f"<clients of {self._config.profile or 'the default login'}>"

    def patience(self) -> Patience:
        """Begin to count for one call."""
        return Patience("AWS", self._deadline)

    def regions(self) -> tuple[str, ...]:
        """Say where to rent.

        Raises:
            InvalidRequest: when the config names no region and neither does the environment.
        """
        if self._config.regions:
            return self._config.regions
        with translated("looking for a region"):
            return (str(self.of("ec2").meta.region_name),)

    def of(self, service: str, region: str = "", *, create: bool = False) -> Any:
        """Give the client of a service in a region (empty for the first one). With ``create`` it never repeats a
        request by itself. Call it where the SDK's errors are translated.
        """
        region = region or (self._config.regions[0] if self._config.regions else "")
        with self._lock:
            client = self._made.get((service, region, create))
            if client is None:
                client = self._make(service, region, create)
                self._made[service, region, create] = client
            return client

    def _make(self, service: str, region: str, create: bool) -> Any:
        import boto3  # noqa: PLC0415  it takes a quarter of a second, and what is remembered needs none of it
        from botocore.config import Config  # noqa: PLC0415  as above

        if self._session is None:
            self._session = boto3.Session(profile_name=self._config.profile or None)
        if region and not self._config.endpoint_url:
            _check_region(self._session, region)
        return self._session.client(
            service,
            region_name=region or None,
            endpoint_url=self._config.endpoint_url or None,
            config=Config(
                connect_timeout=self._answer,
                read_timeout=self._answer,
                retries={"mode": "standard", "total_max_attempts": 1 if create else _READS},
                user_agent_extra="longshore",
            ),
        )

    def listed(
        self, doing: str, region: str, operation: str, key: str, *, service: str = "ec2", **request: Any
    ) -> Iterator[Mapping[str, Any]]:
        """Give what a list has, page after page; all of it or an error.

        Raises:
            ProviderError: when a page cannot be had.
        """
        with translated(doing):
            pages = iter(self.of(service, region).get_paginator(operation).paginate(**request))
        patience = self.patience()  # AWS is not to blame for the time in which its SDK reads about the service
        while True:
            patience.check(doing)
            with translated(doing):
                page = next(pages, None)
            if page is None:
                return
            yield from page.get(key, ())


def _check_region(session: boto3.Session, region: str) -> None:
    """Refuse a misspelt region: the SDK would look for a computer of that name, for long and in vain."""
    known = [each for part in session.get_available_partitions() for each in session.get_available_regions("ec2", part)]
    if region not in known:
        close = near(region, known)
        hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(sorted(known))}"
        raise InvalidRequest(f"{region!r} is no region that this boto3 knows; {hint}")
