"""What is special to attempts that have pods of their own."""

from __future__ import annotations

import json
import re
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from longshore.model.attempt import SecretFile
from longshore.model.command import Argv, Shell
from longshore.model.environment import BuildSpec, EnvironmentSpec, Script
from longshore.model.environment_events import EnvironmentBuilt, EnvironmentFailed
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost
from longshore.model.resources import Resources
from longshore.testing import ExecutorBench
from longshore_k8s.client import Namespace
from longshore_k8s.manifests import FINALIZER
from longshore_k8s.names import object_name

from .clusters import Cluster
from .standin import StandIn
from .test_contract import config

POD = object_name("r", "a", "1")
TOO_MUCH = Resources(cpus=1000.0)


def until(holds: Callable[[], bool]) -> None:
    """Look until something is so."""
    end = time.monotonic() + 120
    glance = threading.Event()
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        glance.wait(0.02)


def pods(cluster: Cluster) -> list[str]:
    return [pod["metadata"]["name"] for pod in cluster.all("pods")]


# --- one attempt, one pod


def test_a_pod_is_there_until_its_outcome_was_taken(cluster: Cluster, bench: ExecutorBench) -> None:
    bench.execute("a", Shell("exit 3"))
    [found] = cluster.all("pods")
    assert found["metadata"]["finalizers"] == [FINALIZER]
    assert found["metadata"]["labels"]["longshore/task"] == "a"

    bench.session.release("r/a/1")

    until(lambda: pods(cluster) == [])


def test_a_pod_that_is_let_go_twice_is_let_go(cluster: Cluster, bench: ExecutorBench) -> None:
    bench.execute("a", Shell("true"))
    [name] = pods(cluster)
    namespace = Namespace(config(cluster, workers=None))
    namespace.delete("pods", name)

    namespace.let_go(name)
    namespace.let_go(name)

    until(lambda: pods(cluster) == [])
    namespace.let_go(name)


def test_nothing_is_made_for_what_was_not_created_and_nothing_is_left_at_the_end(
    cluster: Cluster, bench: ExecutorBench
) -> None:
    bench.session.go("r/a/1")
    bench.session.cancel("r/a/1")
    bench.execute("b", Argv(("true",)))
    assert pods(cluster) == [object_name("r", "b", "1")]

    bench.session.clear()  # type: ignore[attr-defined]  # an ability of these sessions
    bench.session.close()

    until(lambda: pods(cluster) == [])
    assert cluster.all("leases") == []


def test_attempts_share_no_files(bench: ExecutorBench) -> None:
    bench.execute("a", Shell("echo secret > $HOME/note"))

    assert bench.execute("b", Shell("test ! -e $HOME/note")).failure is None


def test_all_pods_are_followed_by_one_watch(standin: StandIn, bench: ExecutorBench) -> None:
    tasks = [f"t{number}" for number in range(8)]
    for task in tasks:
        bench.go(task, Argv(("true",)))

    assert [bench.ended(task).outcome for task in tasks] == [Exited(0)] * len(tasks)
    assert sum(method == "GET" and path.endswith("/pods") for method, path in standin.asked) == 2


def test_a_pod_that_waits_holds_up_nobody_and_says_what_it_waits_for(
    bench: ExecutorBench, caplog: pytest.LogCaptureFixture
) -> None:
    identity = bench.go("a", Argv(("true",)), needs=TOO_MUCH)

    assert bench.execute("b", Argv(("true",))).outcome == Exited(0)

    until(lambda: "r/a/1 waits: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu." in caplog.text)
    bench.session.cancel(identity)
    assert bench.ended("a").outcome == Cancelled()


def test_what_an_earlier_controller_had_not_started_never_starts(cluster: Cluster, bench: ExecutorBench) -> None:
    identity = bench.go("a", Argv(("true",)), needs=TOO_MUCH)
    until(lambda: pods(cluster) == [POD])

    bench.open(fence=2).adopt([identity])

    ended = bench.ended("a")
    assert (ended.outcome, ended.evidence) == (Lost("never started"), "its pod had not begun")


# --- pods that Jobs make


def test_a_pod_of_a_job_is_found_by_the_next_controller_and_lets_go_with_it(
    cluster: Cluster, make_bench: Callable[..., ExecutorBench]
) -> None:
    bench = make_bench(kind="job")
    identity = bench.waiting("a", "echo x > o.txt", outputs=("o.txt",))

    bench.open(fence=2).adopt([identity])
    cluster.shared.touch("scratch/gate")

    assert bench.ended("a").outcome == Exited(0)
    bench.session.release(identity)
    until(lambda: pods(cluster) == [] and cluster.all("jobs") == [])


# --- failures


@pytest.mark.parametrize(
    ("mishap", "failure", "evidence"),
    [
        (StandIn.evict, FailureClass.PREEMPTED, "Evicted: The node was low on resource: memory."),
        (StandIn.run_out_of_memory, FailureClass.OUT_OF_MEMORY, "tasks: OOMKilled, exit code 137"),
        (StandIn.delete_pod, FailureClass.MACHINE_LOST, "it was deleted"),
    ],
)
def test_what_happens_to_a_pod_is_the_end_of_its_attempt(
    standin: StandIn,
    bench: ExecutorBench,
    mishap: Callable[[StandIn, str], None],
    failure: FailureClass,
    evidence: str,
) -> None:
    bench.waiting("a")

    mishap(standin, POD)

    ended = bench.ended("a")
    assert (ended.outcome, ended.failure, ended.evidence) == (Lost(evidence), failure, evidence)
    assert pods(standin) == [POD], "its evidence is gone before it was taken"


def test_what_was_on_a_node_that_is_gone_is_not_lost_before_it_is_over_for_certain(
    standin: StandIn, make_bench: Callable[..., ExecutorBench]
) -> None:
    bench = make_bench(reconnect=timedelta(minutes=10))
    bench.open(unattended=timedelta(seconds=4))
    bench.waiting("a")
    begin = datetime.now(UTC)

    standin.lose_node(POD)

    ended = bench.ended("a")
    assert ended.failure is FailureClass.MACHINE_LOST
    assert ended.at - begin >= timedelta(seconds=4)


def test_variables_that_no_program_can_have_are_told_by_what_the_attempt_said(bench: ExecutorBench) -> None:
    ended = bench.execute("a", Argv(("true",)), env={"TABLE": "x" * (1 << 20)})

    assert (ended.outcome, "Argument list too long" in ended.evidence) == (Exited(126), True)


def test_a_secret_is_a_file_for_the_task_alone_and_in_no_object_of_the_cluster(
    cluster: Cluster, bench: ExecutorBench
) -> None:
    secret = SecretFile(path="mosek.lic", content=b"licence-4711")
    words = "cat mosek.lic; stat -c ' %a' mosek.lic"

    ended = bench.execute("a", Shell(words), secrets=(secret,))

    assert ended.outcome == Exited(0), ended.evidence
    assert bench.log("a") == "licence-4711 600\n"
    kept = json.dumps([cluster.all(kind) for kind in ("pods", "jobs", "leases", "secrets")])
    assert not [word for word in ("licence-4711", b64encode(b"licence-4711").decode()) if word in kept]
    assert cluster.execute(POD, ["grep", "-r", "licence-4711", "/tmp/longshore/run/work"]) == (1, "")


def test_a_pod_ends_after_its_life_time(make_bench: Callable[..., ExecutorBench]) -> None:
    bench = make_bench(lifetime=timedelta(seconds=1))

    ended = bench.execute("a", Argv(("sleep", "1000")))

    assert (ended.failure, ended.evidence[:16]) == (FailureClass.TIMEOUT, "DeadlineExceeded")


@pytest.mark.parametrize(
    ("code", "said", "failure"),
    [
        (403, 'pods is forbidden: User "me" cannot create resource "pods"', FailureClass.CREDENTIALS),
        (403, 'pods "x" is forbidden: violates PodSecurity "restricted:latest"', FailureClass.ENVIRONMENT),
        (400, 'admission webhook "images.example" denied the request: unsigned', FailureClass.ENVIRONMENT),
    ],
)
def test_what_the_cluster_does_not_let_us_make_ends_the_attempt(
    standin: StandIn, bench: ExecutorBench, code: int, said: str, failure: FailureClass
) -> None:
    bench.open()
    standin.refuse(code, said, on="POST")

    ended = bench.execute("a", Argv(("true",)))

    assert (ended.outcome, ended.failure) == (Lost("never started"), failure)
    assert said in ended.evidence


def test_a_quota_that_is_used_up_is_waited_for_until_a_pod_of_ours_has_gone(
    standin: StandIn, bench: ExecutorBench, caplog: pytest.LogCaptureFixture
) -> None:
    identity = bench.waiting("a")
    standin.refuse(403, 'pods "x" is forbidden: exceeded quota: few, requested: pods=1', on="POST")
    bench.go("b", Argv(("true",)))
    until(lambda: "exceeded quota: few" in caplog.text)

    bench.session.cancel(identity)
    bench.ended("a")
    bench.session.release(identity)

    assert bench.ended("b").outcome == Exited(0)


def test_an_image_that_is_not_there_ends_the_attempt_with_the_words_of_its_registry(
    make_bench: Callable[..., ExecutorBench],
) -> None:
    ended = make_bench(image="missing/tool:1").execute("a", Argv(("true",)))

    assert (ended.outcome, ended.failure) == (Lost("never started"), FailureClass.ENVIRONMENT)
    assert re.search("ErrImagePull: .*failed to pull .*missing/tool:1", ended.evidence)


def test_a_pod_that_does_not_run_in_time_is_given_up_if_the_pool_says_so(
    make_bench: Callable[..., ExecutorBench],
) -> None:
    bench = make_bench(cpus=None, start_timeout=timedelta(seconds=1))

    ended = bench.execute("a", Argv(("true",)), needs=TOO_MUCH)

    assert (ended.failure, "Insufficient cpu" in ended.evidence) == (FailureClass.CAPACITY, True)


def test_a_cluster_that_is_out_of_reach_for_a_while_is_waited_for(standin: StandIn, bench: ExecutorBench) -> None:
    bench.waiting("a", "echo x > o.txt", outputs=("o.txt",))

    standin.refuse(503, "the server is being replaced", times=8)
    standin.objects.compact()  # and has forgotten what we know
    standin.objects.cut()
    standin.cut()
    standin.shared.touch("scratch/gate")

    assert bench.ended("a").outcome == Exited(0)
    bench.session.get(bench.ended("a").outputs)


# --- images


def test_an_environment_with_an_image_gives_its_tasks_that_image(standin: StandIn, bench: ExecutorBench) -> None:
    built = bench.build(BuildSpec(id="r/+sci/1", environment=EnvironmentSpec(name="sci", image="science:2")))
    assert isinstance(built, EnvironmentBuilt)

    bench.execute("a", Argv(("true",)), environment=built.key)

    [container] = standin.objects.get(("pods", "default", POD))["spec"]["containers"]
    assert container["image"] == "science:2"


def test_an_environment_that_needs_more_than_an_image_is_refused_in_words(bench: ExecutorBench) -> None:
    spec = EnvironmentSpec(name="sci", image="science:2", before=Script(name="before", text="make tools"))

    failed = bench.build(BuildSpec(id="r/+sci/1", environment=spec))

    assert isinstance(failed, EnvironmentFailed)
    assert "give the environment an image, and nothing else" in failed.evidence
