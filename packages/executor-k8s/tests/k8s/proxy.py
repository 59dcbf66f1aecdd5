"""A way to a server that can be broken: all that passes it at once, or the way itself."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["Proxy"]

_PIECE_BYTES = 1 << 16


class Proxy:
    """Passes bytes on, both ways; begin with `serving`."""

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.accepted = 0
        """So many connections have come."""
        self.down = threading.Event()
        """Hang up on whoever comes."""
        self._to = (host, port)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve until the end of the block."""
        with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
            self.port = server.getsockname()[1]
            thread = threading.Thread(target=self._serve, args=(server,), daemon=True)
            thread.start()
            try:
                yield
            finally:
                server.shutdown(socket.SHUT_RDWR)
                thread.join()
                self.cut()

    def cut(self) -> None:
        """Break all connections."""
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def _serve(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                self.accepted += 1
                if self.down.is_set():
                    client.close()
                    continue
                threading.Thread(target=self._join, args=(client,), daemon=True).start()

    def _join(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(self._to) as server:
            ends = {client, server}
            for each in ends:
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= ends
            back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
            back.start()
            _pass_on(client, server)
            back.join()
            with self._lock:
                self._open -= ends


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while content := source.recv(_PIECE_BYTES):
            target.sendall(content)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
