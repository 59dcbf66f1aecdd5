"""A sandbox for the tests of a module, and the accounts on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from longshore.plugin import Provider
from longshore.testing import FakeCloud, FakeRig, ManualClock
from longshore_sandbox import CloudClient
from longshore_sandbox.config import SandboxConfig
from longshore_sandbox.provider import SandboxProvider

MANUAL = """
clock = "manual"
listing_lag = "20 s"
latency = "200 ms"
quota = 1000
deadline = "30 s"

[[kinds]]
type = "small"
zone = "north-a"
cpus = 2
memory = "4 GiB"
rate = "0.10"

[[kinds]]
type = "small"
zone = "north-b"
cpus = 2
memory = "4 GiB"
rate = "0.11"

[[kinds]]
type = "small"
zone = "north-a"
cpus = 2
memory = "4 GiB"
rate = "0.03"
spot = true

[[kinds]]
type = "large"
region = "south"
zone = "south-a"
cpus = 16
memory = "64 GiB"
rate = "0.80"

[[kinds]]
type = "odd"
region = "south"
zone = "south-a"
cpus = 4
memory = "8 GiB"
"""
"""A cloud whose time is moved by hand, and that rents what the kit's rig wants."""


def clock_of(cloud: CloudClient) -> ManualClock:
    clock = cloud.time
    assert isinstance(clock, ManualClock)
    return clock


def open_cloud(folder: Path, settings: str = MANUAL) -> CloudClient:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cloud.toml").write_text(settings)
    return CloudClient(folder)


def rig_on(cloud: CloudClient) -> FakeRig:
    def make(*_: object) -> Provider:
        return SandboxProvider(SandboxConfig(folder=cloud.folder, account="account-1"))

    return FakeRig(make, cloud=cast("FakeCloud", cloud))  # it has the same words, in another process


def close_cloud(cloud: CloudClient) -> None:
    """Leave nothing running."""
    cloud.reset()
    cloud.shut_down()
    shutil.rmtree(cloud.folder)


@pytest.fixture(scope="module")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudClient]:
    cloud = open_cloud(tmp_path_factory.mktemp("cloud"))
    yield cloud
    close_cloud(cloud)


@pytest.fixture
def cloud(shared_cloud: CloudClient) -> Iterator[CloudClient]:
    """As if it were new; its clock is the one before, moved on."""
    shared_cloud.reset()
    shared_cloud.time.wait(timedelta(seconds=1))
    yield shared_cloud
    shared_cloud.reset()
