"""What we apply to a cluster, as values that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from longshore_k8s.config import K8sConfig
from longshore_k8s.names import label_value

__all__ = ["CONTAINER", "FOLDER", "worker_pod"]

CONTAINER = "tasks"
FOLDER = "/tmp/longshore"  # noqa: S108  of the pod, whose /tmp is its own volume
"""Where all that is ours lies in a pod."""
_WAIT = "trap 'exit 0' TERM; while :; do sleep 86400 & wait $!; done"
"""What a pod's main program does: it reaps what attempts leave behind, and ends when it is told to."""
_GRACE_SECONDS = 5


def worker_pod(name: str, labels: Mapping[str, str], config: K8sConfig) -> dict[str, Any]:
    """Describe a pod that stays until it is deleted, as restricted as a namespace may demand."""
    limits = {"memory": str(config.memory)}
    requests = {"cpu": f"{round(config.cpus * 1000)}m", "memory": str(config.memory)}
    if config.gpus:
        limits[config.gpu_resource] = requests[config.gpu_resource] = str(config.gpus)
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": max(1, round(config.lifetime.total_seconds())),
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "automountServiceAccountToken": bool(config.service_account),
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": config.user,
            "runAsGroup": config.user,
            "fsGroup": config.user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"longshore/run": labels["longshore/run"]}},
            }
        ],
        "containers": [
            {
                "name": CONTAINER,
                "image": config.image,
                "command": ["sh", "-c", _WAIT],
                "workingDir": "/tmp",  # noqa: S108  as above
                "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108  as above
                "resources": {"limits": limits, "requests": requests},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [{"name": "work", "mountPath": "/tmp"}],  # noqa: S108  as above
            }
        ],
        "volumes": [{"name": "work", "emptyDir": {} if config.disk is None else {"sizeLimit": str(config.disk)}}],
    }
    spec.update(_wishes(config))
    own = {name: label_value(value) for name, value in config.labels.items()}
    queue = {"kueue.x-k8s.io/queue-name": config.queue} if config.queue else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {**own, **queue, **labels}},
        "spec": spec,
    }


def _wishes(config: K8sConfig) -> dict[str, Any]:
    wishes: dict[str, Any] = {}
    if config.node_selector:
        wishes["nodeSelector"] = dict(config.node_selector)
    if config.tolerations:
        wishes["tolerations"] = [_toleration(each) for each in config.tolerations]
    if config.service_account:
        wishes["serviceAccountName"] = config.service_account
    if config.priority_class:
        wishes["priorityClassName"] = config.priority_class
    if config.pull_secrets:
        wishes["imagePullSecrets"] = [{"name": name} for name in config.pull_secrets]
    return wishes


def _toleration(text: str) -> dict[str, str]:
    match, _, effect = text.partition(":")
    key, equal, value = match.partition("=")
    toleration = {"key": key, "operator": "Equal", "value": value} if equal else {"key": key, "operator": "Exists"}
    return {**toleration, "effect": effect} if effect else toleration
