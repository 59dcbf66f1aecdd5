"""The cloud's process: ``python -m longshore_sandbox.server FOLDER``.

It answers one JSON line on each connection to ``FOLDER/door``. What it knows is in ``FOLDER/cloud.db`` before anything
is done to a machine and before anybody is answered, so it may be killed at any moment. It lives without its clients,
and ends itself when nothing is rented and nobody has asked for a minute, or when its folder is no more.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from longshore.errors import LongshoreError
from longshore.runtime.sockets import bind, peer_is_ours
from longshore.testing import FakeCloud, ManualClock
from longshore.testing.fake_cloud_parts import CloudFault, CloudState, CloudTimeout
from longshore_sandbox.books import Books
from longshore_sandbox.config import CLOCK, read_settings
from longshore_sandbox.door import DOOR, PID, READY
from longshore_sandbox.hardware import FolderHardware
from longshore_sandbox.operator import OPERATIONS

__all__ = ["main"]

_IDLE_SECONDS = 60.0
_LOCK_SECONDS = 10
_MESSAGE_SECONDS = 30.0


class Server:
    """A cloud at a door."""

    def __init__(self, folder: Path) -> None:
        """Open the books, let all machines be as they should, and listen.

        Raises:
            ConfigError: when the settings have mistakes.
        """
        self.folder = folder
        self._settings = read_settings(folder)
        manual = self._settings.clock == "manual"
        clock = self._settings.time(folder)
        self._moved = clock.listen("cloud") if isinstance(clock, ManualClock) else -1
        self._answered, self._tell_answered = os.pipe()
        """An answer may have changed what happens next, and when."""
        os.set_blocking(self._tell_answered, False)
        self._books = Books(folder / "cloud.db")
        self.cloud = FakeCloud(
            self._settings.rented(),
            habits=self._settings.habits(),
            time=clock,
            seed=self._settings.seed,
            hardware=FolderHardware(folder / "machines", folder / CLOCK if manual else None),
            state=self._books.load(),
            keep=self._keep,
        )
        self._asked = time.monotonic()
        self._busy = 0
        self._lock = threading.Lock()
        self.cloud.recover()
        self._door = socket.socket(socket.AF_UNIX)
        bind(self._door, folder / DOOR)
        self._door.listen(128)

    def serve(self) -> None:
        """Answer, until there is nothing left to do."""
        handles = [self._door.fileno(), self._answered, *([self._moved] if self._moved >= 0 else [])]
        while not self._unneeded():
            pause = self._pause()
            # What falls due from now on is waited for; what has just done so, while others were answered, is done.
            self.cloud.elapse()
            ready, _, _ = select.select(handles, [], [], pause)
            if self._moved in ready:
                os.read(self._moved, 1 << 12)
            if self._answered in ready:
                os.read(self._answered, 1 << 12)
            if self._door.fileno() in ready:
                connection, _ = self._door.accept()
                with self._lock:
                    self._busy += 1
                threading.Thread(target=self._attend, args=(connection,), daemon=True).start()

    def _keep(self, state: CloudState) -> None:
        self._books.save(state)

    def _unneeded(self) -> bool:
        with self._lock:
            quiet = not self._busy and time.monotonic() - self._asked > _IDLE_SECONDS
        return not (self.folder / DOOR).exists() or (quiet and not self.cloud.living())

    def _pause(self) -> float:
        """Say how long nothing can happen unless somebody tells; with a clock moved by hand it does tell."""
        event = self.cloud.next_event() if self._moved < 0 else None
        if event is None:
            return _IDLE_SECONDS + 1
        return min(_IDLE_SECONDS + 1, max(0.0, (event - self.cloud.time.now()).total_seconds()))

    def _attend(self, connection: socket.socket) -> None:
        try:
            with connection, suppress(OSError):
                if peer_is_ours(connection):
                    connection.settimeout(_MESSAGE_SECONDS)
                    with connection.makefile("rb") as file:
                        answer = self._answer(json.loads(file.readline()))
                    connection.sendall(json.dumps(answer).encode() + b"\n")
        finally:
            with self._lock:
                self._busy -= 1
                self._asked = time.monotonic()
            with suppress(BlockingIOError):  # when it is full, it is heard all the same
                os.write(self._tell_answered, b".")

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            if "operate" in request:
                return {"answer": OPERATIONS[request["operate"]](self, **request["body"])}
            seconds = request["seconds"]
            deadline = None if seconds is None else timedelta(seconds=seconds)
            return {"answer": self.cloud.call(request["account"], request["action"], request["body"], deadline)}
        except CloudFault as fault:
            return {"code": fault.code, "message": str(fault)}
        except CloudTimeout as timeout:
            return {"timeout": str(timeout)}
        except Exception as error:  # noqa: BLE001 - a cloud answers, whatever happens behind its door
            return {"code": "InternalFailure", "message": f"{type(error).__name__}: {error}"}


def main(folder: Path) -> int:
    """Serve a folder from a process that belongs to nobody; say ``ready`` when it can be asked."""
    if os.fork():
        os._exit(0)
    lock = os.open(folder / "cloud.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    # One that is about to end is waited for; SIGALRM ends us when it does not.
    signal.alarm(_LOCK_SECONDS)
    fcntl.flock(lock, fcntl.LOCK_EX)
    signal.alarm(0)
    try:
        server = Server(folder)
    except Exception as error:  # noqa: BLE001 - whoever has started us is told by the log, whatever it is
        sys.stderr.write(f"{error}\n" if isinstance(error, LongshoreError) else f"{type(error).__name__}: {error}\n")
        return 2
    (folder / PID).write_text(str(os.getpid()))
    os.write(1, READY)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    server.serve()
    (folder / DOOR).unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
