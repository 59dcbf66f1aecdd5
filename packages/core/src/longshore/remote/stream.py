"""A connected socket that carries lines, never blocks, and tells when it ends.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

from longshore.remote.protocol import Lines, LineTooLong, decode_lines
from longshore.remote.watch import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any

    from longshore.remote.watch import Watch

__all__ = ["Stream"]

_READ_BYTES = 1 << 16
_MOST_UNREAD = 256 << 20


class Stream:
    """One side of a link. What it hears goes to ``heard``; when the other side is gone, or sends nonsense, ``lost`` is
    called once with why. When all that had to wait is sent, ``drained`` is called.
    """

    __slots__ = ("_drained", "_heard", "_lines", "_lost", "_out", "_socket", "_watch", "closed")

    def __init__(
        self,
        connection: socket.socket,
        watch: Watch,
        heard: Callable[[list[dict[str, Any]]], None],
        lost: Callable[[str], None],
        drained: Callable[[], None],
    ) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._watch = watch
        self._heard = heard
        self._lost = lost
        self._drained = drained
        self._lines = Lines()
        self._out = b""
        self.closed = False
        watch.add(connection.fileno(), self._ready)

    def write(self, content: bytes) -> None:
        """Send whole lines; what does not go at once goes as soon as it can."""
        if self.closed:
            return
        if self._out:
            self._out += content
            if len(self._out) > _MOST_UNREAD:
                self._end("the other side does not read")
            return
        try:
            sent = self._socket.send(content)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._end(str(error))
            return
        if sent < len(content):
            self._out = content[sent:]
            self._watch.change(self._socket.fileno(), READ | WRITE)

    @property
    def free(self) -> bool:
        """Whether nothing waits to be sent."""
        return not (self._out or self.closed)

    def _ready(self, events: int) -> None:
        if events & WRITE and self._out:
            content, self._out = self._out, b""
            self.write(content)
            if not self.closed and not self._out:
                self._watch.change(self._socket.fileno(), READ)
                self._drained()
        if events & ~WRITE and not self.closed:
            self._read()

    def _read(self) -> None:
        try:
            content = self._socket.recv(_READ_BYTES)
            lines = self._lines.take(content)
            messages = decode_lines(lines) if lines else []
        except BlockingIOError:
            return
        except (OSError, LineTooLong, ValueError) as error:
            self._end(str(error))
            return
        if messages:
            self._heard(messages)
        if not content:
            self._end("hung up")

    def _end(self, reason: str) -> None:
        if not self.closed:
            self.close()
            self._lost(reason)

    def close(self) -> None:
        """Hang up; ``lost`` is not called."""
        if not self.closed:
            self.closed = True
            self._watch.remove(self._socket.fileno())
            self._socket.close()
