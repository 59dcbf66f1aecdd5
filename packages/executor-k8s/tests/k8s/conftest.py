"""Clusters for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .standin import StandIn


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[StandIn]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = StandIn(folder)
    with cluster.serving():
        yield cluster
