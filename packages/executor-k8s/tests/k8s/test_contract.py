"""Pods of both kinds keep the laws of an executor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from attrs import evolve

from longshore.testing import ExecutorBench, ExecutorContract
from longshore_k8s.config import K8sConfig
from longshore_k8s.executor import K8sExecutor, machines_of

from .clusters import IMAGE, Cluster
from .standin import StandIn


def config(cluster: Cluster, **options: object) -> K8sConfig:
    fields = {
        "kubeconfig": str(cluster.kubeconfig),
        "image": IMAGE,
        "workers": 1,
        "cpus": 2.0,
        "reconnect": timedelta(seconds=20),
        **options,
    }
    return K8sConfig(**fields)  # type: ignore[arg-type]  # of all kinds


# What has the pod's attempts in hand: the shim's server, or the supervisor. Where nothing has begun yet there is
# neither; and to busybox "kill -0 ''" is a success. Standard error stays open in the shell itself: where it is closed,
# containerd ends the stream.
_CRASH = """
{
cd /tmp/longshore/run || exit 0
pid=$(
    [ -d record ] || sed -n 's/.*"supervisor".*"pid": *\\([0-9]*\\).*/\\1/p' record | tail -n 1
    for each in $(ls claim.* | sort -t. -k2n); do sed 's/ .*//;q' "$each"; done | tail -n 1
)
[ "$pid" ] || exit 0
kill -9 "$pid" && echo killed
while kill -0 "$pid"; do sleep 0.01; done
} 2>/dev/null
"""


def crash(cluster: Cluster) -> None:
    """Kill it in each pod that has one, as a crash would."""
    killed = 0
    for pod in cluster.all("pods"):
        if pod["status"]["phase"] == "Running":
            code, said = cluster.execute(pod["metadata"]["name"], ["sh", "-c", _CRASH])
            assert code == 0, said
            killed += said == "killed\n"
    assert killed, "nothing was there that could be killed"


def bench_of(cluster: Cluster, folder: Path, **options: Any) -> ExecutorBench:
    """Give a bench with the only machine of a pool: a worker, or with ``workers=None`` pods that share a folder."""
    folder.mkdir()
    scratch = PurePosixPath("/tmp/scratch")
    if options.get("workers", 1) is None:
        scratch = PurePosixPath(cluster.shared.path, "scratch")
        template = folder / "pod.yaml"
        template.write_text(yaml.safe_dump(dict(cluster.shared.template)))
        options["pod_template"] = str(template)
    chosen = config(cluster, **options)
    [machine] = machines_of(chosen, "p")
    return ExecutorBench(
        folder,
        K8sExecutor,
        chosen,
        machine,
        scratch=scratch,
        cut=cluster.cut,
        kill=lambda: crash(cluster),
        imposter=evolve(machine, tags={**machine.tags, "namespace-uid": "of-another-cluster"}),
    )


class TestWorkers(ExecutorContract):
    """All laws."""

    @pytest.fixture
    def bench(self, cluster: Cluster, tmp_path: Path) -> Iterator[ExecutorBench]:
        bench = bench_of(cluster, tmp_path / "bench")
        yield bench
        bench.close()


class TestPythonWorkers(ExecutorContract):
    """All laws, on an image with Python."""

    @pytest.fixture
    def bench(self, standin: StandIn, tmp_path: Path) -> Iterator[ExecutorBench]:
        bench = bench_of(standin, tmp_path / "bench", image="python:3")
        yield bench
        bench.close()


class TestPods(ExecutorContract):
    """All laws that a place without a memory can keep."""

    @pytest.fixture
    def bench(self, cluster: Cluster, tmp_path: Path) -> Iterator[ExecutorBench]:
        bench = bench_of(cluster, tmp_path / "bench", workers=None)
        yield bench
        bench.close()
