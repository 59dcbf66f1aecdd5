"""A real cluster, to which a kubeconfig leads: a namespace of it for one test."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
import yaml
from kubernetes import client
from kubernetes import config as loading
from kubernetes.stream import stream

from .clusters import IMAGE
from .proxy import Proxy

__all__ = ["RealCluster"]

_MARK = "longshore.test"
_HELPER = "test-helper"
_WAIT = ["sh", "-c", "umask 0; chmod 777 /shared; trap exit TERM; while :; do sleep 86400 & wait; done"]
_APIS = {
    "pods": ("CoreV1Api", "pod"),
    "secrets": ("CoreV1Api", "secret"),
    "leases": ("CoordinationV1Api", "lease"),
    "jobs": ("BatchV1Api", "job"),
}


class RealCluster:
    """Begin with `serving`."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self._folder = folder
        self._given = kubeconfig
        settings = client.Configuration()
        loading.load_kube_config(str(kubeconfig), client_configuration=settings)
        self._client = client.ApiClient(settings)
        self._core = client.CoreV1Api(self._client)
        where = urlsplit(settings.host)
        self._host = str(where.hostname)
        self.proxy = Proxy(self._host, where.port or 443)
        self.namespace = f"longshore-test-{os.urandom(4).hex()}"

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Make a namespace, and remove it with all that is in it."""
        meta = {"name": self.namespace, "labels": {_MARK: "yes"}}
        self._core.create_namespace({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        try:
            self._account_is_there()
            with self.proxy.serving():
                yield
        finally:
            self._release_pods()
            self._core.delete_namespace(self.namespace)
            self._client.close()

    @property
    def streams(self) -> int:
        """So many connections have been opened."""
        return self.proxy.accepted

    @property
    def kubeconfig(self) -> Path:
        """A file that leads there by a way that can be broken."""
        path = self._folder / "kubeconfig"
        if not path.exists():
            given = yaml.safe_load(self._given.read_text())
            [context] = [each for each in given["contexts"] if each["name"] == given["current-context"]]
            context["context"]["namespace"] = self.namespace
            [named] = [each for each in given["clusters"] if each["name"] == context["context"]["cluster"]]
            named["cluster"].update({"server": f"https://127.0.0.1:{self.proxy.port}", "tls-server-name": self._host})
            path.write_text(yaml.safe_dump(given))
            path.chmod(0o600)
        return path

    @cached_property
    def shared(self) -> NodeFolder:
        """A folder of a node."""
        return NodeFolder(self)

    def all(self, kind: str) -> list[dict[str, Any]]:
        """List what is there, of the test's own pods none; of namespaces those that runs have made."""
        if kind == "namespaces":
            mine = {"label_selector": "app.kubernetes.io/managed-by=longshore"}
            found = self._core.list_namespace(_preload_content=False, **mine)
            return [each for each in json.loads(found.data)["items"] if "deletionTimestamp" not in each["metadata"]]
        api, word = _APIS[kind]
        ask = getattr(getattr(client, api)(self._client), f"list_namespaced_{word}")
        return [
            each
            for each in json.loads(ask(self.namespace, _preload_content=False).data)["items"]
            if _MARK not in (each["metadata"].get("labels") or {}) and each.get("type") != _ACCOUNT_TOKEN
        ]

    def execute(self, pod: str, argv: Sequence[str]) -> tuple[int, str]:
        """Execute a program in a pod, not by the way that can be broken."""
        # The client replaces a method of its own by another one: no two threads may use it so at once.
        core = client.CoreV1Api(client.ApiClient(self._client.configuration))
        flags = {"stdin": False, "stdout": True, "stderr": True, "tty": False, "_preload_content": False}
        link = stream(core.connect_get_namespaced_pod_exec, pod, self.namespace, command=list(argv), **flags)
        try:
            link.run_forever()
            code = int(link.returncode)  # before the rest is read, which forgets it
            return code, str(link.read_all())
        finally:
            link.sock.shutdown()  # `close` does nothing after the other side has said good-bye

    def cut(self) -> None:
        """Break all connections."""
        self.proxy.cut()

    def delete_pod(self, name: str) -> None:
        """Delete a pod."""
        self._core.delete_namespaced_pod(name, self.namespace)

    def make_pod(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Make a pod of the test's own, and wait until it runs."""
        made = self._core.create_namespaced_pod(self.namespace, manifest, _preload_content=False)
        version = json.loads(made.data)["metadata"]["resourceVersion"]
        field = f"metadata.name={manifest['metadata']['name']}"
        follow = self._core.list_namespaced_pod(
            self.namespace,
            field_selector=field,
            resource_version=version,
            watch=True,
            timeout_seconds=60,
            _preload_content=False,
        )
        with _left(follow):
            for line in follow:
                found = json.loads(line)["object"]
                if found["status"]["phase"] == "Running":
                    return dict(found)
        raise AssertionError(f"no pod runs: {made.data}")

    def _account_is_there(self) -> None:
        """Wait for what each new namespace gets: without it no pod is let in."""
        follow = client.CoreV1Api(self._client).list_namespaced_service_account(
            self.namespace, watch=True, timeout_seconds=60, _preload_content=False
        )
        with _left(follow):
            next(iter(follow))

    def _release_pods(self) -> None:
        """Take the finalizers away from what a test has left."""
        for pod in self.all("pods"):
            change = [{"op": "remove", "path": "/metadata/finalizers"}]
            with suppress(client.ApiException):
                self._core.patch_namespaced_pod(pod["metadata"]["name"], self.namespace, change)


@contextmanager
def _left(follow: urllib3.BaseHTTPResponse) -> Iterator[None]:
    """Close what tells of changes, and its connection, however much of it was read."""
    try:
        yield
    finally:
        follow.release_conn()
        follow.close()


_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"


class NodeFolder:
    """A folder of one node, which is looked into through a pod; all that see it are on that node."""

    path = "/shared"

    def __init__(self, cluster: RealCluster) -> None:
        self._cluster = cluster
        where = f"/tmp/{cluster.namespace}"
        volume = {"name": "shared", "hostPath": {"path": where, "type": "DirectoryOrCreate"}}
        mount = {"name": "shared", "mountPath": self.path}
        container = {"name": "tasks", "image": IMAGE, "command": _WAIT, "volumeMounts": [mount]}
        spec: dict[str, Any] = {"containers": [container], "volumes": [volume], "terminationGracePeriodSeconds": 0}
        spec["automountServiceAccountToken"] = False  # its namespace may not have one yet
        meta = {"name": _HELPER, "labels": {_MARK: "yes"}}
        pod = cluster.make_pod({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
        self.template: Mapping[str, Any] = {
            "spec": {
                "nodeSelector": {"kubernetes.io/hostname": pod["spec"]["nodeName"]},
                "containers": [{"name": "tasks", "volumeMounts": [mount]}],
                "volumes": [volume],
            }
        }

    def read(self) -> dict[str, str]:
        """Give the content of each file."""
        # One look: each file as its name, then its lines, each after a blank.
        said = self._look('for f in *; do [ ! -f "$f" ] || { echo "$f"; sed "s/^/ /" "$f"; }; done')
        found: dict[str, str] = {}
        name = ""
        for line in said.splitlines():
            if line.startswith(" "):
                found[name] += f"{line[1:]}\n"
            else:
                name = line
                found[name] = ""
        return found

    def touch(self, name: str) -> None:
        """Make a file."""
        self._look(f"mkdir -p $(dirname {name}) && touch {name}")

    def remove(self, name: str) -> None:
        """Remove a file."""
        self._look(f"rm -f {name}")

    def _look(self, words: str) -> str:
        code, said = self._cluster.execute(_HELPER, ["sh", "-c", f"cd {self.path} && {words}"])
        assert code == 0, said
        return said
