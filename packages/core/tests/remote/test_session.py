"""The controller's side of a link tells each end once, however often the supervisor says it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

from longshore.model.events import AttemptEnded
from longshore.plugin.protocols import SessionEvent
from longshore.remote.protocol import Lines, decode_lines, encode
from longshore.remote.session import SupervisorSession

SECONDS = 60.0
HELLO = {"op": "hello", "unattended": 60.0, "tied": True}


class Supervisor:
    """The other side of the link, which says what it is told to say."""

    def __init__(self) -> None:
        self._stream, self.theirs = socket.socketpair()
        self._stream.settimeout(SECONDS)
        self._lines = Lines()
        self._heard: list[dict[str, Any]] = []

    def wait(self, operation: str) -> None:
        """Wait until it is asked for something."""
        while not any(each["op"] == operation for each in self._heard):
            content = self._stream.recv(1 << 16)
            assert content, "hung up"
            self._heard += decode_lines(self._lines.take(content))
        self._heard.clear()

    def say_ended(self, *tasks: str) -> None:
        for task in tasks:
            self._stream.sendall(encode({"event": "ended", "id": f"r/{task}/1", "lost": "gone"}))

    def close(self) -> None:
        self._stream.close()


@contextmanager
def linked() -> Iterator[tuple[Supervisor, SupervisorSession, SimpleQueue[SessionEvent]]]:
    supervisor = Supervisor()
    told: SimpleQueue[SessionEvent] = SimpleQueue()

    def tell(*events: SessionEvent) -> None:
        for event in events:
            told.put(event)

    session = SupervisorSession("m", HELLO, lambda: supervisor.theirs, tell, lambda: "")
    try:
        yield supervisor, session, told
    finally:
        supervisor.close()
        session.close()


def next_end(told: SimpleQueue[SessionEvent]) -> str:
    event = told.get(timeout=SECONDS)
    assert isinstance(event, AttemptEnded)
    return event.task


def test_what_ends_while_it_is_asked_for_is_told_once() -> None:
    with linked() as (supervisor, session, told):
        session.adopt(["r/a/1", "r/b/1"])
        supervisor.wait("adopt")
        supervisor.say_ended("a", "a", "b")

        assert [next_end(told), next_end(told)] == ["a", "b"]


def test_what_has_ended_is_told_again_to_who_asks_again() -> None:
    with linked() as (supervisor, session, told):
        for _ in range(2):
            session.adopt(["r/a/1"])
            supervisor.wait("adopt")
            supervisor.say_ended("a")

            assert next_end(told) == "a"
