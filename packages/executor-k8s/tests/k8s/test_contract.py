"""Worker pods keep the laws of an executor, on the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path, PurePosixPath

import pytest
from attrs import evolve

from .standin import StandIn
from longshore.testing import ExecutorBench, ExecutorContract
from longshore_k8s.config import K8sConfig
from longshore_k8s.executor import K8sExecutor, machines_of


def config(cluster: StandIn, **options: object) -> K8sConfig:
    fields = {
        "kubeconfig": str(cluster.kubeconfig),
        "image": "busybox",
        "workers": 1,
        "cpus": 8.0,
        "reconnect": timedelta(seconds=20),
        **options,
    }
    return K8sConfig(**fields)  # type: ignore[arg-type]  # of all kinds


@pytest.fixture
def bench(cluster: StandIn, tmp_path: Path) -> Iterator[ExecutorBench]:
    options = config(cluster)
    [machine] = machines_of(options, "p")
    folder = tmp_path / "bench"
    folder.mkdir()
    bench = ExecutorBench(
        folder,
        K8sExecutor,
        options,
        machine,
        scratch=PurePosixPath("/tmp/scratch"),  # noqa: S108  in the pod
        cut=cluster.cut,
        imposter=evolve(machine, tags={**machine.tags, "namespace-uid": "of-another-cluster"}),
    )
    yield bench
    bench.close()


class TestWorkers(ExecutorContract):
    """All laws."""
