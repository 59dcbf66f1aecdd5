"""The way to a cluster that is rented: who rents it tells it, and it is told anew when its token is old."""

from __future__ import annotations

import os
import threading
import weakref
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkstemp

from kubernetes import client

from longshore.errors import ConfigError, MachineUnreachable, Problem, ProviderError
from longshore.plugin.clusters import ClusterAccess, Kubernetes
from longshore.plugin.provider import Provider
from longshore_k8s.config import K8sConfig

__all__ = ["RentedWay", "see_that_it_can_be_rented", "settings_of"]

_EARLY = timedelta(minutes=1)


class RentedWay:
    """The way to one cluster, remembered as long as its token is good. Several threads may ask."""

    def __init__(self, provider: Kubernetes, address: str) -> None:
        self._provider = provider
        self._address = address
        self._lock = threading.Lock()
        self._known: ClusterAccess | None = None
        self._file = ""

    def authority_file(self) -> str | None:
        """Give a file with the certificates that the server's is signed by; None for those that are known anyway.

        By a file, since streams know no other form. What is in it is public, and it goes with the process.
        """
        authority = self().authority
        if not authority:
            return None
        with self._lock:
            if not self._file:
                handle, self._file = mkstemp(prefix="longshore-authority-", suffix=".pem")
                weakref.finalize(self, Path(self._file).unlink, missing_ok=True)
                with os.fdopen(handle, "w") as file:
                    file.write(authority)
            return self._file

    def __call__(self) -> ClusterAccess:
        """Give the way.

        Raises:
            MachineUnreachable: while the cluster is being made, and when its cloud does not say.
        """
        with self._lock:
            known = self._known
            if known is None or (known.until is not None and known.until - _EARLY <= datetime.now(UTC)):
                try:
                    known = self._provider.access(self._address)
                except ProviderError as error:
                    raise MachineUnreachable(f"the way to the cluster is not told: {error}") from error
                if known is None:
                    raise MachineUnreachable("the cluster is being made")
                self._known = known
            return known


def settings_of(way: RentedWay) -> client.Configuration:
    """Give the client's settings for a way that may change its token; raises what the way does."""
    settings = client.Configuration()
    settings.host = way().server
    settings.ssl_ca_cert = way.authority_file()

    def refresh(known: client.Configuration) -> None:
        known.api_key = {"authorization": f"Bearer {way().token}"}

    refresh(settings)  # the client asks anew for what it has, and for nothing else
    settings.refresh_api_key_hook = refresh
    return settings


def see_that_it_can_be_rented(config: K8sConfig, provider: Provider) -> None:
    """Refuse what a rented cluster cannot be; raises ConfigError."""
    if not isinstance(provider, Kubernetes):
        message = "the executor 'k8s' does not reach machines of this provider, which are no clusters"
        raise ConfigError([Problem(place="", key="pools", message=message, remedy='write executor = "ssh"')])
    for key in ("workers", "kubeconfig", "context"):
        if getattr(config, key):
            message = f"{key!r} does not go with a cluster that is rented, in which each attempt has a pod of its own"
            raise ConfigError([Problem(place="", key=f"pools: {key}", message=message, remedy="take it out")])
