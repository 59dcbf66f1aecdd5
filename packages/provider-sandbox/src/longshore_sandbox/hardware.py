"""Machines of the sandbox as its cloud has them in hand: folders that are switched on and off."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import longshore.remote
from longshore.errors import MachineUnreachable
from longshore.model.machine_spec import Tag
from longshore.remote.computer import clean_environment
from longshore.runtime.sockets import connect
from longshore.testing import FakeRemoteComputer, ManualClock
from longshore.testing.fake_cloud_parts import CloudMachine
from longshore_sandbox import machine as program

__all__ = ["FolderHardware", "SandboxComputer", "ask"]

_PATIENCE_SECONDS = 10.0


class FolderHardware:
    """Each machine has a folder below one, and a process that is its life."""

    def __init__(self, folder: Path, clock: Path | None) -> None:
        self._folder = folder
        self._clock = clock

    def boot(self, machine: CloudMachine) -> None:
        """Switch on, and wait until it answers.

        Raises:
            OSError: when no process can be started.
        """
        folder = self._folder / machine.id
        SandboxComputer(folder).prepare(machine.tags.get(Tag.TOKEN, ""))
        folder.chmod(0o700)
        (folder / program.OFF).unlink(missing_ok=True)
        listener = ""
        if self._clock is not None:
            clock = ManualClock(self._clock)
            os.close(clock.listen(machine.id))
            listener = str(clock.listeners / machine.id)
        told = {
            "ends_at": machine.ends_at.isoformat() if machine.ends_at is not None else None,
            "unattended": machine.body.get("unattended"),
            "clock": None if self._clock is None else str(self._clock),
            "listener": listener,
            "supervisor": os.path.join(os.path.dirname(longshore.remote.__file__ or ""), "start.py"),
        }
        (folder / program.BOOT).write_text(json.dumps(told))
        with open(folder / "console.log", "ab") as log:
            command = [sys.executable, "-I", "-S", program.__file__, str(folder)]
            env = {**clean_environment(os.environ), "HOME": str(folder)}
            with subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=env, start_new_session=True
            ) as process:
                assert process.stdout is not None
                if process.stdout.readline() != program.ON:
                    raise OSError(f"{machine.id} does not boot: {(folder / 'console.log').read_text()[-2000:]}")

    def cut(self, machine: CloudMachine) -> None:
        """Take the power away, and the disk too when the machine has ended for good."""
        folder = self._folder / machine.id
        try:
            ask(folder, "off")
        except TimeoutError:
            os.kill(int((folder / program.POWER).read_text()), signal.SIGKILL)
        _wait_until_dark(folder)
        if machine.ended is not None:
            shutil.rmtree(folder, ignore_errors=True)
            if self._clock is not None:
                (ManualClock(self._clock).listeners / machine.id).unlink(missing_ok=True)

    def off_at(self, machine: CloudMachine, now: datetime) -> datetime | None:
        """Say since when it is off; now, when it went without a word."""
        folder = self._folder / machine.id
        try:
            if ask(folder, "look") == program.ON:
                return None
        except TimeoutError:
            return None
        _wait_until_dark(folder)
        with suppress(FileNotFoundError):
            return datetime.fromisoformat((folder / program.OFF).read_text())
        return now

    def address(self, machine: CloudMachine) -> str:
        """Give the folder."""
        return str(self._folder / machine.id)


class SandboxComputer(FakeRemoteComputer):
    """A machine of the sandbox as an executor sees it. Only the machine itself can start something there."""

    @property
    def is_off(self) -> bool:
        """Whether it has no power."""
        return not (self.folder / program.LINK).exists()

    def start(self, folder: Path, link: socket.socket) -> None:
        """Let the machine start a supervisor.

        Raises:
            MachineUnreachable: when it is off.
        """
        try:
            answer = ask(self.folder, f"start {folder.name}", link)
        except TimeoutError:
            answer = b""
        if answer != program.ON:
            raise MachineUnreachable(f"{self.folder.name} is off")

    def beat(self) -> None:
        """Let its unattended time begin anew. Silent when it is off: who talks to it will notice."""
        with suppress(TimeoutError):
            ask(self.folder, "beat")


def ask(folder: Path, line: str, link: socket.socket | None = None) -> bytes:
    """Send a machine one line, maybe with a socket, and give its answer; empty when it is off.

    Raises:
        TimeoutError: when it is on and does not answer.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_PATIENCE_SECONDS)
        try:
            connect(connection, folder / program.LINK)
            socket.send_fds(connection, [f"{line}\n".encode()], [link.fileno()] if link is not None else [])
            return connection.recv(len(program.ON))
        except TimeoutError:
            raise
        except OSError:
            return b""


def _wait_until_dark(folder: Path) -> None:
    """Wait until the machine's process is over: it holds a lock as long as it has power."""
    with suppress(FileNotFoundError), open(folder / program.POWER) as power:
        fcntl.flock(power, fcntl.LOCK_SH)
