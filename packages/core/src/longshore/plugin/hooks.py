"""The hooks through which plugins announce what they offer. A hook returns records; it does nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from longshore.plugin.observers import ObserverRecord
from longshore.plugin.protocols import ExecutorRecord, ProviderRecord, StrategyRecord
from longshore.plugin.stores import StoreRecord

__all__ = [
    "hookimpl",
    "hookspec",
    "longshore_executors",
    "longshore_observers",
    "longshore_providers",
    "longshore_stores",
    "longshore_strategies",
]

hookspec = pluggy.HookspecMarker("longshore")
hookimpl = pluggy.HookimplMarker("longshore")


@hookspec
def longshore_providers() -> Sequence[ProviderRecord]:
    """Announce providers."""
    raise NotImplementedError


@hookspec
def longshore_executors() -> Sequence[ExecutorRecord]:
    """Announce executors."""
    raise NotImplementedError


@hookspec
def longshore_strategies() -> Sequence[StrategyRecord]:
    """Announce assignment strategies."""
    raise NotImplementedError


@hookspec
def longshore_stores() -> Sequence[StoreRecord]:
    """Announce stores."""
    raise NotImplementedError


@hookspec
def longshore_observers() -> Sequence[ObserverRecord]:
    """Announce observers."""
    raise NotImplementedError
