"""One namespace of a cluster, by the official client. Pods are as JSON has them."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client
from kubernetes import config as loading
from kubernetes.stream.ws_client import WSClient, get_websocket_url
from websocket import WebSocketBadStatusException, WebSocketException

from longshore.errors import ExecutorError, LongshoreError, MachineUnreachable
from longshore_k8s.config import PER_RUN, K8sConfig
from longshore_k8s.errors import AlreadyThere, NotThere, message_of, of_api, plain_text, translated
from longshore_k8s.manifests import CONTAINER, FINALIZER
from longshore_k8s.names import OURS, RUN, labels_of_run, object_name
from longshore_k8s.rented import RentedWay, settings_of
from longshore_k8s.watches import Watch

__all__ = ["Namespace"]

_CALL_SECONDS = 30.0
_SYSTEM = "kube-system"
"""A namespace that each cluster has from its beginning to its end."""
_WORDS = {
    "pods": "pod",
    "leases": "lease",
    "jobs": "job",
    "resourcequotas": "resource_quota",
    "persistentvolumeclaims": "persistent_volume_claim",
}
"""In the plural and in the singular, as the client has them."""
_REPEATS = urllib3.Retry(
    total=6,
    read=2,
    other=2,  # a handshake that was cut; who cannot prove who he is is asked again in vain
    status_forcelist=[429, 500, 502, 503, 504],
    allowed_methods=None,  # all that is asked for has a name that follows from what it is
    backoff_factor=0.2,
    backoff_max=10,
    raise_on_status=False,
)
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class Namespace:
    """Where our pods are. Several threads may use it at once."""

    def __init__(self, config: K8sConfig, run: str = "", way: RentedWay | None = None) -> None:
        """Find the cluster; nothing is asked of it. ``run`` names the namespace that is made for a run, and ``way``
        leads to a rented cluster.

        Raises:
            ExecutorError: when there is no kubeconfig, or it has no such context.
        """
        with translated("looking for a cluster"):
            settings, namespace = _settings(config) if way is None else (settings_of(way), "")
        settings.retries = _REPEATS
        self._labels = labels_of_run(run) if config.namespace == PER_RUN else None
        self.name = config.namespace or namespace or "default"
        if self._labels is not None:
            self.name = object_name(run)
        self._client = client.ApiClient(settings)
        self._core = client.CoreV1Api(self._client)
        self._leases = client.CoordinationV1Api(self._client)
        self._jobs = client.BatchV1Api(self._client)

    @property
    def host(self) -> str:
        """The address of the cluster's server."""
        return str(self._client.configuration.host)

    def of(self, run: str) -> Namespace:
        """Give the namespace of another run, or this one when it is not one of a run's own."""
        other = copy.copy(self)
        if self._labels is not None:
            other._labels, other.name = labels_of_run(run), object_name(run)
        return other

    def places(self) -> Sequence[Namespace]:
        """List the namespaces in which we may have something."""
        return [self] if self.lasts else [self.of(run) for run in self.own_runs()]

    def own_runs(self) -> Sequence[str]:
        """List the runs that have namespaces of their own."""
        if self.lasts:
            return []
        with translated("listing namespaces"):
            found = self._json(self._core.list_namespace(label_selector=_selector(OURS), **_RAW))["items"]
        return [each["metadata"]["labels"].get(RUN, "") for each in found]

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()

    @property
    def lasts(self) -> bool:
        """Whether it was there before the run, and will be afterwards."""
        return self._labels is None

    def uid(self) -> str:
        """Give what tells this namespace from all others, of other clusters too; of a run's own, its cluster."""
        name = self.name if self.lasts else _SYSTEM
        with translated(f"getting namespace {name}"):
            return str(self._json(self._core.read_namespace(name, **_RAW))["metadata"]["uid"])

    def make(self) -> None:
        """Make the namespace, when it is one for the run and is not there.

        Raises:
            ExecutorError: when we may not, or somebody else has made it.
        """
        if self._labels is None:
            return
        meta = {"name": self.name, "labels": dict(self._labels)}
        try:
            with translated(f"creating namespace {self.name}"):
                self._core.create_namespace({"apiVersion": "v1", "kind": "Namespace", "metadata": meta}, **_RAW)
        except AlreadyThere:
            with translated(f"getting namespace {self.name}"):
                found = self._json(self._core.read_namespace(self.name, **_RAW))["metadata"].get("labels") or {}
            if any(found.get(key) != value for key, value in self._labels.items()):
                raise ExecutorError(f"namespace {self.name} is there, and is not ours") from None

    def remove(self) -> None:
        """Delete the namespace with all that is in it, when it is one for the run. Silent when there is none."""
        if self._labels is not None:
            with suppress(NotThere), translated(f"deleting namespace {self.name}"):
                self._core.delete_namespace(self.name, **_RAW)

    def create(self, kind: str, manifest: dict[str, Any]) -> dict[str, Any]:
        """Make an object of a kind such as ``pods``.

        Raises:
            AlreadyThere: when there is one of that name.
            QuotaExceeded: when the quota is used up.
            MachineUnreachable: when nobody answers.
            ExecutorError: when we may not.
        """
        with translated(f"creating {_WORDS[kind]} {manifest['metadata']['name']} in namespace {self.name}"):
            return self._json(self._call(f"create_namespaced_{_WORDS[kind]}")(self.name, manifest, **_RAW))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Read an object; raises NotThere when there is none."""
        with translated(f"getting {_WORDS[kind]} {name} in namespace {self.name}"):
            return self._json(self._call(f"read_namespaced_{_WORDS[kind]}")(name, self.name, **_RAW))

    def replace(self, kind: str, name: str, manifest: dict[str, Any]) -> None:
        """Replace an object; raises AlreadyThere when it has changed since it was read, NotThere when it is gone."""
        with translated(f"updating {_WORDS[kind]} {name} in namespace {self.name}"):
            self._call(f"replace_namespaced_{_WORDS[kind]}")(name, self.name, manifest, **_RAW)

    def list(self, kind: str, labels: Mapping[str, str]) -> tuple[str, list[dict[str, Any]]]:
        """Give all objects with these labels, and the version of the list."""
        with translated(f"listing {kind} in namespace {self.name}"):
            found = self._call(f"list_namespaced_{_WORDS[kind]}")
            whole = self._json(found(self.name, label_selector=_selector(labels), **_RAW))
        return str(whole["metadata"]["resourceVersion"]), list(whole["items"])

    def delete(self, kind: str, name: str) -> None:
        """Delete an object, and what belongs to it. Silent when there is none."""
        with suppress(NotThere), translated(f"deleting {_WORDS[kind]} {name} in namespace {self.name}"):
            delete = self._call(f"delete_namespaced_{_WORDS[kind]}")
            delete(name, self.name, propagation_policy="Background", **_RAW)

    def let_go(self, name: str) -> None:
        """Take our finalizer away from a pod. Silent when there is none of one of the two."""
        change = {"metadata": {"$deleteFromPrimitiveList/finalizers": [FINALIZER]}}
        try:
            with suppress(NotThere), translated(f"updating pod {name} in namespace {self.name}"):
                self._core.patch_namespaced_pod(name, self.name, change, **_RAW)
        except ExecutorError:
            # Of a pod that is going already some servers refuse to take away what it does not have.
            with suppress(NotThere):
                if FINALIZER in (self.get("pods", name)["metadata"].get("finalizers") or ()):
                    raise

    def allowed(self, verb: str, group: str, resource: str) -> bool:
        """Ask whether we may do something here."""
        kind, _, part = resource.partition("/")
        wanted = {"namespace": self.name, "verb": verb, "group": group, "resource": kind, "subresource": part}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        }
        with translated("asking for our rights"):
            answer = client.AuthorizationV1Api(self._client).create_self_subject_access_review(review, **_RAW)
            return bool(self._json(answer)["status"].get("allowed"))

    def try_out(self, manifest: dict[str, Any]) -> None:
        """See whether the cluster would take a pod; the errors are those of `create`."""
        with translated(f"trying a pod in namespace {self.name}"):
            self._core.create_namespaced_pod(self.name, manifest, dry_run="All", **_RAW)

    def measured(self) -> Sequence[dict[str, Any]]:
        """List what our pods use, as the cluster's metrics have it; nothing where nobody measures, or shows it."""
        asked = ("metrics.k8s.io", "v1beta1", self.name, "pods")
        with suppress(ExecutorError, MachineUnreachable), translated("reading metrics"):
            metrics = client.CustomObjectsApi(self._client)
            found = metrics.list_namespaced_custom_object(*asked, label_selector=_selector(OURS), **_RAW)
            return list(self._json(found)["items"])
        return []

    def watch(self, version: str, *, name: str = "", labels: Mapping[str, str] | None = None) -> Watch:
        """Watch one pod, or those with some labels, from a version on."""

        def begin(version: str, seconds: float) -> Any:
            with translated(f"watching pods in namespace {self.name}"):
                return self._core.list_namespaced_pod(
                    self.name,
                    field_selector=f"metadata.name={name}" if name else None,
                    label_selector=_selector(labels or {}),
                    resource_version=version,
                    allow_watch_bookmarks=True,
                    watch=True,
                    timeout_seconds=max(1, round(seconds)),
                    _preload_content=False,
                    _request_timeout=(_CALL_SECONDS, seconds + _CALL_SECONDS),
                )

        return Watch(begin, version)

    def states(self, name: str, seconds: float) -> Generator[dict[str, Any] | None, None, None]:
        """Give a pod as it is and whenever it changes, None when it is gone, until the time is over. To be closed."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                pod = self.get("pods", name)
            except NotThere:
                yield None
                return
            yield pod
            with closing(self.watch(pod["metadata"]["resourceVersion"], name=name).changes(left)) as changes:
                for kind, changed in changes:
                    if kind == "DELETED":
                        break  # another one may have its name by now
                    yield changed

    def execute(self, pod: str, argv: Sequence[str]) -> WSClient:
        """Begin a program in a pod, with its standard input, output and errors."""
        settings = self._client.configuration
        words = [("command", word) for word in argv]
        flags = [
            ("container", CONTAINER),
            ("stdin", "true"),
            ("stdout", "true"),
            ("stderr", "true"),
            ("tty", "false"),
        ]
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

    def _call(self, name: str) -> Any:
        """Find the method of the client, which has one class for each group of kinds."""
        return next(getattr(api, name) for api in (self._core, self._leases, self._jobs) if hasattr(api, name))

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


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in labels.items())


def _refused(error: WebSocketBadStatusException, pod: str) -> LongshoreError:
    """Give what a stream that was not opened means: what is not about our rights is about the pod's container."""
    refused = client.ApiException(status=error.status_code, reason=str(error))
    refused.body = error.resp_body
    if error.status_code in {401, 403, 404}:
        return of_api(refused, f"executing in pod {pod}")
    return MachineUnreachable(f"no stream to pod {pod} can be opened: {message_of(refused)}")
