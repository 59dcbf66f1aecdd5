"""An account on the DigitalOcean of the tests, as the contract of providers asks for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from longshore.model.machine_spec import MachineSpec, SideResource, Tag
from longshore.model.offer import Offer
from longshore.model.resources import Resources
from longshore.plugin.catalogue import Catalogue
from longshore.testing.clouds import DigitalOcean
from longshore.testing.faults import Fault
from longshore.testing.provider_rig import Paid, answer_within
from longshore_do.config import DoConfig
from longshore_do.machines import as_tags, of_tags
from longshore_do.provider import DoProvider
from longshore_do.sides import sides_in

__all__ = ["PUBLIC_KEY", "TOKEN", "DoRig"]

TOKEN = "dop_v1_s3cr3t"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIuD8oyQqD0Kk0eJmXvdtX2zyHMgtIEuPsOvdzBwaMxG me"
_WATCH = re.compile(r"setsid sh \S+longshore-watch (\d+) ")


class DoRig:
    """What the contract asks for."""

    owner = "me"
    nobody = "1"
    secrets: Sequence[str] = ("s3cr3t-host-key", TOKEN)

    def __init__(self, cloud: DigitalOcean, url: str, folder: Path, *, test: str = "") -> None:
        self.cloud = cloud
        self._answer = answer_within(test)
        self.url = url
        self._folder = folder
        self._made = 0
        self._began = self.now()

    def provider(self, **options: Any) -> DoProvider:
        """Log in anew, and remember nothing of what was listed before."""
        self._made += 1
        given = {"admit": ("203.0.113.7/32",), "deadline": timedelta(minutes=1) + 6 * self._answer, **options}
        config = DoConfig(endpoint_url=self.url, **given)
        kept = Catalogue(self._folder / str(self._made), now=lambda: datetime.now(UTC))
        return DoProvider(config, catalogue=kept, answer=self._answer)

    def spec(self) -> MachineSpec:
        """Describe a small machine."""
        offer = Offer(
            type="s-1vcpu-1gb",
            region="ams3",
            resources=Resources(cpus=1, memory_bytes=1 << 30, disk_bytes=25 << 30),
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
        others: list[Mapping[str, str]] = [
            {Tag.OWNER: f"{self.owner}2"},
            {Tag.OWNER: self.owner.upper()},
            {Tag.PROJECT: self.owner},
            {"owner": self.owner, Tag.LEDGER: "l-1"},
        ]
        known = len(self.cloud.firewalls.rows)
        for place in range(count):
            body = {"size": "s-1vcpu-1gb", "region": "ams3", "image": "debian-12-x64"}
            self.cloud.crowd({**body, "name": f"theirs-{place}", "tags": as_tags(others[place % len(others)])})
            self.cloud.add_firewall({"name": f"others-{known}-{place}", "tags": [], "inbound_rules": []})

    def fail(self, fault: Fault, *, on: str) -> None:
        """Arrange a mishap."""
        self.cloud.fail(fault, on=on)

    def requests(self) -> Sequence[tuple[str, Any]]:
        """List what has arrived."""
        return self.cloud.requests()


def _paid(number: int, body: Mapping[str, Any]) -> Paid:
    end = _WATCH.search(body.get("user_data", ""))
    return Paid(
        id=str(number),
        born_tags=of_tags(body.get("tags", ())),
        born_ends_at=datetime.fromtimestamp(int(end.group(1)), UTC) if end else None,
    )
