"""The control socket of a run: other processes of the user ask its controller, and tell it what to do.

One request and one answer a line, each a JSON object, at ``<run folder>/control``. A request has ``version`` and
``op``, and what the op needs; an answer has ``ok``, and ``error`` in words when that is false. This much is the same in
every version, so that each can tell the other in words when they do not understand each other.
"""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, Full, Queue
from types import TracebackType
from typing import Self

from longshore.errors import LongshoreError, RunError, UsageError
from longshore.runtime.asking import CONTROL_FILE, CONTROL_VERSION, Body, line_of
from longshore.runtime.sockets import bind, peer_is_ours

__all__ = ["ControlServer", "Handler"]

_log = logging.getLogger(__name__)

_OPS = ("add", "cancel", "fetch", "retry", "status", "stop", "subscribe", "watch")
_STREAMS = ("subscribe", "watch")
"""Those after which the connection is for the answers alone: what happens, and what machines use."""

_MOST_BYTES = 16 << 20
"""Of one request; a workflow that is added may have many tasks."""
_MOST_CONNECTIONS = 64
_MOST_BEHIND = 10_000
"""A subscriber that is so many events behind is let go; the journal has them all."""
_IDLE_SECONDS = 30.0
_GOODBYE_SECONDS = 0.5

Handler = Callable[[str, Body], Body]
"""Given an op and the whole request it gives the answer, or raises a `LongshoreError` whose text is the answer. Called
from several threads at once."""


class ControlServer:
    """Listens for requests in threads of its own, from ``with`` to its end."""

    def __init__(self, run_folder: Path, handler: Handler, watched: Callable[[bool], None] = lambda _: None) -> None:
        """Prepare; ``watched`` is told when the first comes who watches what machines use, and when the last goes."""
        self._path = run_folder / CONTROL_FILE
        self._handler = handler
        self._socket: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self._watched = watched
        self._streams: dict[str, dict[socket.socket, Queue[bytes | None]]] = {op: {} for op in _STREAMS}
        self._lock = threading.Condition()

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            RunError: when the socket cannot be made.
        """
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            bind(server, self._path)
            server.listen()
        except OSError as error:
            server.close()
            raise RunError(f"the control socket {self._path} cannot be made: {error}") from error
        self._socket = server
        threading.Thread(target=self._serve, args=(server,), name="longshore-control", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening. Subscribers are sent what was published before they are let go."""
        self._path.unlink(missing_ok=True)
        server, self._socket = self._socket, None
        if server is not None:
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts; closing alone does not
            server.close()
        with self._lock:
            for op in _STREAMS:
                self._send(op, None)
            self._lock.wait_for(lambda: not any(self._streams.values()), _GOODBYE_SECONDS)

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody would hear of what is published."""
        return bool(self._streams["subscribe"])

    def publish(self, happened: Sequence[Body]) -> None:
        """Send events to all subscribers; never blocks."""
        self._publish("subscribe", happened)

    def show(self, used: Sequence[Body]) -> None:
        """Send what machines use to all who watch; never blocks."""
        self._publish("watch", used)

    def _publish(self, op: str, told: Sequence[Body]) -> None:
        if not self._streams[op]:
            return
        lines = b"".join(map(line_of, told))
        with self._lock:
            self._send(op, lines)

    def _send(self, op: str, lines: bytes | None) -> None:
        for connection, queue in self._streams[op].items():
            try:
                queue.put_nowait(lines)
            except Full:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)  # its own thread, which waits for it, then lets it go

    def _serve(self, server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with self._lock:
                room = len(self._connections) < _MOST_CONNECTIONS
                if room:
                    self._connections.add(connection)
            if room and peer_is_ours(connection):
                name = "longshore-control-client"
                threading.Thread(target=self._attend, args=(connection,), name=name, daemon=True).start()
            else:
                self._refuse(connection, "it has too many connections already" if not room else "it is another user's")

    def _refuse(self, connection: socket.socket, reason: str) -> None:
        connection.settimeout(1.0)
        with suppress(OSError):
            connection.sendall(line_of({"ok": False, "error": f"this run cannot be asked: {reason}"}))
        self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.discard(connection)
        connection.close()

    def _attend(self, connection: socket.socket) -> None:
        """Answer the requests of one connection until it ends."""
        try:
            connection.settimeout(_IDLE_SECONDS)
            with connection.makefile("rb") as lines:
                while line := lines.readline(_MOST_BYTES + 1):
                    if not line.endswith(b"\n"):
                        answer: Body = {"ok": False, "error": f"a request may have {_MOST_BYTES} bytes at the most"}
                        connection.sendall(line_of(answer))
                        return
                    op, answer = self._answer(line)
                    if op in _STREAMS and answer["ok"]:
                        self._stream(connection, op, answer)
                        return
                    connection.sendall(line_of(answer))
        except OSError:
            return  # the client is gone, or says nothing
        finally:
            self._drop(connection)

    def _answer(self, line: bytes) -> tuple[str, Body]:
        try:
            op, request = _understood(line)
            answer = {} if op == "subscribe" else self._handler(op, request)
        except LongshoreError as error:
            return "", {"ok": False, "error": str(error), "kind": type(error).__name__}
        except Exception as error:  # noqa: BLE001 - the client must not wait for an answer that never comes
            _log.exception("the controller could not answer a request")
            return "", {"ok": False, "error": f"the controller could not answer: {type(error).__name__}: {error}"}
        return op, {"ok": True, **answer}

    def _stream(self, connection: socket.socket, op: str, answer: Body) -> None:
        queue: Queue[bytes | None] = Queue(_MOST_BEHIND)
        with self._lock:
            if self._socket is None:
                return
            self._streams[op][connection] = queue
            if op == "watch" and len(self._streams[op]) == 1:
                self._watched(True)
        try:
            connection.sendall(line_of(answer))
            more = True
            while more:
                lines, more = _next(queue, connection)
                connection.sendall(lines)
        finally:
            with self._lock:
                del self._streams[op][connection]
                if op == "watch" and not self._streams[op]:
                    self._watched(False)
                self._lock.notify_all()


def _understood(line: bytes) -> tuple[str, Body]:
    try:
        request = json.loads(line)
    except ValueError as error:
        raise UsageError(f"a request is one line of JSON: {error}") from error
    if not isinstance(request, dict):
        raise UsageError("a request is a JSON object")
    version, op = request.get("version"), request.get("op")
    if version != CONTROL_VERSION:
        raise UsageError(
            f"this controller speaks version {CONTROL_VERSION} of the control protocol and was asked in version "
            f"{version}; use the Longshore that the run was started with, or stop the run and resume it with yours"
        )
    if op not in _OPS:
        raise UsageError(f"a controller cannot do {op!r}; it can: {', '.join(_OPS)}")
    return op, request


def _next(queue: Queue[bytes | None], connection: socket.socket) -> tuple[bytes, bool]:
    """Wait for lines, take all that there are, and say whether more may come: not when the client has gone
    meanwhile.
    """
    found: list[bytes] = []
    while True:
        try:
            lines = queue.get_nowait() if found else queue.get(timeout=_IDLE_SECONDS)
        except Empty:
            if found:
                return b"".join(found), True
            with suppress(BlockingIOError):
                if not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                    return b"", False
        else:
            if lines is None:
                return b"".join(found), False
            found.append(lines)
