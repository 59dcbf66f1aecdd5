"""The least rights that a login needs for what this package asks of AWS, as a policy of IAM."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from longshore.model.machine_spec import Tag
from longshore_aws.config import IMAGES, AwsConfig

__all__ = ["least_policy"]

_LOOK = frozenset(
    {
        "DescribeImages",
        "DescribeInstanceStatus",
        "DescribeInstanceTypeOfferings",
        "DescribeInstanceTypes",
        "DescribeInstances",
        "DescribeKeyPairs",
        "DescribePlacementGroups",
        "DescribeSecurityGroups",
        "DescribeSpotInstanceRequests",
        "DescribeSpotPriceHistory",
        "DescribeSubnets",
        "DescribeVolumes",
    }
)
"""These know no resources, so that they are for all or nothing."""
_MADE = ("instance", "volume", "network-interface", "spot-instances-request")
"""What is born with our tags in `RunInstances`."""
_USED = ("image", "key-pair", "placement-group", "security-group", "snapshot", "subnet")
"""What `RunInstances` only names."""
_CREATE = frozenset({"CreateImage", "CreatePlacementGroup", "CreateSecurityGroup"})
_CHANGE = frozenset(
    {
        "AuthorizeSecurityGroupIngress",
        "DeletePlacementGroup",
        "DeleteSecurityGroup",
        "DeleteSnapshot",
        "DeleteVolume",
        "DeregisterImage",
        "GetConsoleOutput",
        "RevokeSecurityGroupIngress",
        "StartInstances",
        "StopInstances",
        "TerminateInstances",
    }
)
"""These touch what has our tag and nothing else."""
_TAG = f"aws:RequestTag/{Tag.OWNER}"
_OURS = {"Null": {f"aws:ResourceTag/{Tag.OWNER}": "false"}}
_CREATED = {"Null": {_TAG: "false"}}


def least_policy(config: AwsConfig) -> Mapping[str, Any]:
    """Give the policy for what can be asked with these options; AWS's console takes it as it is."""
    makes_keys = not config.key.name
    change = _CHANGE | ({"DeleteKeyPair"} if makes_keys else set())
    create = _CREATE | ({"ImportKeyPair"} if makes_keys else set())
    look = set(_LOOK)
    look |= {"DescribeRouteTables"} if config.address == "public" else set()
    look |= {"DescribeVpcs"} if config.network.startswith("tag:") else set()
    makes = sorted({"RunInstances", *create})
    statements = [
        _statement("Look", _ec2(look), condition=_region(config)),
        _statement("Rent", ["ec2:RunInstances"], resources=_arns(_MADE), condition={**_CREATED, **_region(config)}),
        _statement("RentWith", ["ec2:RunInstances"], resources=_arns(_USED), condition=_region(config)),
        _statement("Make", _ec2(create), resources=_arns(_made_by(create)), condition=_region(config)),
        _statement(
            "TagWhatIsMade",
            ["ec2:CreateTags"],
            resources=["arn:*:ec2:*:*:*/*"],
            condition={"StringEquals": {"ec2:CreateAction": makes}, **_CREATED},
        ),
        _statement("ChangeAndEndOurs", _ec2(change), condition={**_OURS, **_region(config)}),
        _statement("Prices", ["pricing:GetProducts"]),
        _statement("Limits", ["servicequotas:ListServiceQuotas"]),
        _statement("SpotOnce", ["iam:CreateServiceLinkedRole"], condition=_SPOT_ROLE),
    ]
    if config.image in IMAGES:
        statements.append(
            _statement("Images", ["ssm:GetParameters"], resources=["arn:*:ssm:*::parameter/aws/service/*"])
        )
    elif config.image.startswith("ssm:"):
        path = config.image.removeprefix("ssm:").lstrip("/")
        actions = ["ssm:GetParameter", "ssm:GetParameters"]
        statements.append(_statement("Images", actions, resources=[f"arn:*:ssm:*:*:parameter/{path}"]))
    if config.instance_profile:
        # The profile's role may bear another name, which only an administrator of the account can look up.
        passed = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
        statements.append(_statement("RightsOfMachines", ["iam:PassRole"], condition=passed))
    return {"Version": "2012-10-17", "Statement": statements}


_SPOT_ROLE = {"StringEquals": {"iam:AWSServiceName": "spot.amazonaws.com"}}


def _statement(
    name: str,
    actions: Collection[str],
    *,
    resources: Collection[str] = ("*",),
    condition: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Sid": name,
        "Effect": "Allow",
        "Action": sorted(actions),
        "Resource": sorted(resources),
    }
    return {**found, "Condition": dict(condition)} if condition else found


def _ec2(names: Collection[str]) -> list[str]:
    return [f"ec2:{name}" for name in names]


def _arns(kinds: Collection[str]) -> list[str]:
    return [f"arn:*:ec2:*:*:{kind}/*" for kind in kinds]


def _made_by(create: Collection[str]) -> list[str]:
    """Say what the calls are about; a group is made in a network, and an image of a machine."""
    kinds = {
        "CreateImage": ("image", "instance", "snapshot"),
        "CreatePlacementGroup": ("placement-group",),
        "CreateSecurityGroup": ("security-group", "vpc"),
        "ImportKeyPair": ("key-pair",),
    }
    return sorted({kind for name in create for kind in kinds[name]})


def _region(config: AwsConfig) -> dict[str, Any]:
    return {"StringEquals": {"aws:RequestedRegion": sorted(config.regions)}} if config.regions else {}
