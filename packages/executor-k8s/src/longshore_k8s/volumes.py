"""Volumes that pods share as their store."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Any

from longshore.errors import ExecutorError, MachineUnreachable
from longshore_k8s.client import Namespace
from longshore_k8s.config import K8sConfig
from longshore_k8s.errors import AlreadyThere, NotThere
from longshore_k8s.evidence import PodPhase, state_of
from longshore_k8s.manifests import VOLUME, sweeper_pod
from longshore_k8s.names import object_name
from longshore_k8s.programs import USE_TOOLS
from longshore_k8s.templates import merged

__all__ = ["remove_store", "see_shareable", "store_on"]

_MANY = "ReadWriteMany"
_SWEEP_SECONDS = 600.0
_SCRIPT = f"""
{USE_TOOLS}
rm -rf "$1"
"""


def see_shareable(namespace: Namespace, claim: str) -> None:
    """See that pods on several nodes can write to a volume.

    Raises:
        ExecutorError: when they cannot, or there is no such claim; says what would do.
        MachineUnreachable: when the cluster does not answer.
    """
    try:
        found = namespace.get("persistentvolumeclaims", claim)
    except NotThere:
        raise ExecutorError(
            f"namespace {namespace.name} has no claim {claim}: let volume name one that is {_MANY}"
        ) from None
    modes = (found.get("spec") or {}).get("accessModes") or []
    if _MANY not in modes:
        raise ExecutorError(
            f"claim {claim} is {', '.join(map(str, modes)) or 'of no access mode'}, so pods on several nodes cannot "
            f"write to it: let volume name one that is {_MANY}, or leave it out"
        )


def store_on(run: str, pool: str) -> str:
    """Give the folder that the pods of a run in a pool have in common."""
    return f"{VOLUME}/{object_name(run, pool)}/store"


def remove_store(
    namespace: Namespace, config: K8sConfig, template: Mapping[str, Any], labels: Mapping[str, str], name: str
) -> None:
    """Remove what a run in a pool has on the volume, by a pod that does nothing else: nobody else is there any more.

    ``name`` is that of the run's lease in the pool, which the folder has, too.

    Raises:
        MachineUnreachable: when the cluster does not answer, or the pod does not end in time.
        ExecutorError: when the cluster does not take the pod, or it fails.
    """
    pod_name = object_name(name, "sweep")
    with suppress(AlreadyThere):
        manifest = sweeper_pod(pod_name, labels, config, _SCRIPT, f"{VOLUME}/{name}")
        namespace.create("pods", merged(manifest, template))
    try:
        with closing(namespace.states(pod_name, _SWEEP_SECONDS)) as states:
            for pod in states:
                if pod is not None and state_of(pod).phase is PodPhase.OVER:
                    if pod["status"].get("phase") != "Succeeded":
                        raise ExecutorError(f"pod {pod_name} was to empty {config.volume}: {state_of(pod).evidence}")
                    return
        raise MachineUnreachable(f"pod {pod_name} was to empty {config.volume}, and has not ended yet")
    finally:
        namespace.delete("pods", pod_name)
