"""The session for machines that share no files keeps the laws over plain pipes, and sends output as it should."""

from __future__ import annotations

import base64
import hashlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from attrs import frozen

from longshore.errors import ExecutorError, FenceRefused, MachineUnreachable
from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore.plugin.protocols import ExecutorContext, Sink
from longshore.remote.bundle import build_bundle
from longshore.remote.packing import Broken
from longshore.remote.protocol import VERSION, Lines, decode_lines, encode
from longshore.remote.remote_session import RemoteSession
from longshore.remote.watch import exit_handle
from longshore.testing import ExecutorBench, ExecutorContract

SECONDS = 120.0


class Pipe:
    """A program of the bundle, and the stream to it."""

    def __init__(self, folder: Path, program: str, place: Path) -> None:
        self.stream, theirs = socket.socketpair()
        command = [sys.executable, "-I", "-S", "-X", "utf8", str(folder / "bundle"), program, str(place)]
        with theirs:
            self.process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno(), cwd="/")

    def send(self, content: bytes | memoryview) -> None:
        try:
            self.stream.sendall(content)
        except OSError as error:
            raise Broken(str(error)) from error

    def receive(self, size: int) -> bytes:
        try:
            return self.stream.recv(size)
        except OSError as error:
            raise Broken(str(error)) from error

    def line(self) -> dict[str, Any]:
        content = b""
        while not content.endswith(b"\n"):
            piece = self.stream.recv(1)
            if not piece:
                raise MachineUnreachable("hung up")
            content += piece
        return decode_lines(content)[0]

    def close(self) -> None:
        self.stream.close()
        self.process.wait(SECONDS)


class PipeLink:
    """A `longshore.remote.remote_session.RemoteLink` to a folder of this computer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run_folder = folder / "runs" / "r"
        self.fence = 0
        self._pipes: list[Pipe] = []
        self._first: socket.socket | None = None
        self._trouble = ""

    def open(self) -> None:
        self._first = self.connect()

    def connect(self) -> socket.socket:
        first, self._first = self._first, None
        if first is not None:
            return first
        pipe = self._new("link", self.run_folder)
        told = pipe.line()
        assert told["event"] == "linked"
        self.fence = told["fence"]
        self._trouble = told["trouble"]
        return pipe.stream

    def open_data(self) -> Pipe:
        return self._new("exchange", self.run_folder / "store")

    def _new(self, program: str, place: Path) -> Pipe:
        pipe = Pipe(self.folder, program, place)
        self._pipes.append(pipe)
        return pipe

    def drop(self) -> None:
        for pipe in self._pipes:
            pipe.process.kill()

    def trouble(self) -> str:
        return self._trouble

    def stop_waiting(self) -> None:
        """Never waits."""

    def close(self, *, over: bool = False) -> None:
        for pipe in self._pipes:
            pipe.close()


@frozen(kw_only=True)
class PipeConfig:
    """Where all the machines are."""

    folder: Path


class PipeExecutor:
    """Executes attempts in a folder that is reached by pipes only."""

    def __init__(self, config: PipeConfig, context: ExecutorContext) -> None:
        self._config = config
        self._context = context

    def open(self, machine: Machine, *, fence: int, sink: Sink) -> RemoteSession:
        if machine.tags.get("key") != "right":
            raise ExecutorError("it is another machine")
        link = PipeLink(self._config.folder)
        link.open()
        if fence < link.fence:
            link.close()
            raise FenceRefused("a newer controller has been here")
        here = str(link.run_folder)
        hello = {
            "op": "hello",
            "version": VERSION,
            "fence": fence,
            "cpus": machine.resources.cpus,
            "memory": machine.resources.memory_bytes,
            "gpus": [],
            "slots": None,
            "env": None,
            "python": sys.executable,
            "project": here,
            "store": f"{here}/store",
            "logs": f"{here}/logs",
            "unattended": self._context.unattended.total_seconds(),
            "tied": False,
        }
        return RemoteSession(machine.id, hello, link, sink, self._context)


class Bench(ExecutorBench):
    """One run in such a folder."""

    def __init__(self, folder: Path) -> None:
        self.world = folder / "world"
        self.world.mkdir()
        (self.world / "bundle").write_bytes(build_bundle())
        machine = Machine(id="far", pool="p", resources=Resources(cpus=8.0), tags={"key": "right"})
        super().__init__(
            folder,
            PipeExecutor,
            PipeConfig(folder=self.world),
            machine,
            scratch=PurePosixPath(folder / "scratch"),
            cut=self.drop,
            kill=self.crash,
            imposter=Machine(id="far", pool="p", resources=Resources(cpus=8.0), tags={"key": "wrong"}),
        )

    def drop(self) -> None:
        assert isinstance(self.session, RemoteSession)
        link = self.session._link
        assert isinstance(link, PipeLink)
        link.drop()

    def supervisors(self) -> list[int]:
        record = self.world / "runs" / "r" / "record"
        lines = decode_lines(record.read_bytes()) if record.exists() else []
        return [int(line["pid"]) for line in lines if line["event"] == "supervisor"]

    def crash(self) -> None:
        pid = self.supervisors()[-1]
        with exit_handle(pid) as handle:
            os.kill(pid, signal.SIGKILL)
            assert select.select([handle], [], [], SECONDS)[0]

    def end_all(self) -> None:
        """End supervisors that wait for somebody who was refused."""
        for pid in set(self.supervisors()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[4]))  # a controller of another process finds this module
    bench = Bench(tmp_path)
    yield bench
    bench.close()
    bench.end_all()


class TestRemoteSession(ExecutorContract):
    """All laws; nothing is skipped."""


# --- what the supervisor sends of output


class Follower:
    """A bare link to a supervisor that follows."""

    def __init__(self, folder: Path, **known: list[int]) -> None:
        self.pipe = Pipe(folder, "link", folder / "runs" / "r")
        assert self.pipe.line()["event"] == "linked"
        here = str(folder / "runs" / "r")
        self.say(
            op="hello",
            version=VERSION,
            fence=1,
            cpus=2.0,
            memory=1 << 30,
            gpus=[],
            slots=None,
            env=None,
            python=sys.executable,
            project=here,
            store=f"{here}/store",
            logs=f"{here}/logs",
            unattended=60.0,
            beat_file=f"{folder}/watched/beat",
        )
        self.say(op="follow", **{"from": {f"r/{task}/1": sizes for task, sizes in known.items()}})
        self.output: dict[tuple[str, str], bytearray] = {}
        self.starts: list[int] = []
        self._lines = Lines()
        self._heard: list[dict[str, Any]] = []

    def say(self, **message: Any) -> None:
        self.pipe.send(encode(message))

    def until(self, event: str) -> dict[str, Any]:
        """Take what comes, up to an event."""
        self.pipe.stream.settimeout(SECONDS)
        while True:
            while self._heard:
                told = self._heard.pop(0)
                if told["event"] == event:
                    return told
            content = self.pipe.receive(1 << 16)
            if not content:
                break
            self._heard += [self._take(told) for told in decode_lines(self._lines.take(content))]
        raise AssertionError(f"hung up before {event}")

    def _take(self, told: dict[str, Any]) -> dict[str, Any]:
        if told["event"] == "log":
            key = told["id"], told["stream"]
            piece = base64.b64decode(told["base64"])
            self.starts.append(told["at"])
            if key not in self.output:
                self.output[key] = bytearray(told["at"])
            before = self.output[key]
            assert told["at"] == len(before), "a piece is missing, or came twice"
            before += piece
        return told


@pytest.fixture
def world(tmp_path: Path) -> Path:
    (tmp_path / "bundle").write_bytes(build_bundle())
    return tmp_path


def test_much_output_is_sent_whole_before_the_end_is_told(world: Path) -> None:
    follower = Follower(world)
    text = "head -c 8000000 /dev/zero | tr '\\0' x; echo end >&2"

    follower.say(op="go", id="r/a/1", argv=["sh", "-c", text])
    follower.until("ended")

    assert hashlib.sha256(follower.output["r/a/1", "out"]).digest() == hashlib.sha256(b"x" * 8_000_000).digest()
    assert follower.output["r/a/1", "err"] == b"end\n"
    follower.say(op="leave")
    follower.pipe.close()


def test_who_comes_back_is_sent_only_what_he_does_not_have(world: Path) -> None:
    first = Follower(world)
    first.say(op="go", id="r/a/1", argv=["sh", "-c", "printf 0123456789; sleep 1000"])
    first.until("log")
    first.pipe.close()

    second = Follower(world, a=[4, 0])
    second.until("log")

    assert (bytes(second.output["r/a/1", "out"]), second.starts) == (bytes(4) + b"456789", [4])
    second.say(op="cancel", ids=["r/a/1"])
    second.until("ended")
    second.say(op="leave")
    second.pipe.close()


def test_logs_of_released_attempts_are_removed(world: Path) -> None:
    follower = Follower(world)
    follower.say(op="go", id="r/a/1", argv=["echo", "x"])
    follower.until("ended")

    follower.say(op="release", ids=["r/a/1"])
    follower.say(op="beat", unattended=60.0)
    follower.until("beat")

    assert [name for name in os.listdir(world / "runs" / "r" / "logs") if not name.startswith(".")] == []
    follower.say(op="leave")
    follower.pipe.close()


def test_a_machine_that_ends_itself_unless_attended_to_is_told_by_each_beat(world: Path) -> None:
    beat = world / "watched" / "beat"
    beat.parent.mkdir()
    follower = Follower(world)
    follower.until("hello")
    beat.unlink()

    follower.say(op="beat", unattended=60.0)
    follower.until("beat")

    assert beat.exists()
    follower.say(op="leave")
    follower.pipe.close()


def announce(folder: Path, at: int) -> None:
    """Say as a machine's own watch does that the machine will be taken."""
    (folder / "new").write_text(str(at))
    (folder / "new").rename(folder / "notice")


def test_a_machine_that_will_be_taken_says_so_and_warns_those_that_want_to_be_warned(world: Path) -> None:
    told = world / "watched-notice"
    told.mkdir()
    follower = Follower(world, a=[0, 0], b=[0, 0])
    save = "trap 'echo saved; exit 3' TERM; echo up; while :; do sleep 0.01; done"
    follower.say(op="go", id="r/a/1", argv=["sh", "-c", save], warn=True)
    follower.say(op="go", id="r/b/1", argv=["sh", "-c", save])
    while {"r/a/1", "r/b/1"} - {attempt for attempt, _ in follower.output}:
        follower.until("log")

    announce(told, 1767225600)

    assert follower.until("notice")["at"] == 1767225600
    ended = follower.until("ended")
    assert (ended["id"], ended["code"], ended["failure"]) == ("r/a/1", 3, "preempted")
    assert follower.output["r/a/1", "out"] == b"up\nsaved\n"
    assert follower.output["r/b/1", "out"] == b"up\n"
    follower.say(op="cancel", ids=["r/b/1"])
    assert follower.until("ended")["cancelled"]
    follower.say(op="leave")
    follower.pipe.close()


def test_who_comes_back_to_a_machine_that_will_be_taken_is_told_so(world: Path) -> None:
    told = world / "watched-notice"
    told.mkdir()
    first = Follower(world, a=[0, 0])
    first.say(op="go", id="r/a/1", argv=["sh", "-c", "echo up; sleep 1000"])
    first.until("log")
    first.pipe.close()

    announce(told, 1767225600)

    second = Follower(world, a=[3, 0])
    assert second.until("notice")["at"] == 1767225600
    second.say(op="cancel", ids=["r/a/1"])
    second.until("ended")
    second.say(op="leave")
    second.pipe.close()


def test_a_supervisor_of_a_run_that_is_over_removes_its_folder(world: Path) -> None:
    follower = Follower(world)
    follower.say(op="go", id="r/a/1", argv=["false"])
    follower.until("ended")

    follower.say(op="leave", over=True)
    while follower.pipe.receive(1 << 16):
        pass

    assert os.listdir(world / "runs") == []
    follower.pipe.close()
