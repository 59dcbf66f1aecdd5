"""A stand-in for a cluster: a server of its API, with watches, exec, logs, and refusals.

It holds every pod that it is given to the schema of Kubernetes, strictly. What it leaves out: rights, admission, more
nodes, and users within pods. Images are few: see `images`.
"""

from __future__ import annotations

import base64
import copy
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import kubernetes_validate
import trustme
import yaml

from .clusters import LocalFolder
from .objects import Key, Objects, Refusal
from .pods import Kubelet
from .requests import KINDS, Handler, Server

__all__ = ["StandIn"]

_SCHEMAS = ("1.29", "1.36")
_TOKEN = "letmein"
_SECONDS = 120.0


class StandIn:
    """A `clusters.Cluster`; begin with `serving`."""

    namespace = "default"

    def __init__(self, folder: Path) -> None:
        self.objects = Objects()
        self.kubelet = Kubelet(self.objects, folder / "pods")
        self.asked: list[tuple[str, str]] = []
        """Method and path of each request."""
        self.images: set[str] = set()
        """Those that pods have asked for."""
        self.watches = 0
        """So many watches have been begun."""
        self.streams = 0
        """So many exec streams have been opened."""
        self.forbidden: set[tuple[str, str]] = set()
        """Verbs and resources that the caller may not use, as he is told when he asks for his rights."""
        self._folder = folder
        self._refusals: list[tuple[str, Refusal, int]] = []
        self._streams: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._port = 0
        self._shared = TemporaryDirectory(prefix="longshore-k8s-", dir="/dev/shm")
        self._authority = trustme.CA()
        self.add_namespace("default")
        self.add_namespace("kube-system")

    def add_namespace(self, name: str) -> None:
        """Make a namespace."""
        self.objects.create(("namespaces", "", name), {"apiVersion": "v1", "kind": "Namespace"})

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve; nothing is left running afterwards."""
        handler = type("Handler", (Handler,), {"cluster": self})
        with Server(("127.0.0.1", 0), handler) as server:
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
                self._shared.cleanup()

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

    @cached_property
    def shared(self) -> LocalFolder:
        """A folder that pods see as we do."""
        return LocalFolder(Path(self._shared.name))

    def all(self, kind: str) -> list[dict[str, Any]]:
        """List all objects of a kind, of namespaces those that runs have made."""
        found = self.objects.all(kind, "" if kind == "namespaces" else self.namespace)[1]
        return [each for each in found if kind != "namespaces" or each["metadata"].get("labels")]

    def execute(self, pod: str, argv: Sequence[str]) -> tuple[int, str]:
        """Execute a program in a pod; give its exit code and what it says."""
        container = self.kubelet.container(self.objects.get(("pods", self.namespace, pod)))
        with container.execute(argv) as process:
            try:
                said, complaint = process.communicate(timeout=_SECONDS)
            finally:
                process.kill()  # what has not ended in time would be waited for
        return process.returncode, (said + complaint).decode()

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
            self.images.update(each["image"] for each in body["spec"]["containers"])
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
            meta = found["metadata"]
            if "deletionTimestamp" in meta and not set(gone) <= set(meta.get("finalizers", [])):
                raise Refusal(
                    422,
                    "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, "
                    f"found new finalizers {gone}",
                )
            meta["finalizers"] = [each for each in meta.get("finalizers", []) if each not in gone]

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
    meta = body["metadata"]
    names = {
        part: {key: "x" if isinstance(text, str) else text for key, text in meta[part].items()}
        for part in ("labels", "annotations")
        if part in meta
    }
    # Thousands differ in names alone, and what is text says nothing to a schema.
    refused = _objection(json.dumps({**body, "metadata": {**meta, "name": "x", **names}}))
    if refused:
        raise Refusal(422, f"{KINDS[resource]} is invalid: {refused}")


@lru_cache(maxsize=1000)
def _objection(text: str) -> str:
    for version in _SCHEMAS:
        try:
            kubernetes_validate.validate(json.loads(text), version, strict=True)
        except kubernetes_validate.ValidationError as error:
            return str(error.message)
    return ""
