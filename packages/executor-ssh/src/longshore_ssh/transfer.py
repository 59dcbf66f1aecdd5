"""Bytes over SSH channels: to and from the exchange of a host, and as a socket for a session."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

import paramiko

from longshore.remote.packing import Broken

__all__ = ["ChannelStream", "as_socket"]

_READ_BYTES = 1 << 16
_PIECE_BYTES = (1 << 15) - 64
"""What fits into one packet."""


class ChannelStream:
    """A `longshore.remote.asking.DataStream`."""

    def __init__(self, channel: paramiko.Channel, rest: bytes, closed: Callable[[], None] | None = None) -> None:
        """Speak over a channel.

        Args:
            channel: to the program.
            rest: what was read of it already.
            closed: is called when the stream is closed.
        """
        self._channel = channel
        self._rest = rest
        self._closed = closed

    def send(self, content: bytes | memoryview) -> None:
        """Send all of it."""
        view = memoryview(content)
        try:
            while view:
                view = view[self._channel.send(bytes(view[:_PIECE_BYTES])) :]
        except (OSError, paramiko.SSHException, EOFError) as error:
            raise Broken(str(error) or "the connection has ended") from error

    def receive(self, size: int) -> bytes:
        """Wait for at most so many bytes; nothing at the end."""
        if self._rest:
            content, self._rest = self._rest[:size], self._rest[size:]
            return content
        try:
            return bytes(self._channel.recv(size))
        except (OSError, paramiko.SSHException, EOFError) as error:
            raise Broken(str(error) or "the connection has ended") from error

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError, paramiko.SSHException, EOFError):
            self._channel.close()
        if self._closed is not None:
            self._closed()


def as_socket(channel: paramiko.Channel, rest: bytes, name: str) -> socket.socket:
    """Give a socket that is joined to a channel, by two threads that end with either."""
    ours, theirs = socket.socketpair()
    threading.Thread(target=_up, args=(ours, channel), name=f"{name}-up", daemon=True).start()
    threading.Thread(target=_down, args=(channel, ours, rest), name=f"{name}-down", daemon=True).start()
    return theirs


def _up(link: socket.socket, channel: paramiko.Channel) -> None:
    with contextlib.suppress(OSError, paramiko.SSHException, EOFError):
        while content := link.recv(_READ_BYTES):
            channel.sendall(content)
    with contextlib.suppress(OSError, paramiko.SSHException, EOFError):
        # Both directions: to end one alone can end the whole connection (a race between its end and the host's).
        channel.close()


def _down(channel: paramiko.Channel, link: socket.socket, rest: bytes) -> None:
    with contextlib.suppress(OSError, paramiko.SSHException, EOFError):
        link.sendall(rest)
        while content := channel.recv(_READ_BYTES):
            link.sendall(content)
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()
