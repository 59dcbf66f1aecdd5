"""Pods that stay, each of them a machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial
from typing import Any

from longshore.errors import ExecutorError, FenceRefused, LongshoreError, MachineUnreachable
from longshore.model.machine import Machine
from longshore.model.outcome import FailureClass
from longshore.plugin.protocols import ExecutorContext, Sink
from longshore.remote.remote_session import RemoteSession
from longshore.remote.sharing import SharedStore
from longshore_k8s.client import Namespace
from longshore_k8s.config import K8sConfig
from longshore_k8s.errors import AlreadyThere
from longshore_k8s.evidence import PodPhase, PodState, state_of
from longshore_k8s.fences import raise_fence
from longshore_k8s.manifests import see_ours, worker_pod
from longshore_k8s.names import labels_of, labels_of_run, object_name
from longshore_k8s.openings import Openings
from longshore_k8s.session import PodLink, hello, session_by
from longshore_k8s.templates import merged
from longshore_k8s.volumes import store_on

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
    afterwards: Callable[[], None],
    shared: SharedStore | None,
    openings: Openings,
) -> RemoteSession:
    """Link to a worker; its pod is made when there is none. The errors are those of `K8sExecutor.open`.

    ``afterwards`` is done when nothing of the run is to be left; ``shared`` is what the workers of a volume share;
    ``openings`` say when it is not wanted any more.
    """
    name, labels = object_name(context.run, machine.id), labels_of(context.run, machine.id)
    lease = object_name(context.run, machine.pool) if config.volume else ""
    remove = partial(_remove, namespace, name, lease, afterwards)
    with openings.removed_by(name, remove):
        if lease:
            # It says that the run has something on the volume, for whoever tidies up after us.
            raise_fence(namespace, lease, labels_of_run(context.run), fence)
        manifest = merged(worker_pod(name, labels, config), template)
        pod = _running(namespace, manifest, (config.start_timeout or _START).total_seconds(), openings)
        seconds, helped = config.reconnect.total_seconds(), bool(config.helper_image)
        uid, store = pod["metadata"]["uid"], store_on(context.run, machine.pool) if config.volume else ""
        link = PodLink(namespace, name, uid, _PLACE, seconds, helped=helped, store=store, over=remove)
        try:
            link.open()
            if fence < link.fence:
                raise FenceRefused(f"a newer controller has taken run {context.run} over (its fence is {link.fence})")
            first = hello(machine.resources, machine.slots, link, fence, context.unattended)
            return session_by(machine.id, first, link, sink, context, shared=shared)
        except BaseException:
            link.close()
            raise


def _remove(namespace: Namespace, pod: str, lease: str, afterwards: Callable[[], None]) -> None:
    """Delete a pod, and the lease and the namespace of the run if it has them, as far as the cluster lets us."""
    with suppress(LongshoreError):
        namespace.delete("pods", pod)
        if lease:
            namespace.delete("leases", lease)
        namespace.remove()
    afterwards()


def _running(namespace: Namespace, manifest: dict[str, Any], seconds: float, openings: Openings) -> dict[str, Any]:
    """Give the pod as soon as it runs. One that has ended makes room for another one."""
    end = time.monotonic() + seconds
    name, labels = manifest["metadata"]["name"], manifest["metadata"]["labels"]
    state = PodState(phase=PodPhase.WAITS)
    while (left := end - time.monotonic()) > 0:
        openings.see()
        with suppress(AlreadyThere):
            namespace.create("pods", manifest)
        openings.see()  # who withdraws may have come before it
        made_before = False
        with closing(namespace.states(name, left)) as states:
            for pod in states:
                if pod is None:
                    break  # it is gone; make another one
                see_ours(pod, name, labels)
                state = state_of(pod)
                if state.phase is PodPhase.RUNS:
                    return pod
                if state.phase is PodPhase.OVER and not made_before:
                    made_before = True
                    namespace.delete("pods", name)
                    if state.failure is FailureClass.ENVIRONMENT:
                        raise ExecutorError(f"pod {name} cannot begin: {state.evidence}")
    raise MachineUnreachable(f"pod {name} does not run yet: {state.evidence or 'its node is still preparing it'}")
