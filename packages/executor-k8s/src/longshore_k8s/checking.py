"""Whether a cluster can be used, and what would mend it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from longshore.errors import LongshoreError
from longshore.plugin.hosts import Finding, Soundness
from longshore_k8s.client import Namespace
from longshore_k8s.config import K8sConfig
from longshore_k8s.errors import QuotaExceeded
from longshore_k8s.quotas import empty_of, limits_of
from longshore_k8s.reviewing import rights_of, sample_of
from longshore_k8s.volumes import see_shareable

__all__ = ["check_cluster"]


def check_cluster(namespace: Namespace, config: K8sConfig, template: Mapping[str, Any]) -> Iterator[Finding]:
    """Look at one thing after the other; nothing is made."""
    try:
        namespace.uid()
    except LongshoreError as error:
        yield Finding(name="cluster", state=Soundness.BAD, says=str(error), remedy=_WAYS)
        return
    where = namespace.name if namespace.lasts else "one for each run"
    yield Finding(name="cluster", state=Soundness.OK, says=f"{namespace.host} answers; namespace {where}")
    yield from _rights(namespace, config)
    if namespace.lasts:
        yield from _quota(namespace)
        if config.volume:
            yield from _volume(namespace, config.volume)
        yield from _pod(namespace, sample_of(config, template))


def _rights(namespace: Namespace, config: K8sConfig) -> Iterator[Finding]:
    missing = [
        f"{verb} {resource}"
        for group, resource, verbs in rights_of(config)
        for verb in verbs
        if not namespace.allowed(verb, group, resource)
    ]
    optional = missing == ["list resourcequotas"]
    if missing:
        yield Finding(
            name="rights",
            state=Soundness.WARNING if optional else Soundness.BAD,
            says=f"we may not: {', '.join(missing)}",
            remedy="`longshore k8s manifest` prints the role that is needed; who runs the cluster can grant it",
        )
    else:
        yield Finding(name="rights", state=Soundness.OK, says="we may do all that is needed")


def _quota(namespace: Namespace) -> Iterator[Finding]:
    hard = dict(limits_of(namespace))
    says = ", ".join(f"{name} {amount:g}" for name, amount in sorted(hard.items())) or "none is set"
    empty = empty_of(hard)
    yield Finding(
        name="quota",
        state=Soundness.BAD if empty else Soundness.OK,
        says=says,
        remedy=f"the quota allows no {empty}: ask who runs the cluster" if empty else "",
    )


def _volume(namespace: Namespace, claim: str) -> Iterator[Finding]:
    try:
        see_shareable(namespace, claim)
    except LongshoreError as error:
        yield Finding(name="volume", state=Soundness.BAD, says=str(error))
    else:
        yield Finding(name="volume", state=Soundness.OK, says=f"all pods can write to {claim}")


def _pod(namespace: Namespace, pod: dict[str, Any]) -> Iterator[Finding]:
    """Ask whether the cluster would take a pod: its rules and its quota, too."""
    try:
        namespace.try_out(pod)
    except QuotaExceeded as error:
        yield Finding(name="pod", state=Soundness.WARNING, says=str(error), remedy="pods wait until there is room")
    except LongshoreError as error:
        remedy = "see `longshore k8s manifest`, and the pool's options"
        yield Finding(name="pod", state=Soundness.BAD, says=str(error), remedy=remedy)
    else:
        yield Finding(name="pod", state=Soundness.OK, says="the cluster would take ours")


_WAYS = "see `kubeconfig`, `context` and `namespace` of the pool; `kubectl get pods` must work with the same"
