"""What is under the pods of the stand-in: real processes, in namespaces of their own, with a folder as their /tmp."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .images import Image, Images
from .objects import Objects, Refusal, now

__all__ = ["Kubelet"]

_NODE = "node-1"
_NODE_CPUS = 64.0
_UNSHARE = ("unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_BEGIN = """
import os, sys, warnings  # which execvp imports, when there is no library any more
root, place, os.environ["PATH"], *argv = sys.argv[1:]
os.chroot(root)
os.chdir(place)
os.write(3, b".")
os.close(3)
os.execvp(argv[0], argv)
"""
"""Becomes a container's program, and tells on descriptor 3 that all is laid out."""

Mount = tuple[Path, str, bool]
"""What of this computer lies where in a container, and whether it can only be read."""


class _Container:
    """A pod's process, and the way in."""

    def __init__(
        self,
        folder: Path,
        image: Image,
        mounts: Sequence[Mount],
        argv: Sequence[str],
        env: dict[str, str],
        place: str,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.image = image
        self.log = folder / "log"
        self._mounts = [(source, at) for source, at, _ in mounts]
        self._env = {"PATH": image.path, "HOME": "/tmp", **env}
        script = folder / "begin.sh"
        root = folder / "root"
        script.write_text(_script(root, self.log, image, mounts))
        become = [sys.executable, "-I", "-S", "-c", _BEGIN, str(root), place, image.path]
        self.process = subprocess.Popen(
            [*_UNSHARE, "sh", str(script), *become, *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env={**self._env, "PATH": os.environ.get("PATH", os.defpath)},
            start_new_session=True,
        )
        assert self.process.stdout is not None
        with self.process.stdout as told:
            told.read(1)
        pid = self.process.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            children = []
        self.init = int(children[0]) if children else 0

    def finds(self, program: str) -> bool:
        """Say whether there is such a program in it."""
        return self.image.finds(program, self._mounts)

    def execute(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        """Begin a program in it, with pipes."""
        enter = [
            shutil.which("nsenter") or "nsenter",
            f"--target={self.init}",
            "--user",
            "--mount",
            "--pid",
            "--preserve-credentials",
            "--root",
            f"--wd=/proc/{self.init}/cwd",
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
        self._images = Images(folder.with_name("images"))
        self.claims = folder.with_name("claims")
        """What lies in each volume that pods can claim."""
        self._containers: dict[str, _Container] = {}
        self._fates: dict[str, tuple[dict[str, str], str]] = {}
        """Of pods that are made to end: how their status will be, and the reason of their container's end."""
        self._stranded: set[str] = set()
        self._beginnings: dict[str, threading.Lock] = {}
        """Held while one of a pod's containers begins: its pod is not removed meanwhile."""
        self._dead: set[str] = set()
        """Pods of which no container begins any more."""
        self._closed = False
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
            self._closed = True
            for container in self._containers.values():
                container.process.kill()
                container.process.wait()

    def _live(self, pod: dict[str, Any]) -> None:
        why = self._unschedulable(pod)
        if why:
            condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
            self._status(pod, lambda status: status.update(phase="Pending", conditions=[condition]))
            return
        self._change(pod, lambda found: found["spec"].update(nodeName=_NODE))
        folder = self._folder / pod["metadata"]["uid"]
        for spec in pod["spec"].get("initContainers", []):
            key = f"{pod['metadata']['uid']}/{spec['name']}"
            container = self._begin_held(key, pod, spec, folder / spec["name"], "initContainerStatuses")
            if container is None:
                return
            if code := container.process.wait():
                ended = {"exitCode": code, "reason": "Error", "message": container.log.read_text()}
                self._is(pod, spec, "initContainerStatuses", {"phase": "Failed"}, {"terminated": ended})
                return
        [spec] = pod["spec"]["containers"]
        container = self._begin_held(pod["metadata"]["uid"], pod, spec, folder, "containerStatuses")
        if container is None:
            return
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

    def _begin_held(
        self, key: str, pod: dict[str, Any], spec: dict[str, Any], folder: Path, kind: str
    ) -> _Container | None:
        """Begin a container, and know it; None when it cannot begin, or its pod is to go."""
        with self._beginning(pod):
            if pod["metadata"]["uid"] in self._dead:
                return None
            container = self._begin(pod, spec, folder, kind)
            return container if container is not None and self._hold(key, container) else None

    def _beginning(self, pod: dict[str, Any]) -> threading.Lock:
        return self._beginnings.setdefault(pod["metadata"]["uid"], threading.Lock())

    def _hold(self, key: str, container: _Container) -> bool:
        """Know a container, so that it ends with all others; it ends at once when these have."""
        with self._lock:
            if self._closed:
                container.process.kill()
                container.process.wait()
            else:
                self._containers[key] = container
            return not self._closed

    def _unschedulable(self, pod: dict[str, Any]) -> str:
        """Say why no node takes a pod, as a scheduler does; nothing when one does."""
        [spec] = pod["spec"]["containers"]
        cpus = spec.get("resources", {}).get("requests", {}).get("cpu", "0")
        if (float(cpus[:-1]) / 1000 if cpus.endswith("m") else float(cpus)) > _NODE_CPUS:
            return "0/1 nodes are available: 1 Insufficient cpu."
        claims = [each["persistentVolumeClaim"] for each in pod["spec"]["volumes"] if "persistentVolumeClaim" in each]
        there = {each["metadata"]["name"] for each in self._objects.all("persistentvolumeclaims")[1]}
        missing = [each["claimName"] for each in claims if each["claimName"] not in there]
        return f'persistentvolumeclaim "{missing[0]}" not found' if missing else ""

    def _begin(self, pod: dict[str, Any], spec: dict[str, Any], folder: Path, kind: str) -> _Container | None:
        """Begin a container; None when it cannot begin, which the pod's status says."""
        if spec["image"].startswith("missing"):
            waiting = {"reason": "ErrImagePull", "message": f'failed to pull "{spec["image"]}": not found'}
            self._is(pod, spec, kind, {"phase": "Pending"}, {"waiting": waiting})
            return None
        image, mounts = self._images.of(spec["image"]), list(self._mounts(pod, spec))
        argv = [*spec.get("command", []), *spec.get("args", [])]
        if not image.finds(argv[0], [(source, at) for source, at, _ in mounts]):
            text = f'exec: "{argv[0]}": executable file not found in $PATH: unknown'
            ended = {"exitCode": 128, "reason": "StartError", "message": f"failed to create containerd task: {text}"}
            self._is(pod, spec, kind, {"phase": "Failed"}, {"terminated": ended})
            return None
        env = {each["name"]: each.get("value", "") for each in spec.get("env", [])}
        return _Container(folder, image, mounts, argv, env, spec.get("workingDir", "/"))

    def _mounts(self, pod: dict[str, Any], spec: dict[str, Any]) -> Iterator[Mount]:
        volumes = {each["name"]: each for each in pod["spec"]["volumes"]}
        for each in spec.get("volumeMounts", []):
            claim = volumes[each["name"]].get("persistentVolumeClaim")
            place = self._folder / pod["metadata"]["uid"] / "volumes" / each["name"]
            if claim is not None:
                place = self.claims / claim["claimName"]
            place.mkdir(parents=True, exist_ok=True)
            yield place, each["mountPath"], each.get("readOnly", False)

    def _die(self, pod: dict[str, Any]) -> None:
        with self._beginning(pod):
            self._dead.add(pod["metadata"]["uid"])
        with self._lock:
            container = self._containers.get(pod["metadata"]["uid"])
        if container is not None:
            container.end(float(pod["spec"].get("terminationGracePeriodSeconds", 30)))
        meta = pod["metadata"]
        if self._objects.finish(("pods", meta["namespace"], meta["name"]), meta["uid"]):
            shutil.rmtree(self._folder / meta["uid"], ignore_errors=True)

    def _container_is(self, pod: dict[str, Any], status: dict[str, str], state: dict[str, Any]) -> None:
        [spec] = pod["spec"]["containers"]
        self._is(pod, spec, "containerStatuses", status, state)

    def _is(
        self, pod: dict[str, Any], spec: dict[str, Any], kind: str, status: dict[str, str], state: dict[str, Any]
    ) -> None:
        whole = {"name": spec["name"], "image": spec["image"], "ready": "running" in state, "state": state}
        self._status(pod, lambda found: found.update(status, **{kind: [whole]}))

    def _status(self, pod: dict[str, Any], work: Callable[[dict[str, Any]], None]) -> None:
        self._change(pod, lambda found: work(found.setdefault("status", {})))

    def _change(self, pod: dict[str, Any], work: Callable[[dict[str, Any]], None]) -> None:
        meta = pod["metadata"]
        if meta["uid"] in self._stranded:
            return
        with suppress(Refusal):  # the pod has gone
            self._objects.change(("pods", meta["namespace"], meta["name"]), work, uid=meta["uid"])


def _script(root: Path, log: Path, image: Image, mounts: Sequence[Mount]) -> str:
    """Write what lays out a container's files, by a shell of this computer in the container's namespaces."""
    root.mkdir()
    for name, target in image.links:
        (root / name).symlink_to(target)
    lines = [f"exec 3>&1 >{shlex.quote(str(log))} 2>&1", "set -e", f"root={shlex.quote(str(root))}"]
    lines.append('mount --bind "$root" "$root"')
    places = [*image.folders, *((name, Path("/", name)) for name in ("proc", "dev", "sys"))]
    for name, source in places:
        (root / name).mkdir()
        lines.append(f'mount --rbind {shlex.quote(str(source))} "$root"/{shlex.quote(name)}')
    for source, at, only_read in sorted(mounts, key=lambda mount: mount[1]):
        place = f'"$root"{shlex.quote(at)}'
        lines.append(f"mkdir -p {place} && mount --bind {shlex.quote(str(source))} {place}")
        if only_read:
            lines.append(f"mount -o remount,bind,ro {place}")
    lines += ['mount -o remount,bind,ro "$root"', 'exec "$@"']
    return "\n".join(lines)
