"""What the server of the stand-in for a cluster does with requests: HTTP, watches, logs, and exec streams."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from .objects import Refusal
from .websocket import Socket, accept_key

if TYPE_CHECKING:
    from .standin import StandIn

__all__ = ["KINDS", "Handler", "Server", "resource_of"]

KINDS = {
    "pods": "Pod",
    "namespaces": "Namespace",
    "secrets": "Secret",
    "leases": "Lease",
    "jobs": "Job",
    "resourcequotas": "ResourceQuota",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "selfsubjectaccessreviews": "SelfSubjectAccessReview",
}
"""What there may be."""
_PIECE_BYTES = 1 << 15
_STDIN, _STDOUT, _STDERR, _ERROR = 0, 1, 2, 3
_WATCH_SECONDS = 300.0


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Say nothing: callers hang up in the middle of streams."""


class Handler(BaseHTTPRequestHandler):
    cluster: StandIn
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        path = unquote(split.path)
        self.cluster.asked.append((self.command, path))
        query = parse_qs(split.query, keep_blank_values=True)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            refused = self.cluster.refusal(self.command, self.headers.get("Authorization", "").removeprefix("Bearer "))
            if refused is not None:
                self._refuse(*refused)
                return
            self._answer(path, query, json.loads(content) if content else None)
        except Refusal as error:
            self._refuse(error, 0)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  names of the standard library

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, path: str, query: Mapping[str, list[str]], body: Any) -> None:
        resource, namespace, name, part = _parse(path)
        if path.startswith("/apis/metrics.k8s.io/"):
            self._send(200, {"items": self.cluster.metrics(namespace)})
            return
        key = (resource, namespace, name)
        match self.command, name, part:
            case "GET", "", _ if query.get("watch", [""])[0].lower() in {"true", "1"}:
                self._watch(resource, namespace, query)
            case "GET", "", _:
                version, found = self.cluster.objects.all(resource, namespace)
                items = [each for each in found if _matches(each, query)]
                self._send(
                    200,
                    {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": str(version)}, "items": items},
                )
            case "GET", _, "":
                self._send(200, self.cluster.objects.get(key))
            case "GET", _, "exec":
                self._execute(self.cluster.objects.get(key), query["command"])
            case "GET", _, "log":
                self._log(self.cluster.objects.get(key), follow=query.get("follow", [""])[0].lower() == "true")
            case "POST", "", _ if resource == "selfsubjectaccessreviews":
                self._send(201, self.cluster.review(body))
            case "POST", "", _:
                self._send(201, self.cluster.post(resource, namespace, body, dry="dryRun" in query))
            case "PUT", _, "":
                self._send(200, self.cluster.put(key, body))
            case "PATCH", _, "":
                self._send(200, self.cluster.patch(key, body))
            case "DELETE", _, "":
                self._send(200, self.cluster.delete(key))
            case _:
                raise Refusal(405, f"{self.command} {path} is not allowed", "MethodNotAllowed")

    def _send(self, code: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        text = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def _refuse(self, refusal: Refusal, after: int) -> None:
        self._send(refusal.code, refusal.status, {"Retry-After": str(after)} if after else None)

    # --- streams

    def _watch(self, resource: str, namespace: str, query: Mapping[str, list[str]]) -> None:
        version = int(query.get("resourceVersion", ["0"])[0] or 0) or self.cluster.objects.all(resource)[0]
        self.cluster.watches += 1
        seconds = float(query.get("timeoutSeconds", [str(_WATCH_SECONDS)])[0])
        self._begin_chunks()
        try:
            for told in self.cluster.objects.since(version, seconds):
                if told is None:
                    self.wfile.flush()
                    continue
                kind, (what, where, _), found = told
                if what == resource and namespace in ("", where) and _matches(found, query):
                    self._chunk(json.dumps({"type": kind, "object": found}).encode() + b"\n")
        except Refusal as error:
            self._chunk(json.dumps({"type": "ERROR", "object": error.status}).encode() + b"\n")
        self._chunk(b"")

    def _log(self, pod: dict[str, Any], *, follow: bool) -> None:
        log = self.cluster.kubelet.log_of(pod)
        self._begin_chunks()
        argv = ["cat", str(log)]
        if follow:
            container = self.cluster.kubelet.container(pod)
            argv = ["tail", "-c", "+1", f"--pid={container.process.pid}", "-f", str(log)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as tail:
            assert tail.stdout is not None
            while content := os.read(tail.stdout.fileno(), _PIECE_BYTES):
                self._chunk(content)
        self._chunk(b"")

    def _begin_chunks(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()

    def _chunk(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def _execute(self, pod: dict[str, Any], argv: list[str]) -> None:
        container = self.cluster.kubelet.container(pod)
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept_key(self.headers["Sec-WebSocket-Key"]))
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        self.close_connection = True
        link = Socket(self.rfile, self.connection)  # type: ignore[arg-type]  # a file that reads
        if not container.finds(argv[0]):
            self._cannot_execute(argv[0], link)
            return
        with self.cluster.streaming(self.connection), container.execute(argv) as process:
            _pump(process, link)
            with suppress(OSError):
                link.send(bytes([_ERROR]) + json.dumps(_ending(process.wait())).encode())
                link.close()

    def _cannot_execute(self, program: str, link: Socket) -> None:
        """Say what the runtime of a node says of a program that is not there."""
        text = f'OCI runtime exec failed: exec: "{program}": executable file not found in $PATH: unknown'
        status = {"metadata": {}, "status": "Failure", "reason": "InternalError", "message": text, "code": 500}
        with suppress(OSError):
            link.send(bytes([_ERROR]) + json.dumps(status).encode())
            link.close()


class _Input:
    """What a program reads: one thread writes it, and any may end it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        self._pipe, process.stdin = process.stdin, None  # else the program's end closes it, too
        self._lock = threading.Lock()

    def write(self, content: bytes) -> None:
        """Raises OSError or ValueError when nobody reads it any more."""
        with self._lock:
            self._pipe.write(content)
            self._pipe.flush()

    def end(self) -> None:
        with self._lock, suppress(OSError):
            self._pipe.close()


def _pump(process: subprocess.Popen[bytes], link: Socket) -> None:
    """Join a program with a stream; a stream that breaks ends the program's input, and not the program.

    So does either of its outputs that ends, as with containerd.
    """
    given = _Input(process)
    assert process.stdout is not None
    assert process.stderr is not None

    def write(handle: int, channel: int) -> None:
        _pass_on(handle, channel, link)
        given.end()

    writers = [
        threading.Thread(target=write, args=(pipe.fileno(), channel), daemon=True)
        for pipe, channel in ((process.stdout, _STDOUT), (process.stderr, _STDERR))
    ]

    def read() -> None:
        with suppress(OSError, ValueError):
            for message in link.messages():
                if message[:1] == bytes([_STDIN]):
                    given.write(message[1:])
        given.end()

    reader = threading.Thread(target=read, daemon=True)
    for thread in (*writers, reader):
        thread.start()
    for writer in writers:
        writer.join()


def _pass_on(handle: int, channel: int, link: Socket) -> None:
    with suppress(OSError):
        while content := os.read(handle, _PIECE_BYTES):
            link.send(bytes([channel]) + content)


def _ending(code: int) -> dict[str, Any]:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    causes = [{"reason": "ExitCode", "message": str(code)}]
    message = f"command terminated with non-zero exit code: exit status {code}"
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": message,
        "details": {"causes": causes},
    }


def resource_of(path: str) -> str:
    """Say what a path is about, such as ``pods``."""
    return _parse(path)[0]


def _parse(path: str) -> tuple[str, str, str, str]:
    """Take a path apart: resource, namespace, name and what follows."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces":
        namespace, parts = parts[1], parts[2:]
    if not parts or parts[0] not in KINDS:
        raise Refusal(404, f"the server could not find {path}", "NotFound")
    resource, name, part, *_ = [*parts, "", ""]
    return resource, namespace, name, part


def _matches(found: Mapping[str, Any], query: Mapping[str, list[str]]) -> bool:
    meta = found["metadata"]
    fields = dict(
        each.split("=", 1) for each in query.get("fieldSelector", [""])[0].replace("==", "=").split(",") if each
    )
    labels = dict(each.split("=", 1) for each in query.get("labelSelector", [""])[0].split(",") if each)
    own = meta.get("labels") or {}
    return meta["name"] == fields.get("metadata.name", meta["name"]) and all(own.get(k) == v for k, v in labels.items())
