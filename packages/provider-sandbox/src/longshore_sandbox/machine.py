"""One machine of the sandbox, from power on to power off: ``python -I -S machine.py FOLDER``.

It is to its folder what init, a boot unit and sshd are to a real machine. All that runs on it descends from it, and
ends when it does. It knows when it must end, by itself: at its hard end, so long after the last beat, and when its
folder is no more. On ``FOLDER/link`` it hears one line a connection, and answers with one:

* ``start RUN``, with a socket: start the supervisor of a run, whose first link that socket is;
* ``beat``: a controller attends;
* ``look``: it answers ``on``, if it still is;
* ``off``: lose power; the connection ends when nothing runs any more.

Standard library only: it starts in a few milliseconds, and needs nothing of who started it.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["BOOT", "LINK", "OFF", "ON", "POWER", "main"]

BOOT = "boot.json"
"""What it is told at its birth: ``ends_at``, ``unattended`` (seconds), ``clock``, ``listener``, ``supervisor``."""
LINK = "link"
OFF = "off"
"""Says since when it is off, when it has powered itself off."""
POWER = "power"
"""Locked as long as the machine is on; holds the id of its process."""
ON = b"on\n"

_PR_SET_CHILD_SUBREAPER = 36
_LINE_BYTES = 4096
_PATIENCE_SECONDS = 5.0
_LONGEST_SLEEP_SECONDS = 10.0
"""So often it looks whether its folder is still there: nobody tells a machine that its disk was thrown away."""


class Machine:
    """A machine that is on."""

    def __init__(self, boot: dict[str, Any]) -> None:
        self._boot = boot
        self._clock: str | None = boot["clock"]
        ends_at = boot["ends_at"]
        self._ends_at = datetime.fromisoformat(ends_at) if ends_at else None
        self._unattended = None if boot["unattended"] is None else timedelta(seconds=boot["unattended"])
        self._beaten = self._tick()
        self._moved = -1
        if self._clock is not None:
            self._moved = os.open(boot["listener"], os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        with suppress(FileNotFoundError):
            os.unlink(LINK)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(LINK)
        os.chmod(LINK, 0o600)
        self._listener.listen(64)

    def serve(self) -> None:
        """Be on, until it is time to end or the power goes."""
        while True:
            try:
                self._turn()
            except FileNotFoundError:
                self._power_off()  # our folder, or the cloud's clock, is no more

    def _turn(self) -> None:
        os.stat(BOOT)
        self._end_if_due()
        handles = [self._listener.fileno()] + ([self._moved] if self._moved >= 0 else [])
        ready, _, _ = select.select(handles, [], [], self._pause())
        while _reap(os.WNOHANG):
            pass
        if self._moved in ready:
            os.read(self._moved, _LINE_BYTES)
        if self._listener.fileno() in ready:
            self._end_if_due()
            with suppress(OSError, ValueError):
                self._answer()

    def _answer(self) -> None:
        connection, _ = self._listener.accept()
        connection.settimeout(_PATIENCE_SECONDS)
        handles: list[int] = []
        try:
            content, handles, _, _ = socket.recv_fds(connection, _LINE_BYTES, 1)
            word, _, rest = content.decode().strip().partition(" ")
            if word == "off":
                self._power_off()  # and the connection ends with us
            if word == "beat":
                self._beaten = self._tick()
            if word == "start":
                self._start(rest, handles[0])
            connection.sendall(ON)
        finally:
            connection.close()
            for handle in handles:
                os.close(handle)

    def _start(self, run: str, link: int) -> None:
        """Start the supervisor of a run. It leaves the process that is started here to itself, which ends at once."""
        folder = os.path.join(os.getcwd(), "runs", os.path.basename(run))
        os.makedirs(folder, mode=0o700, exist_ok=True)
        log = os.open(os.path.join(folder, "supervisor.log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC)
        streams = [(os.POSIX_SPAWN_DUP2, handle, number) for number, handle in enumerate((link, log, log))]
        argv = [sys.executable, "-I", "-S", "-X", "utf8", self._boot["supervisor"], folder]
        pid = os.posix_spawn(sys.executable, argv, os.environ, file_actions=streams)
        os.close(log)
        os.waitpid(pid, 0)

    def _now(self) -> datetime:
        if self._clock is None:
            return datetime.now(UTC)
        with open(self._clock, encoding="utf-8") as file:
            return datetime.fromisoformat(file.read())

    def _tick(self) -> float:
        """Give seconds of a clock that nobody sets; that of a hand-moved cloud is moved by nobody else."""
        return time.monotonic() if self._clock is None else self._now().timestamp()

    def _left(self) -> timedelta | None:
        """Say how long this machine may live on; None for as long as it likes."""
        left: list[timedelta] = []
        if self._ends_at is not None:
            left.append(self._ends_at - self._now())
        if self._unattended is not None:
            left.append(self._unattended - timedelta(seconds=self._tick() - self._beaten))
        return min(left, default=None)

    def _end_if_due(self) -> None:
        left = self._left()
        if left is not None and left <= timedelta(0):
            self._power_off(self._now() + left)

    def _pause(self) -> float:
        """Say how long nothing can happen unless somebody tells; a clock that is moved by hand tells."""
        left = self._left()
        if left is None or self._clock is not None:
            return _LONGEST_SLEEP_SECONDS
        return min(_LONGEST_SLEEP_SECONDS, max(0.0, left.total_seconds()))

    def _power_off(self, since: datetime | None = None) -> None:
        """End all that runs, then ourselves; ``since`` is written down when it was our own doing."""
        with suppress(FileNotFoundError):
            os.unlink(LINK)
        while members := list(_descendants()):
            for pid in members:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            _reap(0)
        while _reap(0):
            pass
        if since is not None:
            with suppress(FileNotFoundError):
                partial = OFF + ".new"
                with open(partial, "w", encoding="utf-8") as file:
                    file.write(since.isoformat())
                os.rename(partial, OFF)
        os._exit(0)


def _reap(options: int) -> bool:
    """Bury one child, whoever started it; say whether there was one."""
    try:
        return os.waitpid(-1, options)[0] != 0
    except ChildProcessError:
        return False


def _descendants() -> Iterator[int]:
    """Give all living processes that descend from this one. What loses its parent becomes our own child (Linux)."""
    parents = dict(_processes())
    for pid in parents:
        above = pid
        for _ in range(len(parents)):
            above = parents.get(above, 0)
            if above in {0, os.getpid()}:
                break
        if above == os.getpid():
            yield pid


def _processes() -> Iterator[tuple[int, int]]:
    """List ids and parents of the processes that are not over."""
    if not os.path.exists("/proc/self/stat"):
        # `ps` descends from us too, and is over when its answer is read.
        with subprocess.Popen(["/bin/ps", "-A", "-o", "pid=,ppid=,state="], stdout=subprocess.PIPE, text=True) as ps:
            answer = ps.communicate()[0]
        rows = [line.split() for line in answer.splitlines()]
        yield from ((int(pid), int(parent)) for pid, parent, state in rows if state[0] != "Z" and int(pid) != ps.pid)
        return
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError), open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
                if fields[0] not in {"Z", "X"}:
                    yield int(name), int(fields[1])


def main(folder: str) -> None:
    """Switch the machine of a folder on; say so on standard output, and leave it to itself. Nothing when it is on."""
    os.chdir(folder)
    power = os.open(POWER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(power, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.write(1, ON)
        return
    if os.fork():
        os._exit(0)
    os.setsid()
    os.truncate(power, 0)
    os.pwrite(power, str(os.getpid()).encode(), 0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with open(BOOT, encoding="utf-8") as file:
        machine = Machine(json.load(file))
    os.write(1, ON)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(null, stream)
    machine.serve()


if __name__ == "__main__":
    main(sys.argv[1])
