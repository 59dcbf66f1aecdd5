"""Clusters for tests: a stand-in, or with LONGSHORE_TEST_KUBECONFIG the real one to which that leads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.testing import ExecutorBench

from .clusters import Cluster
from .real import RealCluster
from .standin import StandIn
from .test_contract import bench_of

_REAL = os.environ.get("LONGSHORE_TEST_KUBECONFIG", "")


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[StandIn]:
    """A cluster that does what a test wants."""
    if _REAL:
        pytest.skip("no real cluster can be made to do that")
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = StandIn(folder)
    with cluster.serving():
        yield cluster


@pytest.fixture
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cluster]:
    """A cluster of either kind."""
    if not _REAL:
        yield request.getfixturevalue("standin")
        return
    folder = tmp_path / "cluster"
    folder.mkdir()
    cluster = RealCluster(Path(_REAL), folder)
    with cluster.serving():
        yield cluster


@pytest.fixture
def make_bench(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[..., ExecutorBench]]:
    made: list[ExecutorBench] = []

    def make(**options: Any) -> ExecutorBench:
        made.append(bench_of(cluster, tmp_path / "bench", workers=None, **options))
        return made[0]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def bench(make_bench: Callable[..., ExecutorBench]) -> ExecutorBench:
    return make_bench(cpus=None)
