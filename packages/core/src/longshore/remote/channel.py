"""The controller's end of a link: bytes go out without waiting, and come in to whoever waits for them."""

from __future__ import annotations

import math
import os
import select
import socket
import threading
from collections.abc import Callable

__all__ = ["Channel"]

_READ_BYTES = 1 << 16


class Channel:
    """A socket that can be replaced. One thread receives; whoever says something holds the lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._outgoing = b""
        self._wake_read, self._wake_write = os.pipe()

    def use(self, link: socket.socket, first: bytes) -> None:
        """Use another socket from now on; what the old one has not sent is lost. ``first`` is sent before all else."""
        if self._socket is not None:
            self._socket.close()
        link.setblocking(False)
        self._socket = link
        self._outgoing = first

    def send(self, content: bytes) -> None:
        """Send without waiting. What does not fit into the socket is sent by the thread that receives.

        A link that is gone is no error: whoever receives is told, and knows what to say again to its successor.
        """
        if self._outgoing or self._socket is None:
            self._outgoing += content
            return
        try:
            sent = self._socket.send(content)
        except BlockingIOError:
            sent = 0
        except OSError:
            return
        if sent < len(content):
            self._outgoing = content[sent:]
            os.write(self._wake_write, b".")

    def receive(self, patience: float = math.inf, quiet: Callable[[], bool] = bool) -> bytes:
        """Wait for what the other side says, and send meanwhile what could not be sent at once; nothing at the end.

        Args:
            patience: seconds without a word after which ``quiet`` is called, again and again.
            quiet: says whether there is any use in waiting on; if not, this is the end.
        """
        assert self._socket is not None
        link = self._socket
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        try:
            while True:
                poll.register(link, select.POLLIN | (select.POLLOUT if self._outgoing else 0))
                ready = dict(poll.poll(None if patience == math.inf else patience * 1000))
                if not ready and not quiet():
                    return b""
                if self._wake_read in ready:
                    os.read(self._wake_read, _READ_BYTES)
                events = ready.get(link.fileno(), 0)
                if events & ~select.POLLOUT:
                    return link.recv(_READ_BYTES)
                if events:
                    with self.lock:
                        rest, self._outgoing = self._outgoing, b""
                        self.send(rest)
        except OSError:
            return b""

    def send_last(self, content: bytes, seconds: float) -> None:
        """Send everything, waiting for at most so long; silent when that fails."""
        if self._socket is None:
            return
        rest, self._outgoing = self._outgoing + content, b""
        try:
            self._socket.settimeout(seconds)
            self._socket.sendall(rest)
        except OSError:
            return

    def close(self) -> None:
        """Close it; nobody receives any more."""
        if self._socket is not None:
            self._socket.close()
        os.close(self._wake_read)
        os.close(self._wake_write)
