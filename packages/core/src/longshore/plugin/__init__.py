"""All that the author of a plugin imports: hooks that announce, records that they return, protocols that act.

A distribution names its plugins as entry points of the group ``longshore``: ``executor.ssh``, ``provider.aws``,
``store.s3``, ``strategy.knapsack``, ``observer.otel``; or, when one module announces several of a kind, by the plural
and any name: ``stores.fsspec``. Each points at a module (or object) with functions marked `hookimpl`.
"""

from longshore.plugin.hooks import hookimpl
from longshore.plugin.protocols import (
    API_VERSION,
    AssignmentStrategy,
    Executor,
    ExecutorContext,
    ExecutorRecord,
    Observer,
    ObserverRecord,
    Session,
    Sink,
    Store,
    StoreRecord,
    StrategyRecord,
)
from longshore.plugin.provider import (
    Admits,
    Clusters,
    HostKeys,
    Identity,
    Images,
    Prices,
    Provider,
    ProviderRecord,
    Quota,
    Quotas,
    Scope,
    SpotNotice,
    SpotNotices,
    Stoppable,
    Sweeps,
    Terms,
)

__all__ = [
    "API_VERSION",
    "Admits",
    "AssignmentStrategy",
    "Clusters",
    "Executor",
    "ExecutorContext",
    "ExecutorRecord",
    "HostKeys",
    "Identity",
    "Images",
    "Observer",
    "ObserverRecord",
    "Prices",
    "Provider",
    "ProviderRecord",
    "Quota",
    "Quotas",
    "Scope",
    "Session",
    "Sink",
    "SpotNotice",
    "SpotNotices",
    "Stoppable",
    "Store",
    "StoreRecord",
    "StrategyRecord",
    "Sweeps",
    "Terms",
    "hookimpl",
]
