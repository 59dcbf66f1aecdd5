"""A cluster as a whole: each attempt in a pod of its own, one watch for all of them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from longshore.errors import FenceRefused, InputMissing, LongshoreError
from longshore.model.artifact import Artifact
from longshore.model.attempt import AttemptSpec, Item
from longshore.model.environment import BuildSpec
from longshore.model.events import MachineGone
from longshore.model.machine import Machine
from longshore.model.times import over_by
from longshore.plugin.protocols import ExecutorContext, Sink
from longshore.remote.sharing import SharedStore
from longshore.remote.store import has_object
from longshore_k8s.around import Around, SeenPod
from longshore_k8s.attempt_objects import AttemptObjects, attempt_of
from longshore_k8s.attempt_pod import AttemptPod
from longshore_k8s.client import Namespace
from longshore_k8s.config import K8sConfig
from longshore_k8s.environments import taken_from_image
from longshore_k8s.fences import raise_fence
from longshore_k8s.following import Follower
from longshore_k8s.hands import Hands
from longshore_k8s.names import object_name
from longshore_k8s.volumes import remove_store, see_shareable

__all__ = ["PodsSession"]

_log = logging.getLogger(__name__)

_HANDS = 16
_CLOSE_SECONDS = 10.0
_ROOM_SECONDS = 30.0


class PodsSession:
    """A `longshore.plugin.protocols.Session` for all pods of a run in a pool."""

    def __init__(
        self,
        namespace: Namespace,
        config: K8sConfig,
        template: Mapping[str, Any],
        context: ExecutorContext,
        machine: Machine,
        fence: int,
        sink: Sink,
        afterwards: Callable[[], None],
        shared: SharedStore | None,
    ) -> None:
        """Take the run's pods over. No pod is made; the errors are those of `K8sExecutor.open`.

        ``afterwards`` is done when nothing of the run is to be left; ``shared`` is what the pods of a volume share.
        """
        if config.volume:
            see_shareable(namespace, config.volume)
        self._context = context
        self._machine = machine
        self._sink = sink
        self._hands = Hands(machine.id, _HANDS)
        self._lock = threading.Lock()
        self._pods: dict[str, AttemptPod] = {}
        self._leaving: set[AttemptPod] = set()
        """What nobody wants any more, and was not let go of yet."""
        self._waiting: deque[tuple[str, Callable[[], None]]] = deque()
        """What may be done when there is room in the quota."""
        self._said: set[str] = set()
        self._problem: LongshoreError | None = None
        self._cleared = False
        self._afterwards = afterwards
        self._closed = False
        self._objects = AttemptObjects(namespace, config, template, context, machine.pool)
        lease = object_name(context.run, machine.pool)
        raise_fence(namespace, lease, self._objects.labels, fence)
        self._around = Around(
            namespace=namespace,
            config=config,
            context=context,
            machine=machine,
            fence=fence,
            lease=lease,
            hands=self._hands,
            objects=self._objects,
            tell=sink,
            refuse=self._refuse,
            wait=self._wait,
            shared=shared,
        )
        self._template = template
        self._follower = Follower(
            namespace, self._objects.labels, config.reconnect, self._see, self._see_all, self._lose_cluster
        )

    # --- what the protocol of sessions asks for

    def create(self, attempt: AttemptSpec) -> None:
        """Ask for the attempt's pod."""
        self._check()
        pod = self._pod(attempt.id)
        pod.prepare(attempt)
        self._hands.do(attempt.id, pod.make)

    def put(self, attempt: str, items: Sequence[Item]) -> None:
        """See that the inputs are here. They are sent when the pod runs."""
        self._check()
        for item in items:
            if not (
                Path(item.source).exists() if item.source else has_object(str(self._context.store_folder), item.sha256)
            ):
                raise InputMissing(f"{item.path} is not here any more")
        self._pod(attempt).put(items)

    def go(self, attempt: str) -> None:
        """Start the command as soon as its pod runs. What was never created has no pod: nothing happens."""
        self._check()
        pod = self._pods.get(attempt)
        if pod is not None:
            self._hands.do(attempt, pod.go)

    def adopt(self, attempts: Collection[str]) -> None:
        """Look at each pod; what has none was never started."""
        self._check()
        for attempt in attempts:
            self._hands.do(attempt, self._pod(attempt).adopt)

    def cancel(self, attempt: str) -> None:
        """End the command, or see that it never starts."""
        self._check()
        pod = self._pod(attempt)
        pod.interrupt()
        self._hands.do(attempt, pod.cancel)

    def get(self, artifacts: Collection[Artifact]) -> None:
        """See that they are here: they came before the end was told.

        Raises:
            InputMissing: when one is not here.
        """
        for artifact in artifacts:
            if not has_object(str(self._context.store_folder), artifact.sha256):
                raise InputMissing(f"{artifact.path} is not here, and its pod may be gone")

    def fetch(self, attempt: str, paths: Sequence[str], into: Path) -> None:
        """Bring files of a workdir, as long as its pod is there."""
        self._check()
        self._pod(attempt).linked().fetch(attempt, paths, into)

    def discard(self, digests: Collection[str]) -> None:
        """Nothing: no pod keeps anything for another one."""

    def release(self, attempt: str) -> None:
        """Let the pod go."""
        with self._lock:
            pod = self._pods.pop(attempt, None) or AttemptPod(attempt, self._around)
            self._leaving.add(pod)
        self._hands.do(attempt, partial(self._let_go, pod))

    def beat(self, until: datetime) -> None:
        """Nothing: each link tells its pod that somebody attends."""

    def build(self, build: BuildSpec) -> None:
        """Take the environment's image for its tasks; a pod has no other software."""
        self._sink(taken_from_image(build))

    def clear(self) -> None:
        """Leave nothing of the run in the cluster, as soon as the links are closed."""
        self._cleared = True

    def close(self) -> None:
        """Drop all links; pods live on, unless the run is over."""
        self._closed = True
        self._follower.close()
        self._hands.close(_CLOSE_SECONDS)
        with self._lock:
            pods = [*self._pods.values(), *self._leaving]
        for pod in pods:
            pod.close()
        if self._cleared:
            with suppress(LongshoreError):
                self._objects.remove_all(self._around.lease)
            if self._around.config.volume:
                self._empty_volume()
            self._afterwards()

    def _empty_volume(self) -> None:
        around = self._around
        try:
            remove_store(around.namespace, around.config, self._template, self._objects.labels, around.lease)
        except LongshoreError as error:
            _log.warning("data of run %s are left in claim %s: %s", self._context.run, around.config.volume, error)

    def _let_go(self, pod: AttemptPod) -> None:
        pod.release()
        with self._lock:
            self._leaving.discard(pod)

    # --- what attempts ask of us

    def _pod(self, attempt: str) -> AttemptPod:
        with self._lock:
            if attempt not in self._pods:
                self._pods[attempt] = AttemptPod(attempt, self._around)
            return self._pods[attempt]

    def _wait(self, attempt: str, again: Callable[[], None] | None, why: str) -> None:
        """Note that an attempt waits for room, and say so once for all that wait for the same."""
        with self._lock:
            known = why in self._said
            self._said.add(why)
        if not known:
            _log.warning("%s waits: %s", attempt, why)
        if again is not None:
            self._waiting.append((attempt, again))
            self._hands.after(_ROOM_SECONDS, "", self._next)

    def _next(self) -> None:
        """Let the first of those try again that wait for room."""
        with suppress(IndexError):
            self._hands.do(*self._waiting.popleft())

    def _refuse(self, error: FenceRefused) -> None:
        self._give_up(error, None)

    def _lose_cluster(self, error: LongshoreError, since: datetime) -> None:
        self._give_up(error, over_by(since, self._context.unattended))

    def _check(self) -> None:
        if self._problem is not None:
            raise type(self._problem)(str(self._problem))

    def _give_up(self, error: LongshoreError, until: datetime | None) -> None:
        with self._lock:
            if self._problem is not None or self._closed:
                return
            self._problem = error
        self._sink(MachineGone(at=_now(), machine=self._machine.id, reason=str(error), over_by=until))

    # --- what the cluster tells

    def _see(self, kind: str, pod: dict[str, Any]) -> None:
        """Pass on how a pod is. Where one has ended there may be room for another."""
        identity = attempt_of(pod)
        with self._lock:
            known = self._pods.get(identity)
        # What waits for a hand is what is kept of a pod, and not the whole of it.
        seen = SeenPod.of(pod, self._around.config.gpu_resource)
        if known is not None:
            self._hands.do(identity, known.vanish if kind == "DELETED" else partial(known.see, seen))
        if kind == "DELETED" or seen.is_over:
            self._next()

    def _see_all(self, pods: Sequence[dict[str, Any]]) -> None:
        """Pass on how all pods are, and look for those that are missing."""
        for pod in pods:
            self._see("MODIFIED", pod)
        there = set(map(attempt_of, pods))
        with self._lock:
            missing = {identity: each for identity, each in self._pods.items() if identity not in there and each.made}
        for identity, each in missing.items():
            self._hands.do(identity, each.look)


def _now() -> datetime:
    return datetime.now(UTC)
