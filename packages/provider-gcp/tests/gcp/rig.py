"""A project on the Google Cloud of the tests, as the contract of providers asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from longshore.model.machine_spec import SideResource
from longshore.model.offer import Offer
from longshore.model.resources import Resources
from longshore.testing.clouds import GoogleCloud, StandInRig
from longshore.testing.provider_rig import Paid
from longshore_gcp.config import GcpConfig
from longshore_gcp.labels import TAGS_ITEM, labels, read_tags, write_tags
from longshore_gcp.provider import GcpProvider
from longshore_gcp.sides import side_of

__all__ = ["ACCOUNT", "PROJECT", "ZONE", "GcpRig"]

PROJECT = "my-project"
ACCOUNT = "me@my-project.iam.gserviceaccount.com"
ZONE = "europe-west4-a"


class GcpRig(StandInRig[GoogleCloud]):
    """What the contract asks for."""

    offer = Offer(
        type="e2-small",
        region="europe-west4",
        zone=ZONE,
        resources=Resources(cpus=2, memory_bytes=2 << 30, disk_bytes=30 << 30),
    )
    nobody = f"longshore-nobody.{ZONE}"
    secrets: Sequence[str] = ("s3cr3t-host-key", "PRIVATE KEY")

    def provider(self, **options: Any) -> GcpProvider:
        """Log in anew, and remember nothing of what was listed before."""
        given = self.options(**{"regions": ("europe-west4",), **options})
        config = GcpConfig(endpoint_url=self.url, billing_url=self.url, **given)
        return GcpProvider(config, catalogue=self.catalogue(), answer=self.answer)

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
        known = len(self.cloud.instances.rows)
        for place, tags in enumerate(self.colleagues(count)):
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


def _paid(instance: str, body: Mapping[str, Any]) -> Paid:
    items = body["metadata"]["items"]
    end = body["scheduling"].get("terminationTime")
    return Paid(
        id=instance,
        born_tags=read_tags(item["value"] for item in items if item["key"] == TAGS_ITEM),
        born_ends_at=datetime.fromisoformat(end) if end else None,
    )
