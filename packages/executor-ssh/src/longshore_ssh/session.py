"""The link to one host: made again when it breaks, in silence, for as long as the user is patient."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from longshore.errors import ExecutorError, MachineUnreachable
from longshore.remote.asking import DataStream
from longshore.remote.deaths import Deaths
from longshore.remote.patience import Patience
from longshore.remote.protocol import Lines, decode_lines
from longshore_ssh.config import SshConfig
from longshore_ssh.connection import Connection
from longshore_ssh.door_keys import make_key
from longshore_ssh.errors import plain_text
from longshore_ssh.programs import SHIM, Begun, begin
from longshore_ssh.rented import meet
from longshore_ssh.targets import Target
from longshore_ssh.transfer import ChannelStream, as_socket

__all__ = ["SshLink"]

_BULK_WINDOW = 4 << 20
"""Larger is slower (seen: 32 MiB takes twice as long): what has arrived is moved in memory for each piece that is
read.
"""
_FIRST_TRIES = 6
_FIRST_SECONDS = 0.3
_SHOWN = 2000

_Result = TypeVar("_Result")


class SshLink:
    """A `longshore.remote.peers.PeerLink`: one connection for what is said, another for data."""

    def __init__(self, target: Target, config: SshConfig, place: str, store: str) -> None:
        """Prepare; nothing is opened before `open`.

        Args:
            target: where the host is.
            config: the pool's options.
            place: the supervisor's folder, below ours on the host.
            store: that of its attempts, below the same.
        """
        self._target = target
        self._config = config
        self._place = place
        self._store = store
        self._seconds = config.connect_timeout.total_seconds()
        self.python = ""
        """The host's Python, once it is known; or `SHIM`."""
        self._deaths = Deaths()
        self._trouble = ""
        self._first: socket.socket | None = None
        self._control: Connection | None = None
        self._bulk: Connection | None = None
        self._patience = Patience(budget=config.reconnect.total_seconds())
        self._stopped = threading.Event()
        self.fence = 0
        """The highest that the host has seen."""
        self.folder = ""
        """The supervisor's, as the host names it."""
        self.store = ""
        """That of its attempts, in the same way."""

    def open(self) -> None:
        """Log in, and link to the supervisor, or start one.

        Raises:
            MachineUnreachable: when the host does not answer.
            ExecutorError: when it does, and there is no use in trying again; says why.
        """
        wait = _FIRST_SECONDS
        for left in reversed(range(_FIRST_TRIES)):
            try:
                self._first = self._link()
                return
            except MachineUnreachable as error:
                # Servers drop some of many connections that come at once (MaxStartups); all else is as it is.
                if not left or "MaxStartups" not in str(error) or self._stopped.wait(wait):
                    raise
                wait *= 1.6

    def meet(self) -> None:
        """Ask a rented machine, once it is linked, who it will be from now on."""
        if self._control is not None:
            self._target = meet(self._control, seconds=self._seconds)

    def connect(self) -> socket.socket:
        """Give a stream to the supervisor; after a break it is waited for as long as the user is patient."""
        first, self._first = self._first, None
        if first is not None:
            return first
        return self._again(self._link)

    def open_data(self) -> DataStream:
        """Give a stream to the exchange, on a connection of its own: what is said need not wait behind data."""
        patience = Patience(budget=self._config.reconnect.total_seconds())
        return _insist(self._exchange, patience, self._stopped)

    def open_apart(self, *, silence: float | None = None) -> DataStream:
        """Give a stream to the exchange on a connection that ends with it, from any thread. It is tried once."""
        connection = Connection.open(self._target, seconds=self._seconds, window=_BULK_WINDOW)
        try:
            begun = begin(connection, self._config, "exchange", self._store, known=self.python, seconds=self._seconds)
        except BaseException:
            connection.close()
            raise
        begun.channel.settimeout(silence)
        return ChannelStream(begun.channel, begun.rest, connection.close)

    def new_key(self) -> str:
        """Make a key for data that go straight from host to host; none where the pool does not want that."""
        return make_key() if self._config.direct else ""

    def names(self) -> Sequence[str]:
        """Give the host's address, as we know it."""
        return [self._target.host]

    def trouble(self) -> str:
        """Give the end of what supervisors have left in words."""
        return self._trouble

    def stop_waiting(self) -> None:
        """Wait for nothing any more."""
        self._stopped.set()

    def close(self, *, over: bool = False) -> None:
        """Let go of all that was opened."""
        self._stopped.set()
        if self._first is not None:
            self._first.close()
        for connection in (self._control, self._bulk):
            if connection is not None:
                connection.close()

    def _again(self, work: Callable[[], _Result]) -> _Result:
        if self._stopped.wait(self._patience.lost(time.monotonic())):
            raise MachineUnreachable("the link is closed")
        return _insist(work, self._patience, self._stopped, lost=False)

    def _link(self) -> socket.socket:
        if self._control is not None:
            self._control.close()
        self._control = Connection.open(self._target, seconds=self._seconds)
        begun = self._begin(self._control, "link", self._place)
        told, rest = self._first_line(begun)
        self._trouble = "\n".join(plain_text(line) for line in str(told.get("trouble", ""))[-_SHOWN:].splitlines())
        if told["event"] != "linked":
            raise ExecutorError(f"{self._target.name}: no supervisor can be started: {plain_text(told['reason'])}")
        if told["fresh"]:
            self._deaths.note_start()
        self.fence = int(told["fence"])
        self.folder = begun.place
        self.store = begun.place.removesuffix(self._place) + self._store
        self._patience.linked(time.monotonic())
        return as_socket(begun.channel, rest, f"longshore-{self._target.name}")

    def _exchange(self) -> DataStream:
        try:
            if self._bulk is None:
                self._bulk = Connection.open(self._target, seconds=self._seconds, window=_BULK_WINDOW)
            begun = self._begin(self._bulk, "exchange", self._store)
        except BaseException:
            bulk, self._bulk = self._bulk, None
            if bulk is not None:
                bulk.close()
            raise
        return ChannelStream(begun.channel, begun.rest)

    def _begin(self, connection: Connection, program: str, place: str) -> Begun:
        try:
            begun = begin(connection, self._config, program, place, known=self.python, seconds=self._seconds)
        except ExecutorError:
            if self.python != SHIM:
                self.python = ""  # it may have gone; but what a shim keeps is understood by a shim alone
            raise
        self.python = begun.executable
        return begun

    def _first_line(self, begun: Begun) -> tuple[dict[str, Any], bytes]:
        """Read what the link says of itself; give the rest."""
        rest = begun.rest
        lines = Lines()
        begun.channel.settimeout(self._seconds)
        try:
            while b"\n" not in rest:
                content = begun.channel.recv(1 << 16)
                if not content:
                    raise MachineUnreachable(f"{self._target.name} hung up while the link was being made")
                rest += content
        except TimeoutError as error:
            raise MachineUnreachable(f"{self._target.name} takes too long to make a link") from error
        begun.channel.settimeout(None)
        line, _, rest = rest.partition(b"\n")
        [told] = decode_lines(lines.take(line + b"\n"))
        return told, rest


def _insist(work: Callable[[], _Result], patience: Patience, stopped: threading.Event, *, lost: bool = True) -> _Result:
    """Do something again until it works.

    Raises:
        MachineUnreachable: the last one, when patience has an end.
    """
    if lost:
        patience.lost(time.monotonic())
    while True:
        try:
            return work()
        except MachineUnreachable as error:
            wait = patience.failed(time.monotonic())
            if wait is None:
                raise MachineUnreachable(f"no link for {patience.budget:g} s: {error}") from error
            if stopped.wait(wait):
                raise
