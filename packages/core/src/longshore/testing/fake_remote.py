"""An executor for computers that are folders and share no files with this one, with real supervisors."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import field, frozen

from longshore.builtin.local import _Door
from longshore.errors import FenceRefused, MachineUnreachable
from longshore.model.machine import Machine
from longshore.plugin.protocols import ExecutorContext, Sink
from longshore.remote.exchange import Exchange
from longshore.remote.links import read_fence
from longshore.remote.packing import Broken, Reader, Writer
from longshore.remote.protocol import VERSION
from longshore.remote.remote_session import RemoteSession
from longshore.remote.sharing import SharedStore
from longshore.remote.sources import Source
from longshore.remote.staged import StagedTransfers
from longshore.testing.fake_computer import FakeRemoteComputer

__all__ = ["FakeRemoteConfig", "FakeRemoteExecutor", "FakeRemoteLink", "FakeRemoteSession", "SocketStream"]

_GLANCE_SECONDS = 0.02


@frozen(kw_only=True)
class FakeRemoteConfig:
    """Options of a pool of such computers."""

    folder: Path
    """Below it each computer has a folder with its machine's id."""
    reconnect: timedelta = field(default=timedelta(seconds=10))
    """How long a link may be down before the machine counts as gone."""


class FakeRemoteExecutor:
    """Executes attempts on computers that are folders; nothing of theirs is read but through a link that is up."""

    def __init__(self, config: FakeRemoteConfig, context: ExecutorContext) -> None:
        self._config = config
        self._context = context

    def open(self, machine: Machine, *, fence: int, sink: Sink) -> FakeRemoteSession:
        """Link to the supervisor that this run has there, or start one.

        Raises:
            FenceRefused: when a newer controller has been there.
            MachineUnreachable: when the link is down, or the computer is not the one that is meant.
        """
        computer = self._computer(machine)
        wanted = self._wanted(machine)
        if computer.is_cut or not computer.identity:
            raise MachineUnreachable(f"{machine.id} does not answer")
        if computer.identity != wanted:
            raise MachineUnreachable(
                f"{machine.id} proves to be {computer.identity!r} and not {wanted!r}; nothing was sent to it"
            )
        folder = computer.run_folder(self._context.run)
        known = read_fence(str(folder))
        if fence < known:
            raise FenceRefused(
                f"a newer controller has taken run {self._context.run} over (its fence is {known})", fence=known
            )
        link = FakeRemoteLink(computer, folder, self._config.reconnect)
        hello = _hello(machine, computer, folder, self._context, fence)
        return self._session(machine.id, hello, link, sink)

    def _session(self, machine: str, hello: dict[str, Any], link: FakeRemoteLink, sink: Sink) -> FakeRemoteSession:
        return FakeRemoteSession(machine, hello, link, sink, self._context)

    def _computer(self, machine: Machine) -> FakeRemoteComputer:
        return FakeRemoteComputer(self._config.folder / machine.id)

    def _wanted(self, machine: Machine) -> str:
        """Say what the computer must prove to be."""
        return machine.tags.get("identity", "")


def _hello(
    machine: Machine, computer: FakeRemoteComputer, folder: Path, context: ExecutorContext, fence: int
) -> dict[str, Any]:
    return {
        "op": "hello",
        "version": VERSION,
        "fence": fence,
        "cpus": machine.resources.cpus,
        "memory": machine.resources.memory_bytes,
        "gpus": [str(index) for index in range(machine.resources.gpus)],
        "slots": machine.slots,
        "env": {"HOME": str(computer.folder), "PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
        "python": sys.executable,
        "project": str(folder),
        "store": str(computer.store(context.run)),
        "logs": str(folder / "logs"),
        "unattended": context.unattended.total_seconds(),
        "tied": False,
        "environments": str(computer.folder / "environments"),
        "room": str(computer.folder / "room"),
    }


class FakeRemoteLink:
    """The way there. When it has been cut, it waits for better times, but not for ever."""

    def __init__(self, computer: FakeRemoteComputer, folder: Path, reconnect: timedelta) -> None:
        self.computer = computer
        self._folder = folder
        self._reconnect = reconnect
        self._socket: socket.socket | None = None
        self._closed = threading.Event()

    def connect(self) -> socket.socket:
        """Connect to the supervisor; called again when that link has ended.

        Raises:
            MachineUnreachable: when the link has been down for too long.
        """
        self.wait()
        self._socket = _Door(self._folder, self.computer.start).connect()
        return self._socket

    def open_data(self) -> SocketStream:
        """Connect to the program that moves data; the errors are those of `connect`."""
        self.wait()
        ours, theirs = socket.socketpair()
        threading.Thread(target=_exchange, args=(theirs, self._folder / "store"), daemon=True).start()
        return SocketStream(ours)

    def open_apart(self, *, silence: float | None = None) -> SocketStream:
        """Connect as `open_data`, whoever else has; a folder is never silent, so ``silence`` is not needed."""
        del silence
        return self.open_data()

    def new_key(self) -> str:
        """Give none: such computers reach each other by way of this one."""
        return ""

    def names(self) -> Sequence[str]:
        """Give none, as nobody looks for it."""
        return ()

    def trouble(self) -> str:
        """Give nothing: what the supervisor says is not kept."""
        return ""

    def wait(self) -> None:
        """Wait until something can get through.

        Raises:
            MachineUnreachable: when that takes too long.
        """
        if self.computer.is_off:
            raise MachineUnreachable("it is off")
        left = self._reconnect.total_seconds()
        while self.computer.is_cut and left > 0 and not self._closed.wait(_GLANCE_SECONDS):
            left -= _GLANCE_SECONDS
        if self.computer.is_cut:
            raise MachineUnreachable(f"no link for {self._reconnect.total_seconds():g} s")

    def drop(self) -> None:
        """End the link that is there, as a network does: neither side has said good-bye."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def stop_waiting(self) -> None:
        """Wait for nothing any more."""
        self._closed.set()

    def close(self, *, over: bool = False) -> None:
        """Hold nothing open: sessions close what they were given."""


def _exchange(link: socket.socket, store: Path) -> None:
    """Be the program at the other end."""
    with link:
        stream = SocketStream(link)
        Exchange(str(store), Reader(stream.receive), Writer(stream.send)).serve()


class SocketStream:
    """A `longshore.remote.asking.DataStream` over a socket."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link

    def send(self, content: bytes | memoryview) -> None:
        """Send all of it."""
        try:
            self._link.sendall(content)
        except OSError as error:
            raise Broken(str(error)) from error

    def receive(self, size: int) -> bytes:
        """Wait for at most so many bytes; nothing at the end."""
        try:
            return self._link.recv(size)
        except OSError as error:
            raise Broken(str(error)) from error

    def close(self) -> None:
        """End it; who waits for more hears of that."""
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        self._link.close()


class FakeRemoteSession(RemoteSession):
    """A link to a supervisor that shares no files with us; objects that travel are noted, and wait for the link."""

    def __init__(
        self,
        machine: str,
        hello: dict[str, Any],
        link: FakeRemoteLink,
        sink: Sink,
        context: ExecutorContext,
        *,
        shared: SharedStore | None = None,
    ) -> None:
        self._far = link
        super().__init__(machine, hello, link, sink, context, shared=shared)

    def drop(self) -> None:
        """Cut the link once, as a network does."""
        self._far.drop()

    def beat(self, until: datetime) -> None:
        """Attend until then; the computer itself is told, too."""
        super().beat(until)
        self._far.computer.beat()

    def _new_transfers(self) -> StagedTransfers:
        return _Noted(self._far, self._store)


class _Noted(StagedTransfers):
    """Transfers of which the computer keeps a list."""

    def __init__(self, link: FakeRemoteLink, store: Path) -> None:
        self._far = link
        super().__init__(link.open_data, store)

    def _send_one(self, source: Source, offset: int) -> None:
        self._through("to", source.sha256)
        super()._send_one(source, offset)

    def _listing_there(self, sha256: str) -> bytes | None:
        self._through("from", sha256)
        return super()._listing_there(sha256)

    def _receive(self, files: Mapping[str, tuple[int, str]]) -> None:
        for sha256 in files:
            self._through("from", sha256)
        super()._receive(files)

    def _through(self, way: str, sha256: str) -> None:
        self._far.wait()
        self._far.computer.note(way, sha256)
