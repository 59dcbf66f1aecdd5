"""The link to one pod, made again when it breaks for as long as the pod is there; and what is done in its pod."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from longshore.errors import ExecutorError, MachineUnreachable
from longshore.model.resources import Resources
from longshore.plugin.protocols import ExecutorContext, Sink
from longshore.remote.asking import DataStream
from longshore.remote.deaths import Deaths
from longshore.remote.patience import Patience
from longshore.remote.protocol import VERSION
from longshore.remote.remote_session import RemoteSession
from longshore.remote.sharing import SharedStore
from longshore.remote.shim_session import ShimSession
from longshore_k8s.client import Namespace
from longshore_k8s.errors import NotThere, PodGone, plain_text
from longshore_k8s.evidence import PodPhase, state_of
from longshore_k8s.manifests import FOLDER
from longshore_k8s.programs import Begun, begin, read_line
from longshore_k8s.streams import as_socket

__all__ = ["PodLink", "hello", "session_by"]

_CONNECT_SECONDS = 30.0

_Result = TypeVar("_Result")


class PodLink:
    """A `longshore.remote.remote_session.RemoteLink`: one stream for what is said, another for data."""

    def __init__(
        self,
        namespace: Namespace,
        pod: str,
        uid: str,
        place: str,
        reconnect: float,
        *,
        helped: bool,
        store: str = "",
        over: Callable[[], None] | None = None,
    ) -> None:
        """Prepare; nothing is opened before `open`.

        Args:
            namespace: where the pod is.
            pod: its name.
            uid: what tells it from a later pod of this name.
            place: the shim's folder, below ours.
            reconnect: how long the link may be down, in seconds.
            helped: whether the pod has tools from another image.
            store: where its attempts' artifacts are; empty for a place beside the rest.
            over: what is done when the run has ended for good and the link is closed.
        """
        self._namespace = namespace
        self._pod = pod
        self._uid = uid
        self._place = place
        self._patience = Patience(budget=reconnect)
        self._budget = reconnect
        self._helped = helped
        self._when_over = over
        self.python = ""
        """The pod's Python; empty where the shim does all there is to do."""
        self._deaths = Deaths()
        self._stopped = threading.Event()
        self._first: socket.socket | None = None
        self._trouble = ""
        self.fence = 0
        """The highest that the pod has seen."""
        self.folder = f"{FOLDER}/{place}"
        self.store = store or f"{self.folder}/store"

    def open(self) -> None:
        """Link to the shim, or start one; the errors are those of `begin`.

        A stream that breaks at once is tried again: right after its start a pod, or what leads to it, may not be ready.
        """
        self._first = self._insist(self._link, _waiting(min(self._budget, _CONNECT_SECONDS)))

    def connect(self) -> socket.socket:
        """Give a stream to the shim; after a break it is waited for as long as the user is patient."""
        first, self._first = self._first, None
        if first is not None:
            return first
        if self._stopped.wait(self._patience.lost(time.monotonic())):
            raise MachineUnreachable("the link is closed")
        return self._insist(self._link, self._patience)

    def open_data(self) -> DataStream:
        """Give a stream to the exchange."""
        return self._insist(lambda: self._begin("exchange", self.store).stream, _waiting(self._budget))

    def trouble(self) -> str:
        """Give the end of what shims have left in words."""
        return self._trouble

    def stop_waiting(self) -> None:
        """Wait for nothing any more."""
        self._stopped.set()

    def close(self, *, over: bool = False) -> None:
        """Let go of all that was opened; streams end with the sockets that they are joined to."""
        self._stopped.set()
        if self._first is not None:
            self._first.close()
        if over and self._when_over is not None:
            self._when_over()

    def _link(self) -> socket.socket:
        begun = self._begin("link", self._place)
        stream = begun.stream
        try:
            told = _told(read_line(stream, self._pod, _CONNECT_SECONDS))
            self._trouble = plain_text(str(told.get("trouble", "")))
            if told.get("event") != "linked":
                raise ExecutorError(
                    f"pod {self._pod}: nothing of ours can be started: {plain_text(str(told.get('reason')))}"
                )
            if told["fresh"]:
                self._deaths.note_start()
        except BaseException:
            stream.close()
            raise
        self.fence = int(told["fence"])
        self.python = begun.python
        self._patience.linked(time.monotonic())
        return as_socket(stream, b"", f"longshore-{self._pod}")

    def _begin(self, program: str, place: str) -> Begun:
        return begin(self._namespace, self._pod, program, place, _CONNECT_SECONDS, helped=self._helped)

    def _insist(self, work: Callable[[], _Result], patience: Patience) -> _Result:
        """Do something again until it works, the pod is over, or patience has an end."""
        while True:
            try:
                return work()
            except MachineUnreachable as error:
                if self._stopped.is_set():
                    raise
                self._look(error)
                wait = patience.failed(time.monotonic())
                if wait is None:
                    raise MachineUnreachable(f"no link for {patience.budget:g} s: {error}") from error
                if self._stopped.wait(wait):
                    raise

    def _look(self, cause: Exception) -> None:
        """See whether the pod is there; raises PodGone when it is not, with the cluster's words."""
        try:
            pod = self._namespace.get("pods", self._pod)
        except NotThere:
            raise PodGone(f"pod {self._pod} is gone") from cause
        except MachineUnreachable:
            return  # the cluster itself does not answer: nobody knows
        state = state_of(pod)
        if pod["metadata"]["uid"] != self._uid:
            raise PodGone(f"pod {self._pod} is gone, and another one has its name") from cause
        if state.phase is PodPhase.OVER:
            raise PodGone(f"pod {self._pod}: {state.evidence}") from cause


def session_by(
    machine: str,
    hello: dict[str, Any],
    link: PodLink,
    sink: Sink,
    context: ExecutorContext,
    *,
    shared: SharedStore | None = None,
) -> RemoteSession:
    """Give a session over a link that is open; arguments and errors are those of `RemoteSession`."""
    if link.python:
        return RemoteSession(machine, {**hello, "python": link.python}, link, sink, context, shared=shared)
    return ShimSession(machine, hello, link, sink, context, shared=shared)


def hello(has: Resources, slots: int | None, link: PodLink, fence: int, unattended: timedelta) -> dict[str, Any]:
    """Give the first message to the shim in a pod that has so much."""
    return {
        "op": "hello",
        "version": VERSION,
        "fence": fence,
        "cpus": has.cpus,
        "memory": has.memory_bytes,
        "gpus": [str(index) for index in range(has.gpus)],
        "slots": slots,
        "env": None,
        "project": link.folder,
        "store": link.store,
        "logs": f"{link.folder}/logs",
        "unattended": unattended.total_seconds(),
        "tied": False,
    }


def _waiting(budget: float) -> Patience:
    patience = Patience(budget=budget)
    patience.lost(time.monotonic())
    return patience


def _told(line: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        told = {}
    return told if isinstance(told, dict) else {}
