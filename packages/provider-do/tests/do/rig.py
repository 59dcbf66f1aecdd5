"""An account on the DigitalOcean of the tests, as the contract of providers asks for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from longshore.model.machine_spec import SideResource
from longshore.model.offer import Offer
from longshore.model.resources import Resources
from longshore.testing.clouds import DigitalOcean, StandInRig
from longshore.testing.provider_rig import Paid
from longshore_do.config import DoConfig
from longshore_do.machines import as_tags, of_tags
from longshore_do.provider import DoProvider
from longshore_do.sides import sides_in

__all__ = ["TOKEN", "DoRig"]

TOKEN = "dop_v1_s3cr3t"
_WATCH = re.compile(r"setsid sh \S+longshore-watch (\d+) ")


class DoRig(StandInRig[DigitalOcean]):
    """What the contract asks for."""

    offer = Offer(
        type="s-1vcpu-1gb",
        region="ams3",
        resources=Resources(cpus=1, memory_bytes=1 << 30, disk_bytes=25 << 30),
    )
    nobody = "1"
    secrets: Sequence[str] = ("s3cr3t-host-key", TOKEN)

    def provider(self, **options: Any) -> DoProvider:
        """Log in anew, and remember nothing of what was listed before."""
        config = DoConfig(endpoint_url=self.url, **self.options(**options))
        return DoProvider(config, catalogue=self.catalogue(), answer=self.answer)

    def paid(self) -> Sequence[Paid]:
        """Look into the books."""
        return [_paid(number, self.cloud.births.get(number, {})) for number in self.cloud.droplets]

    def sides(self) -> Sequence[SideResource]:
        """Look at keys and firewalls, whoever's."""
        return list(sides_in(self.cloud.firewalls.rows.values(), self.cloud.keys.rows.values()))

    def admitted(self) -> Sequence[str]:
        """Look at who is let in by SSH."""
        rules = [rule for row in self.cloud.firewalls.rows.values() for rule in row["inbound_rules"]]
        found = [address for rule in rules if rule["ports"] == "22" for address in rule["sources"].get("addresses", ())]
        return [each.removesuffix("/32") for each in found]

    def crowd(self, count: int) -> None:
        """Let colleagues rent, and name their things much like ours."""
        known = len(self.cloud.firewalls.rows)
        for place, tags in enumerate(self.colleagues(count)):
            body = {"size": "s-1vcpu-1gb", "region": "ams3", "image": "debian-12-x64"}
            self.cloud.crowd({**body, "name": f"theirs-{place}", "tags": as_tags(tags)})
            self.cloud.add_firewall({"name": f"others-{known}-{place}", "tags": [], "inbound_rules": []})


def _paid(number: int, body: Mapping[str, Any]) -> Paid:
    end = _WATCH.search(body.get("user_data", ""))
    return Paid(
        id=str(number),
        born_tags=of_tags(body.get("tags", ())),
        born_ends_at=datetime.fromtimestamp(int(end.group(1)), UTC) if end else None,
    )
