"""Kubernetes: what this distribution announces. The client is imported when a cluster is looked for."""

from __future__ import annotations

from collections.abc import Sequence

from longshore.model.machine import Machine
from longshore.plugin import Executor, ExecutorContext, ExecutorRecord, hookimpl
from longshore_k8s.config import K8sConfig

__all__ = ["longshore_executors"]


def _executor(config: K8sConfig, context: ExecutorContext) -> Executor:
    from longshore_k8s.executor import K8sExecutor  # noqa: PLC0415  the client takes long to import

    return K8sExecutor(config, context)


def _machines(config: K8sConfig, pool: str) -> Sequence[Machine]:
    from longshore_k8s.executor import machines_of  # noqa: PLC0415  as above

    return machines_of(config, pool)


@hookimpl
def longshore_executors() -> Sequence[ExecutorRecord]:
    """Announce the executor."""
    return [ExecutorRecord(name="k8s", config=K8sConfig, factory=_executor, machines=_machines, api=(0, 1))]
