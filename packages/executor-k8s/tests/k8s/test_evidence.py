"""What a cluster says of a pod becomes a class of failure, with the cluster's own words as proof."""

from __future__ import annotations

from typing import Any

import pytest

from longshore.model.outcome import FailureClass
from longshore_k8s.evidence import PodPhase, PodState, state_of


def pod(state: dict[str, Any] | None = None, *, deleted: bool = False, **status: Any) -> dict[str, Any]:
    containers = {"containerStatuses": [{"name": "tasks", "state": state}]} if state is not None else {}
    meta = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {}
    return {"metadata": meta, "status": {**status, **containers}}


def over(failure: FailureClass, evidence: str) -> PodState:
    return PodState(phase=PodPhase.OVER, failure=failure, evidence=evidence)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (pod(phase="Pending"), PodState(phase=PodPhase.WAITS)),
        (pod({"running": {}}, phase="Running"), PodState(phase=PodPhase.RUNS)),
        (pod({"waiting": {"reason": "ContainerCreating"}}, phase="Pending"), PodState(phase=PodPhase.WAITS)),
        (
            pod({"terminated": {"reason": "OOMKilled", "exitCode": 137}}, phase="Failed"),
            over(FailureClass.OUT_OF_MEMORY, "tasks: OOMKilled, exit code 137"),
        ),
        (
            pod(phase="Failed", reason="Evicted", message="low on memory"),
            over(FailureClass.PREEMPTED, "Evicted: low on memory"),
        ),
        (
            pod(phase="Failed", reason="DeadlineExceeded", message="longer than 5 s"),
            over(FailureClass.TIMEOUT, "DeadlineExceeded: longer than 5 s"),
        ),
        (
            pod({"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}}, phase="Pending"),
            over(FailureClass.ENVIRONMENT, "tasks: ImagePullBackOff: no such tag"),
        ),
        (pod({"running": {}}, phase="Running", deleted=True), over(FailureClass.MACHINE_LOST, "it was deleted")),
        (
            pod(
                {"running": {}},
                phase="Running",
                deleted=True,
                conditions=[
                    {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "m"}
                ],
            ),
            over(FailureClass.PREEMPTED, "PreemptionByScheduler: m; it was deleted"),
        ),
        (
            pod(
                phase="Failed",
                conditions=[
                    {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC", "message": "no node"}
                ],
            ),
            over(FailureClass.MACHINE_LOST, "DeletionByPodGC: no node"),
        ),
        (pod(phase="Succeeded"), over(FailureClass.MACHINE_LOST, "its main program has ended")),
    ],
)
def test_states_of_pods_are_told_apart(found: dict[str, Any], expected: PodState) -> None:
    assert state_of(found) == expected


def test_a_pod_without_a_node_says_what_is_missing() -> None:
    text = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": text}

    state = state_of(pod(phase="Pending", conditions=[condition]))

    assert state == PodState(phase=PodPhase.WAITS, failure=FailureClass.CAPACITY, evidence=f"Unschedulable: {text}")


def test_what_strangers_say_cannot_move_the_cursor() -> None:
    assert "\x1b" not in state_of(pod(phase="Failed", reason="Evicted", message="a\x1b[2Jb\nc")).evidence
