"""A sandbox for the tests of a module, and the accounts on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from longshore.testing import ManualClock
from longshore_sandbox import CloudClient
from longshore_sandbox.rigs import MANUAL


def clock_of(cloud: CloudClient) -> ManualClock:
    clock = cloud.time
    assert isinstance(clock, ManualClock)
    return clock


def open_cloud(folder: Path, settings: str = MANUAL) -> CloudClient:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cloud.toml").write_text(settings)
    return CloudClient(folder)


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
