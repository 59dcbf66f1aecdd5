"""The SDK's clients, made once each; with deadlines, and without retries."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from longshore.errors import CloudUnreachable, CredentialsError, ProviderError
from longshore.plugin.deadline import Calls
from longshore_azure.config import AzureConfig
from longshore_azure.errors import is_gone, translated
from longshore_azure.login import logged_in, name_in

__all__ = ["Clients"]

_OK = 200
_LISTS = "value"
_PRICES = "Items"


class Clients:
    """All that is asked of Azure goes through here. Any thread may ask; nothing is sent before the first question."""

    def __init__(self, config: AzureConfig, *, answer: timedelta, deadline: timedelta, pause: timedelta) -> None:
        """Take the options, how long one answer may take, how long one call of the core's may, and how long to leave an
        operation alone where Azure does not say.
        """
        self._config = config
        self._answer = answer.total_seconds()
        self.calls = Calls("Azure", deadline)
        self._pause = pause.total_seconds()
        self._lock = threading.RLock()
        self._login: Any = None
        self._made: dict[str, Any] = {}

    def __repr__(self) -> str:
        """Show no login."""
        return f"<clients of {self._config.subscription or 'the subscription of AZURE_SUBSCRIPTION_ID'}>"

    # --- who is logged in

    def subscription(self) -> str:
        """Give the id of the subscription that pays.

        Raises:
            CredentialsError: when nobody names one.
        """
        subscription = self._config.subscription or os.environ.get("AZURE_SUBSCRIPTION_ID", "")
        if not subscription:
            raise CredentialsError(
                'nobody says which subscription pays; write subscription = "..." in [providers.azure], or set '
                "AZURE_SUBSCRIPTION_ID; `az account list` shows those that there are"
            )
        return subscription

    def who(self) -> str:
        """Name who is logged in; empty when the login does not tell.

        Raises:
            CredentialsError: when nobody is.
        """
        with translated("asking who is logged in"):
            return name_in(self._credential().get_token(self._scope()).token)

    def _credential(self) -> Any:
        with self._lock:
            if self._login is None:
                self._login = logged_in(self._config)
            return self._login

    def _scope(self) -> str:
        return f"{self._config.endpoint_url.rstrip('/')}/.default"

    # --- questions

    def ask(self, doing: str, what: str, method: str, *args: Any, **options: Any) -> Any:
        """Ask one thing, once: a method of the SDK's operations, as ``compute.virtual_machines`` and ``get``.

        Raises:
            ProviderError: when it is refused, or no answer comes.
        """
        operations = self._operations(what)
        self.calls.patience().check(doing)
        with translated(doing):
            return getattr(operations, method)(*args, **options)

    def look(self, doing: str, what: str, *args: Any, **options: Any) -> Any | None:
        """Ask for one thing; None when there is no such thing.

        Raises:
            ProviderError: when it is refused, or no answer comes.
        """
        try:
            return self.ask(doing, what, "get", *args, **options)
        except ProviderError as error:
            if is_gone(error):
                return None
            raise

    def listed(self, doing: str, what: str, method: str, *args: Any, **options: Any) -> list[Any]:
        """Give all of a list, or an error.

        Raises:
            ProviderError: when a page cannot be had.
        """
        patience = self.calls.patience()
        pages = self.ask(doing, what, method, *args, raw_response_hook=_whole, **options).by_page()
        rows: list[Any] = []
        while True:
            patience.check(doing)
            with translated(doing):
                page = next(pages, None)
                if page is None:
                    return rows
                rows += page

    def begin(self, doing: str, what: str, method: str, *args: Any, **options: Any) -> Any:
        """Begin an operation, for `settled`.

        Raises:
            ProviderError: when it is refused, or no answer comes.
        """
        return self.ask(doing, what, method, *args, polling_interval=self._pause, **options)

    def settled(self, doing: str, *operations: Any) -> None:
        """Wait until operations have ended; Azure has to be asked for that, again and again.

        Raises:
            ProviderError: when one fails.
            CloudUnreachable: when one does not end in time.
        """
        patience = self.calls.patience()
        for each in operations:
            left = patience.check(doing)
            with translated(doing):
                each.wait(left)  # raises what the operation has come to
            if not each.done():
                raise CloudUnreachable(f"{doing}: Azure has not ended it in time")

    def prices(self, doing: str, wanted: str) -> Iterator[Mapping[str, Any]]:
        """Give the rows of the retail price list that are wanted, in its own language of filters. Anybody may ask.

        Raises:
            ProviderError: when a page cannot be had.
        """
        from azure.core.rest import HttpRequest  # noqa: PLC0415  as the clients

        patience = self.calls.patience()
        client = self._client("prices")
        query: dict[str, str] = {"$filter": wanted}
        while query:
            patience.check(doing)
            with translated(doing):
                request = HttpRequest("GET", f"{self._config.prices_url}/api/retail/prices", params=query)
                answer = client.send_request(request)
                answer.raise_for_status()
                content = answer.json()
                rows = content[_PRICES]
                # Of the next page's address only what is asked for counts, and never who is asked.
                query = dict(parse_qsl(urlsplit(content.get("NextPageLink") or "").query))
            yield from rows

    def _operations(self, what: str) -> Any:
        client, _, operations = what.partition(".")
        return getattr(self._client(client), operations)

    def _client(self, name: str) -> Any:
        with self._lock:
            if name not in self._made:
                with translated("logging in to Azure"):
                    self._made[name] = self._new(name)
            return self._made[name]

    def _new(self, name: str) -> Any:
        # Only what is needed is imported: each takes a good part of a second.
        times: dict[str, Any] = {"retry_total": 0, "connection_timeout": self._answer, "read_timeout": self._answer}
        if name == "prices":
            from azure.core import PipelineClient  # noqa: PLC0415  as said

            return PipelineClient(self._config.prices_url, **times)
        kinds = {"compute": _compute, "network": _network, "resource": _resource}
        return kinds[name]()(
            self._credential(),
            self.subscription(),
            base_url=self._config.endpoint_url,
            credential_scopes=[self._scope()],
            **times,
        )


def _compute() -> Any:
    from azure.mgmt.compute import ComputeManagementClient  # noqa: PLC0415  see _new

    return ComputeManagementClient


def _network() -> Any:
    from azure.mgmt.network import NetworkManagementClient  # noqa: PLC0415  see _new

    return NetworkManagementClient


def _resource() -> Any:
    from azure.mgmt.resource.resources import ResourceManagementClient  # noqa: PLC0415  see _new

    return ResourceManagementClient


def _whole(response: Any) -> None:
    """Refuse what is no list: the SDK takes any answer for an empty one, and machines would be taken for gone."""
    if response.http_response.status_code == _OK and not isinstance(response.http_response.json()[_LISTS], list):
        raise TypeError(_LISTS)
