"""What we apply to a cluster, as values that JSON can hold."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from longshore.errors import ExecutorError
from longshore.model.resources import Resources
from longshore_k8s.config import K8sConfig
from longshore_k8s.evidence import TOOLS_CONTAINER
from longshore_k8s.names import OWNER, label_value

__all__ = [
    "ATTEMPT",
    "CONTAINER",
    "FINALIZER",
    "FOLDER",
    "TOOLS",
    "VOLUME",
    "attempt_pod",
    "job_of",
    "see_ours",
    "shell_of",
    "sweeper_pod",
    "worker_pod",
]

ATTEMPT = "longshore/attempt-id"
"""The annotation that says of which attempt a pod is."""
CONTAINER = "tasks"
FINALIZER = "longshore/outcome"
"""Holds a pod of one attempt until its outcome is in the journal."""
FOLDER = "/tmp/longshore"  # noqa: S108  of the pod, whose /tmp is its own volume
"""Where all that is ours lies in a pod."""
TOOLS = "/longshore/tools"
"""Where a pod has the tools that were brought from another image."""
VOLUME = "/longshore/volume"
"""Where pods have the volume that they share."""
_BRING = (
    'cp "/proc/$$/exe" "$1/busybox" && '
    '"$1/busybox" --list | while read -r each; do [ -e "$1/$each" ] || ln -s busybox "$1/$each"; done; '
    'test -x "$1/sh"'
)
"""Brings them."""
_WAIT = "trap 'exit 0' TERM; while :; do sleep 86400 & wait $!; done"
"""What a pod's main program does: it reaps what attempts leave behind, and ends when it is told to."""
_GRACE_SECONDS = 5
_SWEEP = timedelta(hours=1)
_LEAST_CPUS = 0.1
_SECURITY: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def shell_of(*, helped: bool) -> str:
    """Name the shell of a pod; ``helped`` says that it has tools from another image."""
    return f"{TOOLS}/sh" if helped else "sh"


def worker_pod(name: str, labels: Mapping[str, str], config: K8sConfig) -> dict[str, Any]:
    """Describe a pod that stays until it is deleted, as restricted as a namespace may demand."""
    return _pod(name, labels, config, _spec(labels, config, config.image, config.worker, config.lifetime))


def sweeper_pod(name: str, labels: Mapping[str, str], config: K8sConfig, script: str, folder: str) -> dict[str, Any]:
    """Describe a pod that executes a script for a folder of the volume, and nothing else."""
    least = Resources(cpus=_LEAST_CPUS)
    spec = _spec(labels, config, config.image, least, _SWEEP)
    spec["containers"][0]["command"] = [shell_of(helped=bool(config.helper_image)), "-c", script, "sh", folder]
    return _pod(name, labels, config, spec)


def attempt_pod(
    attempt: str,
    name: str,
    labels: Mapping[str, str],
    config: K8sConfig,
    *,
    image: str,
    needs: Resources,
    longest: timedelta,
) -> dict[str, Any]:
    """Describe the pod of one attempt, which stays until its outcome is in the journal."""
    pod = _pod(name, labels, config, _spec(labels, config, image, needs, min(longest, config.lifetime)))
    pod["metadata"].update(finalizers=[FINALIZER], annotations={ATTEMPT: attempt})
    return pod


def job_of(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the Job that makes a pod, once; the pod gets another name, and is found by its labels."""
    meta = pod["metadata"]
    template = {"metadata": {key: value for key, value in meta.items() if key != "name"}, "spec": pod["spec"]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": meta["name"], "labels": meta["labels"], "annotations": meta.get("annotations", {})},
        "spec": {"backoffLimit": 0, "completions": 1, "parallelism": 1, "template": template},
    }


def see_ours(pod: Mapping[str, Any], name: str, labels: Mapping[str, str]) -> None:
    """Raise ExecutorError when an object of our name is somebody else's."""
    found = pod["metadata"].get("labels") or {}
    # Who has made it does not matter: a run goes on by the hands of whoever resumes it.
    if any(found.get(key) != value for key, value in labels.items() if key != OWNER):
        raise ExecutorError(f"pod {name} is there, and is not ours; nothing was sent to it")


def _pod(name: str, labels: Mapping[str, str], config: K8sConfig, spec: dict[str, Any]) -> dict[str, Any]:
    own = {name: label_value(value) for name, value in config.labels.items()}
    owner = {OWNER: label_value(config.owner or _logged_in())}
    queue = {"kueue.x-k8s.io/queue-name": config.queue} if config.queue else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {**own, **owner, **queue, **labels}},
        "spec": spec,
    }


def _logged_in() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in many containers
        return ""


def _spec(
    labels: Mapping[str, str], config: K8sConfig, image: str, needs: Resources, longest: timedelta
) -> dict[str, Any]:
    mounts: list[dict[str, Any]] = [{"name": "work", "mountPath": "/tmp"}]  # noqa: S108  of the pod, as above
    if config.volume:
        mounts.append({"name": "volume", "mountPath": VOLUME})
    container = {
        "name": CONTAINER,
        "image": image,
        "command": [shell_of(helped=bool(config.helper_image)), "-c", _WAIT],
        "workingDir": "/tmp",  # noqa: S108  as above
        "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108  as above
        "resources": _resources(config, needs),
        "securityContext": dict(_SECURITY),
        "volumeMounts": mounts,
    }
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": max(1, round(longest.total_seconds())),
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
        "containers": [container],
        "volumes": [{"name": "work", "emptyDir": {"sizeLimit": str(needs.disk_bytes)} if needs.disk_bytes else {}}],
        **_wishes(config),
    }
    if config.volume:
        spec["volumes"].append({"name": "volume", "persistentVolumeClaim": {"claimName": config.volume}})
    if config.helper_image:
        _help(spec, container, config.helper_image)
    return spec


def _help(spec: dict[str, Any], container: dict[str, Any], image: str) -> None:
    """Have a pod bring tools from another image, before its own has to do anything."""
    spec["volumes"].append({"name": "tools", "emptyDir": {}})
    container["volumeMounts"].append({"name": "tools", "mountPath": TOOLS, "readOnly": True})
    spec["initContainers"] = [
        {
            "name": TOOLS_CONTAINER,
            "image": image,
            "command": ["sh", "-c", _BRING, "sh", TOOLS],
            "resources": container["resources"],
            "securityContext": dict(_SECURITY),
            "volumeMounts": [{"name": "tools", "mountPath": TOOLS}],
        }
    ]


def _resources(config: K8sConfig, needs: Resources) -> dict[str, Any]:
    """Cores are asked for, and more may be used; memory and GPUs are limits, too."""
    limits: dict[str, str] = {}
    if needs.memory_bytes:
        limits["memory"] = str(needs.memory_bytes)
    if needs.gpus:
        limits[config.gpu_resource] = str(needs.gpus)
    requests = {"cpu": f"{max(1, round(needs.cpus * 1000))}m", **limits}
    return {"limits": limits, "requests": requests} if limits else {"requests": requests}


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
