"""What is under the pods of the stand-in: real processes, in namespaces of their own, with a folder as their /tmp."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .objects import Objects, Refusal, now

__all__ = ["Kubelet"]

_NODE = "node-1"
_NODE_CPUS = 64.0
_UNSHARE = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_ENTER = 'exec 3>&1 >"$2" 2>&1 && mount --bind "$1" /tmp && cd /tmp && echo >&3 && shift 2 && exec "$@" 3>&-'


class _Container:
    """A pod's process, and the way in."""

    def __init__(self, folder: Path, argv: Sequence[str], env: dict[str, str]) -> None:
        (folder / "tmp").mkdir(parents=True)
        self.folder = folder
        self.log = folder / "log"
        self._env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/tmp", **env}
        words = ["sh", "-c", _ENTER, "sh", str(folder / "tmp"), str(self.log), *argv]
        self.process = subprocess.Popen(
            [*_UNSHARE, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=self._env,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        with self.process.stdout as told:
            self.runs = bool(told.read(1))
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if self.runs else []
        self.init = int(children[0]) if children else 0

    def execute(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        """Begin a program in it, with pipes."""
        enter = [
            "nsenter",
            f"--target={self.init}",
            "--user",
            "--mount",
            "--pid",
            "--preserve-credentials",
            "--wd=/tmp",
        ]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*enter, *argv], stdin=pipe, stdout=pipe, stderr=pipe, env=self._env, start_new_session=True
        )

    def end(self, grace: float) -> None:
        """Ask it to end, then kill it with all that is in it."""
        with suppress(ProcessLookupError):
            os.kill(self.init or self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Kubelet:
    """Runs all pods, schedules them, and says how they are."""

    def __init__(self, objects: Objects, folder: Path) -> None:
        self._objects = objects
        self._folder = folder
        self._containers: dict[str, _Container] = {}
        self._fates: dict[str, tuple[dict[str, str], str]] = {}
        """Of pods that are made to end: how their status will be, and the reason of their container's end."""
        self._stranded: set[str] = set()
        self._lock = threading.Lock()

    def added(self, pod: dict[str, Any]) -> None:
        """Begin a pod, in a thread of its own."""
        threading.Thread(target=self._live, args=(pod,), daemon=True).start()

    def deleted(self, pod: dict[str, Any]) -> None:
        """End a pod that is to be deleted."""
        threading.Thread(target=self._die, args=(pod,), daemon=True).start()

    def container(self, pod: dict[str, Any]) -> _Container:
        """Give what is under a pod that runs; 400 when it does not."""
        with self._lock:
            found = self._containers.get(pod["metadata"]["uid"])
        if found is None or found.process.poll() is not None:
            raise Refusal(400, f"container tasks in pod {pod['metadata']['name']} is not running", "BadRequest")
        return found

    def log_of(self, pod: dict[str, Any]) -> Path:
        """Give the file with what a pod has printed."""
        return self._folder / str(pod["metadata"]["uid"]) / "log"

    def fail(self, pod: dict[str, Any], reason: str, message: str) -> None:
        """Take a pod's processes away, as a node does that has not enough of something."""
        self._end(pod, {"phase": "Failed", "reason": reason, "message": message}, "Error")

    def kill(self, pod: dict[str, Any], reason: str) -> None:
        """Kill a pod's processes, for a reason that its container's state will have."""
        self._end(pod, {"phase": "Failed"}, reason)

    def _end(self, pod: dict[str, Any], status: dict[str, str], reason: str) -> None:
        container = self.container(pod)
        self._fates[pod["metadata"]["uid"]] = (status, reason)
        container.process.kill()
        container.process.wait()

    def strand(self, pod: dict[str, Any]) -> None:
        """Lose the node under a pod: its processes are gone, and nobody says so."""
        self._stranded.add(pod["metadata"]["uid"])
        self.container(pod).process.kill()

    def close(self) -> None:
        """Leave nothing running."""
        with self._lock:
            for container in self._containers.values():
                container.process.kill()
                container.process.wait()

    def _live(self, pod: dict[str, Any]) -> None:
        [spec] = pod["spec"]["containers"]
        cpus = spec.get("resources", {}).get("requests", {}).get("cpu", "0")
        if (float(cpus[:-1]) / 1000 if cpus.endswith("m") else float(cpus)) > _NODE_CPUS:
            text = "0/1 nodes are available: 1 Insufficient cpu."
            condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": text}
            self._status(pod, lambda status: status.update(phase="Pending", conditions=[condition]))
            return
        self._change(pod, lambda found: found["spec"].update(nodeName=_NODE))
        if spec["image"].startswith("missing"):
            waiting = {"reason": "ErrImagePull", "message": f'failed to pull "{spec["image"]}": not found'}
            self._container_is(pod, {"phase": "Pending"}, {"waiting": waiting})
            return
        argv = [*spec.get("command", []), *spec.get("args", [])]
        env = {each["name"]: each.get("value", "") for each in spec.get("env", [])}
        container = _Container(self._folder / pod["metadata"]["uid"], argv, env)
        with self._lock:
            self._containers[pod["metadata"]["uid"]] = container
        self._container_is(pod, {"phase": "Running"}, {"running": {"startedAt": now()}})
        try:
            code = container.process.wait(pod["spec"].get("activeDeadlineSeconds"))
        except subprocess.TimeoutExpired:
            self.fail(pod, "DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
            code = container.process.wait()
        code = code if code >= 0 else 128 - code
        phase = {"phase": "Failed" if code else "Succeeded"}
        status, reason = self._fates.get(pod["metadata"]["uid"], (phase, "Error" if code else "Completed"))
        ended = {"exitCode": code, "reason": reason, "finishedAt": now()}
        self._container_is(pod, status, {"terminated": ended})

    def _die(self, pod: dict[str, Any]) -> None:
        with self._lock:
            container = self._containers.get(pod["metadata"]["uid"])
        if container is not None:
            container.end(float(pod["spec"].get("terminationGracePeriodSeconds", 30)))
        meta = pod["metadata"]
        if self._objects.finish(("pods", meta["namespace"], meta["name"]), meta["uid"]):
            shutil.rmtree(self._folder / meta["uid"], ignore_errors=True)

    def _container_is(self, pod: dict[str, Any], status: dict[str, str], state: dict[str, Any]) -> None:
        [spec] = pod["spec"]["containers"]
        whole = {"name": spec["name"], "image": spec["image"], "ready": "running" in state, "state": state}
        self._status(pod, lambda found: found.update(status, containerStatuses=[whole]))

    def _status(self, pod: dict[str, Any], work: Callable[[dict[str, Any]], None]) -> None:
        self._change(pod, lambda found: work(found.setdefault("status", {})))

    def _change(self, pod: dict[str, Any], work: Callable[[dict[str, Any]], None]) -> None:
        meta = pod["metadata"]
        if meta["uid"] in self._stranded:
            return
        with suppress(Refusal):  # the pod has gone
            self._objects.change(("pods", meta["namespace"], meta["name"]), work, uid=meta["uid"])
