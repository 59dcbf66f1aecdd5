"""Who may control the pods of a run: the controller with the highest fence, which a Lease of the run has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from longshore.errors import FenceRefused
from longshore_k8s.client import Namespace
from longshore_k8s.errors import AlreadyThere, NotThere

__all__ = ["raise_fence", "see_fence"]


def raise_fence(namespace: Namespace, name: str, labels: Mapping[str, str], fence: int) -> None:
    """Take a run over.

    Raises:
        FenceRefused: when a newer controller has done so.
        LongshoreError: when the cluster does not let us, or does not answer.
    """
    while True:
        try:
            lease = namespace.get("leases", name)
        except NotThere:
            lease = {"metadata": {"name": name, "labels": dict(labels)}, "spec": {}}
        _see(lease, fence)
        if _fence_of(lease) == fence:
            return
        made = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", **lease}
        made["spec"] = {**lease["spec"], "leaseTransitions": fence, "holderIdentity": labels["longshore/run"]}
        try:
            if "resourceVersion" in lease["metadata"]:
                namespace.replace("leases", name, made)
            else:
                namespace.create("leases", made)
        except (AlreadyThere, NotThere):
            continue  # somebody else was faster; look at what he has done
        return


def see_fence(namespace: Namespace, name: str, fence: int) -> None:
    """See that nobody has taken a run over; the errors are those of `raise_fence`."""
    try:
        _see(namespace.get("leases", name), fence)
    except NotThere:
        raise FenceRefused(
            "the run's lease is gone: somebody has removed all that the run had in the cluster"
        ) from None


def _see(lease: Mapping[str, Any], fence: int) -> None:
    known = _fence_of(lease)
    if fence < known:
        run = (lease["metadata"].get("labels") or {}).get("longshore/run", "")
        raise FenceRefused(f"a newer controller has taken run {run} over (its fence is {known})")


def _fence_of(lease: Mapping[str, Any]) -> int:
    return int((lease.get("spec") or {}).get("leaseTransitions") or 0)
