"""Sessions whose machines get data from each other: straight where there is a way, else through us, but not by our
disk.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Protocol

from attrs import field, frozen

from longshore.errors import InputMissing, MachineUnreachable, PeerOutOfReach
from longshore.model.artifact import Artifact
from longshore.plugin.protocols import ExecutorContext, Session, Sink
from longshore.remote.asking import DataStream
from longshore.remote.packing import Broken
from longshore.remote.protocol import encode
from longshore.remote.remote_session import RemoteLink, RemoteSession
from longshore.remote.sharing import SharedStore
from longshore.remote.transfers import Transfers

__all__ = ["PeerLink", "PeerSession", "Ticket"]

_log = logging.getLogger(__name__)

_PUMP_BYTES = 1 << 18
_SILENT_SECONDS = 300.0
"""Longer than it takes to digest what is there of a large file, before the rest is asked for."""


class PeerLink(RemoteLink, Protocol):
    """The way to a machine that can talk to others."""

    def open_apart(self, *, silence: float | None = None) -> DataStream:
        """Give a stream to ``exchange`` on a connection of its own, from any thread. It is tried once.

        The stream counts as broken when nothing comes for ``silence`` seconds.

        Raises:
            MachineUnreachable, ExecutorError: when there is no way now.
        """
        ...

    def new_key(self) -> str:
        """Make a key: a certificate of itself and its private key, as PEM text; empty when machines are to be left to
        themselves.
        """
        ...

    def names(self) -> Sequence[str]:
        """Give the names by which we find the machine; others may, too."""
        ...


@frozen(kw_only=True)
class Ticket:
    """What lets a machine in at the door of another one, for as long as that is open."""

    pem: str = field(repr=False)
    hosts: tuple[str, ...]
    port: int


class _Apart(Exception):
    """There is no way from one machine to the other."""


class PeerSession(RemoteSession):
    """A `RemoteSession` with the ability `longshore.plugin.abilities.Peers`."""

    def __init__(
        self,
        machine: str,
        hello: dict[str, Any],
        link: PeerLink,
        sink: Sink,
        context: ExecutorContext,
        *,
        shared: SharedStore | None = None,
    ) -> None:
        """Link to the supervisor; arguments and errors are those of `RemoteSession`."""
        self._peer_link = link
        self._door: _Asking | None = None
        self._ticket: Ticket | None = None
        self._granting = threading.Lock()
        self._apart: set[str] = set()
        """Machines that this one has not reached."""
        super().__init__(machine, hello, link, sink, context, shared=shared)

    def pull(self, artifacts: Collection[Artifact], source: Session) -> bool:
        """Bring artifacts here from the store of another machine; say whether they went straight."""
        self._check()
        if not isinstance(source, PeerSession):
            raise PeerOutOfReach(f"{self._machine} cannot get data from a machine of another kind")
        self._discards.settle()
        source._discards.settle()
        rows = [(each.sha256, each.size, each.kind) for each in artifacts]
        try:
            if source._machine not in self._apart and self._pull_straight(rows, source):
                return True
            self._relay(rows, source)
        except MachineUnreachable as error:
            raise PeerOutOfReach(str(error)) from error
        except _Missing as error:
            paths = {each.sha256: each.path for each in artifacts}
            path = paths.get(str(error), next(iter(paths.values())))
            raise InputMissing(f"{path}: {source._machine} does not have {error} any more") from None
        return False

    def close(self) -> None:
        """Drop the link; attempts live on, and the door is closed."""
        with self._granting:
            door, self._door, self._ticket = self._door, None, None
        if door is not None:
            door.close()
        super().close()

    def _pull_straight(self, rows: Sequence[tuple[str, int, str]], source: PeerSession) -> bool:
        try:
            ticket = source._grant()
            asking = _Asking(self._peer_link, self._store)
            try:
                asking.pull(rows, ticket)
            finally:
                asking.close()
        except _Apart as error:
            _log.info("%s cannot reach %s, so data go through here: %s", self._machine, source._machine, error)
            self._apart.add(source._machine)
            return False
        return True

    def _grant(self) -> Ticket:
        """Open the door, if it is not open."""
        with self._granting:
            if self._ticket is None:
                pem = self._peer_link.new_key()
                if not pem:
                    raise _Apart("its pool says so")
                self._door = _Asking(self._peer_link, self._store)
                self._ticket = self._door.open_door(pem, self._peer_link.names())
            return self._ticket

    def _relay(self, rows: Sequence[tuple[str, int, str]], source: PeerSession) -> None:
        asking = _Asking(self._peer_link, self._store)
        try:
            asking.relay(rows, source._peer_link)
        finally:
            asking.close()


class _Missing(Exception):
    """The other machine does not have something; its digest."""


class _Asking(Transfers):
    """Asks the program ``exchange`` of one machine for what concerns another one, on a connection of its own."""

    def __init__(self, link: PeerLink, store: Path) -> None:
        super().__init__(link.open_apart, store)

    def open_door(self, pem: str, names: Sequence[str]) -> Ticket:
        told = self._repeat(lambda: self._ask({"op": "serve", "pem": pem, "hosts": list(names)}))
        if "apart" in told:
            raise _Apart(told["apart"])
        return Ticket(pem=pem, hosts=tuple(told["hosts"]), port=told["port"])

    def pull(self, rows: Sequence[tuple[str, int, str]], ticket: Ticket) -> None:
        order = {"op": "pull", "objects": rows, "pem": ticket.pem, "hosts": ticket.hosts, "port": ticket.port}
        told = self._repeat(lambda: self._ask(order))
        if "apart" in told:
            raise _Apart(told["apart"])
        _check_missing(told)

    def relay(self, rows: Sequence[tuple[str, int, str]], source: PeerLink) -> None:
        """Carry what the machine asks for to another one, and the answers back, as they come."""
        self._repeat(lambda: self._relay(rows, source))

    def _relay(self, rows: Sequence[tuple[str, int, str]], source: PeerLink) -> None:
        assert self._stream is not None
        theirs = source.open_apart(silence=_SILENT_SECONDS)
        pump = threading.Thread(target=_pump, args=(theirs, self._stream), daemon=True)
        pump.start()
        try:
            told = self._ask({"op": "pull", "objects": rows})
            while "op" in told:
                theirs.send(encode(told))
                told = self._answer()
        finally:
            theirs.close()
            pump.join()
        _check_missing(told)


def _check_missing(told: dict[str, Any]) -> None:
    if "missing" in told:
        raise _Missing(told["missing"])


def _pump(source: DataStream, target: DataStream) -> None:
    """Carry bytes until either end is gone; then the other one is gone too, so that nobody waits for more."""
    try:
        while content := source.receive(_PUMP_BYTES):
            target.send(content)
    except Broken as error:
        _log.debug("a relay has ended: %s", error)
    target.close()
