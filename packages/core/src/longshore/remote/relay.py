"""The machine's end of a link: joins its standard input and output to the supervisor's socket.

It starts a supervisor when there is none. Its first line says how it went: ``linked`` with ``fresh``, whether a
supervisor had to be started, and ``fence``, the highest that was ever seen here; or ``unlinked`` with a ``reason``.
Either has ``trouble``: the end of what supervisors have left in words.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os
import select
import socket
import sys

from longshore.remote.links import SOCKET, read_fence
from longshore.remote.protocol import encode

__all__ = ["LOG", "relay"]

LOG = "supervisor.log"
_READ_BYTES = 1 << 16
_LOG_BYTES = 1 << 20


def relay(folder: str, program: str) -> None:
    """Serve one link to the supervisor of a folder until either side ends it.

    Args:
        folder: the supervisor's own; made when it is not there.
        program: the bundle that a supervisor is started from.
    """
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        os.chdir(folder)  # a socket's name is short
        link = _knock()
        fresh = link is None
        if link is None:
            link = _start(program)
    except OSError as error:
        reason = "%s: %s" % (folder, error.strerror or error)
        _write(encode({"event": "unlinked", "reason": reason, "trouble": _trouble()}))
        return
    _write(encode({"event": "linked", "fresh": fresh, "fence": read_fence("."), "trouble": _trouble()}))
    _join(link)


def _knock() -> socket.socket | None:
    link = socket.socket(socket.AF_UNIX)
    try:
        link.connect(SOCKET)
    except (FileNotFoundError, ConnectionRefusedError):
        link.close()
        return None
    return link


def _start(program: str) -> socket.socket:
    ours, theirs = socket.socketpair()
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    if os.fstat(log).st_size > _LOG_BYTES:
        os.ftruncate(log, 0)
    argv = [sys.executable, "-I", "-S", "-X", "utf8", program, "supervise", os.getcwd()]
    actions = [(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0), *((os.POSIX_SPAWN_DUP2, log, number) for number in (1, 2))]
    pid = os.posix_spawn(sys.executable, argv, os.environ, file_actions=actions)
    theirs.close()
    os.close(log)
    os.waitpid(pid, 0)  # it leaves the supervisor to itself and ends at once
    return ours


def _trouble() -> str:
    """Give the end of what supervisors have left in words."""
    try:
        with open(LOG, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 2000))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _join(link: socket.socket) -> None:
    """Carry bytes both ways. Neither side ever makes the other wait for long, so plain writes do."""
    poll = select.poll()
    for handle in (0, link.fileno()):
        poll.register(handle, select.POLLIN)
    try:
        while True:
            for handle, _ in poll.poll():
                content = os.read(handle, _READ_BYTES)
                if not content:
                    return
                if handle:
                    _write(content)
                else:
                    link.sendall(content)
    except OSError:
        return  # one of them is gone; the other is told by our end


def _write(content: bytes) -> None:
    while content:
        content = content[os.write(1, content) :]
