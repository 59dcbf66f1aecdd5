"""The kit for plugin authors: contracts to subclass, small real stand-ins, and runs in which time is moved by hand."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if "pytest" in sys.modules:
    # What a law finds is shown as in a test of one's own; said before the modules are imported.
    sys.modules["pytest"].register_assert_rewrite(
        "longshore.testing.ability_laws",
        "longshore.testing.cluster_laws",
        "longshore.testing.executor_abilities",
        "longshore.testing.executor_contract",
        "longshore.testing.executor_data",
        "longshore.testing.provider_contract",
        "longshore.testing.provider_story",
        "longshore.testing.store_contract",
        "longshore.testing.story",
        "longshore.testing.strategy_contract",
    )

if TYPE_CHECKING:
    from longshore.testing.clock import ManualClock
    from longshore.testing.contract import Contract
    from longshore.testing.executor_bench import ExecutorBench
    from longshore.testing.executor_contract import ExecutorContract
    from longshore.testing.fake_cloud import FakeCloud
    from longshore.testing.fake_clusters import FakeClusterProvider, FakeClusterRig
    from longshore.testing.fake_computer import FakeRemoteComputer
    from longshore.testing.fake_pods import FakePodExecutor, FakePodsConfig
    from longshore.testing.fake_provider import FakeProvider
    from longshore.testing.fake_remote import FakeRemoteConfig, FakeRemoteExecutor
    from longshore.testing.fake_rig import FakeRig
    from longshore.testing.faulty_provider import FaultyProvider
    from longshore.testing.provider_contract import ProviderContract
    from longshore.testing.provider_rig import Paid, ProviderRig
    from longshore.testing.provider_story import ProviderStory
    from longshore.testing.simulation import EPOCH, Simulation
    from longshore.testing.store_contract import FolderStore, ObserverContract, StoreContract
    from longshore.testing.story import Account, Story
    from longshore.testing.strategy_contract import StrategyContract, named_strategy

__all__ = [
    "EPOCH",
    "Account",
    "Contract",
    "ExecutorBench",
    "ExecutorContract",
    "FakeCloud",
    "FakeClusterProvider",
    "FakeClusterRig",
    "FakePodExecutor",
    "FakePodsConfig",
    "FakeProvider",
    "FakeRemoteComputer",
    "FakeRemoteConfig",
    "FakeRemoteExecutor",
    "FakeRig",
    "FaultyProvider",
    "FolderStore",
    "ManualClock",
    "ObserverContract",
    "Paid",
    "ProviderContract",
    "ProviderRig",
    "ProviderStory",
    "Simulation",
    "StoreContract",
    "Story",
    "StrategyContract",
    "named_strategy",
]

# Loaded when first used: a sandbox is made of these fakes, and runs where pytest is not installed.
_HOMES = {
    "EPOCH": "simulation",
    "Account": "story",
    "Contract": "contract",
    "ExecutorBench": "executor_bench",
    "ExecutorContract": "executor_contract",
    "FakeCloud": "fake_cloud",
    "FakeClusterProvider": "fake_clusters",
    "FakeClusterRig": "fake_clusters",
    "FakePodExecutor": "fake_pods",
    "FakePodsConfig": "fake_pods",
    "FakeProvider": "fake_provider",
    "FakeRemoteComputer": "fake_computer",
    "FakeRemoteConfig": "fake_remote",
    "FakeRemoteExecutor": "fake_remote",
    "FakeRig": "fake_rig",
    "FaultyProvider": "faulty_provider",
    "FolderStore": "store_contract",
    "ManualClock": "clock",
    "ObserverContract": "store_contract",
    "Paid": "provider_rig",
    "ProviderContract": "provider_contract",
    "ProviderRig": "provider_rig",
    "ProviderStory": "provider_story",
    "Simulation": "simulation",
    "StoreContract": "store_contract",
    "Story": "story",
    "StrategyContract": "strategy_contract",
    "named_strategy": "strategy_contract",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'longshore.testing' has no attribute {name!r}")
    return getattr(import_module(f"longshore.testing.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
