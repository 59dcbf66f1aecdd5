"""A computer without Python, in a folder, and an executor for it: a real shim under the shell that a test names."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import field, frozen

from longshore.errors import FenceRefused, MachineUnreachable
from longshore.model.machine import Machine
from longshore.plugin.protocols import ExecutorContext, Sink
from longshore.remote.asking import DataStream
from longshore.remote.packing import Reader
from longshore.remote.protocol import VERSION
from longshore.remote.shim_session import ShimSession, shim_program
from longshore.remote.watch import exit_handle
from longshore.testing.fake_computer import FakeRemoteComputer, wait_over
from longshore.testing.fake_remote import SocketStream

__all__ = ["FakeBareComputer", "FakeBareConfig", "FakeBareExecutor", "FakeBareSession"]

_FIRST_LINE_SECONDS = 120.0


@frozen(kw_only=True)
class FakeBareConfig:
    """Options of a pool of such computers."""

    folder: Path
    """Below it each computer has a folder with its machine's id."""
    shell: tuple[str, ...] = field(default=("sh",))
    """What executes the shim there."""
    env: Mapping[str, str] = field(factory=lambda: {"PATH": os.environ.get("PATH", os.defpath)})
    """All variables that it begins with there."""


class FakeBareComputer(FakeRemoteComputer):
    """All that is on the other side."""

    def crash(self, run: str) -> None:
        """Kill the server of a run; keepers and what they keep live on."""
        pid = self._supervisors(run)[-1]
        with exit_handle(pid) as handle:
            os.kill(pid, signal.SIGKILL)
            wait_over(handle)

    def _supervisors(self, run: str) -> list[int]:
        claims = sorted(self.run_folder(run).glob("claim.*"), key=lambda path: int(path.suffix[1:]))
        return [int(claim.read_text().split()[0]) for claim in claims]


class FakeBareExecutor:
    """Executes attempts on such computers."""

    def __init__(self, config: FakeBareConfig, context: ExecutorContext) -> None:
        self._config = config
        self._context = context

    def open(self, machine: Machine, *, fence: int, sink: Sink) -> FakeBareSession:
        """Link to the shim that this run has there, or start one.

        Raises:
            FenceRefused: when a newer controller has been there.
            MachineUnreachable: when the computer is not the one that is meant, or lacks something.
        """
        computer = FakeBareComputer(self._config.folder / machine.id)
        wanted = machine.tags.get("identity", "")
        if not computer.identity or computer.identity != wanted:
            raise MachineUnreachable(
                f"{machine.id} proves to be {computer.identity!r} and not {wanted!r}; nothing was sent to it"
            )
        link = _BareLink(computer, computer.run_folder(self._context.run), self._config, fence)
        hello = {
            "op": "hello",
            "version": VERSION,
            "fence": fence,
            "cpus": machine.resources.cpus,
            "memory": machine.resources.memory_bytes,
            "gpus": [str(index) for index in range(machine.resources.gpus)],
            "slots": machine.slots,
            "env": None,
            "project": str(link.folder),
            "store": str(link.folder / "store"),
            "unattended": self._context.unattended.total_seconds(),
            "tied": False,
        }
        return FakeBareSession(machine.id, hello, link, sink, self._context)


class FakeBareSession(ShimSession):
    """A link to a shim."""

    def __init__(
        self, machine: str, hello: dict[str, Any], link: _BareLink, sink: Sink, context: ExecutorContext
    ) -> None:
        self._bare = link
        super().__init__(machine, hello, link, sink, context)

    def drop(self) -> None:
        """Cut the link once, as a network does."""
        self._bare.drop()


class _BareLink:
    """Sockets to programs that the shell runs."""

    def __init__(self, computer: FakeBareComputer, folder: Path, config: FakeBareConfig, fence: int) -> None:
        self.folder = folder
        self._computer = computer
        self._config = config
        self._fence = fence
        self._known = False
        self._socket: socket.socket | None = None
        self._programs: list[subprocess.Popen[bytes]] = []

    def connect(self) -> socket.socket:
        """Give a stream to the program ``link``."""
        link = self._socket = self._run("link", self.folder)
        link.settimeout(_FIRST_LINE_SECONDS)
        try:
            told = Reader(lambda _size: link.recv(1)).line() or {"reason": "it has said nothing"}
            if told.get("event") != "linked":
                raise MachineUnreachable(f"{self._computer.folder.name}: {told['reason']}")
            if not self._known and told["fence"] > self._fence:
                raise FenceRefused(f"a newer controller has taken this run over (its fence is {told['fence']})")
        except BaseException:
            link.close()
            self.close()
            raise
        self._known = True  # from now on the shim itself refuses us when another controller comes
        return link

    def open_data(self) -> DataStream:
        """Give a stream to the program ``exchange``."""
        return SocketStream(self._run("exchange", self.folder / "store"))

    def stop_waiting(self) -> None:
        """Nothing is waited for."""

    def trouble(self) -> str:
        """Give what the shell has said."""
        with suppress(FileNotFoundError):
            return (self.folder / "trouble").read_text(errors="replace")
        return ""

    def close(self, *, over: bool = False) -> None:
        """Leave nothing open."""
        self.drop()
        for program in self._programs:
            program.wait(_FIRST_LINE_SECONDS)

    def drop(self) -> None:
        """End the link that is there, as a network does: neither side has said good-bye."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _run(self, *words: str | Path) -> socket.socket:
        ours, theirs = socket.socketpair()
        program = self._computer.folder / "shim.sh"
        if not program.exists():
            program.write_bytes(shim_program())
        argv = [*self._config.shell, str(program), *map(str, words)]
        with theirs:
            process = subprocess.Popen(
                argv, stdin=theirs.fileno(), stdout=theirs.fileno(), env=dict(self._config.env), start_new_session=True
            )
        self._programs.append(process)
        return ours
