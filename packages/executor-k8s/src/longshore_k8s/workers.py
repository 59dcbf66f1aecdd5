"""Pods that stay, each of them a machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from longshore.errors import ExecutorError, FenceRefused, MachineUnreachable
from longshore.model.machine import Machine
from longshore.plugin.protocols import ExecutorContext, Sink
from longshore_k8s.client import Namespace
from longshore_k8s.config import K8sConfig
from longshore_k8s.errors import AlreadyThere
from longshore_k8s.evidence import PodPhase, PodState, state_of
from longshore_k8s.manifests import see_ours, worker_pod
from longshore_k8s.names import labels_of, object_name
from longshore_k8s.session import PodLink, WorkerSession, hello
from longshore_k8s.templates import merged

__all__ = ["open_worker"]

_PLACE = "run"
_START = timedelta(minutes=10)


def open_worker(
    namespace: Namespace,
    config: K8sConfig,
    template: Mapping[str, Any],
    context: ExecutorContext,
    machine: Machine,
    fence: int,
    sink: Sink,
) -> WorkerSession:
    """Link to a worker; its pod is made when there is none. The errors are those of `K8sExecutor.open`."""
    name, labels = object_name(context.run, machine.id), labels_of(context.run, machine.id)
    manifest = merged(worker_pod(name, labels, config), template)
    pod = _running(namespace, manifest, (config.start_timeout or _START).total_seconds())
    link = PodLink(namespace, name, pod["metadata"]["uid"], _PLACE, config.reconnect.total_seconds())
    try:
        link.open()
        if fence < link.fence:
            raise FenceRefused(f"a newer controller has taken run {context.run} over (its fence is {link.fence})")
        first = hello(machine.resources, machine.slots, link.folder, fence, context.unattended)
        return WorkerSession(machine.id, first, link, sink, context)
    except BaseException:
        link.close()
        raise


def _running(namespace: Namespace, manifest: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Give the pod as soon as it runs. One that has ended makes room for another one."""
    end = time.monotonic() + seconds
    name, labels = manifest["metadata"]["name"], manifest["metadata"]["labels"]
    state = PodState(phase=PodPhase.WAITS)
    while (left := end - time.monotonic()) > 0:
        try:
            namespace.create("pods", manifest)
        except AlreadyThere:
            pass
        made_before = False
        for pod in namespace.states(name, left):
            if pod is None:
                break  # it is gone; make another one
            see_ours(pod, name, labels)
            state = state_of(pod)
            if state.phase is PodPhase.RUNS:
                return pod
            if state.phase is PodPhase.OVER and not made_before:
                made_before = True
                namespace.delete("pods", name)
                if not _ended(pod):
                    raise ExecutorError(f"pod {name} cannot begin: {state.evidence}")
    raise MachineUnreachable(f"pod {name} does not run yet: {state.evidence or 'its node is still preparing it'}")


def _ended(pod: Mapping[str, Any]) -> bool:
    """Whether a pod has run and ended, or is on its way out."""
    return "deletionTimestamp" in pod["metadata"] or (pod.get("status") or {}).get("phase") in {"Failed", "Succeeded"}
