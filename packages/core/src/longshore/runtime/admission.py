"""Firewalls that let in one address, and a caller who moves: laptops are carried about."""

from __future__ import annotations

import logging

from longshore.errors import ProviderError
from longshore.plugin.provider import Admits, Provider

__all__ = ["Admission"]

_log = logging.getLogger(__name__)


class Admission:
    """Lets this computer reach an owner's machines from wherever it is. For one thread at a time."""

    def __init__(self, provider: Provider, owner: str) -> None:
        self._provider = provider
        self._owner = owner
        self._admitted: str | None = None

    def follow(self) -> None:
        """Admit the caller's address when it is not the one that was admitted last; what fails is tried again by the
        next call. Nothing is done on clouds without such firewalls.
        """
        if not isinstance(self._provider, Admits):
            return
        try:
            address = self._provider.address()
            if address is not None and address != self._admitted:
                self._provider.admit(address, owner=self._owner)
                _log.info("machines of %s let %s in", self._owner, address)
                self._admitted = address
        except ProviderError as error:
            _log.warning("machines may not let this computer in: %s", error)
