"""The kit for plugin authors: contracts to subclass, small real stand-ins, and runs in which time is moved by hand."""

from __future__ import annotations

import pytest

# What a law finds is shown as in a test of one's own; said before the modules are imported.
pytest.register_assert_rewrite(
    "longshore.testing.executor_contract",
    "longshore.testing.provider_contract",
    "longshore.testing.store_contract",
    "longshore.testing.strategy_contract",
)

from longshore.testing.clock import ManualClock  # noqa: E402
from longshore.testing.contract import Contract  # noqa: E402
from longshore.testing.executor_bench import ExecutorBench  # noqa: E402
from longshore.testing.executor_contract import ExecutorContract  # noqa: E402
from longshore.testing.fake_cloud import FakeCloud  # noqa: E402
from longshore.testing.fake_provider import FakeProvider  # noqa: E402
from longshore.testing.fake_remote import FakeRemoteComputer, FakeRemoteConfig, FakeRemoteExecutor  # noqa: E402
from longshore.testing.fake_rig import FakeRig  # noqa: E402
from longshore.testing.faulty_provider import FaultyProvider  # noqa: E402
from longshore.testing.provider_contract import ProviderContract  # noqa: E402
from longshore.testing.provider_rig import Paid, ProviderRig  # noqa: E402
from longshore.testing.simulation import EPOCH, Simulation  # noqa: E402
from longshore.testing.store_contract import FolderStore, ObserverContract, StoreContract  # noqa: E402
from longshore.testing.strategy_contract import StrategyContract  # noqa: E402

__all__ = [
    "EPOCH",
    "Contract",
    "ExecutorBench",
    "ExecutorContract",
    "FakeCloud",
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
    "Simulation",
    "StoreContract",
    "StrategyContract",
]
