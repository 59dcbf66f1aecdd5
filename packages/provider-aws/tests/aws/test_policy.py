"""The policy that `longshore aws policy` prints is what the code asks for: no action more, and none fewer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from longshore.machines.policies import least_policy as policy_in
from longshore.model.offer import Needs
from longshore.plugin.keys import Key
from longshore_aws.config import AwsConfig
from longshore_aws.policy import least_policy
from longshore_aws.provider import AwsProvider

from .rig import REGION, AwsRig, Cloud

_IMPLIED = {
    "ec2:CreateTags": "asked of whoever creates something with tags",
    "iam:CreateServiceLinkedRole": "asked of the first who rents a spot machine in an account",
    "iam:PassRole": "asked of who gives a machine an instance profile",
    "ssm:GetParameters": "asked of who names an image by a parameter",
}
"""Rights that AWS wants for calls of another name, and why."""
_FREE = {"sts:GetCallerIdentity"}
"""What nobody can be denied."""


def _actions(policy: Mapping[str, Any]) -> set[str]:
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def _whole_life(rig: AwsRig, provider: AwsProvider) -> None:
    """Do all that a provider can do, from the first question to the last thing swept away."""
    assert provider.caller()
    spec = rig.spec()
    spot = next(each for each in provider.offers(Needs(type="c5.large")) if each.spot)
    assert provider.price(spot) is not None
    assert provider.room(spec.offer) is not None
    assert provider.quotas()
    (machine,) = provider.launch(spec, token="t-1")
    (taken,) = provider.launch(evolve(spec, offer=spot), token="t-2")
    together = provider.launch_together(spec, token="t-3", count=2)
    rig.wait(timedelta(minutes=3))
    assert len(provider.find(owner=rig.owner)) == 4
    provider.notices([taken.id])
    assert provider.host_keys(machine.id)
    provider.admit("198.51.100.9", owner=rig.owner)
    image = provider.make_image(machine.id, "mine", spec.owner_tags())
    assert provider.images(owner=rig.owner)
    provider.stop([machine.id])
    provider.start([machine.id])
    provider.delete_images([image.id])
    provider.terminate([machine.id, taken.id, *(each.id for each in together)])
    rig.wait(timedelta(minutes=3))
    rig.lose_disk(spec.owner_tags())
    provider.sweep([side.id for side in provider.find_sides(owner=rig.owner)], owner=rig.owner)
    assert rig.paid() == []
    assert rig.sides() == []


@pytest.mark.parametrize(
    ("options", "wanted", "spared"),
    [
        ({}, {"ec2:ImportKeyPair", "ec2:DeleteKeyPair", "ec2:DescribeRouteTables"}, {"ssm:GetParameter"}),
        (
            {"image": "ssm:/mine/image", "address": "private", "network": "tag:team=me", "key": Key(name="mine")},
            {"ssm:GetParameter", "ec2:DescribeVpcs"},
            {"ec2:ImportKeyPair", "ec2:DeleteKeyPair", "ec2:DescribeRouteTables"},
        ),
    ],
)
def test_a_whole_life_asks_for_every_right_of_the_policy_and_for_no_other(
    rig: AwsRig, cloud: Cloud, options: Mapping[str, Any], wanted: set[str], spared: set[str]
) -> None:
    cloud.furnish(network_tag=("team", "me"), key="mine", parameter="/mine/image")
    provider = rig.provider(**options)
    _whole_life(rig, provider)
    called = {name for _, name in cloud.control("called")} - _FREE
    granted = _actions(least_policy(AwsConfig(**options)))
    assert called - granted == set(), "asked for, and not in the policy"
    assert granted - called - set(_IMPLIED) == set(), "in the policy, and never asked for"
    assert wanted <= granted
    assert granted & spared == set()


def test_machines_and_what_belongs_to_them_can_be_changed_only_with_our_tag() -> None:
    policy = least_policy(AwsConfig(regions=(REGION,)))
    statements = [each for each in policy["Statement"] if "ec2:TerminateInstances" in each["Action"]]
    assert [each["Condition"] for each in statements] == [
        {
            "Null": {"aws:ResourceTag/longshore-owner": "false"},
            "StringEquals": {"aws:RequestedRegion": [REGION]},
        }
    ]


def test_the_rights_of_an_instance_profile_are_passed_to_machines_alone() -> None:
    policy = least_policy(AwsConfig(instance_profile="worker"))
    (statement,) = [each for each in policy["Statement"] if "iam:PassRole" in each["Action"]]
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}


def test_the_policy_is_that_of_the_options_in_the_folder(tmp_path: Path) -> None:
    text = '[providers.work]\nplugin = "aws"\nregions = ["eu-north-1"]\nkey = { name = "mine" }\n'
    (tmp_path / "longshore.toml").write_text(f'name = "w"\n{text}')
    policy = policy_in("work", tmp_path)
    assert json.loads(json.dumps(policy)) == policy
    assert policy == least_policy(AwsConfig(regions=("eu-north-1",), key=Key(name="mine")))
    assert policy_in("aws", tmp_path) == policy, "of the only table for AWS"
