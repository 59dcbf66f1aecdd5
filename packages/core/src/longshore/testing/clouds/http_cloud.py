"""What all stand-ins for clouds share: a server, a clock that is moved by hand, mishaps, and a record of requests."""

from __future__ import annotations

import json
import ssl
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import field, frozen

from longshore.testing.faults import Fault

__all__ = ["Answer", "Check", "Hosts", "HttpCloud", "Place", "Request"]

_HANG_SECONDS = 5.0
_READS = 2
"""So often does an SDK that repeats reads ask before it gives up: a cloud that hangs does so for all of them."""


@frozen(kw_only=True)
class Request:
    """What has arrived."""

    method: str
    path: str
    query: Mapping[str, str] = field(factory=dict[str, str])
    body: Any = None
    token: str = ""
    """What the caller has shown as its bearer's token."""
    headers: Mapping[str, str] = field(factory=dict[str, str], repr=False)
    """All of them, by their names in small letters."""


@frozen(kw_only=True)
class Answer:
    """What is sent back; no body when it is None."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(factory=dict[str, str])
    """Besides those that say what the body is."""


class Check(Protocol):
    """Holds a stand-in and its callers to the cloud's own description of its API."""

    def __call__(self, request: Request, answer: Answer | None) -> str:
        """Say what is wrong with a request, or with the answer to it; empty when nothing is."""
        ...


class Hosts(Protocol):
    """What can be under machines: `longshore.testing.fake_hosts.FakeHosts`."""

    def boot(self, name: str, addresses: Sequence[str], data: str | None = None) -> None:
        """Switch one on; with a new disk it executes its boot data."""
        ...

    def cut(self, name: str, *, keep: bool = False) -> None:
        """Take its power away, and its disk unless that is to be kept."""
        ...


@frozen(kw_only=True)
class Place:
    """What a workflow file says of machines at a stand-in."""

    provider: str
    options: str
    """Lines of the provider's table; ``{url}`` is where the stand-in answers."""
    pool: str
    """Lines of a pool: which machine."""
    user: str
    """Who logs in there."""
    spot: bool
    """Whether the cloud takes machines back; then `HttpCloud.reclaim` does."""
    deadline: str = "60 s"
    """How long a call may take."""


class HttpCloud:
    """Begin with `serving`. A subclass says what requests mean; one is answered at a time, so it needs no locks."""

    place: Place
    boot = timedelta(seconds=30)
    """How long a machine is starting."""
    lag = timedelta(seconds=10)
    """How long it may be missing in lists."""

    def __init__(self, *, check: Check | None = None) -> None:
        """Let ``check`` look at all requests and answers; what it finds is answered with status 400, and kept."""
        self._check = check
        self._lock = threading.RLock()
        self._faults: list[tuple[Fault, str, int]] = []
        self._offset = timedelta(0)
        self.hosts: Hosts | None = None
        """What is under the machines, by their ids; nothing when it is None."""
        self.answers: dict[str, Answer] = {}
        """What is answered to an action, whatever is asked for, as long as it stands here."""
        self.seen: list[tuple[str, Any]] = []
        """Action and body of each request."""
        self.called: set[tuple[str, str]] = set()
        """Method and path of each request, with ids replaced by ``{}``."""
        self.violations: list[str] = []

    # --- what a subclass says

    def action_of(self, request: Request) -> str:
        """Name what a request is about: ``create``, ``list``, ``end``, or anything else."""
        raise NotImplementedError

    def refusal(self, fault: Fault) -> Answer:
        """Give the answer of a fault that is a refusal."""
        raise NotImplementedError

    def answer(self, request: Request, fault: Fault | None) -> Answer:
        """Do what is asked for; by half or twice when the fault says so."""
        raise NotImplementedError

    def machines(self) -> Collection[str]:
        """List the ids of the machines that there are."""
        raise NotImplementedError

    def sides(self) -> Sequence[str]:
        """Name what there is beside machines, and was not there at first."""
        raise NotImplementedError

    def powered_off(self, machine: str) -> None:
        """Take note that a machine's host has powered itself off."""
        raise NotImplementedError

    def reclaim(self, machine: str) -> None:
        """Take a spot machine back; an error for any other."""
        raise NotImplementedError

    # --- what a test does

    def now(self) -> datetime:
        """The cloud's time."""
        return datetime.now(UTC) + self._offset

    def wait(self, duration: timedelta) -> None:
        """Let it pass."""
        with self._lock:
            self._offset += duration

    def fail(self, fault: Fault, *, on: str) -> None:
        """Let the next request of an action (``*`` for any) go wrong."""
        with self._lock:
            self._faults.append((fault, on, _READS if fault is Fault.HANG and on != "create" else 1))

    def requests(self) -> Sequence[tuple[str, Any]]:
        """List the requests that have arrived: action and body."""
        with self._lock:
            return list(self.seen)

    @contextmanager
    def serving(self, tls: ssl.SSLContext) -> Iterator[str]:
        """Serve, and give the address."""
        handler = type("Handler", (_Handler,), {"cloud": self})
        with _Server(("127.0.0.1", 0), handler) as server:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            thread.start()
            try:
                yield f"https://localhost:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()

    # --- one request

    def handle(self, request: Request) -> Answer | None:
        """Answer one request; None when the connection is to end without an answer."""
        with self._lock:
            action = self.action_of(request)
            self.seen.append((action, request.body))
            self.called.add((request.method, _shape(request.path)))
            fault = self._take(action)
            wrong = self._look(request, None)
        if fault is Fault.HANG:
            time.sleep(_HANG_SECONDS)
            return None
        if wrong:
            return Answer(status=400, body={"id": "violation", "message": wrong})
        with self._lock:
            answer = self._answer(request, action, fault)
            if wrong := self._look(request, answer):
                return Answer(status=500, body={"id": "violation", "message": wrong})
        return None if fault is Fault.REPLY_LOST else answer

    def _answer(self, request: Request, action: str, fault: Fault | None) -> Answer:
        if fault in _REFUSALS and fault is not None:
            return self.refusal(fault)
        return self.answers.get(action) or self.answer(request, fault)

    def _take(self, action: str) -> Fault | None:
        for place, (fault, on, times) in enumerate(self._faults):
            if on in {"*", action}:
                if times > 1:
                    self._faults[place] = (fault, on, times - 1)
                else:
                    del self._faults[place]
                return fault
        return None

    def _look(self, request: Request, answer: Answer | None) -> str:
        wrong = self._check(request, answer) if self._check is not None else ""
        if wrong:
            self.violations.append(f"{request.method} {request.path}: {wrong}")
        return wrong


_REFUSALS = frozenset(
    {
        Fault.CAPACITY,
        Fault.QUOTA,
        Fault.CREDENTIALS,
        Fault.DENIED,
        Fault.THROTTLED,
        Fault.INVALID,
        Fault.UNKNOWN,
    }
)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of callers that have gone before their answer came."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # handed through


class _Handler(BaseHTTPRequestHandler):
    cloud: HttpCloud
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or what comes in two parts waits for the other side to say that it has the first

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        answer = self.cloud.handle(
            Request(
                method=self.command,
                path=unquote(split.path),
                query=dict(parse_qsl(split.query)),
                body=json.loads(content) if content else None,
                token=self.headers.get("Authorization", "").removeprefix("Bearer "),
                headers={name.lower(): value for name, value in self.headers.items()},
            )
        )
        if answer is None:
            self.close_connection = True
            return
        text = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815  names of the standard library

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _shape(path: str) -> str:
    return "/".join("{}" if any(map(str.isdigit, part)) and part != "v2" else part for part in path.split("/"))
