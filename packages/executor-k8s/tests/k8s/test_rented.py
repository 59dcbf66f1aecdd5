"""Clusters that are rented: the way there comes from who rents them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from attrs import evolve

from longshore.errors import ConfigError, MachineUnreachable
from longshore.model.command import Shell
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec
from longshore.model.offer import Needs, Offer
from longshore.model.outcome import Exited
from longshore.model.resources import Resources
from longshore.plugin import ExecutorContext
from longshore.plugin.clusters import ClusterAccess
from longshore.plugin.provider import Scope, Terms
from longshore.testing import ExecutorBench
from longshore_k8s.config import K8sConfig
from longshore_k8s.executor import K8sExecutor
from longshore_k8s.rented import RentedWay

from .standin import StandIn

MACHINE = Machine(
    id="c-1", pool="p", resources=Resources(cpus=8.0, memory_bytes=8 << 30), address="cluster/one", store=""
)


class OneCluster:
    """A provider with one cluster, to which a kubeconfig leads."""

    terms = Terms()

    def __init__(self, kubeconfig: Path, *, ready: bool = True, good: timedelta | None = None) -> None:
        self.asked: list[str] = []
        self.ready = ready
        self._kubeconfig = kubeconfig
        self._good = good

    def access(self, address: str) -> ClusterAccess | None:
        """Give the way, once it is ready."""
        self.asked.append(address)
        told = yaml.safe_load(self._kubeconfig.read_text())
        cluster, user = told["clusters"][0]["cluster"], told["users"][0]["user"]
        if not self.ready:
            return None
        return ClusterAccess(
            server=cluster["server"],
            authority=base64.b64decode(cluster["certificate-authority-data"]).decode(),
            token=user["token"],
            until=None if self._good is None else datetime.now(UTC) + self._good,
        )

    def nodes(self, address: str) -> int:
        """One."""
        del address
        return 1

    def scale(self, address: str, nodes: int) -> None:
        """It stays as it is."""

    def scope(self) -> Scope:
        """Of nobody in particular."""
        return Scope(account="a")

    def offers(self, needs: Needs) -> Sequence[Offer]:
        """None."""
        del needs
        return []

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        """The one."""
        del spec, token, count
        return [MACHINE]

    def find(self, *, owner: str) -> Sequence[Machine]:
        """The one."""
        del owner
        return [MACHINE]

    def terminate(self, machine_ids: Collection[str]) -> None:
        """It stays."""


@pytest.fixture
def make_bench(standin: StandIn, tmp_path: Path) -> Iterator[Callable[[OneCluster], ExecutorBench]]:
    made: list[ExecutorBench] = []

    def make(cloud: OneCluster) -> ExecutorBench:
        def executor(config: K8sConfig, context: ExecutorContext) -> K8sExecutor:
            return K8sExecutor(config, evolve(context, provider=cloud))

        (tmp_path / "bench").mkdir()
        bench = ExecutorBench(
            tmp_path / "bench",
            executor,
            K8sConfig(image="busybox", reconnect=timedelta(seconds=20)),
            MACHINE,
            scratch=PurePosixPath(standin.shared.path, "scratch"),
            cut=standin.cut,
        )
        made.append(bench)
        return bench

    yield make
    for bench in made:
        bench.close()


def test_tasks_run_in_a_cluster_to_which_its_provider_leads(
    standin: StandIn, make_bench: Callable[[OneCluster], ExecutorBench]
) -> None:
    cloud = OneCluster(standin.kubeconfig)

    ended = make_bench(cloud).execute("a", Shell("echo hello"))

    assert ended.outcome == Exited(0)
    assert set(cloud.asked) == {"cluster/one"}


def test_a_cluster_that_is_being_made_is_waited_for(
    standin: StandIn, make_bench: Callable[[OneCluster], ExecutorBench]
) -> None:
    cloud = OneCluster(standin.kubeconfig, ready=False)
    bench = make_bench(cloud)
    with pytest.raises(MachineUnreachable, match="being made"):
        bench.open()
    cloud.ready = True

    assert bench.execute("a", Shell("true")).outcome == Exited(0)


@pytest.mark.parametrize(("good", "asked"), [(timedelta(0), 3), (timedelta(hours=1), 1), (None, 1)])
def test_a_token_is_asked_for_anew_only_when_it_is_old(standin: StandIn, good: timedelta | None, asked: int) -> None:
    cloud = OneCluster(standin.kubeconfig, good=good)
    way = RentedWay(cloud, "cluster/one")

    for _ in range(3):
        way()

    assert len(cloud.asked) == asked


@pytest.mark.parametrize("options", [{"workers": 2}, {"kubeconfig": "mine"}, {"context": "mine"}])
def test_what_does_not_go_with_a_rented_cluster_is_told_before_anything_is_rented(
    standin: StandIn, options: dict[str, Any], tmp_path: Path
) -> None:
    context = ExecutorContext(
        run="r",
        run_folder=tmp_path,
        project_folder=tmp_path,
        store_folder=tmp_path,
        provider=OneCluster(standin.kubeconfig),
    )
    with pytest.raises(ConfigError, match="does not go with a cluster that is rented"):
        K8sExecutor(K8sConfig(image="busybox", **options), context)
