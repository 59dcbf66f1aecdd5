"""A stand-in for a cluster: a server of its API, with watches, exec, logs, and refusals.

It holds every pod that it is given to the schema of Kubernetes, strictly. What it leaves out: rights, admission, more
nodes, users within pods, and images (a pod sees this computer's own programs).
"""

from __future__ import annotations

import base64
import copy
import json
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import kubernetes_validate
import trustme
import yaml

from .objects import Key, Objects, Refusal
from .pods import Kubelet
from .websocket import Socket, accept_key

__all__ = ["StandIn"]

_SCHEMAS = ("1.29", "1.36")
_KINDS = {
    "pods": "Pod",
    "namespaces": "Namespace",
    "jobs": "Job",
    "leases": "Lease",
    "resourcequotas": "ResourceQuota",
    "selfsubjectaccessreviews": "SelfSubjectAccessReview",
}
_PIECE_BYTES = 1 << 15
_STDIN, _STDOUT, _STDERR, _ERROR = 0, 1, 2, 3
_WATCH_SECONDS = 300.0
_TOKEN = "letmein"


class StandIn:
    """Begin with `serving`."""

    def __init__(self, folder: Path) -> None:
        self.objects = Objects()
        self.kubelet = Kubelet(self.objects, folder / "pods")
        self.asked: list[tuple[str, str]] = []
        """Method and path of each request."""
        self.streams = 0
        """So many exec streams have been opened."""
        self.forbidden: set[tuple[str, str]] = set()
        """Verbs and resources that the caller may not use, as he is told when he asks for his rights."""
        self._folder = folder
        self._refusals: list[tuple[str, Refusal, int]] = []
        self._streams: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._port = 0
        self._authority = trustme.CA()
        self.add_namespace("default")
        self.add_namespace("kube-system")

    def add_namespace(self, name: str) -> None:
        """Make a namespace."""
        self.objects.create(("namespaces", "", name), {"apiVersion": "v1", "kind": "Namespace"})

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve; nothing is left running afterwards."""
        handler = type("Handler", (_Handler,), {"cluster": self})
        with _Server(("127.0.0.1", 0), handler) as server:
            self._port = server.server_port
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._authority.issue_cert("127.0.0.1").configure_cert(tls)
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
            thread.start()
            try:
                yield
            finally:
                self.objects.cut()
                self.cut()
                server.shutdown()
                thread.join()
                self.kubelet.close()

    @property
    def kubeconfig(self) -> Path:
        """A file that leads here."""
        path = self._folder / "kubeconfig"
        trusted = base64.b64encode(self._authority.cert_pem.bytes()).decode()
        named = {"server": f"https://127.0.0.1:{self._port}", "certificate-authority-data": trusted}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": named}],
            "users": [{"name": "me", "user": {"token": _TOKEN}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
            "current-context": "here",
        }
        path.write_text(yaml.safe_dump(config))
        return path

    # --- mishaps

    def refuse(self, code: int, message: str, *, on: str = "", times: int = 1, after: int = 0) -> None:
        """Answer the next requests so, those of one method if it is given; ``after`` says in how many seconds to come
        again.
        """
        with self._lock:
            self._refusals += [(on, Refusal(code, message), after)] * times

    def cut(self) -> None:
        """Break all exec streams, as a network does."""
        with self._lock:
            for connection in self._streams:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def evict(self, name: str, namespace: str = "default") -> None:
        """Take a pod away as a node does that lacks memory."""
        pod = self.objects.get(("pods", namespace, name))
        self.kubelet.fail(pod, "Evicted", "The node was low on resource: memory.")

    def run_out_of_memory(self, name: str, namespace: str = "default") -> None:
        """Kill a pod as the kernel does when it has used more memory than it may."""
        self.kubelet.kill(self.objects.get(("pods", namespace, name)), "OOMKilled")

    def delete_pod(self, name: str, namespace: str = "default") -> None:
        """Delete a pod, as anybody may who is allowed to."""
        self.delete(("pods", namespace, name))

    def lose_node(self, name: str, namespace: str = "default") -> None:
        """Take the node of a pod away, as a power cut does; what the cluster then does is to want the pod deleted."""
        key = ("pods", namespace, name)
        pod = self.objects.get(key)
        self.kubelet.strand(pod)
        why = {"reason": "DeletionByTaintManager", "message": "its node does not answer"}
        condition = {"type": "DisruptionTarget", "status": "True", **why}
        self.objects.change(key, lambda found: found["status"].update(conditions=[condition]))
        self.objects.delete(key)

    # --- what requests mean

    def refusal(self, method: str, token: str) -> tuple[Refusal, int] | None:
        """Say how a request is refused, if it is."""
        if token != _TOKEN:
            return Refusal(401, "Unauthorized", "Unauthorized"), 0
        with self._lock:
            for place, (on, refusal, after) in enumerate(self._refusals):
                if on in {"", method}:
                    del self._refusals[place]
                    return refusal, after
        return None

    def metrics(self, namespace: str) -> list[dict[str, Any]]:
        """Say what pods use: the same for all."""
        usage = {"cpu": "250m", "memory": "64Mi"}
        pods = self.objects.all("pods", namespace)[1]
        return [{"metadata": pod["metadata"], "containers": [{"name": "tasks", "usage": usage}]} for pod in pods]

    def review(self, body: dict[str, Any]) -> dict[str, Any]:
        """Say whether the caller may do something."""
        asked = body["spec"]["resourceAttributes"]
        part = f"/{asked['subresource']}" if asked["subresource"] else ""
        return {**body, "status": {"allowed": (asked["verb"], f"{asked['resource']}{part}") not in self.forbidden}}

    def post(self, resource: str, namespace: str, body: dict[str, Any], *, dry: bool = False) -> dict[str, Any]:
        """Make an object, or only see whether it could be made; of a Job its pod, too."""
        _validate(resource, body)
        if resource != "namespaces":
            self.objects.get(("namespaces", "", namespace))
        if dry:
            return body
        if resource == "pods":
            body.setdefault("status", {"phase": "Pending"})
        made = self.objects.create((resource, namespace, body["metadata"]["name"]), body)
        if resource == "pods":
            self.kubelet.added(made)
        elif resource == "jobs":
            self._begin_job(made)
        return made

    def _begin_job(self, job: dict[str, Any]) -> None:
        """Make the pod of a Job, under a name by chance and with a word of whose it is."""
        template, name = copy.deepcopy(job["spec"]["template"]), job["metadata"]["name"]
        meta = {**template["metadata"], "name": f"{name[:57]}-{os.urandom(2).hex()}"}
        meta["ownerReferences"] = [
            {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": job["metadata"]["uid"], "controller": True}
        ]
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
        self.post("pods", job["metadata"]["namespace"], pod)

    def put(self, key: Key, body: dict[str, Any]) -> dict[str, Any]:
        """Replace an object; its version must be the one that is known."""
        _validate(key[0], body)

        def work(found: dict[str, Any]) -> None:
            held = {name: found["metadata"][name] for name in ("uid", "creationTimestamp")}
            found.update(body)
            found["metadata"].update(held)

        return self.objects.change(key, work, version=body["metadata"].get("resourceVersion", ""))

    def patch(self, key: Key, body: Mapping[str, Any]) -> dict[str, Any]:
        """Take finalizers away from an object, by a strategic merge: the only change that is known here."""
        if set(body) != {"metadata"} or set(body["metadata"]) != {"$deleteFromPrimitiveList/finalizers"}:
            raise Refusal(422, f"a patch that the stand-in does not know: {body}")
        gone = body["metadata"]["$deleteFromPrimitiveList/finalizers"]

        def work(found: dict[str, Any]) -> None:
            left = [each for each in found["metadata"].get("finalizers", []) if each not in gone]
            found["metadata"]["finalizers"] = left

        found = self.objects.change(key, work)
        if key[0] == "pods" and "deletionTimestamp" in found["metadata"]:
            self.kubelet.deleted(found)
        return found

    def delete(self, key: Key) -> dict[str, Any]:
        """Delete an object; a pod ends first, and what belongs to it goes, too."""
        found = self.objects.delete(key)
        for resource in ("pods", "leases", "jobs"):
            for each in self.objects.all(resource)[1]:
                meta = each["metadata"]
                owners = [owner["uid"] for owner in meta.get("ownerReferences", [])]
                if found["metadata"]["uid"] in owners or key == ("namespaces", "", meta["namespace"]):
                    self.delete((resource, meta["namespace"], meta["name"]))
        if key[0] == "pods":
            self.kubelet.deleted(found)
        return found

    @contextmanager
    def streaming(self, connection: socket.socket) -> Iterator[None]:
        """Let a stream be cut while it lasts."""
        with self._lock:
            self.streams += 1
            self._streams.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._streams.discard(connection)


def _validate(resource: str, body: dict[str, Any]) -> None:
    for version in _SCHEMAS:
        try:
            kubernetes_validate.validate(body, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            raise Refusal(422, f"{_KINDS[resource]} is invalid: {error.message}") from error


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Say nothing: callers hang up in the middle of streams."""


class _Handler(BaseHTTPRequestHandler):
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
        with self.cluster.streaming(self.connection), container.execute(argv) as process:
            _pump(process, link)
            with suppress(OSError):
                link.send(bytes([_ERROR]) + json.dumps(_ending(process.wait())).encode())
                link.close()


def _pump(process: subprocess.Popen[bytes], link: Socket) -> None:
    """Join a program with a stream; a stream that breaks ends the program's input, and not the program."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    writers = [
        threading.Thread(target=_pass_on, args=(pipe.fileno(), channel, link), daemon=True)
        for pipe, channel in ((process.stdout, _STDOUT), (process.stderr, _STDERR))
    ]

    def read() -> None:
        with suppress(OSError, ValueError):
            for message in link.messages():
                if message[:1] == bytes([_STDIN]):
                    process.stdin.write(message[1:])  # type: ignore[union-attr]  # asserted above
                    process.stdin.flush()  # type: ignore[union-attr]  # as above
        with suppress(OSError):
            process.stdin.close()  # type: ignore[union-attr]  # as above

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
    if code == 127:
        return {
            "metadata": {},
            "status": "Failure",
            "reason": "InternalError",
            "message": "executable file not found in $PATH",
        }
    causes = [{"reason": "ExitCode", "message": str(code)}]
    message = f"command terminated with non-zero exit code: exit status {code}"
    return {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": message,
        "details": {"causes": causes},
    }


def _parse(path: str) -> tuple[str, str, str, str]:
    """Take a path apart: resource, namespace, name and what follows."""
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces":
        namespace, parts = parts[1], parts[2:]
    if not parts or parts[0] not in _KINDS:
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
