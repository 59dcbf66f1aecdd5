"""Clusters of an account on the AWS of the tests, as the contract of providers asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve

from longshore.model.machine_spec import MachineSpec, SideResource, Tag
from longshore.model.times import read_time
from longshore.plugin.catalogue import Catalogue
from longshore.testing.faults import Fault
from longshore.testing.provider_rig import Paid
from longshore_aws.eks import EksProvider
from longshore_aws.eks_config import EksConfig

from .rig import REGION, AwsRig

__all__ = ["ROLES", "EksRig"]

ROLES = {
    "role": "arn:aws:iam::123456789012:role/clusters",
    "node_role": "arn:aws:iam::123456789012:role/nodes",
}
_ANSWER = timedelta(seconds=20)


class EksRig(AwsRig):
    """What the contract asks for, of clusters."""

    def provider(self, **options: Any) -> EksProvider:  # type: ignore[override]  # another kind of provider
        """Log in anew, and remember nothing of what was listed before."""
        self._made += 1
        config = EksConfig(endpoint_url=self.cloud.url, regions=(REGION,), **{**ROLES, **options})
        kept = Catalogue(self._folder / str(self._made), now=lambda: datetime.now(UTC))
        return EksProvider(config, catalogue=kept, answer=_ANSWER)

    def spec(self) -> MachineSpec:
        """Describe a cluster of small nodes."""
        spec = super().spec()
        return evolve(spec, offer=evolve(spec.offer, zone=""), keys=())

    def rows(self) -> Iterator[dict[str, Any]]:
        """List all clusters of the account."""
        admin = self.cloud.admin("eks")
        for page in admin.get_paginator("list_clusters").paginate():
            for name in page["clusters"]:
                yield admin.describe_cluster(name=name)["cluster"]

    def groups(self, name: str) -> list[dict[str, Any]]:
        """List the groups of nodes of a cluster."""
        admin = self.cloud.admin("eks")
        names = admin.list_nodegroups(clusterName=name)["nodegroups"]
        return [admin.describe_nodegroup(clusterName=name, nodegroupName=each)["nodegroup"] for each in names]

    def paid(self) -> Sequence[Paid]:
        """Look into the books."""
        return [
            Paid(id=row["arn"], born_tags=row["tags"], born_ends_at=read_time(row["tags"].get(Tag.ENDS_AT, "")))
            for row in self.rows()
        ]

    def sides(self) -> Sequence[SideResource]:
        """A cluster has nothing beside it that outlives it."""
        return []

    def crowd(self, count: int) -> None:
        """Let colleagues have clusters, and name them and their tags much like ours."""
        tags: list[dict[str, str]] = [
            {Tag.OWNER: f"{self.owner}2"},
            {Tag.OWNER: self.owner.upper()},
            {"owner": self.owner},
        ]
        subnets = [row["SubnetId"] for row in self.cloud.admin().describe_subnets()["Subnets"]]
        admin = self.cloud.admin("eks")
        known = sum(len(page["clusters"]) for page in admin.get_paginator("list_clusters").paginate())
        for number in range(count):
            admin.create_cluster(
                name=f"{'longshore' if number < len(tags) else 'team'}-{known + number}",
                roleArn=ROLES["role"],
                resourcesVpcConfig={"subnetIds": subnets},
                tags={str(key): value for key, value in tags[number % len(tags)].items()},
            )

    def fail(self, fault: Fault, *, on: str) -> None:
        """Arrange a mishap. A cluster is whole or not at all: fewer than asked for is one that cannot be had."""
        super().fail(Fault.CAPACITY if fault is Fault.PARTIAL else fault, on=on)
