"""Worker pods keep the laws of an executor, on the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path, PurePosixPath

import pytest
from attrs import evolve

from longshore.testing import ExecutorBench, ExecutorContract
from longshore_k8s.config import K8sConfig
from longshore_k8s.executor import K8sExecutor, machines_of

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
    """Kill the shim's server in the only pod, as a crash would."""
    _, [pod] = cluster.objects.all("pods")
    with cluster.kubelet.container(pod).execute(["sh", "-c", _CRASH]) as process:
        _, complaint = process.communicate(timeout=20)
    assert process.returncode == 0, complaint


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
        scratch=PurePosixPath("/tmp/scratch"),
        cut=cluster.cut,
        kill=lambda: crash(cluster),
        imposter=evolve(machine, tags={**machine.tags, "namespace-uid": "of-another-cluster"}),
    )
    yield bench
    bench.close()


class TestWorkers(ExecutorContract):
    """All laws."""
