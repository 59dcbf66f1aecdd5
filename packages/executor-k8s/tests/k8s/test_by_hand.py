"""What users ask of clusters by hand: whether they can be used, what is made there, what is there, and its removal."""

from __future__ import annotations

import json
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from longshore.model.resources import Resources
from longshore_k8s.config import K8sConfig
from longshore_k8s.manifests import attempt_pod
from longshore_k8s.names import labels_of_attempt

from .clusters import IMAGE, Cluster
from .project import Project, until
from .standin import StandIn

LEASE = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
WAITING = """
[tasks.wait]
command = "echo here > note.txt; touch {counts}/began; until test -e {counts}/go; do sleep 0.05; done"
outputs = ["note.txt"]
"""


@pytest.fixture
def project(tmp_path: Path, cluster: Cluster, request: pytest.FixtureRequest) -> Project:
    """One task that waits, in a pod of its own if nothing else is said."""
    return Project(tmp_path, cluster, getattr(request, "param", ""), WAITING)


def checks(project: Project) -> dict[str, tuple[str, str]]:
    with project.begin("k8s", "check", "--json") as process:
        said, _ = process.communicate(timeout=120)
    [host] = json.loads(said)["hosts"]
    return {each["name"]: (each["state"], each["says"]) for each in host["checks"]}


def test_a_cluster_that_can_be_used_is_said_to_be_so_and_nothing_is_made(cluster: Cluster, project: Project) -> None:
    found = checks(project)

    assert {name: state for name, (state, _) in found.items()} == dict.fromkeys(
        ["cluster", "rights", "quota", "pod"], "ok"
    )
    assert cluster.all("pods") == []


def test_what_keeps_a_run_from_a_cluster_is_named(standin: StandIn, project: Project) -> None:
    standin.forbidden = {("create", "pods/exec")}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "0"}}}
    standin.post("resourcequotas", "default", quota)

    found = checks(project)

    assert found["rights"] == ("bad", "we may not: create pods/exec")
    assert found["quota"] == ("bad", "pods 0")


def test_what_would_be_made_is_valid_and_has_the_rights_that_are_needed(project: Project) -> None:
    documents = list(yaml.safe_load_all(project.say("k8s", "manifest")))

    for version in ("1.29", kubernetes_validate.latest_version()):
        for document in documents:
            kubernetes_validate.validate(document, version, strict=True)
    [role] = [each for each in documents if each["kind"] == "Role"]
    assert {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create", "get"]} in role["rules"]
    assert documents[-1]["kind"] == "Pod"


@pytest.mark.parametrize("project", ["", "workers = 1"], ids=["pods", "workers"], indirect=True)
def test_a_task_that_runs_is_listed_with_its_pod_and_can_be_entered(project: Project) -> None:
    with project.begin("run") as controller:
        until(lambda: "began" in project.shared.read())
        until(lambda: "running" in project.say("status", "wait"))

        [pod, *_] = json.loads(project.say("k8s", "pods", "--json"))["pods"]
        said = project.say("exec", "wait", "--", "cat", "note.txt", "-", feed=str(project.folder / "longshore.toml"))
        with project.begin("exec", "wait", "--", "sh", "-c", "exit 7") as failing:
            failing.communicate(timeout=120)
        project.shared.touch("go")
        controller.communicate(timeout=120)

    assert (pod["state"], pod["restarts"]) == ("runs", 0)
    assert pod["node"]
    assert (pod["task"], pod["machine"]) in {("wait", ""), ("", "cluster.1")}
    assert said == "here\n" + (project.folder / "longshore.toml").read_text()
    assert failing.returncode == 7
    assert controller.returncode == 0


def test_what_a_pod_uses_is_listed_where_somebody_measures_it(standin: StandIn, project: Project) -> None:
    labels = labels_of_attempt("r", "cluster", "wait", 1)
    config = K8sConfig(image=IMAGE)
    pod = attempt_pod("r/wait/1", "x", labels, config, image=IMAGE, needs=Resources(), longest=config.lifetime)
    standin.post("pods", standin.namespace, pod)

    [found] = json.loads(project.say("k8s", "pods", "--json"))["pods"]

    assert (found["cpus"], found["memory_bytes"]) == (0.25, 64 << 20)


def test_what_runs_have_left_is_removed_and_nothing_else(standin: StandIn, project: Project) -> None:
    project.shared.touch("go")
    project.say("run")
    [run] = [path.name for path in project.folder.glob(".longshore/runs/*")]
    for name, whose in (("of-ours", run), ("of-others", "another-run")):
        labels = labels_of_attempt(whose, "cluster", "wait", 9)
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "labels": dict(labels)},
        }
        standin.post("leases", "default", lease)
    stranger = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "stranger"}}
    standin.post("leases", "default", stranger)

    assert f"would remove what run {run} has" in project.say("k8s", "gc", "--dry-run")
    said = project.say("k8s", "gc")

    assert f"removed what run {run} had" in said
    assert "run another-run is not of this project" in said
    left = [each["metadata"]["name"] for each in standin.all("leases")]
    assert left == ["of-others", "stranger"]
    project.say("k8s", "gc", "--foreign")
    assert [each["metadata"]["name"] for each in standin.all("leases")] == ["stranger"]
