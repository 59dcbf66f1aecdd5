"""The SDK's clients, made once each; with deadlines, and without retries."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from longshore.errors import CloudUnreachable, CredentialsError, ProviderError
from longshore.plugin.deadline import Patience
from longshore_gcp.config import GcpConfig
from longshore_gcp.errors import Refused, is_gone, translated
from longshore_gcp.login import logged_in

__all__ = ["Clients"]

_CATALOG = "CloudCatalog"
_UNREACHABLE = "UNREACHABLE"


class Clients:
    """All that is asked of Google goes through here. Any thread may ask; nothing is sent before the first question."""

    def __init__(self, config: GcpConfig, *, answer: timedelta, deadline: timedelta) -> None:
        """Take the options, how long one answer may take, and how long one call of the core's may."""
        self._config = config
        self._answer = answer.total_seconds()
        self._deadline = deadline
        self._lock = threading.RLock()
        self._login: tuple[Any, str] | None = None
        self._made: dict[str, Any] = {}

    def __repr__(self) -> str:
        """Show no login."""
        return f"<clients of {self._config.project or 'the project that is logged in to'}>"

    # --- who is logged in

    def project(self) -> str:
        """Give the id of the project that pays.

        Raises:
            CredentialsError: when nobody is logged in, or to no project.
        """
        project = self._config.project or self._credentials()[1]
        if not project:
            raise CredentialsError(
                'Google does not say which project pays; write project = "..." in [providers.gcp], '
                "or set it by `gcloud config set project`"
            )
        return project

    def email(self) -> str:
        """Give the address of mail of who is logged in; empty when the login does not tell."""
        credentials = self._credentials()[0]
        return str(getattr(credentials, "service_account_email", "") or getattr(credentials, "account", "") or "")

    def _credentials(self) -> tuple[Any, str]:
        with self._lock, translated("logging in to Google"):
            if self._login is None:
                self._login = logged_in(self._config.credentials_file)
            return self._login

    # --- questions

    def ask(self, doing: str, service: str, method: str, *, seconds: float | None = None, **request: Any) -> Any:
        """Ask one thing, once: a method of a client of the SDK, as ``Instances`` and ``get``.

        Raises:
            ProviderError: when it is refused, or no answer comes.
        """
        client = self._client(service)
        with translated(doing):
            return getattr(client, method)(request=request, timeout=seconds or self._answer, retry=None)

    def look(self, doing: str, service: str, method: str, **request: Any) -> Any | None:
        """Ask for one thing; None when there is no such thing.

        Raises:
            ProviderError: when it is refused, or no answer comes.
        """
        try:
            return self.ask(doing, service, method, **request)
        except ProviderError as error:
            if is_gone(error):
                return None
            raise

    def listed(self, doing: str, service: str, method: str, **request: Any) -> Iterator[Any]:
        """Give the pages of a list; all of them or an error.

        Raises:
            ProviderError: when a page cannot be had.
        """
        patience = Patience("Google", self._deadline)
        pages = iter(self.ask(doing, service, method, **request).pages)
        while True:
            patience.check(doing)
            with translated(doing):
                page = next(pages, None)
                # The SDK takes any answer for an empty list, and machines would be taken for gone.
                if page is not None and service != _CATALOG and not page.kind:
                    raise ValueError
            if page is None:
                return
            yield page

    def gathered(self, doing: str, service: str, **request: Any) -> Iterator[Any]:
        """Give the parts of all zones of a list.

        Raises:
            ProviderError: when a page cannot be had, or a zone is not in it because it does not answer.
        """
        for page in self.listed(doing, service, "aggregated_list", **request):
            for zone, part in page.items.items():
                if part.warning.code == _UNREACHABLE:
                    raise CloudUnreachable(f"{doing}: {zone} does not answer")
                yield part

    def zones(self, region: str) -> list[str]:
        """Give the zones of a region.

        Raises:
            ProviderError: when there is no such region, or Google cannot be asked.
        """
        doing = f"looking at {region}"
        found = self.ask(doing, "Regions", "get", project=self.project(), region=region)
        with translated(doing):
            return [url.rpartition("/")[2] for url in found.zones]

    def settled(self, doing: str, operation: Any, *, zone: str = "") -> None:
        """Wait until an operation has ended, in a zone, or in the whole project. Google answers when it has.

        Raises:
            ProviderError: when it fails.
            CloudUnreachable: when it does not end in time.
        """
        until = time.monotonic() + self._deadline.total_seconds()
        place: Mapping[str, str] = {"zone": zone} if zone else {}
        service = "ZoneOperations" if zone else "GlobalOperations"
        while operation.status.name != "DONE":
            left = until - time.monotonic()
            if left <= 0:
                raise CloudUnreachable(f"{doing}: Google has not ended it in time")
            operation = self.ask(
                doing,
                service,
                "wait",
                seconds=left,
                project=self.project(),
                operation=operation.name,
                **place,
            )
        for each in operation.error.errors:
            with translated(doing):
                raise Refused(each.code, each.message)

    def _client(self, service: str) -> Any:
        with self._lock:
            if service not in self._made:
                credentials = self._credentials()[0]
                with translated("logging in to Google"):
                    self._made[service] = self._new(service, credentials)
            return self._made[service]

    def _new(self, service: str, credentials: Any) -> Any:
        if service == _CATALOG:
            from google.cloud import billing_v1  # noqa: PLC0415  it takes a second

            options = {"api_endpoint": self._config.billing_url}
            return billing_v1.CloudCatalogClient(credentials=credentials, client_options=options, transport="rest")
        from google.cloud import compute_v1  # noqa: PLC0415  it takes seconds, and what is remembered needs none of it

        options = {"api_endpoint": self._config.endpoint_url}
        return getattr(compute_v1, f"{service}Client")(credentials=credentials, client_options=options)
