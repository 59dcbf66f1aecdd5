"""The rig of the fake provider, and of its mutants: what the contract of providers asks for, on a `FakeCloud`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from longshore.model.machine_spec import MachineSpec, SideResource
from longshore.model.offer import Offer
from longshore.model.resources import Resources
from longshore.plugin.provider import Provider, Terms
from longshore.testing.fake_cloud import FakeCloud, Port
from longshore.testing.fake_cloud_parts import CloudHabits, CloudMachine, Kind
from longshore.testing.fake_provider import FakeProvider
from longshore.testing.faults import Fault, Time
from longshore.testing.provider_rig import Paid, lookalikes, small_machine

__all__ = ["FAKE_KINDS", "FakeRig"]

FAKE_KINDS = (
    Kind(type="small", region="north", zone="north-a", cpus=2, memory_bytes=4 << 30, rate="0.10"),
    Kind(type="small", region="north", zone="north-b", cpus=2, memory_bytes=4 << 30, rate="0.11"),
    Kind(type="small", region="north", zone="north-a", cpus=2, memory_bytes=4 << 30, rate="0.03", spot=True),
    Kind(type="large", region="south", zone="south-a", cpus=16, memory_bytes=64 << 30, rate="0.80"),
    Kind(type="odd", region="south", zone="south-a", cpus=4, memory_bytes=8 << 30, rate=None),
)
"""What a fake cloud rents when a test does not care."""


class FakeRig:
    """An account on a fake cloud, with a provider of the given make."""

    owner = "me"
    secrets: Sequence[str] = ("s3cr3t-host-key",)

    def __init__(
        self,
        make: Callable[[Port, Time, Terms], Provider] = FakeProvider,
        *,
        habits: CloudHabits | None = None,
        cloud: FakeCloud | None = None,
    ) -> None:
        """Open an account on a new cloud of these habits, or on one that is there and rents `FAKE_KINDS`."""
        self.cloud = cloud or FakeCloud(FAKE_KINDS, habits=habits)
        self._began = self.cloud.time.now()
        self._make = make

    def provider(self) -> Provider:
        """Log in anew."""
        habits = self.cloud.habits
        terms = Terms(
            listing_lag=habits.listing_lag,
            settle=habits.listing_lag * 2,
            deadline=timedelta(seconds=30),
            power_off_still_costs=habits.power_off_still_costs,
        )
        return self._make(self.cloud.login("account-1"), self.cloud.time, terms)

    def spec(self) -> MachineSpec:
        """Describe a small machine."""
        kind = FAKE_KINDS[0]
        offer = Offer(
            type=kind.type,
            region=kind.region,
            zone=kind.zone,
            resources=Resources(cpus=kind.cpus, memory_bytes=kind.memory_bytes),
        )
        return small_machine(offer, owner=self.owner, secret=self.secrets[0], began=self._began)

    def now(self) -> datetime:
        """The cloud's time."""
        return self.cloud.time.now()

    def wait(self, duration: timedelta) -> None:
        """Let it pass."""
        self.cloud.time.wait(duration)

    def paid(self) -> Sequence[Paid]:
        """Look into the books."""
        return [_paid(each) for each in self.cloud.living("account-1")]

    def sides(self) -> Sequence[SideResource]:
        """Look into the cupboards."""
        return [SideResource(**side) for (account, _), side in self.cloud.sides.items() if account == "account-1"]

    def crowd(self, count: int) -> None:
        """Let colleagues rent, and name their tags much like ours."""
        others: list[Mapping[str, str]] = [*lookalikes(self.owner), {}]
        kind = FAKE_KINDS[0]
        for index in range(count):
            tags = dict(others[index % len(others)])
            body = {
                "count": 1,
                "type": kind.type,
                "region": kind.region,
                "zone": kind.zone,
                "spot": False,
                "tags": tags,
                "hollow": True,
            }
            self.cloud.do("account-1", "create", body)
            side = {"id": f"key-of-others-{len(self.cloud.sides)}", "kind": "key", "region": "north", "tags": tags}
            self.cloud.do("account-1", "create_side", side)

    def fail(self, fault: Fault, *, on: str) -> None:
        """Arrange a mishap."""
        self.cloud.fail(fault, on=on)

    def reclaim(self, machine: str, *, after: timedelta) -> None:
        """Take a spot machine back."""
        self.cloud.reclaim(machine, after=after)

    def admitted(self) -> Sequence[str]:
        """Look into the firewall."""
        return self.cloud.admitted("account-1")

    def requests(self) -> Sequence[tuple[str, Any]]:
        """List what has arrived."""
        return [(each.action, each.body) for each in self.cloud.requests]


def _paid(machine: CloudMachine) -> Paid:
    end = machine.body.get("ends_at")
    return Paid(
        id=machine.id,
        born_tags=machine.body.get("tags", {}),
        born_ends_at=datetime.fromisoformat(end) if end else None,
    )
