"""Bytes over an exec stream: to and from the exchange of a pod, and as a socket for a session.

One thread at a time reads and writes a stream: the client takes no lock, and TLS would need one.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
from typing import Any

from kubernetes.stream.ws_client import ERROR_CHANNEL, STDERR_CHANNEL, STDIN_CHANNEL, STDOUT_CHANNEL, WSClient
from websocket import ABNF, WebSocketException, WebSocketTimeoutException

from longshore.remote.packing import Broken
from longshore_k8s.errors import plain_text

__all__ = ["ExecStream", "as_socket"]

_PIECE_BYTES = 1 << 16
_SAID_BYTES = 2000
_IDLE_SECONDS, _EVERY_SECONDS, _TIMES = 15, 5, 3
_NOTHING = -1
_BROKEN = (OSError, WebSocketException, ValueError)


class ExecStream:
    """A `longshore.remote.asking.DataStream`."""

    def __init__(self, client: WSClient) -> None:
        self._client = client
        self._busy = threading.Lock()
        self._rest = b""
        self._said = b""
        self._status = b""
        self._over = False
        raw = client.sock.sock
        with contextlib.suppress(OSError):  # it has broken already, which whoever reads it sees
            # A node that is gone says nothing: keepalive ends the stream after half a minute.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for name, value in (("IDLE", _IDLE_SECONDS), ("INTVL", _EVERY_SECONDS), ("CNT", _TIMES)):
                if hasattr(socket, f"TCP_KEEP{name}"):
                    raw.setsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_KEEP{name}"), value)

    def fileno(self) -> int:
        """Give what can be polled for reading."""
        return int(self._client.sock.sock.fileno())

    @property
    def pending(self) -> bool:
        """Whether something has been decrypted that no poll shows."""
        raw = self._client.sock.sock
        return bool(raw.pending()) if hasattr(raw, "pending") else False

    def send(self, content: bytes | memoryview) -> None:
        """Send all of it."""
        view = memoryview(content)
        try:
            with self._busy:
                for start in range(0, len(view), _PIECE_BYTES):
                    self._client.write_channel(STDIN_CHANNEL, bytes(view[start : start + _PIECE_BYTES]))
        except _BROKEN as error:
            raise Broken(str(error) or "the stream has ended") from error

    def receive(self, size: int, seconds: float | None = None) -> bytes:
        """Wait for at most so many bytes; nothing at the end. Raises TimeoutError after ``seconds``, if given."""
        while not self._rest and not self.over:
            # Not by a poll: what makes TLS readable need not be a message.
            self._client.sock.settimeout(seconds)
            try:
                self._rest = self.arrived()
            finally:
                self._client.sock.settimeout(None)
        content, self._rest = self._rest[:size], self._rest[size:]
        return content

    def arrived(self) -> bytes:
        """Wait for one message, and give what the program has printed in it; nothing when it has another meaning."""
        channel, content = self.message()
        if channel == STDERR_CHANNEL:
            self._said = (self._said + content)[-_SAID_BYTES:]
        return content if channel == STDOUT_CHANNEL else b""

    def message(self) -> tuple[int, bytes]:
        """Wait for one message, and give its channel and content.

        One at a time: the client's own `update` gives nothing back as long as more arrives, and copies all for each.
        """
        try:
            with self._busy:
                code, frame = self._client.sock.recv_data_frame(control_frame=True)
        except WebSocketTimeoutException as error:
            raise TimeoutError from error
        except _BROKEN as error:
            if self._status:  # all was said, but for good-bye
                self._over = True
                return _NOTHING, b""
            raise Broken(str(error) or "the stream has ended") from error
        if code == ABNF.OPCODE_CLOSE:
            self._over = True
        if code not in {ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT} or not frame.data:
            return _NOTHING, b""
        channel, content = frame.data[0], bytes(frame.data[1:])
        if channel == ERROR_CHANNEL:
            self._status += content
        return channel, content

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return self._over

    def complaint(self) -> str:
        """Say why the program has ended: what it has said, or the cluster says of it."""
        said, status = self._said.decode("utf-8", "replace"), self._told()
        return plain_text(f"{said} {status.get('message', '')}" if status.get("status") != "Success" else said)

    @property
    def exit_code(self) -> int | None:
        """With what the program has ended; None when the cluster does not say."""
        status = self._told()
        if status.get("status") == "Success":
            return 0
        causes = (status.get("details") or {}).get("causes") or []
        codes = [each.get("message", "") for each in causes if each.get("reason") == "ExitCode"]
        return int(codes[0]) if codes and codes[0].isdigit() else None

    def _told(self) -> dict[str, Any]:
        try:
            status = json.loads(self._status or b"{}")
        except ValueError:
            status = {}
        return status if isinstance(status, dict) else {}

    def close(self) -> None:
        """End it, from any thread."""
        raw = self._client.sock.sock
        with contextlib.suppress(*_BROKEN, AttributeError):
            raw.shutdown(socket.SHUT_RDWR)  # whoever waits for it goes on
        with self._busy, contextlib.suppress(*_BROKEN):
            self._client.sock.shutdown()


def as_socket(stream: ExecStream, rest: bytes, name: str) -> socket.socket:
    """Give a socket that is joined to a stream, by a thread that ends with either."""
    ours, theirs = socket.socketpair()
    threading.Thread(target=_join, args=(stream, ours, rest), name=name, daemon=True).start()
    return theirs


def _join(stream: ExecStream, link: socket.socket, rest: bytes) -> None:
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    poll.register(link, select.POLLIN)
    with contextlib.suppress(*_BROKEN, Broken):
        link.sendall(rest)
        while not stream.over:
            ready = {handle for handle, _ in poll.poll(0 if stream.pending else None)}
            if link.fileno() in ready:
                content = link.recv(_PIECE_BYTES)
                if not content:
                    break
                stream.send(content)
            if stream.pending or ready - {link.fileno()}:
                link.sendall(stream.arrived())
    stream.close()
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)
    link.close()
