"""What a pod's state says: whether it runs, waits, or is over, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from attrs import frozen

from longshore.model.outcome import FailureClass
from longshore_k8s.errors import plain_text

__all__ = ["TOOLS_CONTAINER", "PodPhase", "PodState", "nothing_runs", "state_of"]

_NO_IMAGE = frozenset(
    {"ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"}
)
_NO_CONTAINER = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff"}
)
_NO_START = frozenset({"StartError", "ContainerCannotRun"})
TOOLS_CONTAINER = "tools"
"""What brings tools into a pod whose image has none."""
_REASONS = {
    "Evicted": FailureClass.PREEMPTED,
    "Preempting": FailureClass.PREEMPTED,
    "Shutdown": FailureClass.PREEMPTED,
    "NodeShutdown": FailureClass.PREEMPTED,
    "Terminated": FailureClass.PREEMPTED,
    "NodeLost": FailureClass.MACHINE_LOST,
    "DeadlineExceeded": FailureClass.TIMEOUT,
    "UnexpectedAdmissionError": FailureClass.CAPACITY,
    "OutOfcpu": FailureClass.CAPACITY,
    "OutOfmemory": FailureClass.CAPACITY,
}


_NODE_LOST = frozenset({"DeletionByTaintManager", "DeletionByPodGC"})
"""Why a cluster disrupts pods of which it hears nothing more; its other reasons are that it wants their place."""


class PodPhase(StrEnum):
    """How far a pod is."""

    WAITS = "waits"
    RUNS = "runs"
    OVER = "over"
    """It has ended, is being deleted, or cannot begin whatever is waited for."""


@frozen(kw_only=True)
class PodState:
    """What is known of a pod."""

    phase: PodPhase
    failure: FailureClass | None = None
    evidence: str = ""
    """In the cluster's own words: why it is over, or what it waits for."""


def state_of(pod: Mapping[str, Any]) -> PodState:
    """Read what a cluster says of a pod."""
    status = pod.get("status") or {}
    over = _over(pod, status)
    if over is not None:
        return over
    containers = list(_containers(status))
    for name, state in containers:
        waiting = state.get("waiting") or {}
        reason = waiting.get("reason", "")
        if reason in _NO_IMAGE | _NO_CONTAINER:
            text = plain_text(f"{name}: {reason}: {waiting.get('message', '')}")
            return PodState(phase=PodPhase.OVER, failure=FailureClass.ENVIRONMENT, evidence=text)
    if status.get("phase") == "Running" and any("running" in state for _, state in containers):
        return PodState(phase=PodPhase.RUNS)
    for condition in _true_of(status, "PodScheduled", "False"):
        text = plain_text(f"{condition.get('reason', '')}: {condition.get('message', '')}")
        return PodState(phase=PodPhase.WAITS, failure=FailureClass.CAPACITY, evidence=text)
    return PodState(phase=PodPhase.WAITS)


def nothing_runs(pod: Mapping[str, Any]) -> bool:
    """Say whether it is proven that nothing runs in a pod, and nothing will."""
    status = pod.get("status") or {}
    if status.get("phase") in {"Failed", "Succeeded"}:
        return True
    if "deletionTimestamp" not in pod["metadata"]:
        return False
    states = [state for _, state in _containers(status)]
    return not (pod.get("spec") or {}).get("nodeName") or (
        bool(states) and all("terminated" in each for each in states)
    )


def _over(pod: Mapping[str, Any], status: Mapping[str, Any]) -> PodState | None:
    for name, state in _containers(status):
        ended = state.get("terminated") or {}
        if ended.get("reason") in _NO_START:
            text = plain_text(f"{name}: {ended['reason']}: {ended.get('message', '')}")
            if 'exec: "sh"' in text:
                text += "; its image has no sh: take another one, or give the pool a helper_image such as busybox"
            return PodState(phase=PodPhase.OVER, failure=FailureClass.ENVIRONMENT, evidence=text)
        if name == TOOLS_CONTAINER and ended.get("exitCode"):
            text = plain_text(f"the helper_image has no busybox that can be copied: {ended.get('message', '')}")
            return PodState(phase=PodPhase.OVER, failure=FailureClass.ENVIRONMENT, evidence=text)
        if ended.get("reason") == "OOMKilled":
            text = f"{name}: OOMKilled, exit code {ended.get('exitCode')}"
            return PodState(phase=PodPhase.OVER, failure=FailureClass.OUT_OF_MEMORY, evidence=text)
    disruptions = _true_of(status, "DisruptionTarget")
    disrupted = [plain_text(f"{each.get('reason')}: {each.get('message')}") for each in disruptions]
    ended = status.get("phase") in {"Failed", "Succeeded"}
    deleted = "deletionTimestamp" in (pod.get("metadata") or {})
    if not ended and not deleted:
        return None
    reason = str(status.get("reason") or "")
    failure = _REASONS.get(reason, FailureClass.MACHINE_LOST)
    if any(each.get("reason") not in _NODE_LOST for each in disruptions):
        failure = FailureClass.PREEMPTED
    words = [plain_text(f"{reason}: {status.get('message', '')}")] if reason else []
    words += disrupted
    if deleted:
        words.append("it was deleted")
    return PodState(phase=PodPhase.OVER, failure=failure, evidence="; ".join(words) or "its main program has ended")


def _containers(status: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key in ("initContainerStatuses", "containerStatuses"):
        statuses: Sequence[Mapping[str, Any]] = status.get(key) or []
        for each in statuses:
            yield each.get("name", ""), each.get("state") or {}


def _true_of(status: Mapping[str, Any], kind: str, value: str = "True") -> list[Mapping[str, Any]]:
    conditions: Sequence[Mapping[str, Any]] = status.get("conditions") or []
    return [each for each in conditions if each.get("type") == kind and each.get("status") == value]
