"""What all runs have in a cluster, found by labels; and its removal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from longshore.errors import ExecutorError
from longshore.plugin.hosts import PodInfo
from longshore_k8s.client import Namespace
from longshore_k8s.evidence import PodPhase, state_of
from longshore_k8s.names import ATTEMPT_NUMBER, MACHINE, OURS, RUN, TASK, label_value

__all__ = ["leases_of", "names_of_attempt", "pods_of", "remove_pods", "remove_run", "runs_of"]

_MAKERS = ("pods", "jobs")
_KINDS = (*_MAKERS, "leases")


def pods_of(namespace: Namespace) -> Iterator[PodInfo]:
    """List all pods of all runs."""
    for place in namespace.places():
        used = dict(_used(place))
        for pod in place.list("pods", OURS)[1]:
            yield _info(pod, *used.get(pod["metadata"]["name"], (None, None)))


def names_of_attempt(namespace: Namespace, run: str, task: str, number: int) -> Sequence[str]:
    """Name the pod of an attempt that runs, if there is one."""
    labels = {**OURS, RUN: label_value(run), TASK: label_value(task), ATTEMPT_NUMBER: str(number)}
    found = namespace.list("pods", labels)[1]
    return [pod["metadata"]["name"] for pod in found if state_of(pod).phase is PodPhase.RUNS][:1]


def runs_of(namespace: Namespace) -> Sequence[str]:
    """List the runs that have anything, sorted."""
    found = {_run_of(each) for place in namespace.places() for each in _all(place, OURS)}
    return sorted(found | set(namespace.own_runs()))


def leases_of(namespace: Namespace, run: str) -> Sequence[str]:
    """Name the leases that a run has: one for each pool with a pod for each attempt, or with a volume."""
    found = namespace.of(run).list("leases", {**OURS, RUN: label_value(run)})[1]
    return [each["metadata"]["name"] for each in found]


def remove_pods(namespace: Namespace, run: str) -> None:
    """Remove the pods of a run, with what makes them."""
    _remove(namespace, run, _MAKERS)


def remove_run(namespace: Namespace, run: str) -> None:
    """Remove all that a run has, and its namespace if it has one of its own."""
    _remove(namespace, run, _KINDS)
    namespace.of(run).remove()


def _remove(namespace: Namespace, run: str, kinds: Sequence[str]) -> None:
    labels = {**OURS, RUN: label_value(run)}
    for place in namespace.places():
        for pod in place.list("pods", labels)[1]:
            place.let_go(pod["metadata"]["name"])
        for kind in kinds:
            for each in _listed(place, kind, labels):
                place.delete(kind, each["metadata"]["name"])


def _all(place: Namespace, labels: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for kind in _KINDS:
        yield from _listed(place, kind, labels)


def _listed(place: Namespace, kind: str, labels: Mapping[str, str]) -> Sequence[dict[str, Any]]:
    """List what we may list: who has no right to Jobs has made none."""
    try:
        return place.list(kind, labels)[1]
    except ExecutorError:
        if kind == "jobs":
            return ()
        raise


def _run_of(found: Mapping[str, Any]) -> str:
    return str((found["metadata"].get("labels") or {}).get(RUN, ""))


def _info(pod: Mapping[str, Any], cpus: float | None, memory: int | None) -> PodInfo:
    labels, status = pod["metadata"].get("labels") or {}, pod.get("status") or {}
    state = state_of(pod)
    born = pod["metadata"].get("creationTimestamp")
    return PodInfo(
        name=pod["metadata"]["name"],
        run=_run_of(pod),
        task=labels.get(TASK, ""),
        machine=labels.get(MACHINE, ""),
        node=pod["spec"].get("nodeName") or "",
        state=state.phase,
        says=state.evidence,
        restarts=sum(each.get("restartCount", 0) for each in status.get("containerStatuses") or []),
        born=datetime.fromisoformat(born) if born else None,
        cpus=cpus,
        memory_bytes=memory,
    )


def _used(place: Namespace) -> Iterator[tuple[str, tuple[float, int]]]:
    """Say what pods use, cores and bytes, where the cluster measures that."""
    for each in place.measured():
        usages = [container.get("usage") or {} for container in each.get("containers") or []]
        cpus = sum(float(parse_quantity(usage.get("cpu", 0))) for usage in usages)
        yield each["metadata"]["name"], (cpus, sum(int(parse_quantity(usage.get("memory", 0))) for usage in usages))
