"""Sessions with machines that share no files with us: all that a supervisor does, with data and output sent along."""

from __future__ import annotations

import base64
import logging
import os
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from attrs import evolve

from longshore.errors import MachineUnreachable
from longshore.model.artifact import Artifact
from longshore.model.attempt import AttemptSpec, Item, split_attempt_id
from longshore.model.events import AttemptEnded
from longshore.model.outcome import FailureClass
from longshore.plugin.areas import Area, Readable, Unread
from longshore.plugin.protocols import ExecutorContext, SessionEvent, Sink
from longshore.remote.asking import DataStream
from longshore.remote.session import SupervisorSession
from longshore.remote.sharing import NearTransfers, SharedStore
from longshore.remote.staged import StagedTransfers

__all__ = ["RemoteLink", "RemoteSession"]

_log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 15.0
_SURVEY_SECONDS = 120.0
"""A machine that names nothing for so long has forgotten that it was asked: the link was made anew."""
_STREAMS = ("out", "err")


class RemoteLink(Protocol):
    """The way to a machine's supervisor and store."""

    def connect(self) -> socket.socket:
        """Give a stream to the supervisor, started if need be; called again when that has ended.

        Raises:
            MachineUnreachable: when there has been no way for longer than is waited for.
        """
        ...

    def open_data(self) -> DataStream:
        """Give a stream to the program ``exchange``; the errors are those of `connect`."""
        ...

    def trouble(self) -> str:
        """Give what the supervisor has left in words when it died; may be empty."""
        ...

    def stop_waiting(self) -> None:
        """Wait for nothing any more: `connect` and `open_data` raise when there is no way at once."""
        ...

    def close(self, *, over: bool = False) -> None:
        """Let go of all that was opened; when the run is ``over`` for good, of the machine too if it is the run's."""
        ...


class RemoteSession(SupervisorSession):
    """A `longshore.plugin.protocols.Session`: inputs are sent to the machine's store, and output comes live."""

    def __init__(
        self,
        machine: str,
        hello: dict[str, Any],
        link: RemoteLink,
        sink: Sink,
        context: ExecutorContext,
        *,
        shared: SharedStore | None = None,
    ) -> None:
        """Link to the supervisor.

        Args:
            machine: id of the machine.
            hello: as in `SupervisorSession`, with the machine's own folders.
            link: the way there.
            sink: where events go.
            context: what the core has said.
            shared: the machine's store, when other machines have it, too.

        Raises:
            MachineUnreachable: when there is no way.
            ExecutorError: when the others do not have it.
        """
        self._link = link
        self._shared = shared
        self._work = f"{hello['project']}/work"
        self._output = _Output(context.run_folder / "logs")
        self._store = context.store_folder
        self._transfers = self._new_transfers()
        self._over = False
        self._known: SimpleQueue[dict[str, Any]] = SimpleQueue()
        if shared is not None:
            shared.meet(machine, self._transfers)
        super().__init__(machine, hello, link.connect, sink, link.trouble, patience=_PATIENCE_SECONDS)

    def create(self, attempt: AttemptSpec) -> None:
        """Remember the attempt. Its inputs will be in the machine's own store, wherever they are here."""
        super().create(evolve(attempt, inputs=tuple(evolve(item, source="") for item in attempt.inputs)))

    def put(self, attempt: str, items: Sequence[Item]) -> None:
        """Send what the machine lacks."""
        self._check()
        self._discards.claim(attempt, [item.sha256 for item in items])
        self._discards.settle()
        self._transfers.put(items)

    def get(self, artifacts: Collection[Artifact]) -> None:
        """Bring home what is not here."""
        self._check()
        self._discards.settle()
        self._transfers.get(artifacts)

    def stage_out(self, artifacts: Collection[Artifact], area: Area) -> None:
        """Have the machine bring artifacts to a bucket."""
        self._check()
        self._discards.settle()
        self._transfers.stage_out(artifacts, area)

    def stage_in(self, artifacts: Collection[Artifact], source: Readable) -> None:
        """Have the machine fetch artifacts from a bucket."""
        self._check()
        self._discards.settle()
        self._transfers.stage_in(artifacts, source)

    def read(self, objects: Sequence[Unread]) -> Sequence[Artifact]:
        """Have the machine fetch what nobody has read, and say what it is."""
        self._check()
        self._discards.settle()
        return self._transfers.read(objects)

    def fetch(self, attempt: str, paths: Sequence[str], into: Path) -> None:
        """Bring files of a workdir that was kept."""
        self._check()
        _, task, number = split_attempt_id(attempt)
        self._transfers.fetch(f"{self._work}/{task}.{number}", paths, into)

    def discard(self, digests: Collection[str]) -> None:
        """Let the machine's store forget objects, but for those that attempts claim which are not released.

        A store that others have too forgets nothing before the end of the run: nobody knows all of the attempts that
        are about to read or write the same.
        """
        if self._shared is not None:
            return
        self._transfers.forget(digests)
        super().discard(digests)

    def adopt(self, attempts: Collection[str]) -> None:
        """Ask what became of attempts, and for what is not here of their output."""
        with self.together():
            with self._lock:
                self._send(self._follow_line([*self._outstanding.running, *attempts]))
            super().adopt(attempts)

    def survey(self) -> Mapping[str, bool]:
        """Name all that the machine has of the run; True for what is over."""
        self._check()
        with self._lock:
            self._send(self._encode({"op": "survey"}))
        found: dict[str, bool] = {}
        while (told := self._named())["event"] == "known":
            found[told["id"]] = told["over"]
        if told["event"] == "gone":
            raise MachineUnreachable(told["reason"])
        return found

    def _named(self) -> dict[str, Any]:
        try:
            return self._known.get(timeout=_SURVEY_SECONDS)
        except Empty:
            raise MachineUnreachable(f"{self._machine} does not say what it has of the run") from None

    def clear(self) -> None:
        """Leave nothing of the run there, as soon as the link is closed."""
        self._over = True
        if self._shared is not None:
            self._link.stop_waiting()
            self._transfers.close()
            transfers = self._new_transfers()
            try:
                self._shared.clear(transfers)
            finally:
                transfers.close()

    def _new_transfers(self) -> StagedTransfers:
        sending = None if self._shared is None else self._shared.sending
        return self._kind_of_transfers()(self._link.open_data, self._store, sending)

    def _kind_of_transfers(self) -> type[StagedTransfers]:
        return StagedTransfers if self._shared is None else NearTransfers

    def close(self) -> None:
        """Drop the link; attempts live on."""
        self._link.stop_waiting()
        self._transfers.close()
        super().close()
        self._link.close(over=self._over)

    def _give_up(self, reason: str) -> str:
        self._known.put({"event": "gone", "reason": reason})
        return super()._give_up(reason)

    def _leave_line(self) -> bytes:
        return self._encode({"op": "leave", "over": True}) if self._over else super()._leave_line()

    def _greeting(self) -> bytes:
        return super()._greeting() + self._follow_line(self._outstanding.running)

    def _follow_line(self, attempts: Iterable[str]) -> bytes:
        return self._encode({"op": "follow", "from": {identity: self._output.sizes(identity) for identity in attempts}})

    def _take(self, told: dict[str, Any]) -> SessionEvent | None:
        if told["event"] == "log":
            if told["id"] in self._outstanding.running:
                self._output.write(told)
            return None
        if told["event"] in {"known", "surveyed"}:
            self._known.put(told)
            return None
        event = super()._take(told)
        if isinstance(event, AttemptEnded) and event.failure is FailureClass.STAGING:
            self._transfers.doubt()
        return event


class _Output:
    """What attempts print, in the files where this computer's own attempts would have it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._failed = False

    def sizes(self, identity: str) -> list[int]:
        """Say how many bytes of an attempt's stdout and stderr are here."""
        return [_size(self._path(identity, stream)) for stream in _STREAMS]

    def write(self, told: Mapping[str, Any]) -> None:
        """Keep a piece. One that is sent twice goes to the same place."""
        path = self._path(told["id"], told["stream"])
        content = base64.b64decode(told["base64"])
        try:
            handle = self._open(path)
            try:
                os.pwrite(handle, content, told["at"])
            finally:
                os.close(handle)
        except OSError:
            if not self._failed:
                _log.exception("what attempts print cannot be kept")
            self._failed = True

    def _open(self, path: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o666)
        except FileNotFoundError:
            self._folder.mkdir(parents=True, exist_ok=True)
            return os.open(path, flags, 0o666)

    def _path(self, identity: str, stream: str) -> str:
        _, task, number = split_attempt_id(identity)
        if stream not in _STREAMS:
            raise ValueError(f"there is no stream {stream!r}")
        return str(self._folder / f"{task}.{number}.{stream}")


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
