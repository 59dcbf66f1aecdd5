"""Executes attempts in pods: each in one of its own, or in pods that stay."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve

from longshore.errors import ConfigError, ExecutorError, Problem
from longshore.model.attempt import split_attempt_id
from longshore.model.machine import Machine
from longshore.plugin.clusters import Kubernetes, Registries, RegistryLogin
from longshore.plugin.hosts import Finding, PodInfo
from longshore.plugin.protocols import ExecutorContext, Session, Sink
from longshore.remote.remote_session import RemoteSession
from longshore.remote.sharing import SharedStore
from longshore_k8s.checking import check_cluster
from longshore_k8s.client import Namespace
from longshore_k8s.config import K8sConfig
from longshore_k8s.entering import enter_pod
from longshore_k8s.images import Images
from longshore_k8s.names import labels_of_run, object_name
from longshore_k8s.openings import Openings
from longshore_k8s.overview import leases_of, names_of_attempt, pods_of, remove_pods, remove_run, runs_of
from longshore_k8s.pods import PodsSession
from longshore_k8s.quotas import room_of
from longshore_k8s.registries import stored_login
from longshore_k8s.rented import RentedWay, see_that_it_can_be_rented
from longshore_k8s.reviewing import manifest_of
from longshore_k8s.templates import read_template
from longshore_k8s.volumes import remove_store, see_shareable
from longshore_k8s.workers import open_worker

__all__ = ["K8sExecutor", "machines_of"]

_UID = "namespace-uid"
_MOST_PODS = 200


def machines_of(config: K8sConfig, pool: str) -> Sequence[Machine]:
    """Describe the machines of a pool: its workers, or the cluster as a whole. No pod is made.

    Raises:
        MachineUnreachable: when the cluster does not answer.
        ExecutorError: when there is none, it does not know us, has no such namespace or volume, or no quota for us.
    """
    namespace = Namespace(config)
    try:
        tags = {**config.labels, _UID: namespace.uid()}
        room = room_of(namespace, config)
        if config.volume:
            see_shareable(namespace, config.volume)
        if config.workers is None:
            whole = Machine(
                id=pool,
                pool=pool,
                resources=room,
                slots=config.slots or _MOST_PODS,
                address=config.namespace or namespace.name,
                tags=tags,
                store="",
            )
            return [whole]
    finally:
        namespace.close()
    return [
        Machine(
            id=f"{pool}.{number}",
            pool=pool,
            resources=evolve(config.worker, disk_bytes=0),
            slots=config.slots,
            address=config.namespace or namespace.name,
            tags=tags,
            store=pool if config.volume else None,
        )
        for number in range(1, config.workers + 1)
    ]


class K8sExecutor:
    """All of its sessions to a cluster share one client."""

    def __init__(self, config: K8sConfig, context: ExecutorContext) -> None:
        """Take the options; nothing is asked.

        Raises:
            ConfigError: when they do not go with a cluster that is rented, or with a bucket.
        """
        self._config = config
        self._context = context
        self._lock = threading.Lock()
        self._found: Namespace | None = None
        self._clusters: dict[str, Namespace] = {}
        if context.provider is not None:
            see_that_it_can_be_rented(config, context.provider)
        if config.volume and config.workers is None and context.area is not None:
            message = "data of a pod for each task go by the volume, or by the store"
            raise ConfigError([Problem(place="", key="pools: volume", message=message, remedy="take one of them out")])
        self._openings = Openings()
        self._shared = SharedStore("let volume name a claim that is one file system") if config.volume else None

    def open(self, machine: Machine, *, fence: int, sink: Sink) -> Session:
        """Link to a worker, whose pod is made when there is none, or to the cluster.

        Raises:
            FenceRefused: when a newer controller has been there.
            MachineUnreachable: when the cluster does not answer, or the pod does not run in time.
            ExecutorError: when the cluster is another one than the machine was described in, or does not take the pod.
        """
        self._openings.see()
        session = self._open(machine, fence, sink)
        if self._openings.withdrawn:
            session.clear()
            session.close()
        self._openings.see()
        return session

    def withdraw(self) -> None:
        """End what is being opened; as `longshore.plugin.abilities.Withdraws.withdraw`."""
        self._openings.withdraw()

    def _open(self, machine: Machine, fence: int, sink: Sink) -> PodsSession | RemoteSession:
        namespace = self._rented(machine.address) if self._context.provider is not None else self._namespace()
        if self._context.provider is None and machine.tags.get(_UID, "") != namespace.uid():
            raise ExecutorError(
                f"namespace {namespace.name} is not the one that {machine.id} belongs to: another cluster, or it was "
                "made anew; give the kubeconfig and context that the run began with"
            )
        template = self._template()
        images = self._images(self._context.run_folder)
        config = self._config if images is None else self._built(images)
        namespace.make()
        given = (namespace, config, template, self._context, machine, fence, sink)
        afterwards = _do_nothing if images is None else images.remove_or_tell
        if config.workers is None:
            return PodsSession(*given, afterwards, self._shared)
        return open_worker(*given, afterwards, self._shared, self._openings)

    # --- by hand

    def hosts(self) -> Sequence[str]:
        """Name the cluster."""
        return [self._config.context or "cluster"]

    def check(self, host: str) -> Sequence[Finding]:
        """Look whether the cluster can be used; nothing is made."""
        del host  # there is one
        return list(check_cluster(self._namespace(), self._sample(), self._template()))

    def manifest(self) -> str:
        """Write what a run would make, and the rights that it needs."""
        return manifest_of(self._sample(), self._template(), self._config.namespace or "default")

    def pods(self) -> Sequence[PodInfo]:
        """List all pods of all runs."""
        return list(pods_of(self._namespace()))

    def runs(self) -> Sequence[str]:
        """List the runs that have anything there."""
        return sorted({*runs_of(self._namespace()), *self._runs_with_images()})

    def remove(self, run: str) -> None:
        """Remove all that a run has there, and on a volume."""
        namespace, config = self._namespace(), self._config
        if config.volume and config.build is None:
            leases = leases_of(namespace, run)
            remove_pods(namespace, run)  # what works there writes to the volume
            for lease in leases:
                remove_store(namespace, config, self._template(), labels_of_run(run), lease)
        remove_run(namespace, run)
        images = self._images(self._runs / run)
        if images is not None:
            images.remove()

    def enter(
        self,
        machine: str,
        attempt: str,
        words: Sequence[str],
        *,
        feed: int | None,
        tell: Callable[[int, bytes], None],
    ) -> int:
        """Execute a command in an attempt's workdir."""
        run, task, number = split_attempt_id(attempt)
        namespace = self._namespace().of(run)
        if self._config.workers is not None:
            pod = object_name(run, machine)
        else:
            [pod] = names_of_attempt(namespace, run, task, number) or [object_name(run, task, str(number))]
        return enter_pod(namespace, pod, attempt, words, feed=feed, tell=tell, helped=bool(self._config.helper_image))

    @property
    def _runs(self) -> Path:
        return self._context.project_folder / ".longshore" / "runs"

    def _images(self, run_folder: Path) -> Images | None:
        config = self._config
        if config.build is None:
            return None
        return Images(config.build, config.registry, self._login, self._deleted, run_folder)

    def _login(self) -> RegistryLogin | None:
        """Find a login to the registry: the cloud's, else what was kept."""
        provider: object = self._context.provider
        name = self._config.registry
        own = provider.login(name) if isinstance(provider, Registries) else None
        return own or stored_login(name.partition("/")[0])

    def _deleted(self, digest: str) -> bool:
        """Let the cloud delete an image, when it is in the cloud's own registry."""
        provider: object = self._context.provider
        return isinstance(provider, Registries) and provider.delete_image(self._config.registry, digest)

    def _built(self, images: Images) -> K8sConfig:
        """Say what pods are made of, once it was built."""
        name = images.reference(self._context.project_folder, self._context.run, remove=self._config.remove_image)
        return self._config.made_of(name)

    def _sample(self) -> K8sConfig:
        """What pods would be made of, as far as it is known before it is built."""
        return self._config.made_of(f"{self._config.registry}:built") if self._config.build else self._config

    def _runs_with_images(self) -> Sequence[str]:
        if self._config.build is None:
            return []
        found = {
            path.parent.parent.name: self._images(path.parent.parent) for path in self._runs.glob("*/images/*.json")
        }
        return [run for run, images in found.items() if images is not None and images.left()]

    def _namespace(self) -> Namespace:
        """Give the namespace of the cluster that the config names, or of the rented one that is meant."""
        if self._context.provider is not None:
            return self._rented(self._context.address)
        with self._lock:
            if self._found is None:
                self._found = Namespace(self._config, self._context.run)
            return self._found

    def _rented(self, address: str) -> Namespace:
        """Give the namespace of a rented cluster, once that is there."""
        with self._lock:
            provider: object = self._context.provider
            if address not in self._clusters and isinstance(provider, Kubernetes):
                way = RentedWay(provider, address)
                way()
                self._clusters[address] = Namespace(self._config, self._context.run, way)
            return self._clusters[address]

    def _template(self) -> Mapping[str, Any]:
        path = self._config.pod_template
        return read_template(self._context.project_folder / path) if path else {}


def _do_nothing() -> None:
    """Nothing is left but what is in the cluster."""
