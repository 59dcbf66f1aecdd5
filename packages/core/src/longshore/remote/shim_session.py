"""Sessions with machines that have no Python: a shim keeps the attempts there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from longshore.model.attempt import split_attempt_id
from longshore.plugin.protocols import ExecutorContext, SessionEvent, Sink
from longshore.remote.remote_session import RemoteLink, RemoteSession
from longshore.remote.sharing import SharedStore
from longshore.remote.shim_transfers import ShimTransfers
from longshore.remote.wire import ended_event
from longshore.remote.words import encode

__all__ = ["ShimSession", "shim_program"]

_PARTS = Path(__file__).with_name("shim")

_TAIL_BYTES = 2048
_TAIL_LINES = 20
_FULL = (b"No space left on device", b"Disk quota exceeded")


def shim_program() -> bytes:
    """Give the shim as one file, to be put on the machine: ``sh FILE link FOLDER`` and ``sh FILE exchange STORE``."""
    return b"\n".join(part.read_bytes() for part in sorted(_PARTS.glob("*.sh")))


class ShimSession(RemoteSession):
    """A `longshore.plugin.protocols.Session` over links to a shim. ``link.connect`` gives a stream to the program
    ``link``, of which the first line (``linked`` or ``unlinked``, as from a relay) was taken, and ``link.open_data``
    one to ``exchange``.
    """

    _encode = staticmethod(encode)

    def __init__(
        self,
        machine: str,
        hello: dict[str, Any],
        link: RemoteLink,
        sink: Sink,
        context: ExecutorContext,
        *,
        shared: SharedStore | None = None,
    ) -> None:
        """Link to a shim; arguments and errors are those of `RemoteSession`."""
        self._logs = context.run_folder / "logs"
        super().__init__(machine, hello, link, sink, context, shared=shared)

    def _kind_of_transfers(self) -> type[ShimTransfers]:
        return ShimTransfers

    def go(self, attempt: str) -> None:
        """Start it, when there is room for it. A Python call is refused by its end: there is nothing to make it."""
        self._check()
        order = self._outstanding.order(attempt)
        if order is None or not order.message.keys() & {"call", "build"}:
            super().go(attempt)
            return
        call, build = order.message.get("call"), order.message.get("build", {})
        what = f"the environment {build.get('name')}" if call is None else f"the call of {call['function']}"
        text = f"{what} needs python3 (3.8 or later) on the machine"
        told = {"event": "ended", "id": attempt, "lost": text, "failure": "environment", "evidence": text}
        self._tell(ended_event(told))

    def _take(self, told: dict[str, Any]) -> SessionEvent | None:
        if told["event"] == "ended" and "failure" in told and "started" in told:
            told.update(self._proof(told))
        return super()._take(told)

    def _proof(self, told: Mapping[str, Any]) -> Mapping[str, str]:
        """Add what the attempt has said last to the evidence: all of it is here when its end is told."""
        tail = self._tail(told["id"])
        if not tail:
            return {}
        failure, evidence = told["failure"], told["evidence"]
        if failure == "user code" and any(words in tail for words in _FULL):
            failure, evidence = "disk full", f"{evidence}; its stderr says that the disk is full"
        lines = tail.decode("utf-8", "replace").splitlines()
        return {"failure": failure, "evidence": "\n".join([evidence, *lines[-_TAIL_LINES:]])}

    def _tail(self, identity: str) -> bytes:
        _, task, number = split_attempt_id(identity)
        try:
            with open(self._logs / f"{task}.{number}.err", "rb") as file:
                start = max(0, file.seek(0, 2) - _TAIL_BYTES)
                file.seek(start)
                tail = file.read()
        except FileNotFoundError:
            return b""
        # The first line may be cut somewhere in the middle.
        return tail.partition(b"\n")[2] or tail if start else tail
