"""The server's side of a websocket, as exec needs it (RFC 6455)."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading
from collections.abc import Iterator
from typing import BinaryIO

__all__ = ["Socket", "accept_key"]

_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10
_FIN = 0x80


def accept_key(key: str) -> str:
    """Answer the caller's key."""
    return base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()


class Socket:
    """A stream of messages; one thread reads, several write."""

    def __init__(self, reader: BinaryIO, connection: socket.socket) -> None:
        self._reader = reader
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, content: bytes, code: int = _BINARY) -> None:
        """Send one message."""
        size = len(content)
        head = bytes([_FIN | code])
        if size < 126:
            head += bytes([size])
        elif size < 1 << 16:
            head += b"\x7e" + struct.pack(">H", size)
        else:
            head += b"\x7f" + struct.pack(">Q", size)
        with self._lock:
            self._connection.sendall(head + content)

    def close(self) -> None:
        """Say good-bye."""
        self.send(struct.pack(">H", 1000), _CLOSE)

    def messages(self) -> Iterator[bytes]:
        """Give what arrives until the other side has gone."""
        whole = b""
        while True:
            head = self._reader.read(2)
            if len(head) < 2:
                return
            code, size = head[0] & 0x0F, head[1] & 0x7F
            if size == 126:
                [size] = struct.unpack(">H", self._reader.read(2))
            elif size == 127:
                [size] = struct.unpack(">Q", self._reader.read(8))
            mask = self._reader.read(4)
            content = _unmasked(self._reader.read(size), mask)
            if code == _CLOSE:
                return
            if code == _PING:
                self.send(content, _PONG)
            elif code != _PONG:
                whole += content
                if head[0] & _FIN:
                    yield whole
                    whole = b""


def _unmasked(content: bytes, mask: bytes) -> bytes:
    size = len(content)
    pattern = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(content, "big") ^ int.from_bytes(pattern, "big")).to_bytes(size, "big")
