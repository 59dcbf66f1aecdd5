"""Clusters for what runs in pods: a real one, spoken to by kubectl, and the stand-in of the tests."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import longshore_side
from bench import Bench
from measure import NotMeasured, last_line, variables

IMAGE = "busybox:1.35.0"
KUBECONFIG = "LONGSHORE_TEST_KUBECONFIG"
_SECONDS = 900.0
_GLANCE_SECONDS = 0.1


class Kubectl:
    """A namespace of a real cluster."""

    def __init__(self, kubeconfig: Path, name: str, folder: Path) -> None:
        self.kubeconfig = kubeconfig
        self.name = name
        self._folder = folder

    def say(self, *words: str) -> str:
        """Give what kubectl says. Raises NotMeasured when it fails."""
        done = subprocess.run(
            ["kubectl", f"--kubeconfig={self.kubeconfig}", f"--namespace={self.name}", *words],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=variables(),
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise NotMeasured(f"kubectl {words[0]} ended with {done.returncode}: {done.stderr.strip()[-200:]}")
        return done.stdout

    def describe_pods(self, name: str, count: int) -> None:
        """Write a file that describes bare pods that do nothing, and succeed."""
        items = [_pod(f"p{number}", ["true"]) for number in range(count)]
        (self._folder / name).write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    def begin_pod(self) -> None:
        """Make a pod that stays, called as the namespace, and wait until it runs."""
        path = self._folder / "pod.json"
        path.write_text(json.dumps(_pod(self.name, ["sleep", "3600"])))
        self.say("create", "-f", path.name)
        self.say("wait", "pod", self.name, "--for=condition=Ready", "--timeout=60s")


@contextmanager
def kubectl(folder: Path) -> Iterator[Kubectl]:
    """Make a namespace of the real cluster, and remove it with all that is in it.

    Raises NotMeasured when there is no such cluster, or no kubectl.
    """
    given = os.environ.get(KUBECONFIG, "")
    if not given:
        raise NotMeasured(f"no {KUBECONFIG}; tools/test-cluster starts a cluster")
    if shutil.which("kubectl") is None:
        raise NotMeasured("kubectl is not on this computer")
    cluster = Kubectl(Path(given), f"bench-{os.urandom(3).hex()}", folder)
    cluster.say("create", "namespace", cluster.name)
    try:
        end = time.perf_counter() + _SECONDS
        while "default" not in cluster.say("get", "serviceaccounts", "-o", "name"):
            if time.perf_counter() > end:
                raise NotMeasured("the namespace got no account")
            time.sleep(_GLANCE_SECONDS)
        yield cluster
    finally:
        cluster.say("delete", "namespace", cluster.name)


class StandIn:
    """The stand-in for a cluster, in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self._process = process

    def asked(self) -> Counter[str]:
        """Say how often each thing was asked, such as ``POST pods``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return Counter(json.loads(self._process.stdout.readline()))


@contextmanager
def standin(bench: Bench, folder: Path) -> Iterator[StandIn]:
    """Start it, and end it with all its pods. Raises NotMeasured when it does not start."""
    python = longshore_side.cluster_programs(bench) / "python"
    log = folder / "standin.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [str(python), "-m", "k8s.server", str(folder / "standin")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=variables(PYTHONPATH=str(bench.checkout / "packages" / longshore_side.K8S / "tests")),
        ) as server,
    ):
        try:
            assert server.stdout is not None
            kubeconfig = server.stdout.readline().strip()
            if not kubeconfig:
                raise NotMeasured(f"no stand-in: {last_line(log)}")
            yield StandIn(server, Path(kubeconfig))
        finally:
            server.kill()


def _pod(name: str, command: list[str]) -> dict[str, object]:
    container = {"name": "main", "image": IMAGE, "command": command}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
