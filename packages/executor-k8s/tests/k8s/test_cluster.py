"""What a cluster does to us: it refuses, throttles, forgets, cuts, and takes pods away."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from longshore.errors import ExecutorError, MachineUnreachable
from longshore.model.attempt import Item
from longshore.model.command import Shell
from longshore.model.outcome import Exited
from longshore.plugin.protocols import ExecutorContext
from longshore.remote.digest import digest_file
from longshore.remote.store import has_object
from longshore.testing import ExecutorBench
from longshore_k8s.client import Namespace
from longshore_k8s.errors import NotTheCluster
from longshore_k8s.executor import K8sExecutor, machines_of
from longshore_k8s.manifests import worker_pod
from longshore_k8s.names import labels_of, object_name

from .clusters import Cluster
from .project import until
from .standin import StandIn
from .test_contract import bench_of, config

LARGE_BYTES = 64 << 20
POD = object_name("r", "p.1")


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    namespace = Namespace(config(cluster))
    yield namespace
    namespace.close()


@pytest.fixture
def make_bench(cluster: Cluster, tmp_path: Path) -> Callable[..., ExecutorBench]:
    return partial(bench_of, cluster, tmp_path / "bench")


def phases(namespace: Namespace, name: str, found: list[str], done: threading.Event) -> None:
    for pod in namespace.states(name, 120):
        found.append("gone" if pod is None else pod["status"]["phase"])
        if pod is None or pod["status"]["phase"] == "Running":
            done.set()


# --- the client


def test_a_cluster_that_has_enough_of_us_is_asked_again_when_it_says(standin: StandIn, namespace: Namespace) -> None:
    standin.refuse(429, "too many requests", after=1)
    begin = time.monotonic()

    assert namespace.uid()

    assert len(standin.asked) == 2
    assert time.monotonic() - begin >= 1


def test_a_watch_sees_all_changes_and_asks_but_twice(standin: StandIn, namespace: Namespace) -> None:
    namespace.create("pods", worker_pod("x", labels_of("r", "m"), config(standin)))
    running, found = threading.Event(), list[str]()
    watcher = threading.Thread(target=phases, args=(namespace, "x", found, running))
    watcher.start()
    assert running.wait(120)

    namespace.delete("pods", "x")
    watcher.join(120)

    assert found[-1] == "gone"
    assert [method for method, path in standin.asked if path.endswith("/pods")] == ["POST", "GET"]


@pytest.mark.parametrize("forgetful", [False, True], ids=["cut", "expired"])
def test_a_watch_that_ends_is_taken_up_again(standin: StandIn, namespace: Namespace, forgetful: bool) -> None:
    namespace.create("pods", worker_pod("x", labels_of("r", "m"), config(standin)))
    running, found = threading.Event(), list[str]()
    watcher = threading.Thread(target=phases, args=(namespace, "x", found, running))
    watcher.start()
    assert running.wait(120)

    if forgetful:
        standin.objects.compact()
    standin.objects.cut()
    namespace.delete("pods", "x")
    watcher.join(120)

    assert found[-1] == "gone"


def test_deleting_what_is_gone_is_silent(namespace: Namespace) -> None:
    namespace.delete("pods", "nobody")


def test_a_login_that_has_expired_is_told(standin: StandIn, tmp_path: Path) -> None:
    expired = tmp_path / "expired"
    expired.write_text(standin.kubeconfig.read_text().replace("letmein", "yesterday"))

    with pytest.raises(ExecutorError, match="may have expired"):
        machines_of(config(standin, kubeconfig=str(expired)), "p")


def test_a_server_that_is_not_trusted_is_sent_nothing(standin: StandIn, tmp_path: Path) -> None:
    other = StandIn(tmp_path)
    with other.serving():
        forged = tmp_path / "forged"
        server = re.compile("server: .*")
        [there] = server.findall(other.kubeconfig.read_text())
        forged.write_text(server.sub(there, standin.kubeconfig.read_text()))

        with pytest.raises(NotTheCluster, match="cannot prove to be the cluster"):
            machines_of(config(standin, kubeconfig=str(forged)), "p")

        assert other.asked == []


def test_a_server_that_hangs_up_while_it_proves_who_it_is_does_not_answer(standin: StandIn, tmp_path: Path) -> None:
    asked = 0

    def hang_up() -> None:
        nonlocal asked
        with suppress(OSError):
            while True:
                link, _ = server.accept()
                asked += 1
                link.recv(1)
                link.shutdown(socket.SHUT_WR)
                link.recv(1 << 16)
                link.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=hang_up, daemon=True).start()
        elsewhere = tmp_path / "elsewhere"
        there = f"server: https://127.0.0.1:{server.getsockname()[1]}"
        elsewhere.write_text(re.sub("server: .*", there, standin.kubeconfig.read_text()))

        with pytest.raises(MachineUnreachable, match="does not answer"):
            machines_of(config(standin, kubeconfig=str(elsewhere)), "p")

    assert asked > 1, "it was not asked again"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kubeconfig": "/nowhere"}, "no cluster to be found"),
        ({"context": "another"}, "no cluster to be found.*another"),
        ({"namespace": "missing"}, "namespaces .*missing.* not found"),
    ],
)
def test_a_cluster_that_is_not_there_is_told_before_the_run(
    cluster: Cluster, options: dict[str, object], said: str
) -> None:
    with pytest.raises(ExecutorError, match=said):
        machines_of(config(cluster, **options), "p")


@pytest.mark.parametrize("workers", [None, 2], ids=["pods", "workers"])
@pytest.mark.parametrize("name", ["pods", "requests.cpu", "limits.memory"])
def test_a_quota_of_nothing_is_told_before_the_run(standin: StandIn, workers: int | None, name: str) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {name: "0"}}}
    standin.post("resourcequotas", "default", quota)

    with pytest.raises(ExecutorError, match=f"allows no pods: {name} is 0"):
        machines_of(config(standin, workers=workers), "p")


# --- streams


def test_large_data_pass_a_stream_in_both_directions(make_bench: Callable[..., ExecutorBench], tmp_path: Path) -> None:
    bench = make_bench()
    given = tmp_path / "given"
    with given.open("wb") as file:
        file.truncate(LARGE_BYTES)
        file.write(b"the end")
    sha256, size = digest_file(str(given))
    item = Item(path="given", sha256=sha256, size=size, source=str(given))

    ended = bench.execute("a", Shell("cat given > made; echo more >> made"), inputs=(item,), outputs=("made",))
    bench.session.get(ended.outputs)

    [made] = ended.outputs
    assert has_object(str(bench.store), made.sha256)
    assert made.size == size + len("more\n")
    bench.close()


# --- pods


def test_an_image_that_is_not_there_is_told_with_the_words_of_its_registry(
    make_bench: Callable[..., ExecutorBench],
) -> None:
    with pytest.raises(ExecutorError, match=r"cannot begin: tasks: ErrImagePull: .*failed to pull .*missing/tool:1"):
        make_bench(image="missing/tool:1").open()


@pytest.mark.usefixtures("standin")  # which has such images
def test_a_worker_whose_image_has_no_shell_is_told_with_what_mends_it(
    make_bench: Callable[..., ExecutorBench],
) -> None:
    with pytest.raises(ExecutorError, match=r"cannot begin: tasks: StartError: .* give the pool a helper_image"):
        make_bench(image="distroless:1").open()


def test_a_pod_that_finds_no_node_says_what_is_missing(make_bench: Callable[..., ExecutorBench]) -> None:
    bench = make_bench(cpus=1000.0, start_timeout=timedelta(seconds=1))

    with pytest.raises(MachineUnreachable, match="Insufficient cpu"):
        bench.open()


def test_nothing_is_left_of_a_worker_that_does_not_run_yet_when_the_run_is_over(
    cluster: Cluster, tmp_path: Path
) -> None:
    chosen = config(cluster, cpus=1000.0)
    executor = K8sExecutor(
        chosen, ExecutorContext(run="r", run_folder=tmp_path, project_folder=tmp_path, store_folder=tmp_path / "store")
    )
    [machine] = machines_of(chosen, "p")
    with ThreadPoolExecutor() as crew:
        opening = crew.submit(executor.open, machine, fence=1, sink=lambda *_: None)
        until(lambda: bool(cluster.all("pods")))

        executor.withdraw()

        with pytest.raises(MachineUnreachable, match="the run is over"):
            opening.result()
    until(lambda: not any(map(cluster.all, ("pods", "leases"))))
    with pytest.raises(MachineUnreachable, match="the run is over"):
        executor.open(machine, fence=1, sink=lambda *_: None)


def test_a_quota_that_is_used_up_keeps_a_worker_out_of_reach_for_now(
    standin: StandIn, make_bench: Callable[..., ExecutorBench]
) -> None:
    bench = make_bench()
    standin.refuse(403, 'pods "x" is forbidden: exceeded quota: few, requested: cpu=8', on="POST")

    with pytest.raises(MachineUnreachable, match=r"quota of the namespace is used up: .*requested: cpu=8"):
        bench.open()

    assert bench.execute("a", Shell("true")).outcome == Exited(0)
    bench.close()


def test_what_we_may_not_do_is_named(standin: StandIn, make_bench: Callable[..., ExecutorBench]) -> None:
    standin.refuse(403, 'pods is forbidden: User "me" cannot create resource "pods"', on="POST")

    with pytest.raises(ExecutorError, match=r'creating pod .* is not allowed: .*cannot create resource "pods"'):
        make_bench().open()


def test_a_pod_of_somebody_else_is_left_alone(
    cluster: Cluster, namespace: Namespace, make_bench: Callable[..., ExecutorBench]
) -> None:
    namespace.create("pods", worker_pod(POD, labels_of("another", "m"), config(cluster)))

    with pytest.raises(ExecutorError, match="is not ours"):
        make_bench().open()

    assert "deletionTimestamp" not in namespace.get("pods", POD)["metadata"]


def test_a_worker_that_is_evicted_is_lost_at_once_and_another_one_can_be_had(
    standin: StandIn, namespace: Namespace, make_bench: Callable[..., ExecutorBench]
) -> None:
    bench = make_bench()
    bench.waiting("a")
    before = namespace.get("pods", POD)["metadata"]["uid"]

    standin.evict(POD)
    told = bench.gone()

    assert "Evicted: The node was low on resource" in str(told)
    bench.open(fence=2)
    assert bench.execute("b", Shell("true")).outcome == Exited(0)
    assert namespace.get("pods", POD)["metadata"]["uid"] != before
    bench.session.clear()  # type: ignore[attr-defined]  # an ability of these sessions
    for session in bench._sessions:
        session.close()


def test_nothing_is_left_when_the_run_is_over(
    cluster: Cluster, namespace: Namespace, make_bench: Callable[..., ExecutorBench]
) -> None:
    bench = make_bench()
    assert bench.execute("a", Shell("true")).outcome == Exited(0)

    bench.session.clear()  # type: ignore[attr-defined]  # an ability of these sessions
    bench.session.close()

    assert list(namespace.states(POD, 120))[-1] is None
    assert cluster.all("pods") == []
