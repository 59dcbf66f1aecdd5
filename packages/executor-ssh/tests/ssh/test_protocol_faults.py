"""Servers that keep the protocol badly: what can be borne is not noticed, and what cannot is told in words."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from longshore.errors import ExecutorError, LongshoreError, MachineUnreachable
from longshore.model.attempt import Item
from longshore.model.command import Shell
from longshore.model.events import MachineGone
from longshore.model.machine import Machine
from longshore.model.outcome import Exited
from longshore.model.resources import Resources
from longshore.remote.digest import digest_bytes
from longshore.remote.store import object_path
from longshore.testing import ExecutorBench
from longshore_ssh.executor import SshExecutor
from longshore_ssh.testing import Lab

from .test_contract import config

pytest.importorskip("asyncssh", reason="asyncssh, a server that can be bent, is not installed")

from .faulty import FaultyServer


class Bench(ExecutorBench):
    """One run on a host behind some server."""

    def __init__(self, base: Path, lab: Lab, port: int, scratch: Path, **options: Any) -> None:
        machine = Machine(id="far", pool="p", resources=Resources(cpus=8.0), address=f"{lab.user}@127.0.0.1:{port}")
        super().__init__(
            base,
            SshExecutor,
            config(lab, **options),
            machine,
            scratch=PurePosixPath(scratch),
            cut=lambda: None,
            kill=lambda: None,
            imposter=machine,
        )


@pytest.fixture
def serve(lab: Lab, tmp_path: Path) -> Iterator[Callable[..., FaultyServer]]:
    """Start servers that are gone afterwards."""
    with contextlib.ExitStack() as servers:

        def start(**options: Any) -> FaultyServer:
            server = FaultyServer(lab, tmp_path / "far", **options)
            servers.callback(server.close)
            return server

        yield start


def refusal(bench: Bench, kind: type[LongshoreError]) -> str:
    with pytest.raises(LongshoreError) as caught:
        bench.open()
    assert type(caught.value) is kind
    return str(caught.value)


def moved(bench: Bench, content: bytes) -> bytes:
    """Send a file, have it copied there, and bring the copy home."""
    (bench.project / "in").write_bytes(content)
    item = Item(path="in", sha256=digest_bytes(content), size=len(content), source=str(bench.project / "in"))
    ended = bench.execute("copy", Shell("cat in in > out"), inputs=(item,), outputs=("out",))
    assert ended.outcome == Exited(0), ended.evidence
    bench.session.get(ended.outputs)
    return Path(object_path(str(bench.store), ended.outputs[0].sha256)).read_bytes()


def test_a_server_without_sftp_is_enough(lab: Lab, tmp_path: Path, serve: Callable[..., FaultyServer]) -> None:
    bench = Bench(tmp_path, lab, serve().port, tmp_path)

    assert moved(bench, b"hello\n") == b"hello\nhello\n"
    bench.close()


def test_a_server_that_takes_little_at_a_time_gets_it_all(
    lab: Lab, tmp_path: Path, serve: Callable[..., FaultyServer]
) -> None:
    content = bytes(range(256)) * 4096
    bench = Bench(tmp_path, lab, serve(window=4096, max_pktsize=1024).port, tmp_path)

    assert moved(bench, content) == content * 2
    bench.close()


def test_a_channel_that_is_closed_in_the_middle_is_opened_again(
    lab: Lab, tmp_path: Path, serve: Callable[..., FaultyServer]
) -> None:
    server = serve()
    bench = Bench(tmp_path, lab, server.port, tmp_path)
    gate = tmp_path / "gate-of-a"
    bench.go("a", Shell(f"echo x >> $HOME/a; seq 3; until test -e {gate}; do sleep 0.01; done; seq 4 100000"))
    bench.log_becomes("1\n2\n3\n", "a")
    before = server.commands

    server.close_channels()
    gate.touch()

    assert bench.ended("a").outcome == Exited(0)
    assert bench.log("a") == "".join(f"{number}\n" for number in range(1, 100001))
    assert server.commands > before
    assert (server.home / "a").read_text() == "x\n"
    assert [event for event in bench.told if isinstance(event, MachineGone)] == []
    bench.close()


def test_a_server_that_refuses_commands_is_told_with_what_it_says(
    lab: Lab, tmp_path: Path, serve: Callable[..., FaultyServer]
) -> None:
    server = serve()
    server.refusing = True

    told = refusal(Bench(tmp_path, lab, server.port, tmp_path), ExecutorError)

    assert "executes no commands by sh; it says: This service allows sftp connections only." in told


def test_a_server_that_takes_commands_and_says_nothing_is_not_waited_for_for_ever(
    lab: Lab, tmp_path: Path, serve: Callable[..., FaultyServer]
) -> None:
    server = serve()
    server.mute = True

    told = refusal(
        Bench(tmp_path, lab, server.port, tmp_path, connect_timeout=timedelta(seconds=1)), MachineUnreachable
    )

    assert "127.0.0.1" in told


@pytest.mark.parametrize(
    "greeting",
    [b"HTTP/1.1 400 \x1b[31mBad Request\r\n\r\n", b"SSH-2.0-old\r\nnonsense\r\n" + b"\0" * 64],
    ids=["another service", "a key exchange that is none"],
)
def test_what_is_no_server_of_ssh_is_told_in_words(lab: Lab, tmp_path: Path, greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_greet, args=(listener, greeting), daemon=True).start()
        port = listener.getsockname()[1]

        told = refusal(Bench(tmp_path, lab, port, tmp_path, connect_timeout=timedelta(seconds=2)), MachineUnreachable)

        assert "127.0.0.1" in told
        assert "\x1b" not in told


def _greet(listener: socket.socket, greeting: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            link, _ = listener.accept()
            with link:
                link.sendall(greeting)
                link.settimeout(120)
                with contextlib.suppress(OSError):
                    link.recv(1 << 16)
