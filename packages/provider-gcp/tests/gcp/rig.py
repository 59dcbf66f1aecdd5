"""A project on the Google Cloud of the tests, as the contract of providers asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from longshore.model.machine_spec import MachineSpec, SideResource, Tag
from longshore.model.offer import Offer
from longshore.model.resources import Resources
from longshore.plugin.catalogue import Catalogue
from longshore.testing.clouds import GoogleCloud
from longshore.testing.faults import Fault
from longshore.testing.provider_rig import Paid, answer_within
from longshore_gcp.config import GcpConfig
from longshore_gcp.labels import TAGS_ITEM, labels, read_tags, write_tags
from longshore_gcp.provider import GcpProvider
from longshore_gcp.sides import side_of

__all__ = ["ACCOUNT", "PROJECT", "PUBLIC_KEY", "ZONE", "GcpRig"]

PROJECT = "my-project"
ACCOUNT = "me@my-project.iam.gserviceaccount.com"
ZONE = "europe-west4-a"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIuD8oyQqD0Kk0eJmXvdtX2zyHMgtIEuPsOvdzBwaMxG me"


class GcpRig:
    """What the contract asks for."""

    owner = "me"
    nobody = f"longshore-nobody.{ZONE}"
    secrets: Sequence[str] = ("s3cr3t-host-key", "PRIVATE KEY")

    def __init__(self, cloud: GoogleCloud, url: str, folder: Path, *, test: str = "") -> None:
        self.cloud = cloud
        self._answer = answer_within(test)
        self.url = url
        self._folder = folder
        self._made = 0
        self._began = self.now()

    def provider(self, **options: Any) -> GcpProvider:
        """Log in anew, and remember nothing of what was listed before."""
        self._made += 1
        given = {
            "admit": ("203.0.113.7/32",),
            "regions": ("europe-west4",),
            "deadline": timedelta(minutes=1) + 6 * self._answer,
            **options,
        }
        config = GcpConfig(endpoint_url=self.url, billing_url=self.url, **given)
        kept = Catalogue(self._folder / str(self._made), now=lambda: datetime.now(UTC))
        return GcpProvider(config, catalogue=kept, answer=self._answer)

    def spec(self) -> MachineSpec:
        """Describe a small machine."""
        offer = Offer(
            type="e2-small",
            region="europe-west4",
            zone=ZONE,
            resources=Resources(cpus=2, memory_bytes=2 << 30, disk_bytes=30 << 30),
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
        return [_paid(each, self.cloud.instances.births[each]) for each in self.cloud.machines()]

    def sides(self) -> Sequence[SideResource]:
        """Look at firewall rules, whoever's."""
        return [side_of(row["name"], row.get("description", "")) for row in self.cloud.firewalls.rows.values()]

    def admitted(self) -> Sequence[str]:
        """Look at who is let in by SSH."""
        rows = self.cloud.firewalls.rows.values()
        return [each.removesuffix("/32") for row in rows for each in row.get("sourceRanges", ())]

    def crowd(self, count: int) -> None:
        """Let colleagues rent, and name their things much like ours."""
        others: list[Mapping[str, str]] = [
            {Tag.OWNER: f"{self.owner}2"},
            {Tag.OWNER: self.owner.upper()},
            {Tag.PROJECT: self.owner},
            {"owner": self.owner, Tag.LEDGER: "l-1"},
        ]
        known = len(self.cloud.instances.rows)
        for place in range(count):
            tags = others[place % len(others)]
            body = {
                "name": f"theirs-{known}-{place}",
                "machineType": f"zones/{ZONE}/machineTypes/n2-standard-4",
                "labels": labels(tags),
                "metadata": {"items": [{"key": TAGS_ITEM, "value": write_tags(tags)}]},
                "scheduling": {"provisioningModel": "STANDARD"},
                "disks": [{"boot": True, "initializeParams": {"diskSizeGb": "10"}}],
                "networkInterfaces": [{"network": "global/networks/default"}],
            }
            self.cloud.crowd(ZONE, body)
            self.cloud.add_firewall({"name": f"others-{known}-{place}", "description": write_tags(tags)})

    def fail(self, fault: Fault, *, on: str) -> None:
        """Arrange a mishap."""
        self.cloud.fail(fault, on=on)

    def requests(self) -> Sequence[tuple[str, Any]]:
        """List what has arrived."""
        return self.cloud.requests()


def _paid(instance: str, body: Mapping[str, Any]) -> Paid:
    items = body["metadata"]["items"]
    end = body["scheduling"].get("terminationTime")
    return Paid(
        id=instance,
        born_tags=read_tags(item["value"] for item in items if item["key"] == TAGS_ITEM),
        born_ends_at=datetime.fromisoformat(end) if end else None,
    )
