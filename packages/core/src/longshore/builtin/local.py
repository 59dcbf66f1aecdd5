"""This computer as a place to execute attempts: a plugin like any other."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from attrs import converters, field, frozen
from attrs.validators import ge, gt, optional

import longshore.remote
from longshore.errors import DigestMismatch, FenceRefused, InputMissing, MachineUnreachable
from longshore.model.artifact import Artifact
from longshore.model.attempt import Item, split_attempt_id
from longshore.model.machine import Machine
from longshore.model.quantity import parse_size
from longshore.model.resources import Resources
from longshore.plugin.hooks import hookimpl
from longshore.plugin.protocols import API_VERSION, ExecutorContext, ExecutorRecord, Sink
from longshore.remote.computer import clean_environment, gpu_names, memory_bytes, usable_cpus
from longshore.remote.copying import copy_file
from longshore.remote.deaths import Deaths
from longshore.remote.digest import digest_file
from longshore.remote.links import SOCKET, read_fence
from longshore.remote.protocol import VERSION, encode
from longshore.remote.session import SupervisorSession
from longshore.remote.software import default_root
from longshore.remote.store import has_object

__all__ = ["LocalConfig", "LocalExecutor", "LocalSession", "local_machines", "longshore_executors", "start_supervisor"]

_SOCKET_NAME_BYTES = 100
_LOG = "supervisor.log"
_TROUBLE_BYTES = 2000
_DESCRIPTORS = 3


@frozen(kw_only=True)
class LocalConfig:
    """Options of a pool on this computer. What is not said is what the computer has."""

    cpus: float | None = field(default=None, validator=optional(gt(0)))
    memory: int | None = field(default=None, converter=converters.optional(parse_size), validator=optional(gt(0)))
    """Bytes, or as in ``"16 GiB"``."""
    gpus: int | None = field(default=None, validator=optional(ge(0)))


def local_machines(config: LocalConfig, pool: str) -> Sequence[Machine]:
    """Describe this computer as the one machine of a pool."""
    resources = Resources(
        cpus=usable_cpus() if config.cpus is None else config.cpus,
        memory_bytes=memory_bytes() if config.memory is None else config.memory,
        gpus=len(gpu_names()) if config.gpus is None else config.gpus,
    )
    return [Machine(id=pool, pool=pool, resources=resources, store="")]


class LocalExecutor:
    """Executes attempts by a supervisor of this computer, one for each run and pool, in ``<run
    folder>/machines/<machine>``.
    """

    def __init__(self, config: LocalConfig, context: ExecutorContext) -> None:
        self._context = context

    def open(self, machine: Machine, *, fence: int, sink: Sink) -> LocalSession:
        """Link to the supervisor that this run has here, or start one; it is not waited for.

        Raises:
            FenceRefused: when a newer controller has been here.
            MachineUnreachable: when no supervisor can be started.
        """
        folder = self._context.run_folder / "machines" / machine.id
        known = read_fence(str(folder))
        if fence < known:
            raise FenceRefused(f"a newer controller has taken run {self._context.run} over (its fence is {known})")
        hello = _hello(machine, self._context, fence)
        return LocalSession(machine.id, hello, _Door(folder), sink, self._context.store_folder)


def _hello(machine: Machine, context: ExecutorContext, fence: int) -> dict[str, Any]:
    resources = machine.resources
    granted = [int(index) for index in machine.tags.get("gpus", "").split(",") if index]
    return {
        "op": "hello",
        "version": VERSION,
        "fence": fence,
        "cpus": resources.cpus,
        "memory": resources.memory_bytes,
        "gpus": _names_of(granted or range(resources.gpus)),
        "slots": machine.slots,
        "env": clean_environment(os.environ),
        "python": sys.executable,
        "environments": default_root(os.environ),
        "project": str(context.project_folder.absolute()),
        "store": str(context.store_folder.absolute()),
        "logs": str((context.run_folder / "logs").absolute()),
        "unattended": context.unattended.total_seconds(),
        "tied": True,
    }


def _names_of(gpus: Sequence[int]) -> list[str]:
    """Name GPUs as programs know them; those that the system does not show, by their number."""
    names = gpu_names() if gpus else []
    return [names[index] if index < len(names) else str(index) for index in gpus]


class LocalSession(SupervisorSession):
    """A link to a supervisor that shares our files: it lays inputs and stores outputs itself."""

    def __init__(self, machine: str, hello: dict[str, Any], door: _Door, sink: Sink, store: Path) -> None:
        self._store = str(store)
        self._folder = door.folder
        super().__init__(machine, hello, door.connect, sink, door.trouble)

    def use_gpus(self, gpus: Sequence[int]) -> None:
        """Let attempts have these from now on."""
        names = _names_of(gpus)
        with self._lock:
            self._speech.hello["gpus"] = names
            self._send(encode({"op": "gpus", "names": names}))

    def put(self, attempt: str, items: Sequence[Item]) -> None:
        """Check that inputs are there; they are laid, and verified, when the attempt starts.

        Raises:
            InputMissing: naming the first that is not.
        """
        for item in items:
            if item.source:
                if not os.path.exists(item.source):
                    raise InputMissing(f"input {item.path}: {item.source} does not exist any more")
            elif not has_object(self._store, item.sha256):
                raise InputMissing(f"input {item.path}: the store does not have {item.sha256}")

    def get(self, artifacts: Collection[Artifact]) -> None:
        """Check that outputs are in the store that we share.

        Raises:
            InputMissing: naming the first that is not.
        """
        for artifact in artifacts:
            if not has_object(self._store, artifact.sha256):
                raise InputMissing(f"{artifact.path}: the store does not have {artifact.sha256}")

    def discard(self, digests: Collection[str]) -> None:
        """Do nothing: the store is the project's."""

    def fetch(self, attempt: str, paths: Sequence[str], into: Path) -> None:
        """Copy files of a workdir that was kept.

        Raises:
            InputMissing: naming the first that is not there.
            DigestMismatch: when one changes meanwhile.
        """
        _, task, number = split_attempt_id(attempt)
        workdir = self._folder / "work" / f"{task}.{number}"
        for path in paths:
            _fetch(workdir / path, into / path)


def _fetch(source: Path, target: Path) -> None:
    """Copy one file, whole or not at all."""
    if not source.is_file():
        raise InputMissing(f"{source} does not exist")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.parent / f".{target.name}.{os.urandom(6).hex()}"
    try:
        copy_file(str(source), str(partial), source.stat().st_mode & 0o777)
        if digest_file(str(partial)) != digest_file(str(source)):
            raise DigestMismatch(f"{source} changed while it was being copied")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


class _Door:
    """The way to the supervisor of a folder: its socket, or a new supervisor with a socket for us alone."""

    def __init__(self, folder: Path, starter: Callable[[Path, socket.socket], None] | None = None) -> None:
        """Know the way. ``starter`` starts a supervisor in a folder with its first link; here when nothing is said."""
        self.folder = folder.absolute()
        self._starter = starter or start_supervisor
        self._deaths = Deaths()

    def connect(self) -> socket.socket:
        """Connect to the supervisor that is there; start one if none is.

        Raises:
            MachineUnreachable: when that fails.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._knock() or self._start()
        except OSError as error:
            raise MachineUnreachable(f"no supervisor can be started in {self.folder}: {error}") from error

    def trouble(self) -> str:
        """Give the end of what supervisors have left in words."""
        try:
            return (self.folder / _LOG).read_text(errors="replace")[-_TROUBLE_BYTES:]
        except OSError:
            return ""

    def _knock(self) -> socket.socket | None:
        link = socket.socket(socket.AF_UNIX)
        try:
            place = str(self.folder / SOCKET)
            if len(os.fsencode(place)) <= _SOCKET_NAME_BYTES:
                link.connect(place)
            else:
                # The name of a socket is short; a link that stands for the folder makes it so.
                with tempfile.TemporaryDirectory(prefix="longshore-") as short:
                    os.symlink(self.folder, f"{short}/m")
                    link.connect(f"{short}/m/{SOCKET}")
        except (FileNotFoundError, ConnectionRefusedError):
            link.close()
            return None
        except BaseException:
            link.close()
            raise
        return link

    def _start(self) -> socket.socket:
        self._deaths.note_start()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._starter(self.folder, theirs)
        except BaseException:
            ours.close()
            raise
        return ours


def start_supervisor(folder: Path, link: socket.socket) -> None:
    """Start a supervisor on this computer, with its first link; it is not waited for.

    Raises:
        MachineUnreachable: when this Python cannot start another one.
        OSError: when the system cannot.
    """
    if not sys.executable:
        raise MachineUnreachable("this Python does not know its own program, so it cannot start a supervisor")
    program = os.path.join(os.path.dirname(longshore.remote.__file__ or ""), "start.py")
    with open(folder / _LOG, "ab") as log:
        argv = [sys.executable, "-I", "-S", "-X", "utf8", program, str(folder)]
        actions = [
            (os.POSIX_SPAWN_DUP2, link.fileno(), 0),
            *((os.POSIX_SPAWN_DUP2, log.fileno(), n) for n in (1, 2)),
        ]
        pid = os.posix_spawn(sys.executable, argv, clean_environment(os.environ), file_actions=actions)
    threading.Thread(target=_bury, args=(pid,), daemon=True).start()


def _bury(pid: int) -> None:
    """Take note of the end of what was started: it leaves the supervisor to itself and ends at once."""
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        return  # the program that we are part of has done that, or does not want to know of any child


@hookimpl
def longshore_executors() -> Sequence[ExecutorRecord]:
    """Announce this computer."""
    return [
        ExecutorRecord(
            name="local", config=LocalConfig, factory=LocalExecutor, machines=local_machines, api=API_VERSION
        )
    ]
