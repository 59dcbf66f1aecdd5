"""Work in pods: on a real cluster beside what kubectl takes for the same, and on the stand-in while nothing can begin.

The real one is that of LONGSHORE_TEST_KUBECONFIG (`tools/test-cluster with` starts one).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import longshore_side
import processes
from bench import Bench
from clusters import Kubectl, StandIn, kubectl, standin
from figures import ASKED, CORE, OURS, PEAK, WALL, WATCHES, WHOLE, Bar, Promise, Reading
from measure import Invocation, NotMeasured, last_line, run_beside, start_process, variables
from scenarios.base import Measure, Scenario, entering

BARE = "kubectl-create"
COPY = "kubectl-cp"
CHECKED = "kubectl-cp-sha256sum"
XARGS = "xargs-on-the-node"
INSIDE = "xargs-in-a-pod"
EACH = "a-pod-each"
PEERS = (BARE, COPY, CHECKED, XARGS, INSIDE, EACH)
_FILE_BYTES = 256 << 20
_FEW = 100
"""So many pods show what one takes."""
_SETTLE_SECONDS = 5.0
_WATCH_SECONDS = 10.0
_PATIENCE_SECONDS = 600.0
_TRUE = '[tasks.job]\nfor_each.i = {{ range = [1, {}] }}\ncommand = "true"\nneeds = {{ cpus = {} }}\n'


def pods_scenario(tasks: int) -> Scenario:
    """A pod for each task, beside as many bare pods that nobody watches over."""

    def ours(bench: Bench, folder: Path) -> Reading:
        with kubectl(folder) as cluster:
            return _run(bench, folder, cluster, f"slots = {tasks}", _TRUE.format(tasks, 0))

    def bare(_bench: Bench, folder: Path) -> Reading:
        with kubectl(folder) as cluster:
            cluster.describe_pods("pods.json", tasks)
            begin = time.perf_counter()
            cluster.say("create", "-f", "pods.json")
            cluster.say("wait", "pods", "--all", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=600s")
            return {WALL: time.perf_counter() - begin}

    bars = [Bar(subject=BARE, promise=Promise.RATIO, limit=1 / 1.3)]
    return _scenario(f"k8s-pods-{tasks}", f"{tasks:,} pods", tasks, ours, [(BARE, "kubectl create, wait", bare)], bars)


def workers_scenario(tasks: int) -> Scenario:
    """Short tasks on a worker that is there: beside xargs on its node, which is this computer, or in a pod that is
    there, and beside a pod for each of them.
    """
    many = f"seq {tasks} | xargs -P2 -n1 true"

    def ours(bench: Bench, folder: Path) -> Reading:
        with kubectl(folder) as cluster:
            whole = _run(bench, folder, cluster, "workers = 1\ncpus = 2", _TRUE.format(tasks, 1))
        return {WALL: longshore_side.executing_seconds(folder), WHOLE: whole[WALL]}

    def xargs(_bench: Bench, folder: Path) -> Reading:
        command = Invocation(argv=("sh", "-c", many), folder=folder, env=variables())
        return {WALL: run_beside(command).wall_seconds}

    def inside(_bench: Bench, folder: Path) -> Reading:
        with kubectl(folder) as cluster:
            cluster.begin_pod()
            begin = time.perf_counter()
            cluster.say("exec", cluster.name, "--", "sh", "-c", many)
            return {WALL: time.perf_counter() - begin}

    def each(bench: Bench, folder: Path) -> Reading:
        with kubectl(folder) as cluster:
            took = _run(bench, folder, cluster, f"slots = {_FEW}", _TRUE.format(_FEW, 0))
        return {WALL: took[WALL] * tasks / _FEW}

    peers = [
        (XARGS, "xargs -P2 -n1 true", xargs),
        (INSIDE, "the same in a pod, by kubectl exec", inside),
        (EACH, f"a pod each ({_FEW}, reckoned up)", each),
    ]
    bars = [
        Bar(subject=XARGS, promise=Promise.RATIO, limit=0.15),
        Bar(subject=EACH, promise=Promise.RATIO, limit=10),
    ]
    return _scenario(f"k8s-workers-{tasks}", f"{tasks:,} tasks on a worker", tasks, ours, peers, bars)


def file_scenario() -> Scenario:
    """A file of 256 MiB that a task in a pod reads: until it is there, its digest taken here and there."""
    reads = '[tasks.{}]\ncommand = "true"\ninputs = ["data"]\nafter = ["{}"]\n'
    text = f'[tasks.link]\ncommand = "true"\n{reads.format("first", "link")}{reads.format("second", "first")}'

    def make(folder: Path) -> None:
        with (folder / "data").open("wb") as file:
            for _ in range(_FILE_BYTES >> 20):
                file.write(os.urandom(1 << 20))

    def ours(bench: Bench, folder: Path) -> Reading:
        make(folder)
        with kubectl(folder) as cluster:
            whole = _run(bench, folder, cluster, "workers = 1", text)
        return {WALL: longshore_side.staging_seconds(folder, "first", "second", after="link")[0], WHOLE: whole[WALL]}

    def copy(_bench: Bench, folder: Path, *, checked: bool = False) -> Reading:
        make(folder)
        with kubectl(folder) as cluster:
            cluster.begin_pod()
            begin = time.perf_counter()
            cluster.say("cp", "data", f"{cluster.name}:/tmp/data")
            if checked:
                with (folder / "data").open("rb") as file:
                    here = hashlib.file_digest(file, "sha256").hexdigest()
                if here not in cluster.say("exec", cluster.name, "--", "sha256sum", "/tmp/data"):
                    raise NotMeasured("the copy is damaged")
            return {WALL: time.perf_counter() - begin}

    peers = [(COPY, "kubectl cp", copy), (CHECKED, "kubectl cp, digests here and there", partial(copy, checked=True))]
    bars = [Bar(subject=COPY, promise=Promise.RATIO, limit=1.0)]
    return _scenario("k8s-file", "256 MiB to one pod", None, ours, peers, bars)


def pending_scenario(tasks: int) -> Scenario:
    """Tasks whose pods find no node: what the controller takes, and asks of the cluster while nothing happens."""

    def ours(bench: Bench, folder: Path) -> Reading:
        with standin(bench, folder) as cluster:
            text = longshore_side.pool_of_pods(cluster.kubeconfig, f"slots = {tasks}", _TRUE.format(tasks, 100))
            command = longshore_side.cluster_run(bench, text)(folder)
            log = folder / "output.log"
            controller = start_process(command, log)
            try:
                deadline = time.perf_counter() + _PATIENCE_SECONDS
                while cluster.asked()["POST pods"] < tasks:
                    if time.perf_counter() > deadline or controller.poll() is not None:
                        raise NotMeasured(f"not all pods were made: {last_line(log)}")
                    time.sleep(0.5)
                time.sleep(_SETTLE_SECONDS)
                return _watch(controller.pid, cluster)
            finally:
                controller.kill()
                controller.wait()

    bars = [
        Bar(subject=OURS, promise=Promise.BELOW, limit=300e6, quantity=PEAK),
        Bar(subject=OURS, promise=Promise.BELOW, limit=1, quantity=ASKED),
        Bar(subject=OURS, promise=Promise.BELOW, limit=2, quantity=WATCHES),
    ]
    return _scenario(f"k8s-pending-{tasks}", f"{tasks:,} pods that find no node", None, ours, (), bars)


def _watch(controller: int, cluster: StandIn) -> Reading:
    before, used, start = cluster.asked(), processes.look(controller).cpu_seconds, time.perf_counter()
    time.sleep(_WATCH_SECONDS)
    after, took = cluster.asked(), time.perf_counter() - start
    return {
        PEAK: processes.peak_bytes(controller),
        CORE: 100 * (processes.look(controller).cpu_seconds - used) / took,
        ASKED: after.total() - before.total(),
        WATCHES: after["watches"],
    }


def _run(bench: Bench, folder: Path, cluster: Kubectl, options: str, tasks: str) -> Reading:
    text = longshore_side.pool_of_pods(cluster.kubeconfig, f'namespace = "{cluster.name}"\n{options}', tasks)
    return {WALL: run_beside(longshore_side.cluster_run(bench, text)(folder)).wall_seconds}


def _scenario(
    name: str,
    title: str,
    tasks: int | None,
    ours: Measure,
    peers: Sequence[tuple[str, str, Measure]],
    bars: Sequence[Bar],
) -> Scenario:
    enter = entering(longshore_side.cluster_programs, [(OURS, "longshore", ours), *peers])
    return Scenario(name=name, title=f"on a cluster, {title}", tasks=tasks, enter=enter, bars=tuple(bars))
