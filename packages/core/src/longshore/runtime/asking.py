"""Asking the controller of a run, from any process of the same user: the other end of `longshore.runtime.control`."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from longshore.errors import RunError, UsageError
from longshore.runtime.sockets import connect

__all__ = ["CONTROL_FILE", "CONTROL_VERSION", "Body", "Events", "ask", "line_of"]

CONTROL_VERSION = 1
CONTROL_FILE = "control"

Body = Mapping[str, Any]


def ask(run_folder: Path, op: str, request: Body | None = None, *, timeout: float = 10.0) -> Body:
    """Ask the controller of a run, and give back its answer.

    Raises:
        UsageError: when it refuses what was asked for.
        RunError: when the run has no controller now, or it does not answer within ``timeout`` seconds.
    """
    with _connected(run_folder, timeout) as connection, connection.makefile("rb") as lines:
        return _asked(connection, lines, run_folder, {**(request or {}), "op": op})


class Events:
    """What happens in a run from the moment when this is made, until its controller ends. To be used with ``with``."""

    def __init__(
        self, run_folder: Path, *, op: str = "subscribe", silence: float | None = None, timeout: float = 10.0
    ) -> None:
        """Subscribe to what happens; with ``watch`` for ``op`` to what machines use. After so many seconds of
        ``silence`` there is no more.

        Raises:
            RunError: as `ask` does.
        """
        self._connection = _connected(run_folder, timeout)
        self._lines = self._connection.makefile("rb")
        try:
            self.answer = _asked(self._connection, self._lines, run_folder, {"op": op})
            """What was said first."""
        except BaseException:
            self.close()
            raise
        self._connection.settimeout(silence)

    def __iter__(self) -> Iterator[Body]:
        """Wait for events; after the last one the controller has ended, or this subscriber was too slow for it."""
        with suppress(TimeoutError):
            for line in self._lines:
                if line.endswith(b"\n"):
                    yield json.loads(line)

    def close(self) -> None:
        """Hear no more; also when another thread is waiting for an event."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._lines.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _connected(run_folder: Path, timeout: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connect(connection, run_folder / CONTROL_FILE)
    except OSError as error:
        connection.close()
        raise RunError(
            f"run {run_folder.name} has no controller that could be asked; "
            f"`longshore resume {run_folder.name}` continues it"
        ) from error
    return connection


def _asked(connection: socket.socket, lines: Any, run_folder: Path, request: Body) -> Body:
    try:
        with suppress(BrokenPipeError, ConnectionResetError):  # who hangs up at once may have said why
            connection.sendall(line_of({"version": CONTROL_VERSION, **request}))
        line = lines.readline()
    except TimeoutError as error:
        raise RunError(f"the controller of run {run_folder.name} does not answer") from error
    except OSError as error:
        raise RunError(f"the controller of run {run_folder.name} has hung up: {error}") from error
    try:
        answer: Body = json.loads(line)
    except ValueError as error:
        raise RunError(f"the controller of run {run_folder.name} has ended without an answer") from error
    if not answer.get("ok"):
        wrong = answer.get("kind") in {"ConfigError", "UsageError"}
        raise (UsageError if wrong else RunError)(str(answer.get("error")))
    return answer


def line_of(body: Body) -> bytes:
    """Write a request or an answer."""
    return json.dumps(body, separators=(",", ":")).encode("ascii") + b"\n"
