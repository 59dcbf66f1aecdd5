"""All that the author of a plugin imports: hooks that announce, records that they return, protocols that act.

A distribution names its plugins as entry points of the group ``longshore``: ``executor.ssh``, ``provider.aws``,
``store.s3``, ``strategy.knapsack``, ``observer.otel``; or, when one module announces several of a kind, by the plural
and any name: ``stores.fsspec``. Each points at a module (or object) with functions marked `hookimpl`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from longshore.folders import state_folder
from longshore.plugin.abilities import Boots, Builds, FirstBoot, Measures, Peers, Surveys, Withdraws
from longshore.plugin.hooks import hookimpl
from longshore.plugin.observers import Closes, Observer, ObserverRecord
from longshore.plugin.protocols import (
    API_VERSION,
    AssignmentStrategy,
    Executor,
    ExecutorContext,
    ExecutorRecord,
    ProviderRecord,
    Session,
    SessionEvent,
    Sink,
    StrategyRecord,
)
from longshore.plugin.stores import Peeks, Stamps, Store, StoreRecord

if TYPE_CHECKING:
    from longshore.plugin.areas import (
        Area,
        Empties,
        Grants,
        HomeArea,
        Lends,
        Readable,
        Reads,
        Request,
        Stages,
        Unread,
        Upload,
    )
    from longshore.plugin.clusters import ClusterAccess, Kubernetes, Registries, RegistryLogin
    from longshore.plugin.hosts import Checks, Enters, Finding, PodInfo, Pods, Shell, Shells, Soundness
    from longshore.plugin.provider import (
        Admits,
        Clusters,
        HostKeys,
        Identity,
        Images,
        Prices,
        Provider,
        Quota,
        Quotas,
        Scope,
        SpotNotice,
        SpotNotices,
        Stoppable,
        Sweeps,
        Takings,
        Terms,
    )
    from longshore.plugin.rights import BucketUse, Want

__all__ = [
    "API_VERSION",
    "Admits",
    "Area",
    "AssignmentStrategy",
    "Boots",
    "BucketUse",
    "Builds",
    "Checks",
    "Closes",
    "ClusterAccess",
    "Clusters",
    "Empties",
    "Enters",
    "Executor",
    "ExecutorContext",
    "ExecutorRecord",
    "Finding",
    "FirstBoot",
    "Grants",
    "HomeArea",
    "HostKeys",
    "Identity",
    "Images",
    "Kubernetes",
    "Lends",
    "Measures",
    "Observer",
    "ObserverRecord",
    "Peeks",
    "Peers",
    "PodInfo",
    "Pods",
    "Prices",
    "Provider",
    "ProviderRecord",
    "Quota",
    "Quotas",
    "Readable",
    "Reads",
    "Registries",
    "RegistryLogin",
    "Request",
    "Scope",
    "Session",
    "SessionEvent",
    "Shell",
    "Shells",
    "Sink",
    "Soundness",
    "SpotNotice",
    "SpotNotices",
    "Stages",
    "Stamps",
    "Stoppable",
    "Store",
    "StoreRecord",
    "StrategyRecord",
    "Surveys",
    "Sweeps",
    "Takings",
    "Terms",
    "Unread",
    "Upload",
    "Want",
    "Withdraws",
    "hookimpl",
    "state_folder",
]

# Loaded when first used: runs that rent nothing and stay on this computer need none of it.
_HOMES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "Area",
                "Empties",
                "Grants",
                "HomeArea",
                "Lends",
                "Readable",
                "Reads",
                "Request",
                "Stages",
                "Unread",
                "Upload",
            ),
            "areas",
        ),
        **dict.fromkeys(("BucketUse", "Want"), "rights"),
        **dict.fromkeys(("ClusterAccess", "Kubernetes", "Registries", "RegistryLogin"), "clusters"),
        **dict.fromkeys(("Checks", "Enters", "Finding", "PodInfo", "Pods", "Shell", "Shells", "Soundness"), "hosts"),
    }
)
"""Where names are; all others are in ``provider``."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'longshore.plugin' has no attribute {name!r}")
    return getattr(import_module(f"longshore.plugin.{_HOMES.get(name, 'provider')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
