"""Executes attempts in pods that stay, each of them a machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from longshore.errors import ExecutorError, FenceRefused, MachineUnreachable
from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore.plugin.protocols import ExecutorContext, Sink
from longshore.remote.protocol import VERSION
from longshore_k8s.client import Namespace
from longshore_k8s.config import K8sConfig
from longshore_k8s.errors import AlreadyThere
from longshore_k8s.evidence import PodPhase, PodState, state_of
from longshore_k8s.manifests import worker_pod
from longshore_k8s.names import labels_of, object_name
from longshore_k8s.session import PodLink, WorkerSession

__all__ = ["K8sExecutor", "machines_of"]

_UID = "namespace-uid"
_PLACE = "run"


def machines_of(config: K8sConfig, pool: str) -> Sequence[Machine]:
    """Describe the workers of a pool; no pod is made.

    Raises:
        MachineUnreachable: when the cluster does not answer.
        ExecutorError: when there is none, it does not know us, or has no such namespace.
    """
    namespace = Namespace(config)
    try:
        uid = namespace.uid()
    finally:
        namespace.close()
    resources = Resources(cpus=config.cpus, memory_bytes=config.memory, gpus=config.gpus)
    return [
        Machine(
            id=f"{pool}.{number}",
            pool=pool,
            resources=resources,
            slots=config.slots,
            address=namespace.name,
            tags={**config.labels, _UID: uid},
        )
        for number in range(1, config.workers + 1)
    ]


class K8sExecutor:
    """Makes pods and links to them. All of its sessions share one client."""

    def __init__(self, config: K8sConfig, context: ExecutorContext) -> None:
        self._config = config
        self._context = context
        self._lock = threading.Lock()
        self._found: Namespace | None = None

    def open(self, machine: Machine, *, fence: int, sink: Sink) -> WorkerSession:
        """Link to a worker; its pod is made when there is none.

        Raises:
            FenceRefused: when a newer controller has been there.
            MachineUnreachable: when the cluster does not answer, or the pod does not run in time.
            ExecutorError: when the cluster is another one than the machine was described in, or does not take the pod.
        """
        namespace = self._namespace()
        wanted = machine.tags.get(_UID, "")
        if wanted != namespace.uid():
            raise ExecutorError(
                f"namespace {namespace.name} is not the one that {machine.id} belongs to: another cluster, or it was "
                "made anew; give the kubeconfig and context that the run began with"
            )
        name = object_name(self._context.run, machine.id)
        labels = labels_of(self._context.run, machine.id)
        pod = self._pod(namespace, name, labels)
        link = PodLink(namespace, name, pod["metadata"]["uid"], _PLACE, self._config.reconnect.total_seconds())
        try:
            link.open()
            if fence < link.fence:
                raise FenceRefused(
                    f"a newer controller has taken run {self._context.run} over (its fence is {link.fence})"
                )
            return WorkerSession(machine.id, self._hello(machine, link, fence), link, sink, self._context)
        except BaseException:
            link.close()
            raise

    def _namespace(self) -> Namespace:
        with self._lock:
            if self._found is None:
                self._found = Namespace(self._config)
            return self._found

    def _pod(self, namespace: Namespace, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
        """Give the pod as soon as it runs. One that has ended makes room for another one."""
        end = time.monotonic() + self._config.start_timeout.total_seconds()
        state = PodState(phase=PodPhase.WAITS)
        while (left := end - time.monotonic()) > 0:
            try:
                namespace.create(worker_pod(name, labels, self._config))
            except AlreadyThere:
                pass
            made_before = False
            for pod in namespace.states(name, left):
                if pod is None:
                    break  # it is gone; make another one
                _see_ours(pod, name, labels)
                state = state_of(pod)
                if state.phase is PodPhase.RUNS:
                    return pod
                if state.phase is PodPhase.OVER and not made_before:
                    made_before = True
                    namespace.delete(name)
                    if not _ended(pod):
                        raise ExecutorError(f"pod {name} cannot begin: {state.evidence}")
        raise MachineUnreachable(f"pod {name} does not run yet: {state.evidence or 'its node is still preparing it'}")

    def _hello(self, machine: Machine, link: PodLink, fence: int) -> dict[str, Any]:
        return {
            "op": "hello",
            "version": VERSION,
            "fence": fence,
            "cpus": machine.resources.cpus,
            "memory": machine.resources.memory_bytes,
            "gpus": [str(index) for index in range(machine.resources.gpus)],
            "slots": machine.slots,
            "env": None,
            "project": link.folder,
            "store": f"{link.folder}/store",
            "logs": f"{link.folder}/logs",
            "unattended": self._context.unattended.total_seconds(),
            "tied": False,
        }


def _see_ours(pod: Mapping[str, Any], name: str, labels: Mapping[str, str]) -> None:
    found = pod["metadata"].get("labels") or {}
    if any(found.get(key) != value for key, value in labels.items()):
        raise ExecutorError(f"pod {name} is there, and is not ours; nothing was sent to it")


def _ended(pod: Mapping[str, Any]) -> bool:
    """Whether a pod has run and ended, or is on its way out."""
    return "deletionTimestamp" in pod["metadata"] or (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}
