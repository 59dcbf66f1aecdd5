"""What a cluster has of attempts: pods, which we or Jobs make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from longshore.errors import MachineUnreachable
from longshore.model.attempt import AttemptSpec, split_attempt_id
from longshore.plugin.protocols import ExecutorContext
from longshore_k8s.client import Namespace
from longshore_k8s.config import K8sConfig
from longshore_k8s.environments import image_of
from longshore_k8s.errors import AlreadyThere, NotThere
from longshore_k8s.manifests import ATTEMPT, FINALIZER, attempt_pod, job_of, see_ours
from longshore_k8s.names import POOL, label_value, labels_of_attempt, labels_of_run, object_name
from longshore_k8s.templates import merged

__all__ = ["AttemptObjects", "attempt_of"]


_AT_ONCE = 16


class AttemptObjects:
    """Those of one run in one pool. Several threads may use it at once."""

    def __init__(
        self,
        namespace: Namespace,
        config: K8sConfig,
        template: Mapping[str, Any],
        context: ExecutorContext,
        pool: str,
    ) -> None:
        self._namespace = namespace
        self._config = config
        self._template = template
        self._context = context
        self._pool = pool
        self._kind = f"{config.kind}s"
        self.labels: Mapping[str, str] = {**labels_of_run(context.run), POOL: label_value(pool)}
        """Of all of them."""

    def make(self, spec: AttemptSpec) -> dict[str, Any] | None:
        """Make an attempt's pod, or find it; give it when it is known already.

        Raises:
            QuotaExceeded: when there is no room for it now.
            MachineUnreachable: when the cluster does not answer, or an earlier pod has not gone yet.
            ExecutorError: when the cluster does not take it.
        """
        manifest = merged(self._described(spec), self._template)
        name, labels = manifest["metadata"]["name"], manifest["metadata"]["labels"]
        try:
            made = self._namespace.create(self._kind, manifest if self._kind == "pods" else job_of(manifest))
        except AlreadyThere:
            made = self._namespace.get(self._kind, name)
            see_ours(made, name, labels)
            if "deletionTimestamp" in made["metadata"]:
                raise MachineUnreachable(f"an earlier pod {name} has not gone yet") from None
        return made if self._kind == "pods" else None

    def _described(self, spec: AttemptSpec) -> dict[str, Any]:
        longest = self._config.lifetime
        if spec.timeout is not None:
            # After its end it waits for somebody who fetches what it has written.
            longest = min(longest, spec.timeout + spec.grace + self._context.unattended)
        return attempt_pod(
            spec.id,
            self._name(spec.id),
            self._labels_of(spec.id),
            self._config,
            image=image_of(spec.environment, self._config.image),
            needs=spec.needs,
            longest=longest,
        )

    def _name(self, attempt: str) -> str:
        return object_name(*split_attempt_id(attempt)[:2], attempt.rpartition("/")[2])

    def _labels_of(self, attempt: str) -> Mapping[str, str]:
        run, task, number = split_attempt_id(attempt)
        return labels_of_attempt(run, self._pool, task, number)

    def find(self, attempt: str) -> dict[str, Any] | None:
        """Give the pod of an attempt; None when there is none that we hold."""
        pods: Sequence[dict[str, Any]] = ()
        if self._kind == "jobs":
            _, pods = self._namespace.list("pods", self._labels_of(attempt))
        else:
            with suppress(NotThere):
                pods = [self._namespace.get("pods", self._name(attempt))]
        held = [pod for pod in pods if FINALIZER in (pod["metadata"].get("finalizers") or ())]
        return next((pod for pod in held if attempt_of(pod) == attempt), None)

    def release(self, attempt: str, pod: str = "") -> None:
        """Let go of an attempt's pod, and remove it with what has made it. ``pod`` is its name, where it is known."""
        if not pod:
            found = self.find(attempt)
            pod = "" if found is None else found["metadata"]["name"]
        if pod:
            self._namespace.let_go(pod)
        self._namespace.delete(self._kind, self._name(attempt))

    def remove(self, attempt: str) -> None:
        """Have the pod of an attempt end; we still hold it."""
        self._namespace.delete(self._kind, self._name(attempt))

    def remove_all(self, lease: str) -> None:
        """Leave nothing of the run."""
        # A cluster that has much to do takes its time for each answer.
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="longshore-remove") as crew:
            for name, job in (
                ("pods", self._namespace.let_go),
                (self._kind, partial(self._namespace.delete, self._kind)),
            ):
                names = [each["metadata"]["name"] for each in self._namespace.list(name, self.labels)[1]]
                list(crew.map(job, names))
        self._namespace.delete("leases", lease)
        self._namespace.remove()


def attempt_of(pod: Mapping[str, Any]) -> str:
    """Say of which attempt a pod is; empty for one of somebody else."""
    return str((pod["metadata"].get("annotations") or {}).get(ATTEMPT, ""))
