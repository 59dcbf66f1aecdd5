"""A subscription on the Azure of the tests, as the contract of providers asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from longshore.model.machine_spec import MachineSpec, SideResource, Tag
from longshore.model.offer import Offer
from longshore.model.resources import Resources
from longshore.model.times import read_time
from longshore.plugin.catalogue import Catalogue
from longshore.testing.clouds import Azure
from longshore.testing.faults import Fault
from longshore.testing.provider_rig import Paid, answer_within
from longshore_azure.config import AzureConfig
from longshore_azure.provider import AzureProvider
from longshore_azure.sides import side_of

__all__ = ["ACCOUNT", "PUBLIC_KEY", "REGION", "ROLE", "SUBSCRIPTION", "AzureRig"]

SUBSCRIPTION = "8d2f1c1e-0000-4000-8000-000000000001"
ACCOUNT = "3a1f7b52-0000-4000-8000-000000000002"
ROLE = "5b1f6c2e-0000-4000-8000-000000000003"
"""The id of the one by which machines may end themselves."""
REGION = "westeurope"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIuD8oyQqD0Kk0eJmXvdtX2zyHMgtIEuPsOvdzBwaMxG me"
_PAUSE = timedelta(milliseconds=5)


class AzureRig:
    """What the contract asks for."""

    owner = "me"
    nobody = "longshore/longshore-nobody"
    secrets: Sequence[str] = ("s3cr3t-host-key", "s3cr3t-identity", "PRIVATE KEY")

    def __init__(self, cloud: Azure, url: str, folder: Path, *, test: str = "") -> None:
        self.cloud = cloud
        self.url = url
        self.folder = folder
        self._answer = answer_within(test)
        self._made = 0
        self._began = self.now()

    def provider(self, **options: Any) -> AzureProvider:
        """Log in anew, and remember nothing of what was listed before."""
        self._made += 1
        given = {
            "admit": ("203.0.113.7/32",),
            "regions": (REGION,),
            "deadline": timedelta(minutes=1) + 6 * self._answer,
            **options,
        }
        config = AzureConfig(endpoint_url=self.url, prices_url=self.url, **given)
        kept = Catalogue(self.folder / str(self._made), now=lambda: datetime.now(UTC))
        return AzureProvider(config, catalogue=kept, answer=self._answer, pause=_PAUSE)

    def spec(self) -> MachineSpec:
        """Describe a small machine."""
        offer = Offer(
            type="Standard_B2s",
            region=REGION,
            resources=Resources(cpus=2, memory_bytes=4 << 30, disk_bytes=30 << 30),
        )
        return MachineSpec(
            offer=offer,
            keys=(PUBLIC_KEY,),
            boot_script=f"#!/bin/sh\nprintf %s {self.secrets[0]} >/etc/ssh/host_key\n",
            owner=self.owner,
            ledger="l-1",
            project="pv",
            run="r1",
            pool="cloud",
            ends_at=self._began.replace(microsecond=0) + timedelta(hours=8),
        )

    def now(self) -> datetime:
        """The cloud's time."""
        return self.cloud.now()

    def wait(self, duration: timedelta) -> None:
        """Let it pass."""
        self.cloud.wait(duration)

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
        others: list[Mapping[str, str]] = [
            {Tag.OWNER: f"{self.owner}2"},
            {Tag.OWNER: self.owner.upper()},
            {Tag.PROJECT: self.owner},
            {"owner": self.owner, Tag.LEDGER: "l-1"},
        ]
        known = len(self.cloud.resources)
        for place in range(count):
            tags = {str(key): value for key, value in others[place % len(others)].items()}
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

    def fail(self, fault: Fault, *, on: str) -> None:
        """Arrange a mishap."""
        self.cloud.fail(fault, on=on)

    def requests(self) -> Sequence[tuple[str, Any]]:
        """List what has arrived."""
        return self.cloud.requests()


def _paid(machine: str, body: Mapping[str, Any]) -> Paid:
    tags = body.get("tags", {})
    return Paid(id=machine, born_tags=tags, born_ends_at=read_time(tags.get(Tag.ENDS_AT, "")))
