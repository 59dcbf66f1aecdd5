"""Clusters of AWS: the laws of providers, and what is theirs alone."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from attrs import evolve

from longshore.errors import InvalidRequest
from longshore.model.machine import MachineState
from longshore.model.offer import Needs
from longshore.testing.provider_contract import ProviderContract
from longshore_aws.eks import CONTROL_PLANE_USD
from longshore_aws.eks_config import EksConfig
from longshore_aws.eks_policy import least_policy

from .eks_rig import ROLES, EksRig
from .rig import Cloud

ADA = "arn:aws:iam::123456789012:user/ada"
REPOSITORY = EksRig.repository


@pytest.fixture
def rig(request: pytest.FixtureRequest, cloud: Cloud, tmp_path: Path) -> EksRig:
    return EksRig(cloud, tmp_path / "catalogues", test=request.node.name)


class TestContract(ProviderContract):
    """All of them."""


def test_the_price_is_that_of_all_nodes_and_of_the_control_plane(rig: EksRig) -> None:
    few, many = (rig.provider(max_nodes=count).offers(Needs(type="c5.large")) for count in (1, 10))
    one, ten = (next(each for each in found if not each.spot) for found in (few, many))

    assert one.price is not None
    assert ten.price is not None
    node = one.price.per_hour.amount - CONTROL_PLANE_USD
    assert ten.price.per_hour.amount == CONTROL_PLANE_USD + 10 * node
    assert ten.resources.cpus == 10 * one.resources.cpus
    assert ten.zone == ""


def test_nodes_are_asked_for_once_when_the_control_plane_is_there(rig: EksRig) -> None:
    provider = rig.provider(min_nodes=1, max_nodes=100, disk_gib=50)
    spec = rig.spec()
    (machine,) = provider.launch(evolve(spec, offer=evolve(spec.offer, spot=True)), token="t-1")
    assert provider.nodes(machine.address) == 0

    assert provider.access(machine.address) is not None
    assert provider.access(machine.address) is not None

    [group] = rig.groups("longshore-t-1")
    assert group["scalingConfig"] == {"minSize": 1, "maxSize": 100, "desiredSize": 100}
    assert (group["instanceTypes"], group["capacityType"], group["diskSize"]) == (["t3.micro"], "SPOT", 50)
    assert group["nodeRole"] == ROLES["node_role"]
    assert group["tags"]["longshore-owner"] == rig.owner
    assert provider.nodes(machine.address) == 100


def test_the_token_is_a_question_that_the_cluster_may_ask_in_our_name(rig: EksRig) -> None:
    provider = rig.provider()
    (machine,) = provider.launch(rig.spec(), token="t-1")

    access = provider.access(machine.address)

    assert access is not None
    assert access.server.startswith("https://")
    assert access.token not in repr(access)
    signed = access.token.removeprefix("k8s-aws-v1.")
    asked = parse_qs(urlsplit(urlsafe_b64decode(signed + "=" * (-len(signed) % 4)).decode()).query)
    assert asked["Action"] == ["GetCallerIdentity"]
    assert "x-k8s-aws-id" in asked["X-Amz-SignedHeaders"][0]


def test_others_are_let_in_once(rig: EksRig, cloud: Cloud) -> None:
    provider = rig.provider(access=(ADA,))
    (machine,) = provider.launch(rig.spec(), token="t-1")

    provider.access(machine.address)
    provider.access(machine.address)

    assert cloud.control("entries") == {ADA: "AmazonEKSClusterAdminPolicy"}


def test_there_is_no_way_to_what_is_not_there(rig: EksRig) -> None:
    provider = rig.provider()

    assert provider.access("longshore-never-was") is None
    assert provider.nodes("longshore-never-was") == 0
    with pytest.raises(InvalidRequest, match="not there yet"):
        provider.scale("longshore-never-was", 1)


def test_a_cluster_has_as_many_nodes_as_it_may_have(rig: EksRig) -> None:
    provider = rig.provider(max_nodes=5)
    (machine,) = provider.launch(rig.spec(), token="t-1")
    provider.access(machine.address)

    provider.scale(machine.address, 3)
    assert provider.nodes(machine.address) == 3
    provider.stop([machine.id])
    assert [each.state for each in provider.find(owner=rig.owner)] == [MachineState.STOPPED]
    provider.start([machine.id])

    assert provider.nodes(machine.address) == 5
    with pytest.raises(InvalidRequest, match="max_nodes"):
        provider.scale(machine.address, 6)


def test_nodes_end_before_their_cluster(rig: EksRig) -> None:
    provider = rig.provider()
    (machine,) = provider.launch(rig.spec(), token="t-1")
    provider.access(machine.address)

    provider.terminate([machine.id])

    ended = [action for action, _ in rig.requests() if action in {"DeleteNodegroup", "end"}]
    assert ended == ["DeleteNodegroup", "end"]
    assert rig.paid() == []


def test_images_have_a_repository_that_is_made_and_a_login_to_it(rig: EksRig, cloud: Cloud) -> None:
    provider = rig.provider()

    login = provider.login(REPOSITORY)
    assert provider.login(REPOSITORY) == login

    [repository] = cloud.admin("ecr").describe_repositories()["repositories"]
    assert repository["repositoryName"] == "team/tool"
    assert login is not None
    assert (login.host, login.user) == (REPOSITORY.partition("/")[0], "AWS")
    assert login.password not in repr(login)
    assert provider.login("registry.example/team/tool") is None
    assert not provider.delete_image("registry.example/team/tool", "sha256:0")
    assert provider.delete_image(REPOSITORY, f"sha256:{'0' * 64}")


def test_a_whole_life_asks_for_rights_of_the_policy_alone(rig: EksRig, cloud: Cloud) -> None:
    options: dict[str, Any] = {**ROLES, "access": (ADA,)}
    provider = rig.provider(**options)
    assert provider.offers(Needs(type="c5.large"))
    (machine,) = provider.launch(rig.spec(), token="t-1")
    provider.access(machine.address)
    provider.scale(machine.address, 1)
    provider.find(owner=rig.owner)
    provider.login(REPOSITORY)
    provider.delete_image(REPOSITORY, f"sha256:{'0' * 64}")
    provider.terminate([machine.id])

    granted = {name for each in least_policy(EksConfig(**options))["Statement"] for name in each["Action"]}

    called = {name for _, name in cloud.control("called")} - {"sts:GetCallerIdentity"}
    assert called - granted == set()
    implied = {"eks:TagResource", "ecr:TagResource", "iam:PassRole", "iam:CreateServiceLinkedRole"}
    pushing = {name for name in granted - called if name.startswith("ecr:")}
    assert granted - called - implied - pushing == set()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"role": "clusters"}, "is no role"),
        ({"access": ("ada",)}, "no user or role"),
        ({"subnets": ("subnet-0123456789abcdef0",)}, "two zones"),
        ({"subnets": ("net",)}, "no subnet"),
        ({"version": "latest"}, "no version"),
        ({"max_nodes": 101}, "max_nodes"),
        ({"min_nodes": 3, "max_nodes": 2}, "swap them"),
    ],
)
def test_what_eks_would_refuse_is_told_at_once(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        EksConfig(**options)


def test_without_roles_nothing_is_rented_and_both_are_named(rig: EksRig) -> None:
    with pytest.raises(InvalidRequest, match="role and node_role"):
        rig.provider(role="").launch(rig.spec(), token="t-1")
    assert rig.paid() == []
