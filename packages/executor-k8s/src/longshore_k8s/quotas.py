"""How much of a cluster attempts may have together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from longshore.errors import ExecutorError
from longshore.model.resources import Resources
from longshore_k8s.client import Namespace
from longshore_k8s.config import K8sConfig
from longshore_k8s.errors import Denied

__all__ = ["empty_of", "limits_of", "room_of"]

_PLENTY = Resources(cpus=1e6, memory_bytes=1 << 50, gpus=1_000_000)
"""What a cluster has that says nothing of limits: it may grow, and its own scheduler knows what fits."""


def room_of(namespace: Namespace, config: K8sConfig) -> Resources:
    """Say what a pool may use: as its options say, else what quotas of the namespace allow, else plenty.

    Raises:
        ExecutorError: when a quota allows nothing at all.
    """
    hard = dict(limits_of(namespace)) if namespace.lasts else {}
    _see_any(namespace, hard)
    cpus, memory, gpus = (
        _least(hard, "requests.cpu", "cpu"),
        _least(hard, "requests.memory", "memory", "limits.memory"),
        _least(hard, f"requests.{config.gpu_resource}"),
    )
    return Resources(
        cpus=config.cpus or (_PLENTY.cpus if cpus is None else cpus),
        memory_bytes=config.memory or (_PLENTY.memory_bytes if memory is None else int(memory)),
        gpus=config.gpus if config.gpus is not None else (_PLENTY.gpus if gpus is None else int(gpus)),
    )


def empty_of(hard: Mapping[str, float]) -> str:
    """Name what a quota allows none of, though each pod needs some; nothing when there is no such thing."""
    needed = {"cpu", "memory", "pods", "count/pods"}
    return next((name for name, amount in hard.items() if amount == 0 and name.rpartition("s.")[2] in needed), "")


def _see_any(namespace: Namespace, hard: Mapping[str, float]) -> None:
    if name := empty_of(hard):
        raise ExecutorError(
            f"the quota of namespace {namespace.name} allows no pods: {name} is 0; ask who runs the cluster for more, "
            "or name another namespace"
        )


def limits_of(namespace: Namespace) -> Iterator[tuple[str, float]]:
    """Give what the quotas of a namespace limit, and to how much; nothing where we may not read them."""
    try:
        _, quotas = namespace.list("resourcequotas", {})
    except Denied:
        return
    found: dict[str, float] = {}
    for quota in quotas:
        spec: Mapping[str, Any] = quota.get("spec") or {}
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue  # it is about some pods only
        for name, amount in (spec.get("hard") or {}).items():
            found[name] = min(found.get(name, float("inf")), float(parse_quantity(amount)))
    yield from found.items()


def _least(hard: Mapping[str, float], *names: str) -> float | None:
    return min((hard[name] for name in names if name in hard), default=None)
