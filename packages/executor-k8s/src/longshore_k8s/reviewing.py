"""What a run would make in a cluster, and the rights that it needs, for whoever has to agree to that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from longshore.model.resources import Resources
from longshore_k8s.config import PER_RUN, K8sConfig
from longshore_k8s.manifests import attempt_pod, job_of, worker_pod
from longshore_k8s.names import labels_of, labels_of_attempt, labels_of_run, object_name
from longshore_k8s.templates import merged

__all__ = ["manifest_of", "rights_of", "sample_of"]

_RUN, _POOL, _TASK = "run-id", "pool", "task"


def rights_of(config: K8sConfig) -> Sequence[tuple[str, str, Sequence[str]]]:
    """List what we ask of the namespace: API group, resource, verbs."""
    rights: list[tuple[str, str, Sequence[str]]] = [
        ("", "pods", ("create", "get", "list", "watch", "patch", "delete")),
        ("", "pods/exec", ("create", "get")),
        ("coordination.k8s.io", "leases", ("create", "get", "list", "update", "delete")),
        ("", "resourcequotas", ("list",)),
    ]
    if config.volume:
        rights.append(("", "persistentvolumeclaims", ("get",)))
    if config.kind == "job":
        rights.append(("batch", "jobs", ("create", "get", "list", "delete")))
    return rights


def sample_of(config: K8sConfig, template: Mapping[str, Any]) -> dict[str, Any]:
    """Give what is made for one attempt, or for one worker."""
    name = object_name(_RUN, _TASK, "1")
    if config.workers is not None:
        return merged(worker_pod(name, labels_of(_RUN, f"{_POOL}.1"), config), template)
    labels = labels_of_attempt(_RUN, _POOL, _TASK, 1)
    identity = f"{_RUN}/{_TASK}/1"
    pod = attempt_pod(identity, name, labels, config, image=config.image, needs=Resources(), longest=config.lifetime)
    return merged(pod, template)


def manifest_of(config: K8sConfig, template: Mapping[str, Any], namespace: str) -> str:
    """Write all of it as YAML; raises ExecutorError when the template contradicts."""
    sample = sample_of(config, template)
    documents: list[dict[str, Any]] = []
    if config.namespace == PER_RUN:
        documents.append(_object("v1", "Namespace", {"name": object_name(_RUN), "labels": labels_of_run(_RUN)}))
        cluster = [_rule("", "namespaces", ("create", "get", "list", "delete"))]
        documents += _role("ClusterRole", {"name": "longshore"}, [*cluster, *_rules(config)])
    else:
        documents += _role("Role", {"name": "longshore", "namespace": namespace}, _rules(config))
        documents[-1]["rules"].append({**_rule("", "namespaces", ("get",)), "resourceNames": [namespace]})
    if config.workers is None:
        lease = _object("coordination.k8s.io/v1", "Lease", {"name": object_name(_RUN, _POOL)})
        documents.append({**lease, "spec": {"leaseTransitions": 1, "holderIdentity": _RUN}})
    documents.append(job_of(sample) if config.kind == "job" and config.workers is None else sample)
    return yaml.safe_dump_all(_plain(documents), sort_keys=False)


def _rules(config: K8sConfig) -> list[dict[str, Any]]:
    return [_rule(*right) for right in rights_of(config)]


def _rule(group: str, resource: str, verbs: Sequence[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


def _role(kind: str, meta: dict[str, Any], rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**_object("rbac.authorization.k8s.io/v1", kind, meta), "rules": rules}]


def _object(version: str, kind: str, meta: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": dict(meta)}


def _plain(value: Any) -> Any:
    """Make copies, so that no YAML document refers into another."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
