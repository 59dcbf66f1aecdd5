"""A subscription on the Azure of the tests, as the contract of providers asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from longshore.model.machine_spec import SideResource, Tag
from longshore.model.offer import Offer
from longshore.model.resources import Resources
from longshore.model.times import read_time
from longshore.testing.clouds import Azure, StandInRig
from longshore.testing.provider_rig import Paid
from longshore_azure.config import AzureConfig
from longshore_azure.provider import AzureProvider
from longshore_azure.sides import side_of

__all__ = ["ACCOUNT", "REGION", "ROLE", "SUBSCRIPTION", "AzureRig"]

SUBSCRIPTION = "8d2f1c1e-0000-4000-8000-000000000001"
ACCOUNT = "3a1f7b52-0000-4000-8000-000000000002"
ROLE = "5b1f6c2e-0000-4000-8000-000000000003"
"""The id of the one by which machines may end themselves."""
REGION = "westeurope"
_PAUSE = timedelta(milliseconds=5)


class AzureRig(StandInRig[Azure]):
    """What the contract asks for."""

    offer = Offer(
        type="Standard_B2s",
        region=REGION,
        resources=Resources(cpus=2, memory_bytes=4 << 30, disk_bytes=30 << 30),
    )
    nobody = "longshore/longshore-nobody"
    secrets: Sequence[str] = ("s3cr3t-host-key", "s3cr3t-identity", "PRIVATE KEY")

    def provider(self, **options: Any) -> AzureProvider:
        """Log in anew, and remember nothing of what was listed before."""
        given = self.options(**{"regions": (REGION,), **options})
        config = AzureConfig(endpoint_url=self.url, prices_url=self.url, **given)
        return AzureProvider(config, catalogue=self.catalogue(), answer=self.answer, pause=_PAUSE)

    def paid(self) -> Sequence[Paid]:
        """Look into the books."""
        return [_paid(each, self.cloud.births[each]) for each in self.cloud.rows()]

    def sides(self) -> Sequence[SideResource]:
        """Look at resource groups, firewalls and networks, whoever's."""
        rows = [*self.cloud.groups.values(), *self.cloud.resources.values()]
        sides = [side_of(row["id"], row["type"], row["tags"]) for row in rows]
        return [each for each in sides if each is not None]

    def admitted(self) -> Sequence[str]:
        """Look at who is let in by SSH."""
        rules = [rule for row in self.cloud.resources.values() for rule in row["properties"].get("securityRules", ())]
        networks = [each for rule in rules for each in rule["properties"]["sourceAddressPrefixes"]]
        return [each.removesuffix("/32") for each in networks]

    def crowd(self, count: int) -> None:
        """Let colleagues rent, and name their things much like ours."""
        known = len(self.cloud.resources)
        for place, tags in enumerate(self.colleagues(count)):
            body = {
                "location": REGION,
                "tags": tags,
                "properties": {
                    "hardwareProfile": {"vmSize": "Standard_D4s_v5"},
                    "storageProfile": {"osDisk": {"createOption": "FromImage", "diskSizeGB": 30}},
                },
            }
            self.cloud.crowd("Theirs", f"theirs-{known}-{place}", body)
            network = {"location": REGION, "tags": tags}
            self.cloud.add("Theirs", "networkSecurityGroups", f"others-{known}-{place}", network)


def _paid(machine: str, body: Mapping[str, Any]) -> Paid:
    tags = body.get("tags", {})
    return Paid(id=machine, born_tags=tags, born_ends_at=read_time(tags.get(Tag.ENDS_AT, "")))
