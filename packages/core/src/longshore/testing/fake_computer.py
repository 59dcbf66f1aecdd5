"""A computer that shares no files with this one: a folder, with a real supervisor for each run."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from longshore.builtin.local import start_supervisor
from longshore.errors import MachineUnreachable
from longshore.remote.protocol import decode_lines
from longshore.remote.watch import exit_handle

__all__ = ["FakeRemoteComputer", "wait_over"]

_END_SECONDS = 120.0
_IDENTITY = "identity"
_TRAVELLED = "travelled"


class FakeRemoteComputer:
    """All that is on the other side: a store, logs and a supervisor for each run, and a link that can be cut.

    Whether the link is down is a file, so that other processes meet the same link.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self, identity: str) -> None:
        """Switch it on; ``identity`` is what it will prove to be."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / _IDENTITY).write_text(identity)

    @property
    def identity(self) -> str:
        """What it proves to be; empty when there is no such computer."""
        with suppress(FileNotFoundError):
            return (self.folder / _IDENTITY).read_text()
        return ""

    @property
    def is_cut(self) -> bool:
        """Whether nothing gets through."""
        return (self.folder / "cut").exists()

    @property
    def is_off(self) -> bool:
        """Whether there is no use in waiting for the link."""
        return False

    def cut(self) -> None:
        """Let nothing through until `mend`."""
        (self.folder / "cut").touch()

    def mend(self) -> None:
        """Let links be made again."""
        (self.folder / "cut").unlink(missing_ok=True)

    def travelled(self) -> Sequence[tuple[str, str]]:
        """Say which objects have come through the link: "to" or "from" the computer, and the digest, in order."""
        log = self.folder / _TRAVELLED
        lines = log.read_text().splitlines() if log.exists() else []
        return [(way, sha256) for way, _, sha256 in (line.partition(" ") for line in lines)]

    def note(self, way: str, sha256: str) -> None:
        """Write down that an object comes through."""
        with open(self.folder / _TRAVELLED, "a") as log:
            log.write(f"{way} {sha256}\n")

    def run_folder(self, run: str) -> Path:
        """Where the supervisor of a run keeps its things."""
        return self.folder / "runs" / run

    def start(self, folder: Path, link: socket.socket) -> None:
        """Start a supervisor there, with its first link.

        Raises:
            OSError, MachineUnreachable: when that cannot be.
        """
        start_supervisor(folder, link)

    def beat(self) -> None:
        """Take note that a controller attends to it."""

    def store(self, run: str) -> Path:
        """Where it keeps what attempts of a run read and write."""
        return self.run_folder(run) / "store"

    def crash(self, run: str) -> None:
        """Kill the supervisor of a run, unless nobody has attended to it for so long that it has gone; what it has
        started lives on.
        """
        self._kill(self._supervisors(run)[-1])

    def switch_off(self, run: str) -> None:
        """Kill all supervisors of a run, whatever they wait for."""
        for pid in set(self._supervisors(run)):
            self._kill(pid)

    @staticmethod
    def _kill(pid: int) -> None:
        with suppress(ProcessLookupError), exit_handle(pid) as handle:
            os.kill(pid, signal.SIGKILL)
            wait_over(handle)

    def wait_idle(self, run: str) -> None:
        """Wait until no supervisor of a run is left."""
        for pid in set(self._supervisors(run)):
            with suppress(ProcessLookupError), exit_handle(pid) as handle:
                wait_over(handle)

    def _supervisors(self, run: str) -> Sequence[int]:
        record = self.run_folder(run) / "record"
        lines = decode_lines(record.read_bytes()) if record.exists() else []
        return [int(line["pid"]) for line in lines if line["event"] == "supervisor"]


def wait_over(handle: Any) -> None:
    """Wait until a process has ended that a handle is for.

    Raises:
        MachineUnreachable: when it does not.
    """
    if not select.select([handle], [], [], _END_SECONDS)[0]:
        raise MachineUnreachable("a supervisor does not end")
