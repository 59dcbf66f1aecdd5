"""Pods of both kinds keep the laws of an executor, on the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path, PurePosixPath

import pytest
from attrs import evolve

from longshore.testing import ExecutorBench, ExecutorContract
from longshore_k8s.config import K8sConfig
from longshore_k8s.executor import K8sExecutor, machines_of

from .objects import Refusal
from .standin import StandIn


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


_CRASH = """
cd /tmp/longshore/run
pid=$(sed 's/ .*//;q' "$(ls claim.* | sort -t. -k2n | tail -n 1)")
kill -9 "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
"""


def crash(cluster: StandIn) -> None:
    """Kill the shim's server, or the supervisor, in each pod that runs, as a crash would."""
    for pod in cluster.objects.all("pods")[1]:
        with suppress(Refusal), cluster.kubelet.container(pod).execute(["sh", "-c", _CRASH]) as process:
            _, complaint = process.communicate(timeout=120)
            assert process.returncode == 0, complaint


def bench_of(cluster: StandIn, folder: Path, scratch: Path, **options: object) -> ExecutorBench:
    """Give a bench with the only machine of a pool."""
    chosen = config(cluster, **options)
    [machine] = machines_of(chosen, "p")
    folder.mkdir()
    return ExecutorBench(
        folder,
        K8sExecutor,
        chosen,
        machine,
        scratch=PurePosixPath(scratch),
        cut=cluster.cut,
        kill=lambda: crash(cluster),
        imposter=evolve(machine, tags={**machine.tags, "namespace-uid": "of-another-cluster"}),
    )


class TestWorkers(ExecutorContract):
    """All laws."""

    @pytest.fixture
    def bench(self, cluster: StandIn, tmp_path: Path) -> Iterator[ExecutorBench]:
        bench = bench_of(cluster, tmp_path / "bench", Path("/tmp/scratch"))
        yield bench
        bench.close()


class TestPythonWorkers(ExecutorContract):
    """All laws, on an image with Python."""

    @pytest.fixture
    def bench(self, cluster: StandIn, tmp_path: Path) -> Iterator[ExecutorBench]:
        bench = bench_of(cluster, tmp_path / "bench", Path("/tmp/scratch"), image="python:3")
        yield bench
        bench.close()


class TestPods(ExecutorContract):
    """All laws that a place without a memory can keep. Pods share what is not below /tmp."""

    @pytest.fixture
    def bench(self, cluster: StandIn, tmp_path: Path, shared: Path) -> Iterator[ExecutorBench]:
        bench = bench_of(cluster, tmp_path / "bench", shared / "scratch", workers=None)
        yield bench
        bench.close()
