"""The least rights that a login needs for clusters, as a policy of IAM."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from longshore.model.machine_spec import Tag
from longshore_aws.eks_config import EksConfig

__all__ = ["least_policy"]

_LOOK = ("DescribeInstanceTypeOfferings", "DescribeInstanceTypes", "DescribeSpotPriceHistory", "DescribeSubnets")
_MAKE = ("CreateCluster", "CreateNodegroup", "TagResource")
_CHANGE = ("DeleteCluster", "DeleteNodegroup", "UpdateNodegroupConfig")
_READ = ("DescribeCluster", "DescribeNodegroup", "ListClusters", "ListNodegroups")
_LET_IN = ("AssociateAccessPolicy", "CreateAccessEntry")
_IMAGES = ("BatchDeleteImage", "CreateRepository", "TagResource")
_PUSH = (
    "BatchCheckLayerAvailability",
    "BatchGetImage",
    "CompleteLayerUpload",
    "GetDownloadUrlForLayer",
    "InitiateLayerUpload",
    "PutImage",
    "UploadLayerPart",
)
"""Asked for by the program that pushes images, and when one is looked for."""
_ROLES = ("eks.amazonaws.com", "eks-nodegroup.amazonaws.com", "spot.amazonaws.com")


def least_policy(config: EksConfig) -> Mapping[str, Any]:
    """Give the policy for what can be asked with these options; AWS's console takes it as it is."""
    region = {"StringEquals": {"aws:RequestedRegion": sorted(config.regions)}} if config.regions else {}
    created = {"Null": {f"aws:RequestTag/{Tag.OWNER}": "false"}}
    ours = {"Null": {f"aws:ResourceTag/{Tag.OWNER}": "false"}}
    passed = {"StringEquals": {"iam:PassedToService": ["eks.amazonaws.com", "ec2.amazonaws.com"]}}
    roles = sorted({config.role, config.node_role} - {""}) or ["*"]
    statements = [
        _statement("Look", "ec2", _LOOK, condition=region),
        _statement("LookAtClusters", "eks", _READ, condition=region),
        _statement("Rent", "eks", _MAKE, condition={**created, **region}),
        _statement("ChangeAndEndOurs", "eks", _CHANGE, condition={**ours, **region}),
        _statement("RightsOfClusters", "iam", ["PassRole"], resources=roles, condition=passed),
        _statement(
            "RolesOnce",
            "iam",
            ["CreateServiceLinkedRole"],
            condition={"StringEquals": {"iam:AWSServiceName": list(_ROLES)}},
        ),
        _statement("Prices", "pricing", ["GetProducts"]),
        _statement("LoginToRegistry", "ecr", ["GetAuthorizationToken"]),
        _statement("Images", "ecr", [*_IMAGES, *_PUSH], resources=["arn:*:ecr:*:*:repository/*"], condition=region),
    ]
    if config.access:
        statements.append(_statement("LetOthersIn", "eks", _LET_IN, condition={**ours, **region}))
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(
    name: str,
    service: str,
    actions: Collection[str],
    *,
    resources: Collection[str] = ("*",),
    condition: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    named = sorted(f"{service}:{action}" for action in actions)
    found: dict[str, Any] = {"Sid": name, "Effect": "Allow", "Action": named, "Resource": sorted(resources)}
    return {**found, "Condition": dict(condition)} if condition else found
