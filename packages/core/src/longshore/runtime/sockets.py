"""Unix sockets: at paths of any length, and only between processes of one user. What differs between systems is in
here.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["bind", "connect", "peer_is_ours"]

_LONGEST = 100
"""Kernels allow 103 (macOS) or 107 (Linux) bytes."""
_LINUX: bool = sys.platform == "linux"
_UCRED = struct.Struct("3i")  # linux/socket.h: pid, uid, gid
_XUCRED = struct.Struct("2I")  # sys/ucred.h of macOS begins with version and uid
_LOCAL_PEERCRED = 1


def bind(server: socket.socket, path: Path) -> None:
    """Bind a socket to a path, in the place of one that a dead process left, for this user alone."""
    path.unlink(missing_ok=True)
    with _short(path) as address:
        server.bind(address)
    path.chmod(0o600)


def connect(client: socket.socket, path: Path) -> None:
    """Connect to the socket at a path.

    Raises:
        OSError: when there is none, or nobody listens.
    """
    with _short(path) as address:
        client.connect(address)


def peer_is_ours(connection: socket.socket) -> bool:
    """Say whether the process at the other end belongs to this user, or to root, who could do everything anyway."""
    if _LINUX:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        user = _UCRED.unpack(credentials)[1]
    else:
        user = _XUCRED.unpack_from(connection.getsockopt(0, _LOCAL_PEERCRED, 128))[1]
    return user in (0, os.geteuid())


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Give a name by which the kernel can be told of a path that is too long for it, for as long as it takes."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = Path(f"/tmp/longshore-{os.urandom(8).hex()}")  # noqa: S108 - made for us alone; TMPDIR may be long
    folder.mkdir(mode=0o700)
    link = folder / "d"
    try:
        link.symlink_to(path.parent.absolute())
        yield str(link / path.name)
    finally:
        with suppress(OSError):
            link.unlink()
            folder.rmdir()
