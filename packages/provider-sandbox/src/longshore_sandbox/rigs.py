"""How the provider is tried by its laws: on a sandbox of its own, whose time is moved by hand."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import cast

from longshore.plugin import Provider
from longshore.testing import FakeCloud, FakeRig
from longshore_sandbox.config import SETTINGS, SandboxConfig
from longshore_sandbox.door import CloudClient
from longshore_sandbox.provider import SandboxProvider

__all__ = ["MANUAL", "rig_on", "rigs"]

MANUAL = """
clock = "manual"
listing_lag = "20 s"
latency = "200 ms"
quota = 1000
deadline = "30 s"

[[kinds]]
type = "small"
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
"""Settings of a cloud that rents what the kit's rig wants."""


def rig_on(cloud: CloudClient) -> FakeRig:
    """Give the kit's rig for a sandbox with these settings."""

    def make(*_: object) -> Provider:
        return SandboxProvider(SandboxConfig(folder=cloud.folder, account="account-1"))

    return FakeRig(make, cloud=cast("FakeCloud", cloud))  # it has the same words, in another process


@contextmanager
def rigs(_config: object = None) -> Iterator[Callable[[], FakeRig]]:
    """Open a sandbox, and give what makes it as new, with a rig on it."""
    folder = Path(tempfile.mkdtemp(prefix="longshore-sandbox-"))
    (folder / SETTINGS).write_text(MANUAL)
    cloud = CloudClient(folder)

    def rig() -> FakeRig:
        cloud.reset()
        cloud.time.wait(timedelta(seconds=1))
        return rig_on(cloud)

    try:
        yield rig
    finally:
        cloud.reset()
        cloud.shut_down()
        shutil.rmtree(folder)
