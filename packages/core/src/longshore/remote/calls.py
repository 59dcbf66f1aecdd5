"""One worker as the supervisor sees it: a process that makes Python calls, one at a time.

To wake one process after the other for each call takes longer than a short call itself. So a worker is handed several
short calls at once, a *batch*, in one message. It answers each one, and rings when it is done with them, or every two
milliseconds. Only the first call of a batch is sure to be made. For each other one a byte is put into a pipe, which
the worker takes before it begins: whoever takes it, worker or supervisor, has the call. So what waits behind a call
that takes long after all is taken back, and no call is ever made twice.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os
import socket
import sys

from longshore.remote.protocol import Lines, decode_lines, encode
from longshore.remote.watch import WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from longshore.remote.attempt import Attempt
    from longshore.remote.limits import MemoryLimit
    from longshore.remote.logs import Left, Log
    from longshore.remote.watch import Watch

__all__ = ["Worker"]

_READ_BYTES = 1 << 16
_INT_BYTES = 4


class Worker:
    """One process that makes calls."""

    __slots__ = (
        "_connection",
        "_files",
        "_lines",
        "_out",
        "_tokens",
        "_watch",
        "batch",
        "closed",
        "key",
        "left",
        "limit",
        "pid",
    )

    def __init__(self, pid: int, connection: socket.socket, tokens: tuple[int, int], watch: Watch) -> None:
        """Take over a process that was just started.

        Args:
            pid: the process.
            connection: our end of what it reads orders from and answers to.
            tokens: both ends of the pipe that it takes its tokens from; they do not block.
            watch: the loop.
        """
        connection.setblocking(False)
        self._connection = connection
        self._tokens = tokens
        self._watch = watch
        self._lines = Lines()
        self._out = b""
        self._files: list[int] = []
        self.closed = False
        self.pid = pid
        self.key: tuple[Any, ...] = ()
        """What calls must have in common that it may make."""
        self.limit: MemoryLimit | None = None
        self.left: Left = (None, None)
        """The files that it prints into; None for one that belongs to an earlier call and must be replaced."""
        self.batch: list[Attempt] = []
        """What it has not yet answered, the first of which it is making, or about to make."""

    def order(self, message: dict[str, Any], batch: list[Attempt], streams: Mapping[int, Log]) -> None:
        """Hand it a batch, when it has none.

        Args:
            message: the orders.
            batch: their attempts.
            streams: the files that it must print into from now on, by descriptor: 1, 2.
        """
        self.batch = batch
        self._files = [log.handle for log in streams.values()]
        if streams:
            message["streams"] = list(streams)
        if len(batch) > 1:
            os.write(self._tokens[1], b"." * (len(batch) - 1))
        self._send(encode(message))

    def _send(self, content: bytes) -> None:
        try:
            sent = self._connection.sendmsg([content], self._control())
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # it has just died, which is told like any other end
        if sent:
            self._files = []
        if sent < len(content):
            self._out = content[sent:]
            self._watch.add(self._connection.fileno(), self._send_rest, WRITE)

    def _control(self) -> list[tuple[int, int, bytes]]:
        files = b"".join(handle.to_bytes(_INT_BYTES, sys.byteorder) for handle in self._files)
        return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)] if files else []

    def _send_rest(self, _events: int) -> None:
        self._watch.remove(self._connection.fileno())
        rest, self._out = self._out, b""
        self._send(rest)

    def answers(self) -> list[dict[str, Any]]:
        """Give what it has answered since the last look."""
        content = b""
        while not self.closed:
            try:
                piece = self._connection.recv(_READ_BYTES)
            except OSError:
                break
            content += piece
            if len(piece) < _READ_BYTES:
                break
        lines = self._lines.take(content) if content else b""
        return decode_lines(lines) if lines else []

    def take_back(self) -> list[Attempt]:
        """Take back those of its batch that it has not begun, and will not begin now."""
        if len(self.batch) < 2 or self.closed:
            return []
        try:
            kept = len(self.batch) - len(os.read(self._tokens[0], _READ_BYTES))
        except BlockingIOError:
            return []
        back = self.batch[kept:]
        del self.batch[kept:]
        return back

    def close(self) -> None:
        """Hang up."""
        if self.closed:
            return
        if self._out:
            self._watch.remove(self._connection.fileno())
        self.closed = True
        self._connection.close()
        for handle in self._tokens:
            os.close(handle)
