"""Volumes that workers share as their store."""

from __future__ import annotations

from longshore.errors import ExecutorError
from longshore_k8s.client import Namespace
from longshore_k8s.errors import NotThere
from longshore_k8s.manifests import VOLUME
from longshore_k8s.names import object_name

__all__ = ["see_shareable", "store_on"]

_MANY = "ReadWriteMany"


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
            f"claim {claim} is {', '.join(map(str, modes)) or 'of no access mode'}, so workers on several nodes cannot "
            f"write to it: let volume name one that is {_MANY}, or leave it out"
        )


def store_on(run: str, pool: str) -> str:
    """Give the folder that a run's workers have in common."""
    return f"{VOLUME}/{object_name(run, pool)}/store"
