"""What can be said about clusters of AWS in ``[providers.NAME]`` with ``plugin = "eks"``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from attrs import Attribute, field, frozen
from attrs.validators import ge, gt, le

from longshore_aws.config import AwsConfig, check_tags

__all__ = ["EksConfig"]

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
_WHO = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:(role|user)/[\w+=,.@/-]+", re.ASCII)
_VERSION = re.compile(r"1\.\d{2}|")
_SUBNET = re.compile(r"subnet-[0-9a-f]{8,17}")
_MOST_NODES = 100


def _is_role(_: object, attribute: Attribute[str], value: str) -> None:
    if value and not _ROLE.fullmatch(value):
        raise ValueError(f"{attribute.name} {value!r} is no role; write it as in arn:aws:iam::123456789012:role/NAME")


def _are_who(_: object, attribute: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    for each in value:
        if not _WHO.fullmatch(each):
            raise ValueError(f"{attribute.name}: {each!r} is no user or role; write its ARN")


def _are_subnets(_: object, __: Attribute[tuple[str, ...]], value: tuple[str, ...]) -> None:
    for each in value:
        if not _SUBNET.fullmatch(each):
            raise ValueError(f"{each!r} is no subnet; write its id (subnet-...)")
    if len(value) == 1:
        raise ValueError(
            "a cluster needs subnets in two zones at least; name another one, or none for the default ones"
        )


def _is_version(_: object, __: Attribute[str], value: str) -> None:
    if not _VERSION.fullmatch(value):
        raise ValueError(f"{value!r} is no version of Kubernetes, such as 1.33")


@frozen(kw_only=True)
class EksConfig:
    """Options of the provider ``eks``, whose machines are clusters."""

    role: str = field(default="", validator=_is_role)
    """ARN of the role that clusters have (AmazonEKSClusterPolicy); nothing is rented without."""
    node_role: str = field(default="", validator=_is_role)
    """ARN of the role that nodes have (AmazonEKSWorkerNodePolicy, AmazonEKS_CNI_Policy,
    AmazonEC2ContainerRegistryReadOnly).
    """
    profile: str = ""
    """A profile of the AWS configuration; empty for the default chain: variables, files, roles."""
    regions: tuple[str, ...] = ()
    """Where to rent, in the order of preference; empty for the region that boto3 finds."""
    version: str = field(default="", validator=_is_version)
    """Of Kubernetes; empty for the newest that AWS makes by default."""
    min_nodes: int = field(default=0, validator=[ge(0), le(_MOST_NODES)])
    """So few nodes may an autoscaler in the cluster leave."""
    max_nodes: int = field(default=2, validator=[ge(1), le(_MOST_NODES)])
    """So many nodes a cluster begins with, and has at most."""
    disk_gib: int = field(default=30, validator=[ge(20), le(16384)])
    """Of each node."""
    subnets: tuple[str, ...] = field(default=(), validator=_are_subnets)
    """Where nodes are, in two zones at least; empty for the default ones of all zones."""
    zones: tuple[str, ...] = ()
    """Which zones of the default subnets; empty for all."""
    access: tuple[str, ...] = field(default=(), validator=_are_who)
    """ARNs of other users and roles that may do all in the cluster, too."""
    tags: Mapping[str, str] = field(factory=dict[str, str], validator=check_tags)
    """More tags for everything that is made."""
    deadline: timedelta = field(default=timedelta(seconds=60), validator=gt(timedelta(0)))
    """How long one request may take, with all that is repeated."""
    listing_lag: timedelta = field(default=timedelta(seconds=30), validator=ge(timedelta(0)))
    """How long lists may lag behind what was done."""
    endpoint_url: str = ""
    """Another place that speaks AWS's protocol; empty for AWS."""

    def __attrs_post_init__(self) -> None:
        """Refuse fewer nodes at most than at least."""
        if self.max_nodes < self.min_nodes:
            raise ValueError(f"at most {self.max_nodes} nodes are fewer than the {self.min_nodes} at least; swap them")

    @property
    def aws(self) -> AwsConfig:
        """The same login and regions as options of the provider ``aws``; raises ValueError as those do."""
        return AwsConfig(
            profile=self.profile,
            regions=self.regions,
            deadline=self.deadline,
            listing_lag=self.listing_lag,
            endpoint_url=self.endpoint_url,
        )
