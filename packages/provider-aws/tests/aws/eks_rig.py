"""Clusters of an account on the AWS of the tests, as the contract of providers asks for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
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


class EksRig(AwsRig):
    """What the contract asks for, of clusters."""

    repository = f"123456789012.dkr.ecr.{REGION}.amazonaws.com/team/tool"

    def provider(self, **options: Any) -> EksProvider:  # type: ignore[override]  # another kind of provider
        """Log in anew, and remember nothing of what was listed before."""
        self._made += 1
        given = {"regions": (REGION,), "deadline": timedelta(minutes=1) + 6 * self._answer, **ROLES, **options}
        config = EksConfig(endpoint_url=self.cloud.url, **given)
        kept = Catalogue(self._folder / str(self._made), now=lambda: datetime.now(UTC))
        return EksProvider(config, catalogue=kept, answer=self._answer)

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

    def push(self) -> str:
        """Put an image there, another one each time."""
        admin = self.cloud.admin("ecr")
        name = self.repository.partition("/")[2]
        with suppress(admin.exceptions.RepositoryAlreadyExistsException):
            admin.create_repository(repositoryName=name)
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "number": len(self.pushed())})
        made = admin.put_image(repositoryName=name, imageManifest=manifest)
        return str(made["image"]["imageId"]["imageDigest"])

    def pushed(self) -> Sequence[str]:
        """Look into the registry."""
        found = self.cloud.admin("ecr").list_images(repositoryName=self.repository.partition("/")[2])["imageIds"]
        return [each["imageDigest"] for each in found]

    def fail(self, fault: Fault, *, on: str) -> None:
        """Arrange a mishap. A cluster is whole or not at all: fewer than asked for is one that cannot be had."""
        super().fail(Fault.CAPACITY if fault is Fault.PARTIAL else fault, on=on)
