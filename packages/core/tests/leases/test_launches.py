"""Machines that are wanted together are asked for together."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from attrs import evolve

from longshore.errors import LongshoreError, QuotaExceeded
from longshore.model.lease import Lease, LeasePhase
from longshore.model.machine import Machine
from longshore.model.machine_spec import MachineSpec
from longshore.model.offer import Offer
from longshore.runtime.leases import LeaseKeeper
from longshore.runtime.ledger import Ledger
from longshore.testing import FakeProvider, FakeRig
from longshore.testing.faults import Fault

SECONDS = 30


class Meeting(FakeProvider):
    """Answers launches only when so many are asked for at once."""

    at_once: threading.Barrier

    def launch(self, spec: MachineSpec, *, token: str, count: int = 1) -> Sequence[Machine]:
        self.at_once.wait(SECONDS)
        return super().launch(spec, token=token, count=count)


class World:
    def __init__(self, folder: Path, at_once: int) -> None:
        self.rig = FakeRig(Meeting)
        self.refused: list[str] = []
        self.ledger = Ledger.open(folder / "ledger.db")
        provider = self.rig.provider()
        assert isinstance(provider, Meeting)
        provider.at_once = threading.Barrier(at_once)
        self.keeper = LeaseKeeper(
            name="fake",
            provider=provider,
            ledger=self.ledger,
            owner=self.rig.owner,
            now=self.rig.now,
            another=self._another,
        )

    def intend(self, *names: str) -> None:
        spec = evolve(self.rig.spec(), ledger=self.ledger.id)
        for name in names:
            self.ledger.intend(Lease(id=name, provider="fake", account="account-1", spec=spec, since=self.rig.now()))

    def phases(self) -> dict[str, LeasePhase]:
        return {lease.id: lease.phase for lease in self.ledger.leases(all_of_them=True)}

    def _another(self, lease: Lease, _: LongshoreError) -> Offer | None:
        self.refused.append(lease.id)
        return None


@pytest.fixture
def three(tmp_path: Path) -> World:
    return World(tmp_path, 3)


def test_several_launches_are_under_way_at_once(three: World) -> None:
    three.intend("a", "b", "c")
    three.keeper.launch_all(["a", "b", "c"])
    assert three.phases() == dict.fromkeys("abc", LeasePhase.KNOWN)
    assert len(three.rig.paid()) == 3
    assert len({lease.machine for lease in three.ledger.leases()}) == 3


def test_one_that_is_refused_keeps_none_of_the_others(three: World) -> None:
    three.intend("a", "b", "c")
    three.rig.fail(Fault.QUOTA, on="create")
    three.keeper.launch_all(["a", "b", "c"])
    (lost,) = three.refused
    assert three.phases() == {**dict.fromkeys("abc", LeasePhase.KNOWN), lost: LeasePhase.ABSENT}
    assert len(three.rig.paid()) == 2


def test_one_that_is_not_answered_stays_requested(three: World) -> None:
    three.intend("a", "b", "c")
    three.rig.fail(Fault.REPLY_LOST, on="create")
    three.keeper.launch_all(["a", "b", "c"])
    assert sorted(three.phases().values()) == [LeasePhase.KNOWN, LeasePhase.KNOWN, LeasePhase.REQUESTED]
    assert len(three.rig.paid()) == 3


def test_a_single_launch_still_raises_what_the_cloud_says(tmp_path: Path) -> None:
    world = World(tmp_path, 1)
    world.intend("a")
    world.rig.fail(Fault.DENIED, on="create")
    with pytest.raises(LongshoreError) as caught:
        world.keeper.launch("a")
    assert not isinstance(caught.value, QuotaExceeded)
    assert world.phases() == {"a": LeasePhase.ABSENT}
