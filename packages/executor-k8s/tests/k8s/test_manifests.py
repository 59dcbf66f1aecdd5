"""What we apply is what Kubernetes takes, in its oldest and newest version that we know, and asks for no rights."""

from __future__ import annotations

import getpass
from datetime import timedelta
from typing import Any

import kubernetes_validate
import pytest

from longshore.model.resources import Resources
from longshore_k8s.config import ImageBuild, K8sConfig
from longshore_k8s.manifests import attempt_pod, see_ours, worker_pod
from longshore_k8s.names import label_value, labels_of, labels_of_attempt

FULL = K8sConfig(
    image="registry.example/team/tool@sha256:00",
    workers=3,
    cpus=0.25,
    memory=3 << 30,
    gpus=2,
    disk=10 << 30,
    service_account="runner",
    priority_class="low",
    queue="team",
    pull_secrets=("login",),
    node_selector={"disk": "ssd"},
    tolerations=("gpu", "team=bio:NoSchedule"),
    labels={"project": "a/b", "longshore/run": "forged"},
    lifetime=timedelta(hours=2),
    helper_image="busybox:1.36",
    volume="data",
)


def pod(config: K8sConfig) -> dict[str, Any]:
    return worker_pod("ls-r-m", labels_of("r", "m"), config)


@pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("config", [K8sConfig(image="busybox", workers=1), FULL], ids=["least", "full"])
def test_every_pod_is_valid_strictly(config: K8sConfig, version: str) -> None:
    kubernetes_validate.validate(pod(config), version, strict=True)


def test_the_pods_of_a_run_are_spread_over_nodes_as_far_as_there_is_room() -> None:
    made = pod(FULL)

    [spread] = made["spec"]["topologySpreadConstraints"]
    assert (spread["maxSkew"], spread["topologyKey"]) == (1, "kubernetes.io/hostname")
    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
    assert spread["labelSelector"]["matchLabels"].items() <= made["metadata"]["labels"].items()


def test_what_a_pool_says_is_asked_of_the_cluster() -> None:
    spec = pod(FULL)["spec"]
    [container] = spec["containers"]

    assert container["resources"] == {
        "requests": {"cpu": "250m", "memory": str(3 << 30), "nvidia.com/gpu": "2"},
        "limits": {"memory": str(3 << 30), "nvidia.com/gpu": "2"},
    }
    assert spec["activeDeadlineSeconds"] == 7200
    assert spec["tolerations"] == [
        {"key": "gpu", "operator": "Exists"},
        {"key": "team", "operator": "Equal", "value": "bio", "effect": "NoSchedule"},
    ]
    assert pod(FULL)["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team"


def test_a_pod_is_as_restricted_as_a_namespace_may_demand() -> None:
    spec = pod(K8sConfig(image="busybox", workers=1))["spec"]
    [container] = spec["containers"]

    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not spec["automountServiceAccountToken"]


@pytest.mark.parametrize(
    ("owner", "label"), [("ann", "ann"), ("Ann B./team", label_value("Ann B./team")), ("", getpass.getuser())]
)
def test_the_pod_of_an_attempt_says_of_which_run_task_and_number_it_is_and_whose(owner: str, label: str) -> None:
    config = K8sConfig(image="busybox", owner=owner, labels={"longshore/owner": "forged"})
    labels = labels_of_attempt("r", "p", "fit", 2)

    made = attempt_pod("r/fit/2", "x", labels, config, image="busybox", needs=Resources(), longest=timedelta(hours=1))

    wanted = {"run": "r", "task": "fit", "attempt": "2", "owner": label}
    assert {f"longshore/{name}": value for name, value in wanted.items()}.items() <= made["metadata"]["labels"].items()
    kubernetes_validate.validate(made, "1.29", strict=True)


def test_a_pod_that_somebody_else_made_for_the_run_is_of_the_run() -> None:
    made = worker_pod("x", labels_of("r", "m"), K8sConfig(image="busybox", workers=1, owner="ann"))
    wanted = worker_pod("x", labels_of("r", "m"), K8sConfig(image="busybox", workers=1, owner="bob"))

    see_ours(made, "x", wanted["metadata"]["labels"])


def test_no_label_of_a_user_hides_whose_a_pod_is() -> None:
    assert pod(FULL)["metadata"]["labels"]["longshore/run"] == "r"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"image": ""}, "one of them, and not both"),
        ({"build": ImageBuild(), "registry": "host/tool"}, "one of them, and not both"),
        ({"image": "", "build": ImageBuild()}, "go together"),
        ({"registry": "host/tool"}, "go together"),
        ({"registry": "no-path"}, "no repository"),
        ({"registry": "host/Tool"}, "no repository"),
        ({"remove_image": True}, "goes with build"),
        ({"image": "a b"}, "no name of an image"),
        ({"image": "-v/etc"}, "no name of an image"),
        ({"workers": 0}, "workers"),
        ({"workers": 5000}, "more than"),
        ({"namespace": "Team_A"}, "no name in Kubernetes"),
        ({"namespace": "a" * 64}, "no name in Kubernetes"),
        ({"tolerations": ["x:Never"]}, "no toleration"),
        ({"tolerations": "x"}, "a list"),
        ({"pull_secrets": "login"}, "a list"),
        ({"labels": {"a": 1}}, "is text"),
        ({"labels": {"a/b/c": "x"}}, "'a/b/c' is no name of a label"),
        ({"labels": {"x" * 64: "x"}}, "is no name of a label"),
        ({"node_selector": {"disk type": "ssd"}}, "'disk type' is no name of a label"),
        ({"volume": "Data_1"}, "no name in Kubernetes"),
        ({"volume": "data", "namespace": "per-run"}, "there before the run"),
        ({"helper_image": "a b"}, "no name of an image"),
        ({"lifetime": timedelta(0)}, "longer than nothing"),
        ({"user": 0}, "user"),
    ],
)
def test_what_a_cluster_would_refuse_is_told_at_once(options: dict[str, Any], said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        K8sConfig(**{"image": "busybox", "workers": 1, **options})


@pytest.mark.parametrize("path", ["/etc", "../other", ""])
def test_an_image_is_built_of_what_is_in_the_project(path: str) -> None:
    with pytest.raises(ValueError, match="no path below"):
        ImageBuild(context=path)
