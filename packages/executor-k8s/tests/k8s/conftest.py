"""Clusters for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from longshore.testing import ExecutorBench

from .standin import StandIn
from .test_contract import bench_of


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


@pytest.fixture
def make_bench(cluster: StandIn, tmp_path: Path, shared: Path) -> Iterator[Callable[..., ExecutorBench]]:
    made: list[ExecutorBench] = []

    def make(**options: Any) -> ExecutorBench:
        made.append(bench_of(cluster, tmp_path / "bench", shared / "scratch", workers=None, **options))
        return made[0]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def bench(make_bench: Callable[..., ExecutorBench]) -> ExecutorBench:
    return make_bench(cpus=None)
