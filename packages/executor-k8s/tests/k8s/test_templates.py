"""What a template says is taken where we say nothing, and never against what we say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from longshore.errors import ExecutorError
from longshore.model.resources import Resources
from longshore_k8s.config import K8sConfig
from longshore_k8s.manifests import attempt_pod, job_of, worker_pod
from longshore_k8s.names import labels_of, labels_of_attempt
from longshore_k8s.templates import merged, read_template

TEMPLATE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"annotations": {"team": "bio"}},
    "spec": {
        "hostname": "tasks",
        "containers": [
            {
                "name": "tasks",
                "env": [{"name": "TZ", "value": "UTC"}],
                "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
            },
            {"name": "proxy", "image": "proxy:1"},
        ],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "reference"}}],
        "tolerations": [{"key": "night", "operator": "Exists"}],
    },
}


def pod(**options: Any) -> dict[str, Any]:
    config = K8sConfig(image="busybox", **options)
    labels = labels_of_attempt("r", "p", "a", 1)
    return attempt_pod("r/a/1", "x", labels, config, image="busybox", needs=Resources(), longest=config.lifetime)


@pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
def test_what_comes_of_a_template_is_valid_strictly_also_in_a_job(version: str) -> None:
    whole = merged(pod(tolerations=["gpu"]), TEMPLATE)

    kubernetes_validate.validate(whole, version, strict=True)
    kubernetes_validate.validate(job_of(whole), version, strict=True)
    kubernetes_validate.validate(
        merged(worker_pod("x", labels_of("r", "m"), K8sConfig(image="busybox", workers=1)), TEMPLATE),
        version,
        strict=True,
    )


def test_what_only_one_of_them_says_is_taken_and_elements_are_joined_by_name() -> None:
    ours = pod(tolerations=["gpu"])

    spec = merged(ours, TEMPLATE)["spec"]

    assert spec["hostname"] == "tasks"
    assert [each["name"] for each in spec["containers"]] == ["tasks", "proxy"]
    assert [each["name"] for each in spec["containers"][0]["env"]] == ["HOME", "TZ"]
    assert [each["mountPath"] for each in spec["containers"][0]["volumeMounts"]] == ["/tmp", "/data"]
    assert [each["key"] for each in spec["tolerations"]] == ["gpu", "night"]
    assert spec["securityContext"] == ours["spec"]["securityContext"]


def test_all_places_where_a_template_says_something_else_are_named() -> None:
    template = {
        "metadata": {"labels": {"longshore/run": "forged"}},
        "spec": {
            "restartPolicy": "Always",
            "containers": [{"name": "tasks", "command": ["sleep"], "securityContext": {"privileged": True}}],
            "securityContext": {"runAsUser": 0},
        },
    }

    with pytest.raises(ExecutorError) as caught:
        merged(pod(), template)

    places = str(caught.value)
    assert all(
        place in places
        for place in (
            "metadata.labels.longshore/run",
            "spec.restartPolicy",
            "spec.containers[tasks].command",
            "spec.securityContext.runAsUser",
        )
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", "describes no pod"),
        ("kind: Deployment\n", "describes no pod"),
        ("a: [", "is no YAML"),
        ("a: !!python/object/apply:os.getcwd []\n", "is no YAML"),
        ("x" * (1 << 20) + "y", "describes no pod"),
    ],
)
def test_a_file_that_is_no_pod_is_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "pod.yaml").write_text(text)

    with pytest.raises(ExecutorError, match=said):
        read_template(tmp_path / "pod.yaml")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExecutorError, match="cannot be read: No such file"):
        read_template(tmp_path / "pod.yaml")
