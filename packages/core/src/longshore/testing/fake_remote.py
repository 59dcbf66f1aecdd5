"""A computer that shares no files with this one, and an executor for it: both in folders, with a real supervisor."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from longshore.builtin.local import _Door, start_supervisor
from longshore.errors import DigestMismatch, FenceRefused, InputMissing, MachineUnreachable
from longshore.model.artifact import Artifact
from longshore.model.attempt import AttemptSpec, Item, build_name, environment_of, split_attempt_id
from longshore.model.environment import BuildSpec
from longshore.model.environment_events import EnvironmentBuilt, EnvironmentFailed
from longshore.model.events import AttemptEnded, AttemptStarted
from longshore.model.machine import Machine
from longshore.plugin.protocols import ExecutorContext, SessionEvent, Sink
from longshore.remote.digest import digest_file
from longshore.remote.links import read_fence
from longshore.remote.protocol import VERSION, decode_lines
from longshore.remote.session import SupervisorSession
from longshore.remote.store import remove_tree
from longshore.remote.watch import exit_handle
from longshore.testing.fake_store import bring, send

__all__ = ["FakeRemoteComputer", "FakeRemoteConfig", "FakeRemoteExecutor", "FakeRemoteSession"]

_GLANCE_SECONDS = 0.02
_CHUNK_BYTES = 1 << 20
_END_SECONDS = 30.0
_IDENTITY = "identity"
_TRAVELLED = "travelled"


@frozen(kw_only=True)
class FakeRemoteConfig:
    """Options of a pool of such computers."""

    folder: Path
    """Below it each computer has a folder with its machine's id."""
    reconnect: timedelta = field(default=timedelta(seconds=10))
    """How long a link may be down before the machine counts as gone."""


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
        """Kill the supervisor of a run; what it has started lives on."""
        pid = self._supervisors(run)[-1]
        with exit_handle(pid) as handle:
            os.kill(pid, signal.SIGKILL)
            _wait_over(handle)

    def switch_off(self, run: str) -> None:
        """Kill all supervisors of a run, whatever they wait for."""
        for pid in set(self._supervisors(run)):
            with suppress(ProcessLookupError), exit_handle(pid) as handle:
                os.kill(pid, signal.SIGKILL)
                _wait_over(handle)

    def wait_idle(self, run: str) -> None:
        """Wait until no supervisor of a run is left."""
        for pid in set(self._supervisors(run)):
            with suppress(ProcessLookupError), exit_handle(pid) as handle:
                _wait_over(handle)

    def _supervisors(self, run: str) -> Sequence[int]:
        record = self.run_folder(run) / "record"
        lines = decode_lines(record.read_bytes()) if record.exists() else []
        return [int(line["pid"]) for line in lines if line["event"] == "supervisor"]


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
            raise FenceRefused(f"a newer controller has taken run {self._context.run} over (its fence is {known})")
        link = _Link(computer, folder, self._config.reconnect)
        hello = _hello(machine, computer, folder, self._context, fence)
        return FakeRemoteSession(machine, hello, link, sink, self._context)

    def _computer(self, machine: Machine) -> FakeRemoteComputer:
        return FakeRemoteComputer(self._config.folder / machine.id)

    def _wanted(self, machine: Machine) -> str:
        """Say what the computer must prove to be."""
        return machine.tags.get(_IDENTITY, "")


def _wait_over(handle: Any) -> None:
    if not select.select([handle], [], [], _END_SECONDS)[0]:
        raise MachineUnreachable("a supervisor does not end")


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
    }


class _Link:
    """The way there. When it has been cut, it waits for better times, but not for ever."""

    def __init__(self, computer: FakeRemoteComputer, folder: Path, reconnect: timedelta) -> None:
        self.computer = computer
        self.folder = folder
        self._reconnect = reconnect
        self._socket: socket.socket | None = None
        self.closed = threading.Event()

    def connect(self) -> socket.socket:
        """Connect to the supervisor; called again when that link has ended.

        Raises:
            MachineUnreachable: when the link has been down for too long.
        """
        self.wait()
        self._socket = _Door(self.folder, self.computer.start).connect()
        return self._socket

    def wait(self) -> None:
        """Wait until something can get through.

        Raises:
            MachineUnreachable: when that takes too long.
        """
        if self.computer.is_off:
            raise MachineUnreachable("it is off")
        left = self._reconnect.total_seconds()
        while self.computer.is_cut and left > 0 and not self.closed.wait(_GLANCE_SECONDS):
            left -= _GLANCE_SECONDS
        if self.computer.is_cut:
            raise MachineUnreachable(f"no link for {self._reconnect.total_seconds():g} s")

    def drop(self) -> None:
        """End the link that is there, as a network does: neither side has said good-bye."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


class FakeRemoteSession(SupervisorSession):
    """A link to a supervisor that shares no files with us: inputs are sent there, output is fetched."""

    def __init__(
        self, machine: Machine, hello: dict[str, Any], link: _Link, sink: Sink, context: ExecutorContext
    ) -> None:
        self._project_store = str(context.store_folder)
        self._remote = link
        self._store = str(link.computer.store(context.run))
        self._run = context.run
        self._cleared = False
        self._logs = _Logs(link, context.run_folder / "logs")
        self._told = sink
        super().__init__(machine.id, hello, link.connect, self._pass_on, lambda: "")
        self._logs.start()

    def drop(self) -> None:
        """Cut the link once, as a network does."""
        self._remote.drop()

    def create(self, attempt: AttemptSpec) -> None:
        """Remember the attempt. Its inputs will be in the machine's own store, wherever they are here."""
        super().create(evolve(attempt, inputs=tuple(evolve(item, source="") for item in attempt.inputs)))

    def build(self, build: BuildSpec) -> None:
        """Ask for an environment, and bring what its build prints."""
        self._follow_builds([build.id])
        super().build(build)

    def adopt(self, attempts: Collection[str]) -> None:
        """Ask what became of attempts and builds."""
        self._follow_builds(attempts)
        super().adopt(attempts)

    def _follow_builds(self, identities: Iterable[str]) -> None:
        for identity in identities:
            _, task, number = split_attempt_id(identity)
            if environment_of(task):
                self._logs.follow(f"{task}.{number}")

    def put(self, attempt: str, items: Sequence[Item]) -> None:
        """Send what is missing to the machine's store; nothing is kept there that is not what its digest says."""
        self._discards.claim(attempt, [item.sha256 for item in items])
        self._discards.settle()
        for item in items:
            send(item, self._project_store, self._store, lambda sha256: self._through("to", sha256))

    def get(self, artifacts: Collection[Artifact]) -> None:
        """Bring what is missing from the machine's store to the project's."""
        self._discards.settle()
        for artifact in artifacts:
            bring(artifact, self._project_store, self._store, lambda sha256: self._through("from", sha256))

    def fetch(self, attempt: str, paths: Sequence[str], into: Path) -> None:
        """Bring files of a workdir that was kept."""
        self._remote.wait()
        _, task, number = split_attempt_id(attempt)
        workdir = self._remote.folder / "work" / f"{task}.{number}"
        for path in paths:
            _fetch(workdir / path, into / path)

    def _through(self, way: str, sha256: str) -> None:
        self._remote.wait()
        self._remote.computer.note(way, sha256)

    def beat(self, until: datetime) -> None:
        """Attend until then; the computer itself is told, too."""
        super().beat(until)
        self._remote.computer.beat()

    def clear(self) -> None:
        """Leave nothing of the run there, as soon as the link is closed."""
        self._cleared = True

    def close(self) -> None:
        """Drop the link; attempts live on."""
        self._remote.closed.set()
        super().close()
        self._logs.stop()
        cleared, self._cleared = self._cleared, False
        if cleared and not self._remote.computer.is_cut:
            with suppress(MachineUnreachable):
                self._remote.computer.wait_idle(self._run)
                remove_tree(str(self._remote.folder))

    def _pass_on(self, *events: SessionEvent) -> None:
        for event in events:
            if isinstance(event, AttemptStarted):
                self._logs.follow(f"{event.task}.{event.attempt}")
            elif isinstance(event, AttemptEnded):
                self._logs.finish(f"{event.task}.{event.attempt}")
            elif isinstance(event, EnvironmentBuilt | EnvironmentFailed):
                self._logs.finish(f"{build_name(event.environment)}.{event.number}")
        self._told(*events)


class _Logs:
    """Brings the output of attempts here while they run: what is new, by offset, so that nothing comes twice."""

    def __init__(self, link: _Link, here: Path) -> None:
        self._link = link
        self._here = here
        self._followed: set[str] = set()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow_all, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def follow(self, name: str) -> None:
        with self._lock:
            self._followed.add(name)

    def finish(self, name: str) -> None:
        """Bring all that is left."""
        with self._lock:
            self._followed.discard(name)
            self._bring([name])

    def _follow_all(self) -> None:
        while not self._over.wait(_GLANCE_SECONDS):
            with self._lock:
                self._bring(self._followed)

    def _bring(self, names: Iterable[str]) -> None:
        if self._link.computer.is_cut:
            return
        for name in names:
            for stream in ("out", "err"):
                with suppress(FileNotFoundError):
                    self._append(f"{name}.{stream}")

    def _append(self, name: str) -> None:
        with open(self._link.folder / "logs" / name, "rb") as there:
            ours = self._here / name
            there.seek(ours.stat().st_size if ours.exists() else 0)
            if not (content := there.read(_CHUNK_BYTES)):
                return
            self._here.mkdir(parents=True, exist_ok=True)
            with open(ours, "ab") as file:
                while content:
                    file.write(content)
                    content = there.read(_CHUNK_BYTES)


def _fetch(source: Path, target: Path) -> None:
    """Copy one file, whole or not at all."""
    if not source.is_file():
        raise InputMissing(f"{source} does not exist")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.parent / f".{target.name}.{os.urandom(6).hex()}"
    try:
        shutil.copyfile(source, partial)
        if digest_file(str(partial)) != digest_file(str(source)):
            raise DigestMismatch(f"{source} was damaged on its way")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
