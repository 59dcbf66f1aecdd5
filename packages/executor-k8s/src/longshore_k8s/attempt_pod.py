"""One attempt and its pod: made, linked to when it runs, driven by the shim in it, and let go of in the end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from attrs import evolve

from longshore.errors import FenceRefused, LongshoreError, MachineUnreachable
from longshore.model.attempt import AttemptSpec, Item
from longshore.model.events import AttemptEnded, AttemptStarted, MachineGone
from longshore.model.outcome import FailureClass
from longshore.plugin.protocols import SessionEvent
from longshore.remote.remote_session import RemoteSession
from longshore_k8s.around import Around, SeenPod, brought_home, link_to
from longshore_k8s.ending import Ending
from longshore_k8s.errors import PodGone, QuotaExceeded, failure_of
from longshore_k8s.evidence import PodPhase, state_of
from longshore_k8s.fences import see_fence
from longshore_k8s.staging import bring_in

__all__ = ["AttemptPod"]

_log = logging.getLogger(__name__)

_AGAIN_SECONDS = 5.0


class AttemptPod:
    """Its methods are called by hands, one after the other, but for those that say otherwise."""

    def __init__(self, identity: str, around: Around) -> None:
        self._id = identity
        self._around = around
        self._spec: AttemptSpec | None = None
        self._items: Sequence[Item] = ()
        self._pod: SeenPod | None = None
        self._inner: RemoteSession | None = None
        self._wanted = False
        self._asked = False
        self._went = False
        """Whether its command may have been started."""
        self._cancelled = False
        self._doom = ""
        self._ending = Ending(identity, around.tell)

    # --- by any thread

    def prepare(self, spec: AttemptSpec) -> None:
        """Know what is to be executed. Its inputs will be in the pod, wherever they are here."""
        self._spec = self._spec or spec

    def put(self, items: Sequence[Item]) -> None:
        """Know what it reads, and send it when it is linked; the errors are those of `Session.put`."""
        self._items = items
        inner = self._inner
        if inner is not None:
            inner.put(self._id, items)

    @property
    def made(self) -> bool:
        """Whether there has been a pod."""
        return self._pod is not None

    def linked(self) -> RemoteSession:
        """Give the link to what runs in the pod; raises MachineUnreachable when there is none."""
        if self._inner is None:
            raise MachineUnreachable(f"{self._id} has no pod that runs")
        return self._inner

    def interrupt(self) -> None:
        """Cancel it at once when it runs, and do not wait for data on their way to it."""
        self._cancelled = True
        inner = self._inner
        if inner is None:
            return
        if self._went:
            inner.cancel(self._id)
        else:
            inner.close()

    def close(self) -> None:
        """Drop the link; the pod lives on."""
        inner, self._inner = self._inner, None
        if inner is not None:
            inner.close()

    # --- from its beginning to its end

    def make(self) -> None:
        """Make the pod, or find it."""
        around = self._around
        if self._spec is None or self._ending.over or self._pod is not None:
            return
        try:
            see_fence(around.namespace, around.lease, around.fence)
            pod = around.objects.make(self._spec)
        except FenceRefused as error:
            around.refuse(error)
        except QuotaExceeded as error:
            around.wait(self._id, self.make, str(error))
        except MachineUnreachable as error:
            _log.info("%s is tried again: %s", self._id, error)
            around.hands.after(_AGAIN_SECONDS, self._id, self.make)
        except LongshoreError as error:
            self._lose(failure_of(error), str(error))
        else:
            if pod is not None:
                self.see(self._seen(pod))
            if around.config.start_timeout is not None:
                around.hands.after(around.config.start_timeout.total_seconds(), self._id, self._see_late)

    def see(self, pod: SeenPod) -> None:
        """Take note of how the pod is, and do what can be done now."""
        if self._went and self._pod is not None and pod.uid != self._pod.uid:
            return  # a Job has made another one, in which nothing will be started
        self._pod = pod
        self._act(pod)

    def _seen(self, pod: Mapping[str, Any]) -> SeenPod:
        return SeenPod.of(pod, self._around.config.gpu_resource)

    def _act(self, pod: SeenPod) -> None:
        if self._ending.over:
            return
        if pod.state.phase is PodPhase.OVER:
            if not self._went or pod.is_over:
                self._lose(pod.state.failure or FailureClass.MACHINE_LOST, self._doom or pod.state.evidence)
        elif pod.state.phase is PodPhase.RUNS:
            self._begin()
        elif pod.state.evidence:
            self._around.wait(self._id, None, pod.state.evidence)

    def vanish(self) -> None:
        """Take note that the pod has gone, though we held it."""
        self._lose(FailureClass.MACHINE_LOST, self._doom or "its pod was removed by force")

    def go(self) -> None:
        """Start the command as soon as the pod runs and has its inputs; or tell its end again."""
        self._ending.ask_again()
        if self._inner is not None:
            self._inner.go(self._id)
            return
        self._wanted = True
        if self._pod is not None:
            self._act(self._pod)

    def cancel(self) -> None:
        """End it."""
        if self._ending.over:
            return
        if self._spec is None and self._pod is None:
            # An earlier controller may have started it and died before it could say so.
            self._find(lambda _: None)
        if self._went and self._inner is not None:
            self._inner.cancel(self._id)
        elif self._spec is not None or self._pod is not None:
            self._try(lambda: self._around.objects.remove(self._id), self.cancel)
            if not self._went:
                self._ending.cancel()

    def adopt(self) -> None:
        """Tell what became of it."""
        self._ending.ask_again()
        if self._inner is not None:
            self._inner.adopt([self._id])
        else:
            self._find(lambda why: self._lose(FailureClass.MACHINE_LOST, why))

    def release(self) -> None:
        """Let the pod go."""
        self._ending.forget()
        self.close()
        pod = "" if self._pod is None else self._pod.name
        self._try(lambda: self._around.objects.release(self._id, pod), self.release)

    # --- what comes between

    def _find(self, never: Callable[[str], None]) -> None:
        """Look for a pod that an earlier controller may have made, and link to it; or say why there was no start."""
        try:
            pod = self._around.objects.find(self._id)
        except MachineUnreachable:
            self._around.hands.after(_AGAIN_SECONDS, self._id, partial(self._find, never))
            return
        if pod is None:
            never("it has no pod")
        elif state_of(pod).phase is PodPhase.WAITS:
            never("its pod had not begun")
        else:
            self._asked = True
            self.see(self._seen(pod))

    def _begin(self) -> None:
        """Link to the shim in the pod, and start the command or ask what became of it."""
        if self._inner is not None or self._pod is None or not (self._wanted or self._asked):
            return
        try:
            self._inner = inner = link_to(self._pod, self._around, self._take)
            if self._asked:
                self._went = True
                inner.adopt([self._id])
            elif self._spec is not None:
                inner.create(evolve(self._spec, environment=""))  # it is the image
                bring_in(inner, self._id, self._items, self._around.context.area)
                if not self._cancelled:
                    self._went = True
                    inner.go(self._id)
        except FenceRefused as error:
            self._around.refuse(error)
        except LongshoreError as error:
            self._stumble(error)

    def _stumble(self, error: LongshoreError) -> None:
        """Go on after something that has kept the command from being started."""
        self.close()
        if self._cancelled or isinstance(error, PodGone):
            return  # what comes next says so
        if isinstance(error, MachineUnreachable):
            self._around.hands.after(_AGAIN_SECONDS, self._id, self.look)
        else:
            self._lose(failure_of(error), str(error))

    def look(self) -> None:
        """Read the pod, and take note of how it is."""
        try:
            pod = self._around.objects.find(self._id)
        except MachineUnreachable:
            self._around.hands.after(_AGAIN_SECONDS, self._id, self.look)
        else:
            if pod is None:
                self.vanish()
            else:
                self.see(self._seen(pod))

    def _see_late(self) -> None:
        """See whether the pod runs, now that it should."""
        if self._ending.over or self._pod is None or self._pod.state.phase is not PodPhase.WAITS:
            return
        seconds = (self._around.config.start_timeout or timedelta()).total_seconds()
        why = self._pod.state.evidence or "its node is still preparing it"
        self._lose(FailureClass.CAPACITY, f"its pod does not run after {seconds:g} s: {why}")

    def _take(self, *events: SessionEvent) -> None:
        """Pass on what is told in the pod, an end not before its outputs are at home. By the link's own thread."""
        for event in events:
            if isinstance(event, AttemptStarted):
                self._around.tell(event)
            elif isinstance(event, AttemptEnded):
                self._ending.tell(brought_home(event, self._inner, self._around))
            elif isinstance(event, MachineGone):
                self._around.hands.do(self._id, partial(self._part, event))

    def _part(self, event: MachineGone) -> None:
        """Go on after the link has ended for good: a newer controller has it, the pod is over, or it cannot be used."""
        self.close()
        around = self._around
        try:
            see_fence(around.namespace, around.lease, around.fence)
        except FenceRefused as error:
            around.refuse(error)
            return
        except MachineUnreachable:
            pass
        self.look()
        if self._ending.over or self._pod is None:
            return
        if self._pod.state.phase is not PodPhase.OVER:
            self._doom = event.reason
            self._try(lambda: around.objects.remove(self._id), lambda: self._part(event))
        if event.over_by is not None:
            # By then what runs there has been ended, whatever becomes of the node.
            left = (event.over_by - datetime.now(UTC)).total_seconds()
            around.hands.after(max(0.0, left), self._id, partial(self._lose, FailureClass.MACHINE_LOST, event.reason))

    def _try(self, work: Callable[[], None], again: Callable[[], None]) -> None:
        """Ask the cluster for something, and for all of it again later when it does not answer."""
        try:
            work()
        except MachineUnreachable:
            self._around.hands.after(_AGAIN_SECONDS, self._id, again)
        except LongshoreError as error:
            _log.warning("%s: %s", self._id, error)

    def _lose(self, failure: FailureClass, evidence: str) -> None:
        self._ending.lose(failure, evidence, went=self._went)
