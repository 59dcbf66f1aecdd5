"""What the attempts of one session share, and the link into the pod of one of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from attrs import evolve, frozen

from longshore.errors import FenceRefused, LongshoreError, MachineUnreachable, StagingError
from longshore.model.attempt import attempt_id
from longshore.model.events import AttemptEnded, AttemptStarted
from longshore.model.machine import Machine
from longshore.model.outcome import FailureClass, Lost
from longshore.plugin.protocols import ExecutorContext, Sink
from longshore.remote.remote_session import RemoteSession
from longshore.remote.sharing import SharedStore
from longshore_k8s.attempt_objects import AttemptObjects
from longshore_k8s.client import Namespace
from longshore_k8s.config import K8sConfig
from longshore_k8s.evidence import PodState, nothing_runs, state_of
from longshore_k8s.hands import Hands
from longshore_k8s.manifests import CONTAINER
from longshore_k8s.session import PodLink, hello, session_by
from longshore_k8s.staging import bring_home
from longshore_k8s.volumes import store_on

__all__ = ["Around", "SeenPod", "brought_home", "link_to"]

_PLACE = "run"


@frozen(kw_only=True)
class Around:
    """What the attempts of one session share."""

    namespace: Namespace
    config: K8sConfig
    context: ExecutorContext
    machine: Machine
    fence: int
    lease: str
    hands: Hands
    objects: AttemptObjects
    tell: Callable[[AttemptStarted | AttemptEnded], None]
    refuse: Callable[[FenceRefused], None]
    """Is told that a newer controller has the run."""
    wait: Callable[[str, Callable[[], None] | None, str], None]
    """Is told what an attempt waits for, and what is to be done when there may be room."""
    shared: SharedStore | None
    """What the pods have in common that have a volume."""


@frozen(kw_only=True)
class SeenPod:
    """What is kept of a pod: of ten thousand that wait the whole would be too much."""

    name: str
    uid: str
    gpus: int
    state: PodState
    is_over: bool
    """Whether it is proven that nothing runs in it, and nothing will."""

    @classmethod
    def of(cls, pod: Mapping[str, Any], resource: str) -> SeenPod:
        """Read a pod; ``resource`` is what the cluster calls one GPU."""
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        return cls(name=name, uid=uid, gpus=_gpus(pod, resource), state=state_of(pod), is_over=nothing_runs(pod))


def link_to(pod: SeenPod, around: Around, sink: Sink) -> RemoteSession:
    """Link to the shim in a pod that runs. As long as the cluster says that the pod is there, the link is not lost.

    Raises:
        FenceRefused: when a newer controller has been there.
        LongshoreError: as `PodLink.open` does.
    """
    link = PodLink(
        around.namespace,
        pod.name,
        pod.uid,
        _PLACE,
        math.inf,
        helped=bool(around.config.helper_image),
        store=store_on(around.context.run, around.machine.pool) if around.config.volume else "",
    )
    try:
        link.open()
        if around.fence < link.fence:
            raise FenceRefused(f"a newer controller has the run (its fence is {link.fence})")
        has = evolve(around.machine.resources, gpus=pod.gpus)
        first = hello(has, None, link, around.fence, around.context.unattended)
        return session_by(around.machine.id, first, link, sink, around.context, shared=around.shared)
    except BaseException:
        link.close()
        raise


def brought_home(event: AttemptEnded, inner: RemoteSession | None, around: Around) -> AttemptEnded:
    """Bring the outputs of an attempt home; when that fails its end is another one."""
    try:
        if inner is not None and event.outputs:
            bring_home(inner, event.outputs, around.context.area)
    except StagingError as error:
        return evolve(event, outputs=(), failure=FailureClass.STAGING, evidence=str(error))
    except MachineUnreachable as error:
        pod = None
        with suppress(LongshoreError):
            pod = around.objects.find(attempt_id(around.context.run, event.task, event.attempt))
        state = state_of(pod or {})
        lost, failure = Lost(f"its outputs were lost: {error}"), state.failure or FailureClass.MACHINE_LOST
        return evolve(event, outputs=(), outcome=lost, failure=failure, evidence=state.evidence or str(error))
    return event


def _gpus(pod: Mapping[str, Any], resource: str) -> int:
    [container] = [each for each in pod["spec"]["containers"] if each["name"] == CONTAINER]
    return int((container.get("resources") or {}).get("limits", {}).get(resource, 0))
