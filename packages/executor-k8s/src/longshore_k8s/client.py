"""One namespace of a cluster, by the official client. Pods are as JSON has them."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client
from kubernetes import config as loading
from kubernetes.stream.ws_client import WSClient, get_websocket_url
from websocket import WebSocketBadStatusException, WebSocketException

from longshore.errors import LongshoreError, MachineUnreachable
from longshore_k8s.config import K8sConfig
from longshore_k8s.errors import NotThere, message_of, of_api, plain_text, translated
from longshore_k8s.manifests import CONTAINER

__all__ = ["Namespace"]

_CALL_SECONDS = 30.0
_WATCH_SECONDS = 290
_REPEATS = urllib3.Retry(
    total=6,
    read=2,
    other=0,  # who cannot prove who he is will not learn it
    status_forcelist=[429, 500, 502, 503, 504],
    allowed_methods=None,  # all that is asked for has a name that follows from what it is
    backoff_factor=0.2,
    backoff_max=10,
    raise_on_status=False,
)
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_EXPIRED = 410


class Namespace:
    """Where our pods are. Several threads may use it at once."""

    def __init__(self, config: K8sConfig) -> None:
        """Find the cluster; nothing is asked of it.

        Raises:
            ExecutorError: when there is no kubeconfig, or it has no such context.
        """
        with translated("looking for a cluster"):
            settings, namespace = _settings(config)
        settings.retries = _REPEATS
        self.name = config.namespace or namespace or "default"
        self._client = client.ApiClient(settings)
        self._core = client.CoreV1Api(self._client)

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()

    def uid(self) -> str:
        """Give what tells this namespace from all others, of other clusters too."""
        with translated(f"getting namespace {self.name}"):
            return str(self._json(self._core.read_namespace(self.name, **_RAW))["metadata"]["uid"])

    def create(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Make a pod.

        Raises:
            AlreadyThere: when there is one of that name.
            MachineUnreachable: when nobody answers, or the quota is used up.
            ExecutorError: when we may not.
        """
        with translated(f"creating pod {manifest['metadata']['name']} in namespace {self.name}"):
            return self._json(self._core.create_namespaced_pod(self.name, manifest, **_RAW))

    def pod(self, name: str) -> dict[str, Any]:
        """Read a pod; raises NotThere when there is none."""
        with translated(f"getting pod {name} in namespace {self.name}"):
            return self._json(self._core.read_namespaced_pod(name, self.name, **_RAW))

    def delete(self, name: str) -> None:
        """Delete a pod. Silent when there is none."""
        try:
            with translated(f"deleting pod {name} in namespace {self.name}"):
                self._core.delete_namespaced_pod(name, self.name, **_RAW)
        except NotThere:
            pass

    def states(self, name: str, seconds: float) -> Iterator[dict[str, Any] | None]:
        """Give a pod as it is and whenever it changes, None when it is gone, until the time is over."""
        end = time.monotonic() + seconds
        while True:
            try:
                pod = self.pod(name)
            except NotThere:
                yield None
                return
            yield pod
            version = pod["metadata"]["resourceVersion"]
            while version:
                left = end - time.monotonic()
                if left <= 0:
                    return
                version = yield from self._changes(name, version, left)

    def _changes(self, name: str, version: str, seconds: float) -> Generator[dict[str, Any] | None, None, str]:
        """Watch once; give the version to go on from, or nothing when the pod must be read again."""
        with translated(f"watching pods in namespace {self.name}"):
            answer = self._core.list_namespaced_pod(
                self.name,
                field_selector=f"metadata.name={name}",
                resource_version=version,
                watch=True,
                timeout_seconds=max(1, min(_WATCH_SECONDS, round(seconds))),
                _preload_content=False,
                _request_timeout=(_CALL_SECONDS, seconds + _CALL_SECONDS),
            )
        try:
            for line in _lines(answer):
                told = json.loads(line)
                if told["type"] == "ERROR":
                    return ""
                if told["type"] == "DELETED":
                    yield None
                    return ""
                version = told["object"]["metadata"]["resourceVersion"]
                if told["type"] != "BOOKMARK":
                    yield told["object"]
        finally:
            answer.release_conn()
            answer.close()
        return version

    def execute(self, pod: str, argv: Sequence[str]) -> WSClient:
        """Begin a program in a pod, with its standard input, output and errors."""
        settings = self._client.configuration
        words = [("command", word) for word in argv]
        flags = [("container", CONTAINER), ("stdin", "true"), ("stdout", "true"), ("stderr", "true"), ("tty", "false")]
        path = f"{settings.host}/api/v1/namespaces/{self.name}/pods/{pod}/exec"
        with translated(f"executing in pod {pod} in namespace {self.name}"):
            headers = {
                each["key"]: each["value"] for each in settings.auth_settings().values() if each["in"] == "header"
            }
            try:
                # Not by `stream`, which keeps a copy of all that has ever arrived.
                return WSClient(settings, get_websocket_url(path, [*words, *flags]), headers, False, binary=True)
            except WebSocketBadStatusException as error:
                raise _refused(error, pod) from error
            except WebSocketException as error:
                raise MachineUnreachable(f"no stream to pod {pod} can be opened: {plain_text(str(error))}") from error

    def _json(self, answer: Any) -> dict[str, Any]:
        found = json.loads(answer.data)
        if not isinstance(found, dict):
            raise MachineUnreachable("the cluster answers something that is no object")
        return found


_RAW: dict[str, Any] = {"_preload_content": False, "_request_timeout": _CALL_SECONDS}


def _settings(config: K8sConfig) -> tuple[client.Configuration, str]:
    settings = client.Configuration()
    try:
        loading.load_kube_config(config.kubeconfig or None, config.context or None, settings)
    except loading.ConfigException:
        if config.kubeconfig or config.context or not _ACCOUNT.exists():
            raise
        loading.load_incluster_config(settings)
        return settings, _ACCOUNT.read_text().strip()
    contexts, current = loading.list_kube_config_contexts(config.kubeconfig or None)
    [used] = [each for each in contexts if each["name"] == config.context] or [current]
    return settings, used["context"].get("namespace", "")


def _lines(answer: Any) -> Iterator[bytes]:
    """Split what arrives into lines; a line that was cut is not given."""
    rest = b""
    with translated("watching"):
        for piece in answer.stream(amt=None, decode_content=False):
            *lines, rest = (rest + piece).split(b"\n")
            yield from (line for line in lines if line.strip())


def _refused(error: WebSocketBadStatusException, pod: str) -> LongshoreError:
    """Give what a stream that was not opened means: what is not about our rights is about the pod's container."""
    refused = client.ApiException(status=error.status_code, reason=str(error))
    refused.body = error.resp_body
    if error.status_code in {401, 403, 404}:
        return of_api(refused, f"executing in pod {pod}")
    return MachineUnreachable(f"no stream to pod {pod} can be opened: {message_of(refused)}")
