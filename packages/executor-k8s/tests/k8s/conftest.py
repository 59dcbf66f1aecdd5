"""Clusters for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from .standin import StandIn


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[StandIn]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = StandIn(folder)
    with cluster.serving():
        yield cluster


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that all pods see: their /tmp is their own."""
    with TemporaryDirectory(prefix="longshore-k8s-", dir="/dev/shm") as folder:
        yield Path(folder)
