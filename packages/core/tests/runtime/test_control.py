"""The control socket: whoever may ask is answered in words, and nobody else is heard."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from longshore.errors import RunError, UsageError
from longshore.runtime.asking import Events, ask
from longshore.runtime.control import ControlServer
from longshore.runtime.sockets import connect

SECONDS = 120.0


def echo(op: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Answer as a controller would: what was asked for, or why not."""
    if request.get("tasks") == ["none"]:
        raise UsageError("run r1 has no task 'none'")
    if request.get("tasks") == ["bug"]:
        raise KeyError("bug")
    return {"did": op, "to": request.get("tasks", [])}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ControlServer]:
    with ControlServer(tmp_path, echo) as listening:
        yield listening


def say(folder: Path, *lines: bytes) -> list[dict[str, Any]]:
    """Send raw lines and read an answer to each."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SECONDS)
        connect(client, folder / "control")
        client.sendall(b"".join(lines))
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as answers:
            return [json.loads(line) for line in answers]


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("op", ["status", "cancel", "retry", "stop", "add"])
def test_a_request_is_answered(tmp_path: Path, op: str) -> None:
    assert ask(tmp_path, op, {"tasks": ["a"]}) == {"ok": True, "did": op, "to": ["a"]}


@pytest.mark.usefixtures("server")
def test_one_connection_may_ask_several_times(tmp_path: Path) -> None:
    request = b'{"version": 1, "op": "status"}\n'

    assert [answer["ok"] for answer in say(tmp_path, request, request)] == [True, True]


@pytest.mark.usefixtures("server")
def test_what_the_controller_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run r1 has no task 'none'"):
        ask(tmp_path, "cancel", {"tasks": ["none"]})


@pytest.mark.usefixtures("server")
def test_a_controller_that_cannot_answer_says_so_and_goes_on(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="could not answer: KeyError: 'bug'"):
        ask(tmp_path, "cancel", {"tasks": ["bug"]})

    assert ask(tmp_path, "status")["ok"]


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"hello\n", "a request is one line of JSON"),
        (b"\xff\xfe\n", "a request is one line of JSON"),
        (b"[1]\n", "a request is a JSON object"),
        (b'{"version": 1, "op": "explode"}\n', "cannot do 'explode'; it can: add, cancel"),
        (b'{"version": 1}\n', "cannot do None"),
        (b'{"version": 2, "op": "status"}\n', "speaks version 1 of the control protocol and was asked in version 2"),
        (b'{"op": "status"}\n', "asked in version None"),
    ],
)
def test_a_bad_request_is_answered_in_words(tmp_path: Path, line: bytes, words: str) -> None:
    (answer,) = say(tmp_path, line)

    assert not answer["ok"]
    assert words in answer["error"]


@pytest.mark.usefixtures("server")
def test_a_request_without_end_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SECONDS)
        connect(client, tmp_path / "control")
        client.sendall(b"x" * ((16 << 20) + 1))
        answer = json.loads(client.makefile("rb").readline())

    assert "may have 16777216 bytes at the most" in answer["error"]


def test_subscribers_are_sent_every_event_until_the_end(tmp_path: Path) -> None:
    happened = [{"seq": number} for number in range(5)]
    with ControlServer(tmp_path, echo) as server:
        first, second = Events(tmp_path), Events(tmp_path)
        server.publish(happened[:3])
        server.publish(happened[3:])

    with first, second:
        assert list(first) == list(second) == happened


def test_a_subscriber_that_has_gone_disturbs_nobody(tmp_path: Path) -> None:
    with ControlServer(tmp_path, echo) as server:
        gone, other = Events(tmp_path), Events(tmp_path)
        gone.close()
        for number in range(100):
            server.publish([{"seq": number}])

    with other:
        assert len(list(other)) == 100


def test_a_subscriber_that_does_not_read_is_let_go(tmp_path: Path) -> None:
    with ControlServer(tmp_path, echo) as server:
        slow = Events(tmp_path)
        for number in range(40_000):
            server.publish([{"seq": number, "fill": "x" * 100}])

    with slow:
        seen = [event["seq"] for event in slow]
    assert seen == list(range(len(seen)))
    assert len(seen) < 40_000


def test_many_may_ask_at_once(tmp_path: Path) -> None:
    together = threading.Barrier(8, timeout=SECONDS)

    def meet(op: str, _: Mapping[str, Any]) -> Mapping[str, Any]:
        together.wait()
        return {"did": op}

    answers: list[Any] = []
    with ControlServer(tmp_path, meet):
        threads = [threading.Thread(target=lambda: answers.append(ask(tmp_path, "status"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)

    assert answers == [{"ok": True, "did": "status"}] * 8


def test_too_many_connections_are_refused_in_words(tmp_path: Path, server: ControlServer) -> None:
    held = [Events(tmp_path) for _ in range(64)]

    with pytest.raises(RunError, match="it has too many connections already"):
        ask(tmp_path, "status")

    for one in held:
        one.close()
    server.publish([{"seq": 1}])


def test_a_run_without_a_controller_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        RunError, match=rf"run {tmp_path.name} has no controller that could be asked; `longshore resume"
    ):
        ask(tmp_path, "status")


def test_a_socket_that_a_dead_controller_left_is_told_and_replaced(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "control"))
    left.close()

    with pytest.raises(RunError, match="has no controller"):
        ask(tmp_path, "status")
    with ControlServer(tmp_path, echo):
        assert ask(tmp_path, "status")["ok"]
    assert not (tmp_path / "control").exists()


def test_a_controller_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "control"))
        silent.listen()

        with pytest.raises(RunError, match="does not answer"):
            ask(tmp_path, "status", timeout=0.05)


def accept_and_hang_up(server: socket.socket) -> None:
    server.accept()[0].close()


def test_a_controller_that_dies_before_it_answers_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dying:
        dying.bind(str(tmp_path / "control"))
        dying.listen()
        thread = threading.Thread(target=accept_and_hang_up, args=(dying,))
        thread.start()

        with pytest.raises(RunError, match=r"ended without an answer|hung up"):
            ask(tmp_path, "status")
        thread.join(SECONDS)


def test_an_answer_of_a_newer_controller_is_passed_on_in_its_words(tmp_path: Path) -> None:
    def serve(newer: socket.socket) -> None:
        with newer.accept()[0] as connection:
            connection.recv(1000)
            connection.sendall(b'{"ok": false, "error": "I speak version 7", "new": {}}\n')

    with socket.socket(socket.AF_UNIX) as newer:
        newer.bind(str(tmp_path / "control"))
        newer.listen()
        thread = threading.Thread(target=serve, args=(newer,))
        thread.start()

        with pytest.raises(RunError, match="I speak version 7"):
            ask(tmp_path, "status")
        thread.join(SECONDS)


@pytest.mark.parametrize("depth", [1, 3])
def test_the_run_folder_may_have_a_very_long_path(tmp_path: Path, depth: int) -> None:
    folder = tmp_path.joinpath(*["x" * 60] * depth)
    folder.mkdir(parents=True)

    with ControlServer(folder, echo):
        assert ask(folder, "status")["ok"]
        assert (folder / "control").is_socket()


@pytest.mark.usefixtures("server")
def test_the_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "control").stat().st_mode) == 0o600


ASK = """
import os, sys
from pathlib import Path
from longshore.errors import RunError
from longshore.runtime.asking import ask
os.setuid(65534)
try:
    ask(Path(sys.argv[1]), "status")
except RunError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.usefixtures("server")
def test_another_user_is_not_heard_even_when_the_socket_lets_them_in(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to(tempfile.gettempdir()) and not folder.stat().st_mode & stat.S_IXOTH:
            folder.chmod(0o755)
    (tmp_path / "control").chmod(0o666)

    said = subprocess.run(
        [sys.executable, "-c", ASK, str(tmp_path)], capture_output=True, text=True, timeout=SECONDS, check=False
    )

    assert "it is another user's" in said.stdout, said.stderr


def test_machines_are_measured_while_somebody_watches(tmp_path: Path) -> None:
    told: SimpleQueue[bool] = SimpleQueue()
    with ControlServer(tmp_path, echo, told.put) as server:
        first, second = Events(tmp_path, op="watch"), Events(tmp_path, op="watch")
        assert told.get(timeout=SECONDS)
        server.show([{"machine": "m"}])
        server.publish([{"seq": 1}])
        assert (next(iter(first)), next(iter(second))) == ({"machine": "m"}, {"machine": "m"})
        first.close()
        second.close()
        while told.empty():
            server.show([{"machine": "m"}])  # who has gone is noticed by what cannot be sent

        assert told.get(timeout=SECONDS) is False
        assert told.empty(), "it was told of the second one too"
        with Events(tmp_path, op="watch", silence=0.2) as third:
            assert third.answer["did"] == "watch"
            assert list(third) == []
            assert told.get(timeout=SECONDS)
